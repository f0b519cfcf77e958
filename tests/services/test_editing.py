"""Narrowing and widening networks: who stays, who leaves, and what sessions may do from where."""

import pytest

from services.scene import ADDRESS, SESSIONS, Scene
from services.withdrawing_scene import CUT, DRAIN, alive, join, latest, narrow, order, radius, revoke
from support import MINUTE_US
from watchword.domain.errors import Conflict, Invalid, NotFound, Refused
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.lifecycle import Change, Mode
from watchword.domain.pipelines import JobState
from watchword.domain.restrictions import Restrictions, narrower, parse_networks, widened
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined
from watchword.services.issuing import Issued

NEAR, FAR, ELSEWHERE = "192.0.2.0/24", "198.51.100.0/24", "203.0.113.7"
FAR_ADDRESS = "198.51.100.9"


def far(scene: Scene, token: Issued) -> Joined:
    """An agent that joins from the other network and is connected."""
    return join(scene, token, FAR_ADDRESS)


def passes(scene: Scene, joined: Joined, address: str) -> bool:
    verify = scene.authority.verifier.verify
    try:
        scene.run(verify(joined.value.reveal(), SESSIONS, address=address))
    except Refused:
        return False
    return True


def test_narrowing_lets_connected_agents_stay_until_they_reconnect(scene: Scene) -> None:
    token = scene.token()
    agent = far(scene, token)
    edited = narrow(scene, token.token, NEAR)
    assert passes(scene, agent, FAR_ADDRESS)
    assert order(scene, agent) is None
    assert scene.reason(token.value.reveal(), (token.token.kind,)) == ""
    with pytest.raises(Refused):
        far(scene, token)
    assert edited.withdrawn is not None
    made = latest(scene, token.token).revocation
    assert (made.change, made.mode, made.agents) == (Change.NARROW, Mode.STOP_JOINING, 0)
    assert made.finished_at


def test_a_cut_acts_on_agents_outside_alone_and_takes_everything_from_them(scene: Scene) -> None:
    token = scene.token()
    inside, outside = join(scene, token), far(scene, token)
    stranger = join(scene, scene.first.agent_token)
    accepted, kept = scene.running(outside), scene.running(inside)
    assert accepted.value is not None
    assert kept.value is not None
    narrow(scene, token.token, NEAR, CUT)
    assert scene.reason(outside.value.reveal(), SESSIONS) == "session_ended"
    with pytest.raises(Refused, match="outside of the networks"):
        scene.present(outside.value.reveal(), SESSIONS)
    assert scene.job_reason(accepted.value.reveal(), accepted.job) == "job_finished"
    assert scene.job(accepted.job).signal_reason == "agent_lost"
    assert scene.row(outside.agent.id).state is AgentState.DISCONNECTED
    assert alive(scene, inside)
    assert alive(scene, stranger)
    assert scene.job(kept.job).state is JobState.RUNNING
    (event,) = scene.events(Action.AGENT_BLOCKED)
    assert event.subject_id == outside.agent.id
    assert FAR_ADDRESS in event.data
    made = latest(scene, token.token).revocation
    assert (made.agents_cut, made.jobs_lost, bool(made.finished_at)) == (1, 1, True)


@pytest.mark.parametrize("mode", [DRAIN, CUT])
def test_a_session_inside_may_then_be_inside_only(scene: Scene, mode: Mode) -> None:
    token = scene.token()
    inside = join(scene, token)
    assert passes(scene, inside, FAR_ADDRESS)
    assert passes(scene, inside, ADDRESS)
    narrow(scene, token.token, NEAR, mode)
    assert passes(scene, inside, ADDRESS)
    assert not passes(scene, inside, FAR_ADDRESS)


def test_a_drain_acts_on_agents_outside_alone_and_lets_them_finish(scene: Scene) -> None:
    token = scene.token()
    inside, outside = join(scene, token), far(scene, token)
    accepted = scene.running(outside)
    assert accepted.value is not None
    narrow(scene, token.token, NEAR, DRAIN)
    assert order(scene, inside) is None
    told = order(scene, outside)
    assert told is not None
    assert told.stop
    assert passes(scene, outside, FAR_ADDRESS)
    assert not scene.job_reason(accepted.value.reveal(), accepted.job)
    assert latest(scene, token.token).remaining == 1
    assert scene.finish(accepted.job).passed
    scene.run(scene.authority.finisher.disconnect(LOCAL, outside.agent.id, AgentState.DISCONNECTED))
    scene.sweep()
    assert latest(scene, token.token).revocation.finished_at
    assert not scene.events(Action.AGENT_BLOCKED)


def test_the_deadline_of_a_narrowing_cuts_who_is_still_outside(scene: Scene) -> None:
    token = scene.token()
    inside, outside = join(scene, token), far(scene, token)
    narrow(scene, token.token, NEAR, DRAIN, minutes=1)
    scene.world.clock.forward(MINUTE_US)
    scene.sweep()
    assert not passes(scene, outside, FAR_ADDRESS)
    assert alive(scene, inside)
    assert len(scene.events(Action.AGENT_BLOCKED)) == 1


