"""Rotations: both values work until the predecessor is provably unused, and then only the successor does."""

from collections.abc import Callable

import pytest

from services.rotation_scene import API, ASKER, AWAY, HOME, Rotations, as_issued
from services.scene import Scene
from support import MINUTE_US
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.ids import OrganizationId
from watchword.domain.restrictions import Restrictions
from watchword.domain.rotations import DEFAULT_US, MAX_US, MIN_US, Cause, RotationState
from watchword.domain.securitypolicy import Grant, ReuseResponse
from watchword.domain.tokens import DAY_US, State
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined
from watchword.services.revoking import revoke
from watchword.services.sealedvalues import open_copy
from watchword.store.base import Transaction


@pytest.fixture
def rotations(scene: Scene) -> Rotations:
    return Rotations(scene)


def leave(scene: Scene, joined: Joined) -> None:
    scene.run(scene.authority.finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))


# -- starting ------------------------------------------------------------------------------------------


def test_both_values_work_while_a_rotation_is_open(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    scene.agent(old)
    started = rotations.start(old.token)
    assert started.rotation.deadline == scene.world.clock.now() + DEFAULT_US
    assert rotations.reason(old) == rotations.reason(started) == ""
    late = scene.agent(old, name="late")  # nobody is locked out
    assert scene.row(late.agent.id).state is AgentState.CONNECTED
    assert rotations.find(old.token) == rotations.find(started.successor)
    (event,) = scene.events(Action.ROTATION_STARTED)
    assert started.value.reveal() not in event.data
    assert started.successor.id in event.data


def test_a_successor_may_do_what_its_predecessor_may_and_no_more(scene: Scene, rotations: Rotations) -> None:
    restrictions = Restrictions(tags=("os=linux",))
    old = scene.token(restrictions=restrictions, max_uses=5, expires_in=3600)
    for number in range(2):
        scene.agent(old, name=f"a{number}", tags=("os=linux",))
    scene.forward(1800)
    successor = rotations.start(scene.record(old.token)).successor
    now = scene.world.clock.now()
    assert successor.restrictions == restrictions.dump()
    assert (successor.description, successor.cluster_id) == (old.token.description, old.token.cluster_id)
    assert (successor.max_uses, successor.uses) == (3, 0)
    assert successor.expires_at == now + 3600 * 1_000_000


def test_both_values_stand_for_the_same_uses(scene: Scene, rotations: Rotations) -> None:
    old = scene.token(max_uses=3)
    scene.agent(old, name="a")
    new = as_issued(rotations.start(scene.record(old.token)))
    for number, issued in enumerate((old, new)):
        scene.agent(issued, name=f"b{number}")
    for issued in (old, new):
        assert scene.record(issued.token).uses == scene.record(issued.token).max_uses
    never = scene.token(max_uses=1)
    other = as_issued(rotations.start(never.token))
    joined = scene.register(never, name="c")
    leave(scene, joined)  # it never connected, so its use comes back, on both
    assert [scene.record(one.token).uses for one in (never, other)] == [0, 0]


def test_the_grants_of_an_api_token_are_its_successors_too(scene: Scene, rotations: Rotations) -> None:
    old = rotations.api_token("read_agents", "read_clusters")
    elsewhere, ended = OrganizationId("elsewhere"), OrganizationId("ended")

    async def grant(tx: Transaction) -> None:
        for one in (elsewhere, ended):
            await tx.policies.add_grant(Grant(one, old.token.id, scene.organization_id, 5, None))
        await tx.policies.end_grant(ended, old.token.id, 6, None)

    scene.run(scene.world.store.write(grant))
    successor = rotations.start(old.token).successor
    grants = scene.run(scene.world.store.read(lambda tx: tx.policies.grants_of(successor.id)))
    assert {grant.organization_id for grant in grants} == {scene.organization_id, elsewhere}
    assert (successor.scopes, successor.user_id) == (old.token.scopes, old.token.user_id)


def test_a_successor_can_be_revealed_where_the_policy_says_so(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    rotations.respond(ReuseResponse.ALARM, revealable=("agent",))
    started = rotations.start(old.token)
    copy = scene.run(
        scene.world.store.read(lambda tx: tx.sealed.find(scene.organization_id, started.successor.id))
    )
    assert copy is not None
    assert open_copy(scene.authority.context, started.successor, copy) == started.value


@pytest.mark.parametrize(("days", "longest"), [(0, 30), (7, 7), (60, 30)])
def test_a_successor_never_lives_longer_than_the_policy_allows(
    scene: Scene, rotations: Rotations, days: int, longest: int
) -> None:
    now = scene.world.clock.now()
    old = rotations.api_token(expires_at=now + days * DAY_US if days else 0)
    rotations.respond(ReuseResponse.ALARM, longest_days=30)
    assert rotations.start(old.token).successor.expires_at == now + longest * DAY_US


def test_a_repeated_start_gives_the_same_value_to_the_same_caller_for_five_minutes(
    scene: Scene, rotations: Rotations
) -> None:
    old = scene.token()
    first = rotations.start(old.token)
    again = rotations.start(old.token)
    assert (again.value, again.successor.id) == (first.value, first.successor.id)
    with pytest.raises(Conflict, match="open rotation"):
        rotations.start(old.token, asker="somebody else")
    scene.forward(301)
    with pytest.raises(Conflict, match="open rotation"):
        rotations.start(old.token)
    assert len(scene.events(Action.ROTATION_STARTED)) == 1


def test_the_value_of_an_aborted_rotation_is_not_given_again(rotations: Rotations, scene: Scene) -> None:
    old = scene.token()
    first = rotations.start(old.token)
    rotations.abort(old.token)
    assert rotations.start(old.token).value != first.value


def test_what_cannot_be_rotated_is_refused_with_a_reason(scene: Scene, rotations: Rotations) -> None:
    ended, brief, once = scene.token(), scene.token(expires_in=700), scene.token(max_uses=1)
    context = scene.authority.context
    scene.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, ended.token, None)))
    session = scene.agent(once)
    scene.forward(701)
    codes = []
    for token in (scene.record(ended.token), brief.token, scene.record(once.token)):
        with pytest.raises(Conflict) as caught:
            rotations.start(token)
        codes.append(caught.value.code)
    assert codes == ["token_not_active", "token_not_active", "token_used_up"]
    found = scene.present(session.value.reveal(), kinds=("agent_session",)).holder  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="not rotated"):
        rotations.start(found)
    opened = rotations.start(scene.first.agent_token.token)
    with pytest.raises(Conflict, match="open rotation"):
        rotations.start(opened.successor)
    with pytest.raises(NotFound):
        rotations.find(once.token)


