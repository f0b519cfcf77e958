"""Finishing: start, outcome, hand-back and loss of a job; each once, under its fence."""

import asyncio

import pytest

from services.scene import SESSIONS, Scene
from watchword.domain.errors import Conflict
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.pipelines import Job, JobState
from watchword.domain.tokens import Reason
from watchword.services.context import LOCAL
from watchword.services.dispatching import Accepted
from watchword.services.ending import end_token
from watchword.services.exchanging import Joined


def value_of(accepted: Accepted) -> str:
    assert accepted.value is not None
    return accepted.value.reveal()


def keep_alive(scene: Scene, agent: Joined, seconds: int) -> None:
    """Time passes, the agent's heart beats, the sweeper looks."""
    for _ in range(seconds // 30):
        scene.forward(30)
        scene.authority.fleet.heartbeat(agent.agent.id)
        scene.sweep()


def test_starting_again_changes_nothing(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    started = scene.job(accepted.job)
    scene.forward(5)
    scene.start(accepted.job)
    assert scene.job(accepted.job) == started
    assert len(scene.events(Action.JOB_STARTED)) == 1


def test_a_finished_job_neither_starts_nor_finishes_again(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    scene.finish(accepted.job, "3")
    ended = scene.job(accepted.job)
    assert (ended.state, ended.exit_status) == (JobState.FINISHED, "3")
    with pytest.raises(Conflict):
        scene.finish(accepted.job, "0")
    with pytest.raises(Conflict):
        scene.start(accepted.job)
    assert scene.job(accepted.job) == ended
    assert len(scene.events(Action.JOB_FINISHED)) == 1


def test_a_job_token_is_dead_when_its_finish_is_answered(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    value = value_of(accepted)
    assert scene.job_reason(value, accepted.job) == ""

    async def scenario() -> list[str]:
        reasons = []
        finisher, verifier = scene.authority.finisher, scene.authority.verifier
        await finisher.finish(LOCAL, accepted.job)
        for _ in range(20):
            try:
                await verifier.verify_job(value, accepted.job.id, address=None)
                reasons.append("")
            except Exception as error:  # noqa: BLE001 - its code is looked at
                reasons.append(getattr(error, "code", repr(error)))
        return reasons

    assert scene.run(scenario()) == [Reason.JOB_FINISHED] * 20
    scene.world.restart()
    assert scene.job_reason(value, accepted.job) == Reason.JOB_FINISHED


def test_of_many_finishes_at_once_one_is_taken(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)

    async def scenario() -> list[Job | BaseException]:
        finisher = scene.authority.finisher
        return await asyncio.gather(
            *(finisher.finish(LOCAL, accepted.job) for _ in range(50)), return_exceptions=True
        )

    answers = scene.run(scenario())
    assert sum(isinstance(answer, Job) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 49


@pytest.mark.parametrize(("statuses", "state"), [(("0", "0"), "passed"), (("0", "1"), "failed")])
def test_a_build_ends_with_its_last_job(scene: Scene, statuses: tuple[str, str], state: str) -> None:
    agent = scene.agent()
    build, jobs = scene.build("a", "b")
    assert scene.build_state(build) == "scheduled"
    for job, status in zip(jobs, statuses, strict=True):
        accepted = scene.accept(agent, job)
        assert scene.build_state(build) == "running"
        scene.finish(accepted.job, status)
    assert scene.build_state(build) == state


def test_an_accepted_job_that_is_not_started_waits_again_and_its_token_is_dead(scene: Scene) -> None:
    silent, other = scene.agent(), scene.agent(name="other")
    accepted = scene.accept(silent, scene.one_job())
    keep_alive(scene, silent, 270)
    assert scene.job(accepted.job).state is JobState.ACCEPTED
    scene.authority.fleet.heartbeat(other.agent.id)
    keep_alive(scene, silent, 30)
    released = scene.job(accepted.job)
    assert (released.state, released.agent_id, released.fence) == (JobState.SCHEDULED, None, 2)
    assert scene.job_reason(value_of(accepted), accepted.job) == Reason.REVOKED
    assert accepted.job.id not in scene.authority.dispatcher.held
    again = scene.agent(name="again")
    assert scene.ping(again) == accepted.job.id
    second = scene.accept(again, accepted.job)
    assert scene.job_reason(value_of(second), second.job) == ""
    assert scene.job_reason(value_of(accepted), accepted.job) == Reason.REVOKED
    with pytest.raises(Conflict):
        scene.start(accepted.job)
    with pytest.raises(Conflict):
        scene.finish(accepted.job)
    assert scene.job(second.job).agent_id == again.agent.id


def test_a_started_job_has_no_deadline_while_its_agent_lives(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    keep_alive(scene, agent, 3600)
    assert scene.job(accepted.job).state is JobState.RUNNING
    assert scene.job_reason(value_of(accepted), accepted.job) == ""


def test_three_minutes_of_silence_lose_an_agent_and_its_job(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    build = scene.run(
        scene.world.store.read(lambda tx: tx.builds.build(scene.organization_id, accepted.job.build_id))
    )
    assert build is not None
    scene.forward(179)
    scene.sweep()
    assert scene.row(agent.agent.id).state is AgentState.CONNECTED
    scene.forward(1)
    scene.sweep()
    lost, ended = scene.row(agent.agent.id), scene.job(accepted.job)
    assert (lost.state, lost.job_id) == (AgentState.LOST, None)
    assert (ended.state, ended.exit_status, ended.signal_reason) == (JobState.FINISHED, "-1", "agent_lost")
    assert scene.build_state(build) == "failed"
    assert scene.reason(agent.value.reveal()) == Reason.SESSION_ENDED
    assert scene.job_reason(value_of(accepted), accepted.job) == Reason.JOB_FINISHED
    assert len(scene.events(Action.AGENT_LOST)) == 1


@pytest.mark.parametrize("sign", ["ping", "heartbeat", "connect"])
def test_any_sign_of_life_keeps_an_agent(scene: Scene, sign: str) -> None:
    agent = scene.agent()
    for _ in range(4):
        scene.forward(170)
        match sign:
            case "ping":
                scene.ping(agent)
            case "heartbeat":
                scene.authority.fleet.heartbeat(agent.agent.id)
            case _:
                scene.connect(agent)
        scene.sweep()
    assert scene.row(agent.agent.id).state is AgentState.CONNECTED


def test_the_accepted_job_of_a_lost_agent_waits_again(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.accept(agent, scene.one_job())
    scene.forward(180)
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.SCHEDULED
    assert scene.authority.dispatcher.held == {}
    assert scene.ping(scene.agent(name="next")) == accepted.job.id


def test_nobody_is_lost_right_after_a_restart(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    scene.forward(3600)  # the server was away for an hour
    scene.world.restart()
    scene.sweep()
    assert scene.row(agent.agent.id).state is AgentState.CONNECTED
    scene.forward(179)
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.RUNNING
    assert scene.finish(accepted.job).state is JobState.FINISHED  # a late finish is taken
    scene.forward(1)
    scene.sweep()
    assert scene.row(agent.agent.id).state is AgentState.LOST


@pytest.mark.parametrize("started", [False, True])
def test_a_disconnect_hands_an_accepted_job_back_and_fails_a_running_one(
    scene: Scene, *, started: bool
) -> None:
    agent = scene.agent()
    accepted = scene.running(agent) if started else scene.accept(agent, scene.one_job())
    scene.run(scene.authority.finisher.disconnect(LOCAL, agent.agent.id, AgentState.DISCONNECTED))
    job = scene.job(accepted.job)
    if started:
        assert (job.state, job.exit_status, job.signal_reason) == (JobState.FINISHED, "-1", "agent_stop")
    else:
        assert job.state is JobState.SCHEDULED
        assert scene.ping(scene.agent(name="next")) == job.id
    assert scene.authority.dispatcher.held == {}
    assert scene.reason(agent.value.reveal()) == Reason.SESSION_ENDED
    scene.run(scene.authority.finisher.disconnect(LOCAL, agent.agent.id, AgentState.DISCONNECTED))
    assert len(scene.events(Action.AGENT_DISCONNECTED)) == 1


def test_an_agent_that_goes_on_pinging_has_given_its_job_up(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    assert scene.ping(agent) is None
    for _ in range(2):
        scene.forward(10)
        assert scene.ping(agent) is None
        scene.sweep()
        assert scene.job(accepted.job).state is JobState.RUNNING
    scene.forward(10)
    assert scene.ping(agent) is None
    scene.sweep()
    ended = scene.job(accepted.job)
    assert (ended.state, ended.exit_status, ended.signal_reason) == (JobState.FINISHED, "-1", "agent_stop")
    waiting = scene.one_job()
    assert scene.ping(agent) == waiting.id


def test_one_late_ping_ends_no_job(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    assert scene.ping(agent) is None  # sent before the accept, come after it
    keep_alive(scene, agent, 1200)
    assert scene.job(accepted.job).state is JobState.RUNNING


def test_an_accepted_job_that_was_given_up_waits_again(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.accept(agent, scene.one_job())
    for _ in range(4):
        scene.ping(agent)
        scene.forward(10)
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.SCHEDULED
    assert scene.ping(agent) == accepted.job.id


def test_a_cancelled_job_is_ended_after_its_grace(scene: Scene) -> None:
    agent = scene.agent()
    build, jobs = scene.build("a", "b", "c")
    running = scene.accept(agent, jobs[0])
    scene.start(running.job)
    second = scene.agent(name="second")
    scene.accept(second, jobs[1])
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    states = [scene.job(job).state for job in jobs]
    assert states == [JobState.CANCELING, JobState.CANCELING, JobState.CANCELED]
    assert scene.build_state(build) == "canceling"
    assert scene.job_reason(value_of(running), running.job) == ""  # it may still send its log
    scene.forward(119)
    scene.sweep()
    assert scene.job(jobs[0]).state is JobState.CANCELING
    scene.forward(1)
    scene.sweep()
    assert [scene.job(job).state for job in jobs] == [JobState.CANCELED] * 3
    ended = scene.job(jobs[0])
    assert (ended.exit_status, ended.signal_reason) == ("-1", "cancel")
    assert scene.build_state(build) == "canceled"
    assert scene.job_reason(value_of(running), running.job) == Reason.JOB_FINISHED
    with pytest.raises(Conflict):
        scene.run(scene.authority.builder.cancel(LOCAL, build))


def test_a_cancelled_job_that_its_agent_finishes_is_cancelled(scene: Scene) -> None:
    agent = scene.agent()
    build, (job,) = scene.build("a")
    accepted = scene.accept(agent, job)
    scene.start(accepted.job)
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    assert scene.finish(accepted.job, "143").state is JobState.CANCELED
    ended = scene.job(job)
    assert (ended.state, ended.exit_status) == (JobState.CANCELED, "143")
    assert scene.ping(agent) is None
    assert scene.row(agent.agent.id).job_id is None


def test_a_cancelled_job_ends_where_its_agent_asks_to_start_it(scene: Scene) -> None:
    """The agent never calls finish after a refused start."""
    agent = scene.agent()
    build, (job,) = scene.build("a")
    accepted = scene.accept(agent, job)
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    with pytest.raises(Conflict):
        scene.start(accepted.job)
    assert scene.job(job).state is JobState.CANCELED
    assert scene.build_state(build) == "canceled"
    waiting = scene.one_job()
    assert scene.ping(agent) == waiting.id


def test_the_sweeper_goes_on_after_a_restart(scene: Scene) -> None:
    agent = scene.agent()
    build, (job,) = scene.build("a")
    scene.accept(agent, job)
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    scene.world.restart()
    scene.forward(120)
    scene.sweep()
    assert scene.job(job).state is JobState.CANCELED


def test_a_sweep_with_nothing_to_do_writes_no_event(scene: Scene) -> None:
    agent = scene.agent()
    scene.running(agent)
    before = scene.run(scene.world.store.read(lambda tx: tx.audit.events(scene.organization_id, 0, 10_000)))
    for _ in range(3):
        scene.sweep()
    after = scene.run(scene.world.store.read(lambda tx: tx.audit.events(scene.organization_id, 0, 10_000)))
    assert after == before


def test_an_agent_whose_session_was_ended_finishes_the_job_it_runs(scene: Scene) -> None:
    """Its heartbeat is refused, it cancels the job, and still sends the finish with the job token."""
    agent = scene.agent()
    accepted = scene.running(agent)
    context, session = (
        scene.authority.context,
        scene.record(scene.present(agent.value.reveal(), SESSIONS).holder),
    )
    scene.run(scene.world.store.write(lambda tx: end_token(context, tx, session, None, "for a test")))
    assert scene.reason(agent.value.reveal()) == Reason.SESSION_ENDED
    assert scene.job_reason(value_of(accepted), accepted.job) == ""
    assert scene.finish(accepted.job, "-1").state is JobState.FINISHED


def test_an_agent_connects_to_the_next_process_after_it_registered_with_one(scene: Scene) -> None:
    agent = scene.register()
    scene.forward(50)
    scene.world.restart()
    scene.connect(agent)
    job = scene.one_job()
    assert scene.ping(agent) == job.id
