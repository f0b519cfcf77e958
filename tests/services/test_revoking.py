"""Revoking in modes: who stays, who finishes first, who is gone when the answer comes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from services.scene import ADDRESS, SESSIONS, Scene
from services.withdrawing_scene import CUT, DRAIN, STOP_JOINING, alive, asked, latest, order, radius, revoke
from support import MINUTE_US
from watchword.domain.errors import Conflict, Invalid, NotFound, Refused
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.lifecycle import Change, Mode, check_withdrawal, read_mode
from watchword.domain.pipelines import JobState
from watchword.domain.tokens import State
from watchword.services.authority import Authority
from watchword.services.context import LOCAL
from watchword.services.control import Pause
from watchword.services.exchanging import Joined, Registration, register
from watchword.services.revoking import find_agent_token
from watchword.services.revoking import revoke as plain_revoke
from watchword.services.withdrawing import Withdrawn


def test_with_stop_joining_agents_stay_and_nobody_joins(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    receipt = revoke(scene, token.token)
    assert scene.reason(token.value.reveal(), (token.token.kind,)) == "token_revoked"
    assert alive(scene, agent)
    assert order(scene, agent) is None
    made = receipt.revocation
    assert (made.mode, made.change, receipt.remaining, receipt.nodes) == (STOP_JOINING, Change.REVOKE, 0, 1)
    assert made.committed_at == made.effective_at == made.finished_at == scene.world.clock.now()
    assert scene.record(token.token).ended_reason == "leaked"
    assert not scene.events(Action.REVOCATION_FINISHED)


def test_a_drained_agent_finishes_its_job_and_then_leaves(scene: Scene) -> None:
    token = scene.token()
    busy, idle = scene.agent(token), scene.agent(token)
    stranger = scene.agent()
    accepted = scene.running(busy)
    waiting = scene.one_job()
    receipt = revoke(scene, token.token, DRAIN)
    assert (receipt.remaining, receipt.revocation.agents) == (2, 2)
    assert not receipt.revocation.finished_at
    for agent in (busy, idle):
        told = order(scene, agent)
        assert told is not None
        assert told.stop
        with pytest.raises(Conflict):
            scene.accept(agent, waiting)
    assert scene.finish(accepted.job).passed
    assert scene.ping(stranger) == waiting.id
    for agent in (busy, idle):
        scene.run(scene.authority.finisher.disconnect(LOCAL, agent.agent.id, AgentState.DISCONNECTED))
    scene.sweep()
    done = latest(scene, token.token)
    assert (done.remaining, done.revocation.finished_at) == (0, scene.world.clock.now())
    assert (done.revocation.agents_cut, done.revocation.jobs_lost) == (0, 0)
    assert len(scene.events(Action.REVOCATION_FINISHED)) == 1
    scene.sweep()
    assert len(scene.events(Action.REVOCATION_FINISHED)) == 1
    assert alive(scene, stranger)


def test_a_drain_without_agents_is_finished_at_once(scene: Scene) -> None:
    token = scene.token()
    receipt = revoke(scene, token.token, DRAIN, minutes=5)
    assert receipt.revocation.finished_at
    assert len(scene.events(Action.REVOCATION_FINISHED)) == 1


def test_an_offered_job_goes_to_another_agent_when_a_drain_begins(scene: Scene) -> None:
    token = scene.token()
    agent, other = scene.agent(token), scene.agent()
    job = scene.one_job()
    assert scene.ping(agent) == job.id
    revoke(scene, token.token, DRAIN)
    assert scene.ping(other) == job.id


def test_at_the_deadline_of_a_drain_what_is_left_is_cut(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    accepted = scene.running(agent)
    revoke(scene, token.token, DRAIN, minutes=10)
    scene.authority.fleet.heartbeat(agent.agent.id)
    scene.world.clock.forward(10 * MINUTE_US - 1)
    scene.authority.fleet.heartbeat(agent.agent.id)
    scene.sweep()
    assert alive(scene, agent)
    assert scene.job(accepted.job).state is JobState.RUNNING
    scene.forward(1)
    scene.sweep()
    assert scene.reason(agent.value.reveal(), SESSIONS) == "session_ended"
    done = latest(scene, token.token).revocation
    assert (done.mode, done.agents, done.agents_cut, done.jobs_lost) == (DRAIN, 1, 1, 1)
    assert done.finished_at == scene.world.clock.now()
    assert scene.job(accepted.job).state is JobState.FINISHED


def test_a_drain_goes_on_after_a_restart(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    waiting = scene.one_job()
    revoke(scene, token.token, DRAIN, minutes=10)
    scene.world.restart()
    told = order(scene, agent)
    assert told is not None
    assert told.stop
    with pytest.raises(Conflict):
        scene.accept(agent, waiting)
    assert latest(scene, token.token).remaining == 1
    scene.world.clock.forward(11 * MINUTE_US)
    scene.sweep()
    assert latest(scene, token.token).revocation.finished_at
    assert scene.row(agent.agent.id).state.ended


def test_an_agent_that_has_registered_and_not_connected_is_drained_too(scene: Scene) -> None:
    token = scene.token()
    agent = scene.register(token)
    assert revoke(scene, token.token, DRAIN).remaining == 1
    scene.connect(agent)
    told = order(scene, agent)
    assert told is not None
    assert told.stop
    scene.world.restart()
    assert order(scene, agent) is not None


def test_a_paused_agent_is_drained(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    pause = scene.authority.controller.pause
    scene.run(pause(LOCAL, scene.organization_id, agent.agent.id, Pause()))
    revoke(scene, token.token, DRAIN)
    told = order(scene, agent)
    assert told is not None
    assert told.stop
    scene.run(scene.authority.controller.resume(LOCAL, scene.organization_id, agent.agent.id))
    assert order(scene, agent) is not None


def test_a_cut_ends_sessions_and_jobs_before_it_is_answered(scene: Scene) -> None:
    token = scene.token()
    busy, holding, idle, joining = (scene.agent(token), scene.agent(token), scene.agent(token), None)
    joining = scene.register(token)
    stranger = scene.agent()
    running = scene.running(busy)
    accepted = scene.accept(holding, scene.one_job())
    assert running.value is not None
    assert accepted.value is not None
    for agent in (busy, holding, idle):
        assert alive(scene, agent)  # its session is in the verifier's cache
    receipt = revoke(scene, token.token, CUT)
    for agent in (busy, holding, idle, joining):
        assert scene.reason(agent.value.reveal(), SESSIONS) == "session_ended"
        assert agent.agent.id not in scene.authority.fleet.agents
        assert scene.row(agent.agent.id).state is AgentState.DISCONNECTED
    assert scene.job_reason(running.value.reveal(), running.job) == "job_finished"
    assert scene.job_reason(accepted.value.reveal(), accepted.job)
    ended, back = scene.job(running.job), scene.job(accepted.job)
    assert (ended.state, ended.signal_reason) == (JobState.FINISHED, "agent_lost")
    assert back.state is JobState.SCHEDULED
    assert scene.ping(stranger) == back.id
    made = receipt.revocation
    assert (made.agents, made.agents_cut, made.jobs_lost, made.jobs_returned) == (4, 4, 1, 1)
    assert made.finished_at == made.effective_at == scene.world.clock.now()
    assert alive(scene, stranger)
    assert len(scene.events(Action.REVOCATION_FINISHED)) == 1
    assert not scene.events(Action.AGENT_BLOCKED)


def test_an_agent_that_was_cut_is_told_why(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    revoke(scene, token.token, CUT, reason="a secret of ours")
    with pytest.raises(Refused, match="its agent token was revoked") as refused:
        scene.present(agent.value.reveal(), SESSIONS)
    assert "secret" not in refused.value.message


def test_a_repeated_revocation_grows_stronger_and_never_weaker(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    first = revoke(scene, token.token)
    scene.forward(1)
    again = revoke(scene, scene.record(token.token))
    assert again == first
    drained = revoke(scene, scene.record(token.token), DRAIN, minutes=10)
    assert drained.revocation.mode is DRAIN
    assert drained.revocation.committed_at > first.revocation.committed_at
    assert not drained.revocation.finished_at
    later = revoke(scene, scene.record(token.token), DRAIN, minutes=20)
    assert later.revocation.deadline == drained.revocation.deadline
    without = revoke(scene, scene.record(token.token), DRAIN)
    assert without.revocation.deadline == drained.revocation.deadline
    sooner = revoke(scene, scene.record(token.token), DRAIN, minutes=5)
    assert sooner.revocation.deadline == scene.world.clock.now() + 5 * MINUTE_US
    assert revoke(scene, scene.record(token.token), STOP_JOINING) == sooner
    assert alive(scene, agent)
    cut = revoke(scene, scene.record(token.token), CUT, reason="now")
    assert (cut.revocation.mode, cut.revocation.reason) == (CUT, "now")
    assert (cut.revocation.agents, cut.revocation.agents_cut) == (1, 1)
    assert not alive(scene, agent)
    assert revoke(scene, scene.record(token.token), DRAIN) == cut
    assert len(scene.events(Action.TOKEN_REVOKED)) == 4
    assert scene.record(token.token).ended_at == first.revocation.committed_at


def test_a_drain_that_is_done_may_still_be_cut(scene: Scene) -> None:
    token = scene.token()
    assert revoke(scene, token.token, DRAIN).revocation.finished_at
    cut = revoke(scene, scene.record(token.token), CUT)
    assert (cut.revocation.mode, cut.revocation.agents_cut) == (CUT, 0)


def test_a_token_that_was_revoked_without_a_record_has_a_receipt_and_may_be_cut(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    context = scene.authority.context
    scene.run(context.store.write(lambda tx: plain_revoke(context, tx, LOCAL, token.token, None, "old")))
    known = latest(scene, token.token).revocation
    assert (known.mode, known.reason, known.committed_at) == (STOP_JOINING, "old", scene.world.clock.now())
    assert revoke(scene, scene.record(token.token)).revocation.mode is STOP_JOINING
    revoke(scene, scene.record(token.token), CUT)
    assert not alive(scene, agent)
    assert latest(scene, token.token).revocation.mode is CUT


def test_a_token_that_was_never_revoked_has_no_receipt(scene: Scene) -> None:
    with pytest.raises(NotFound):
        latest(scene, scene.token().token)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_api_access_token_ends_in_every_mode(scene: Scene, mode: Mode) -> None:
    issued = scene.first.api_token
    assert radius(scene, issued.token).children == 0
    receipt = revoke(scene, issued.token, mode)
    assert receipt.revocation.finished_at
    assert scene.reason(issued.value.reveal(), (issued.token.kind,)) == "token_revoked"


def test_an_expired_token_may_be_cut(scene: Scene) -> None:
    token = scene.token(expires_in=600)
    agent = scene.agent(token)
    scene.forward(700)
    scene.connect(agent)
    assert scene.record(token.token).state_at(scene.world.clock.now()) is State.EXPIRED
    revoke(scene, token.token, CUT)
    assert not alive(scene, agent)


def test_a_revoked_token_is_found_only_where_it_is_asked_for(scene: Scene) -> None:
    token = scene.token().token
    revoke(scene, token)

    def find(*, revoked: bool) -> Any:
        return scene.run(
            scene.authority.context.store.read(
                lambda tx: find_agent_token(
                    tx, scene.organization_id, token.cluster_id, token.id, revoked=revoked
                )
            )
        )

    assert find(revoked=True).id == token.id
    with pytest.raises(NotFound):
        find(revoked=False)


@pytest.mark.parametrize(
    ("mode", "minutes", "reason", "code"),
    [
        (CUT, 5, "", "invalid_deadline"),
        (STOP_JOINING, 5, "", "invalid_deadline"),
        (DRAIN, 0, "", "invalid_deadline"),
        (DRAIN, -1, "", "invalid_deadline"),
        (DRAIN, 7 * 24 * 60 + 1, "", "invalid_deadline"),
        (DRAIN, None, "r" * 256, "reason_too_long"),
    ],
)
def test_what_no_revocation_can_be(mode: Mode, minutes: int | None, reason: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_withdrawal(mode, minutes, reason)
    assert refused.value.code == code


def test_modes_are_read_as_they_are_written_on_the_wire_and_on_the_command_line() -> None:
    assert [read_mode(text) for text in ("stop_joining", "stop-joining", "DRAIN", " cut ")] == [
        STOP_JOINING,
        STOP_JOINING,
        DRAIN,
        CUT,
    ]
    with pytest.raises(Invalid, match="stop_joining, drain, cut"):
        read_mode("kill")


class _Late:
    """A store whose writer hears late of one unit: what comes after it is settled first."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.committed, self.go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        result = await self._store.write(work)
        self.committed.set()
        await self.go_on.wait()
        return result