def test_where_an_agent_is_now_counts_not_where_it_registered(scene: Scene) -> None:
    token = scene.token()
    moved, back = join(scene, token), far(scene, token)
    assert passes(scene, moved, FAR_ADDRESS)
    scene.forward(1)
    assert passes(scene, back, ADDRESS)
    narrow(scene, token.token, NEAR, CUT)
    assert not passes(scene, moved, ADDRESS)
    assert passes(scene, back, ADDRESS)


def test_the_same_networks_again_may_cut_who_was_left_outside(scene: Scene) -> None:
    token = scene.token()
    outside = far(scene, token)
    narrow(scene, token.token, NEAR)
    narrow(scene, token.token, NEAR, DRAIN)
    drained = latest(scene, token.token).revocation
    narrow(scene, token.token, NEAR, DRAIN)
    assert latest(scene, token.token).revocation == drained
    assert passes(scene, outside, FAR_ADDRESS)
    narrow(scene, token.token, NEAR, CUT)
    made = latest(scene, token.token).revocation
    assert (made.id, made.mode) == (drained.id, CUT)
    assert not passes(scene, outside, FAR_ADDRESS)


def test_widening_widens_sessions_at_once(scene: Scene) -> None:
    token = scene.token(restrictions=Restrictions(networks=parse_networks(NEAR)))
    agent = join(scene, token)
    assert not passes(scene, agent, FAR_ADDRESS)
    assert narrow(scene, token.token, f"{NEAR} {FAR}").withdrawn is None
    assert passes(scene, agent, FAR_ADDRESS)
    assert not passes(scene, agent, ELSEWHERE)
    assert narrow(scene, token.token, "").withdrawn is None
    assert passes(scene, agent, ELSEWHERE)


def test_agents_that_came_after_a_widening_are_no_part_of_an_older_drain(scene: Scene) -> None:
    token = scene.token()
    outside = far(scene, token)
    narrow(scene, token.token, NEAR, DRAIN, minutes=2)
    narrow(scene, token.token, "")
    late = far(scene, token)
    scene.world.clock.forward(2 * MINUTE_US)
    scene.sweep()
    assert passes(scene, late, FAR_ADDRESS)
    assert order(scene, late) is None
    assert order(scene, outside) is not None  # what an agent was told stays said
    assert latest(scene, token.token).revocation.finished_at


def test_a_revocation_ends_an_unfinished_narrowing(scene: Scene) -> None:
    token = scene.token()
    far(scene, token)
    narrow(scene, token.token, NEAR, DRAIN)
    revoke(scene, scene.record(token.token), CUT)
    scene.sweep()
    assert not scene.run(scene.world.store.read(lambda tx: tx.revocations.open()))


def test_a_mode_needs_networks(scene: Scene) -> None:
    with pytest.raises(Invalid) as refused:
        narrow(scene, scene.token().token, None, CUT)
    assert refused.value.code == "mode_without_networks"


def test_a_token_that_ended_is_not_edited(scene: Scene) -> None:
    token = scene.token()
    agent = join(scene, token)
    revoke(scene, token.token)
    with pytest.raises((Conflict, NotFound)):
        narrow(scene, token.token, NEAR, CUT)
    assert alive(scene, agent)


def test_the_radius_of_a_narrowing_counts_what_is_outside(scene: Scene) -> None:
    token = scene.token()
    join(scene, token)
    outside = far(scene, token)
    scene.running(outside)
    whole, part = radius(scene, token.token), radius(scene, token.token, NEAR)
    assert (whole.connected, whole.busy, len(whole.running), whole.children) == (2, 1, 1, 2)
    assert (part.connected, part.busy, len(part.running), part.children) == (1, 1, 1, 1)
    assert {one.address for one in whole.callers} == {ADDRESS, FAR_ADDRESS}
    assert [one.address for one in part.callers] == [FAR_ADDRESS]
    nobody = radius(scene, token.token, "")
    assert (nobody.connected, nobody.callers, nobody.children) == (0, (), 0)


def test_lists_of_blocks_are_widened_and_compared() -> None:
    def blocks(text: str) -> str:
        return " ".join(block.text for block in parse_networks(text))

    def both(one: str, other: str) -> str:
        return " ".join(block.text for block in widened(parse_networks(one), parse_networks(other)))

    assert both("10.0.0.0/8", "10.1.0.0/16") == both("10.1.0.0/16", "10.0.0.0/8") == "10.0.0.0/8"
    assert both("10.0.0.0/8", "10.0.0.0/8") == "10.0.0.0/8"
    assert both("10.0.0.1", "2001:db8::/32") == blocks("10.0.0.1 2001:db8::/32")
    assert both("", "10.0.0.0/8") == both("10.0.0.0/8", "") == ""

    def is_narrower(new: str, old: str) -> bool:
        return narrower(parse_networks(new), parse_networks(old))

    assert is_narrower("10.0.0.0/8", "")
    assert is_narrower("10.0.0.0/9", "10.0.0.0/8")
    assert is_narrower("10.0.0.0/8", "2001:db8::/32")
    assert not is_narrower("", "10.0.0.0/8")
    assert not is_narrower("10.0.0.0/8", "10.0.0.0/8")
    assert not is_narrower("10.0.0.0/8 192.0.2.1", "10.0.0.0/9")