# -- committing ----------------------------------------------------------------------------------------


def test_a_kind_with_one_holder_commits_at_the_successors_first_use(
    scene: Scene, rotations: Rotations
) -> None:
    old = rotations.api_token()
    new = rotations.start(old.token)
    for _ in range(2):
        assert rotations.reason(old, kinds=API) == ""
    assert rotations.standing(old.token).progress.moved == 0
    assert rotations.reason(new, kinds=API) == ""
    assert rotations.reason(old, kinds=API) == "token_superseded"
    rotation = rotations.find(old.token)
    assert (rotation.state, rotation.cause) == (RotationState.COMMITTED, Cause.FIRST_USE)
    assert scene.record(old.token).state is State.SUPERSEDED
    progress = rotations.standing(old.token).progress
    assert (progress.moved, progress.total) == (1, 1)


def test_a_shared_kind_commits_when_the_last_holder_has_moved(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    agents = [scene.agent(old, name=f"a{number}") for number in range(3)]
    started = rotations.start(old.token)
    new = as_issued(started)
    for number, agent in enumerate(agents):
        standing = rotations.standing(old.token)
        assert (standing.progress.moved, standing.progress.left) == (number, 3 - number)
        assert [one.id for one in standing.holders] == [one.agent.id for one in agents[number:]]
        assert rotations.reason(old) == ""
        scene.agent(new, name=f"a{number}")
        leave(scene, agent)
    rotation = rotations.find(old.token)
    assert (rotation.state, rotation.cause) == (RotationState.COMMITTED, Cause.MOVED)
    assert rotations.reason(old) == "token_superseded"
    (event,) = scene.events(Action.ROTATION_COMMITTED)
    assert '"moved"' in event.data
    assert not scene.authority.attention.special


def test_holders_that_all_leave_prove_nothing_before_the_successor_was_used(
    scene: Scene, rotations: Rotations
) -> None:
    old = scene.token()
    agent = scene.agent(old)
    new = rotations.start(old.token)
    leave(scene, agent)
    scene.sweep()
    assert rotations.reason(old) == ""
    assert rotations.reason(new) == ""
    assert rotations.find(old.token).cause is Cause.MOVED


def test_an_agent_that_never_connected_is_a_holder_until_it_is_given_up(
    scene: Scene, rotations: Rotations
) -> None:
    old = scene.token()
    scene.register(old, name="slow")
    new = rotations.start(old.token)
    scene.agent(as_issued(new), name="quick")
    scene.sweep()
    assert rotations.find(old.token).open
    scene.forward(361)
    scene.sweep()
    assert rotations.find(old.token).cause is Cause.MOVED


def test_finishing_supersedes_at_once_and_sessions_go_on(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    agent = scene.agent(old)
    rotations.start(old.token)
    assert rotations.finish(old.token).cause is Cause.FINISHED
    assert rotations.finish(old.token).cause is Cause.FINISHED  # repeating it changes nothing
    assert rotations.reason(old) == "token_superseded"
    assert scene.reason(agent.value.reveal()) == ""
    assert scene.running(agent).job.agent_id == agent.agent.id
    assert len(scene.events(Action.ROTATION_COMMITTED)) == 1
    with pytest.raises(Conflict) as caught:
        rotations.abort(old.token)
    assert caught.value.code == "rotation_committed"


def test_a_rotation_commits_at_its_deadline(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    agent = scene.agent(old)
    now = scene.world.clock.now()
    rotations.start(old.token, deadline=now + MIN_US)
    scene.forward(599)
    scene.run(scene.authority.rotator.sweep(LOCAL))
    assert rotations.reason(old) == ""
    scene.forward(1)
    scene.run(scene.authority.rotator.sweep(LOCAL))
    assert rotations.find(old.token).cause is Cause.DEADLINE
    assert rotations.reason(old) == "token_superseded"
    assert scene.reason(agent.value.reveal()) == ""


def test_a_deadline_can_be_set_anew_while_the_rotation_is_open(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    now = scene.world.clock.now()
    rotations.start(old.token, deadline=now + MIN_US)
    assert rotations.extend(old.token, now + 2 * MIN_US).deadline == now + 2 * MIN_US
    scene.forward(601)
    scene.run(scene.authority.rotator.sweep(LOCAL))
    assert rotations.find(old.token).open
    for wrong in (scene.world.clock.now() + MIN_US - 1, scene.world.clock.now() + MAX_US + 1, 5):
        with pytest.raises(Invalid):
            rotations.extend(old.token, wrong)
    rotations.finish(old.token)
    with pytest.raises(Conflict):
        rotations.extend(old.token, 0)
    assert len(scene.events(Action.ROTATION_EXTENDED)) == 1


def test_an_aborted_rotation_leaves_the_predecessor_as_it_was(scene: Scene, rotations: Rotations) -> None:
    old = scene.token()
    new = rotations.start(old.token)
    moved = scene.agent(as_issued(new), name="moved")
    stays = scene.token()
    assert rotations.find(old.token).state is RotationState.COMMITTED  # nobody else held it
    started = rotations.start(stays.token)
    rotations.abort(stays.token)
    assert rotations.abort(stays.token).cause is Cause.ABORTED
    assert rotations.reason(stays) == ""
    assert rotations.reason(started) == "token_revoked"
    assert scene.reason(moved.value.reveal()) == ""
    with pytest.raises(Conflict) as caught:
        rotations.finish(stays.token)
    assert caught.value.code == "rotation_aborted"


def test_a_revoked_token_ends_the_rotation_that_it_is_part_of(scene: Scene, rotations: Rotations) -> None:
    context = scene.authority.context
    old, other = scene.token(), scene.token()
    new, another = rotations.start(old.token), rotations.start(other.token)
    for token in (old.token, another.successor):
        scene.run(context.store.write(lambda tx, token=token: revoke(context, tx, LOCAL, token, None)))  # type: ignore[misc]
    with pytest.raises(Conflict, match="abort"):
        rotations.finish(other.token)
    scene.sweep()
    assert rotations.find(old.token).cause is Cause.REVOKED
    assert rotations.find(other.token).cause is Cause.ABORTED
    assert (rotations.reason(new), rotations.reason(other)) == ("", "")
    assert (rotations.reason(old), rotations.reason(another)) == ("token_revoked", "token_revoked")


def test_a_successor_is_rotated_later(rotations: Rotations) -> None:
    values = [rotations.api_token()]
    for _ in range(3):
        started = rotations.start(values[-1].token)
        assert rotations.reason(started, kinds=API) == ""
        values.append(as_issued(started))
    reasons = [rotations.reason(one, kinds=API) for one in values]
    assert reasons == ["token_superseded"] * 3 + [""]


def test_an_open_rotation_survives_a_restart(scene: Scene, rotations: Rotations) -> None:
    old = rotations.api_token()
    new = rotations.start(old.token, deadline=scene.world.clock.now() + MIN_US)
    scene.world.restart()
    assert rotations.reason(old, kinds=API) == ""
    assert rotations.reason(new, kinds=API) == ""
    scene.world.restart()
    assert rotations.reason(old, kinds=API) == "token_superseded"


@pytest.mark.parametrize("end", [Rotations.finish, Rotations.abort])
def test_what_the_cache_holds_ends_with_the_rotation(
    scene: Scene, rotations: Rotations, end: Callable[..., object]
) -> None:
    old = scene.token()
    new = rotations.start(old.token)
    keeper = scene.agent(old)
    assert (rotations.reason(old), rotations.reason(new)) == ("", "")
    end(rotations, old.token)
    dead = old if end is Rotations.finish else new
    assert rotations.reason(dead) in ("token_superseded", "token_revoked")
    assert scene.reason(keeper.value.reveal()) == ""


# -- GitLab's three scenarios --------------------------------------------------------------------------


def test_a_crash_before_the_value_was_saved_locks_nobody_out(scene: Scene, rotations: Rotations) -> None:
    old = rotations.api_token()
    lost = rotations.start(old.token)
    scene.forward(600)  # its answer never arrived, and nothing repeats it now
    assert rotations.reason(old, kinds=API) == ""
    with pytest.raises(Conflict):
        rotations.start(old.token)
    rotations.abort(old.token)
    new = rotations.start(old.token)
    assert rotations.reason(new, kinds=API) == ""
    assert rotations.reason(lost, kinds=API) == "token_revoked"
    assert not rotations.incidents()


def test_concurrent_clients_of_one_machine_are_no_incident(rotations: Rotations) -> None:
    """One process has the new value and used it; the other's request is still under way."""
    old = rotations.api_token()
    rotations.reason(old, kinds=API)
    one, other = rotations.start(old.token), rotations.start(old.token, asker=ASKER)
    assert rotations.reason(one, kinds=API) == ""
    for _ in range(3):
        assert rotations.reason(old, kinds=API) == "token_superseded"
    assert rotations.reason(other, kinds=API) == ""
    assert not rotations.incidents()


def test_a_stale_client_is_refused_and_an_incident_only_after_the_grace(
    scene: Scene, rotations: Rotations
) -> None:
    old = rotations.api_token()
    rotations.reason(old, AWAY, API)
    new = rotations.start(old.token)
    rotations.reason(new, HOME, API)
    scene.world.clock.forward(4 * MINUTE_US)
    assert rotations.reason(old, AWAY, API) == "token_superseded"
    assert not rotations.incidents()
    scene.world.clock.forward(MINUTE_US)
    assert rotations.reason(old, AWAY, API) == "token_superseded"
    assert [one.addresses for one in rotations.incidents()] == [(AWAY,)]
