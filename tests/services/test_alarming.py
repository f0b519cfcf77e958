"""Alarms: a retired value that is used again, and a session that two hold, open one incident each."""

import pytest

from services.rotation_scene import API, AWAY, HOME, Rotations, as_issued
from services.scene import SESSIONS, Scene
from support import MINUTE_US, SECOND_US
from watchword.domain.events import Action
from watchword.domain.incidents import IncidentKind
from watchword.domain.rotations import MIN_US
from watchword.domain.securitypolicy import ReuseResponse
from watchword.services.issuing import Issued

THIRD = "203.0.113.5"


@pytest.fixture
def rotations(scene: Scene) -> Rotations:
    return Rotations(scene)


@pytest.fixture
def retired(scene: Scene, rotations: Rotations) -> tuple[Issued, Issued]:
    """An API access token and its successor, which is used from home."""
    old = rotations.api_token()
    new = rotations.start(old.token)
    rotations.reason(new, HOME, API)
    scene.world.clock.forward(10 * MINUTE_US)
    return old, as_issued(new)


def test_a_retired_value_opens_one_incident_that_counts(
    scene: Scene, rotations: Rotations, retired: tuple[Issued, Issued]
) -> None:
    old, _ = retired
    for address in (AWAY, AWAY, THIRD, AWAY):
        assert rotations.reason(old, address, API) == "token_superseded"
    scene.run(scene.authority.flush())
    scene.run(scene.authority.flush())
    (incident,) = rotations.incidents()
    assert (incident.kind, incident.token_id) == (IncidentKind.REUSE, old.token.id)
    assert (incident.count, incident.addresses) == (4, (AWAY, THIRD))
    (event,) = scene.events(Action.INCIDENT_OPENED)
    assert event.address == AWAY
    assert old.value.reveal() not in event.data


def test_the_successor_of_one_holder_is_held_back_until_the_incident_is_closed(
    scene: Scene, rotations: Rotations, retired: tuple[Issued, Issued]
) -> None:
    old, new = retired
    rotations.reason(old, AWAY, API)
    for address in (HOME, AWAY):
        assert rotations.reason(new, address, API) == "token_quarantined"
    scene.world.restart()
    assert rotations.reason(new, HOME, API) == "token_quarantined"
    (incident,) = rotations.incidents()
    rotations.close(incident)
    assert rotations.reason(new, HOME, API) == ""
    assert rotations.reason(old, AWAY, API) == "token_superseded"
    assert rotations.reason(new, HOME, API) == ""  # somebody has looked at that address
    assert rotations.reason(old, THIRD, API) == "token_superseded"
    assert rotations.reason(new, HOME, API) == "token_quarantined"
    assert len(rotations.incidents()) == 2
    assert len(scene.events(Action.INCIDENT_CLOSED)) == 1


def test_the_dry_run_holds_nothing_back(rotations: Rotations, retired: tuple[Issued, Issued]) -> None:
    old, new = retired
    rotations.respond(ReuseResponse.ALARM)
    assert rotations.reason(old, AWAY, API) == "token_superseded"
    assert rotations.reason(new, AWAY, API) == ""
    assert [one.held for one in rotations.incidents()] == [()]


def test_the_end_of_a_chain_is_held_back_and_a_rotation_that_is_open_there_too(
    rotations: Rotations, retired: tuple[Issued, Issued]
) -> None:
    old, new = retired
    last = rotations.start(new.token)
    assert rotations.reason(last, HOME, API) == ""
    coming = rotations.start(last.successor)
    assert rotations.reason(old, AWAY, API) == "token_superseded"
    for one in (last, coming):
        assert rotations.reason(one, HOME, API) == "token_quarantined"
    (incident,) = rotations.incidents()
    assert incident.held == (last.successor.id, coming.successor.id)