@pytest.mark.parametrize("mode", [DRAIN, CUT])
def test_a_registration_that_hears_late_of_its_commit_does_not_escape(scene: Scene, mode: Mode) -> None:
    token = scene.token()
    presented = scene.present(token.value.reveal())
    authority: Authority = scene.authority

    async def race() -> Joined:
        late = _Late(authority.context.store)
        context = replace(authority.context, store=late)
        caller = replace(LOCAL, address=ADDRESS)
        asked_for = Registration(name="late", hostname="h", version="3.100.0")
        joining = asyncio.create_task(register(context, authority.fleet, caller, presented, asked_for))
        await late.committed.wait()

        async def work(tx: Any) -> Withdrawn:
            return await authority.revoker.revoke_in(tx, LOCAL, token.token, None, asked(mode))

        authority.revoker.settle(await authority.context.store.write(work))
        late.go_on.set()
        return await joining

    joined = scene.run(race())
    if mode is CUT:
        assert joined.agent.id not in authority.fleet.agents
        assert not alive(scene, joined)
    else:
        scene.connect(joined)
        told = order(scene, joined)
        assert told is not None
        assert told.stop
    assert not authority.fleet.ahead


def test_a_session_that_is_looked_up_while_it_is_cut_is_not_cached(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    authority = scene.authority
    authority.verifier.clear()
    value = agent.value.reveal()

    async def race() -> None:
        late = _Late(authority.context.store)

        async def read(work: Callable[[Any], Awaitable[Any]]) -> Any:
            result = await authority.context.store.read(work)
            late.committed.set()
            await late.go_on.wait()
            return result

        late.read = read  # type: ignore[attr-defined]
        authority.verifier._context = replace(authority.context, store=late)
        looking = asyncio.create_task(authority.verifier.verify(value, SESSIONS, address=ADDRESS))
        await late.committed.wait()

        async def work(tx: Any) -> Withdrawn:
            return await authority.revoker.revoke_in(tx, LOCAL, token.token, None, asked(CUT))

        authority.revoker.settle(await authority.context.store.write(work))
        late.go_on.set()
        await looking  # it was asked before the cut
        authority.verifier._context = authority.context

    scene.run(race())
    assert not alive(scene, agent)


def test_the_sweep_tells_memory_what_it_missed(scene: Scene) -> None:
    token = scene.token()
    agent = scene.agent(token)
    revoker = scene.authority.revoker
    work = scene.authority.context.store.write(
        lambda tx: revoker.revoke_in(tx, LOCAL, token.token, None, asked(DRAIN))
    )
    done = scene.run(work)  # the process that asked goes away before it settles
    assert order(scene, agent) is None
    scene.sweep()
    assert order(scene, agent) is not None
    found = latest(scene, token.token).revocation
    assert (found.id, found.effective_at) == (done.revocation.id, scene.world.clock.now())