def test_of_a_shared_token_only_joins_from_the_addresses_of_the_reuse_are_held_back(
    scene: Scene, rotations: Rotations
) -> None:
    old = scene.token()
    stays = scene.agent(old)
    new = rotations.start(old.token)
    moved = scene.agent(as_issued(new), name="moved")
    rotations.finish(old.token)
    scene.world.clock.forward(MINUTE_US)
    for session in (stays, moved):
        scene.authority.fleet.heartbeat(session.agent.id)
    assert rotations.reason(old, AWAY) == "token_superseded"
    assert rotations.reason(new, AWAY) == "token_quarantined"
    assert (rotations.reason(new, HOME), rotations.reason(new, THIRD)) == ("", "")
    for session in (stays, moved):  # nobody who is connected is ended by an alarm
        assert scene.reason_from(session.value.reveal(), AWAY, SESSIONS) == ""
    rotations.close(rotations.incidents()[0])
    assert rotations.reason(new, AWAY) == ""


def test_a_value_that_expired_before_its_rotation_was_committed_is_retired_too(
    scene: Scene, rotations: Rotations
) -> None:
    old = scene.token(expires_in=700)
    scene.world.clock.forward(300 * SECOND_US)
    rotations.start(old.token, deadline=scene.world.clock.now() + 2 * MIN_US)
    scene.world.clock.forward(401 * SECOND_US)
    assert rotations.reason(old) == "token_expired"
    rotations.finish(old.token)
    assert rotations.reason(old) == "token_superseded"


def test_a_revoked_value_is_no_incident(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    new = rotations.start(old.token)
    rotations.abort(old.token)
    assert rotations.reason(new, AWAY) == "token_revoked"
    assert not rotations.incidents()


# -- two holders of one session ------------------------------------------------------------------------


def use(scene: Scene, value: str, *addresses: str, apart: int = 2) -> None:
    for address in addresses:
        scene.world.clock.forward(apart * SECOND_US)
        assert scene.reason_from(value, address, SESSIONS) == ""


def test_addresses_that_alternate_within_a_minute_raise_one_alarm(scene: Scene, rotations: Rotations) -> None:
    agent = scene.agent()
    use(scene, agent.value.reveal(), HOME, AWAY, HOME)
    assert not rotations.incidents()
    use(scene, agent.value.reveal(), AWAY, HOME, AWAY, HOME, AWAY)
    (incident,) = rotations.incidents()
    assert (incident.kind, incident.agent_id) == (IncidentKind.CLONE, agent.agent.id)
    assert set(incident.addresses) == {HOME, AWAY}
    assert incident.held == ()
    rotations.close(incident)
    use(scene, agent.value.reveal(), *(HOME, AWAY) * 3)
    assert len(rotations.incidents()) == 1  # once for each session


@pytest.mark.parametrize(
    "addresses",
    [
        [HOME, AWAY, AWAY, THIRD, THIRD],  # a laptop that moves
        [HOME, "2001:db8::1"] * 6,  # a host with IPv4 and IPv6
        [HOME, HOME, HOME],
    ],
    ids=["roaming", "dual-stack", "still"],
)
def test_what_one_holder_does_is_no_alarm(scene: Scene, rotations: Rotations, addresses: list[str]) -> None:
    use(scene, scene.agent().value.reveal(), *addresses)
    assert not rotations.incidents()


def test_slow_changes_are_no_alarm(scene: Scene, rotations: Rotations) -> None:
    use(scene, scene.agent().value.reveal(), *(HOME, AWAY) * 4, apart=40)
    assert not rotations.incidents()


def test_a_session_that_connects_again_from_elsewhere_counts_as_two_changes(
    scene: Scene, rotations: Rotations
) -> None:
    agent = scene.agent()
    use(scene, agent.value.reveal(), HOME, AWAY)
    alarms = scene.authority.alarms
    session = scene.record(
        scene.run(scene.authority.verifier.verify(agent.value.reveal(), SESSIONS, address=AWAY)).holder
    )
    scene.run(alarms.reconnected(session))
    assert not rotations.incidents()
    use(scene, agent.value.reveal(), HOME)
    assert [one.kind for one in rotations.incidents()] == [IncidentKind.CLONE]
