"""Time-outs: a job that runs too long is ended by its agent, or in the end by the server."""

import pytest

from services.scene import Scene
from services.test_finishing import keep_alive, value_of
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.pipelines import Build, Job, JobState
from watchword.domain.tokens import Reason
from watchword.services.context import LOCAL
from watchword.services.dispatching import Accepted
from watchword.services.exchanging import Joined


def change(scene: Scene, job: Job, minutes: int) -> None:
    scene.run(scene.authority.runner.change_timeout(LOCAL, scene.job(job), minutes))


def promise(scene: Scene, job: Job, status: int, reason: str = "") -> None:
    scene.run(scene.authority.runner.promise_failure(LOCAL, job, status, reason))


def running(scene: Scene, minutes: int) -> tuple[Joined, Build, Accepted]:
    """A job of that many minutes that runs now."""
    agent = scene.agent()
    build, (job,) = scene.build("sleep")
    accepted = scene.accept(agent, job)
    scene.start(accepted.job)
    change(scene, job, minutes)
    return agent, build, accepted


def test_a_job_over_its_time_times_out_and_fails_its_build(scene: Scene) -> None:
    agent, build, accepted = running(scene, 2)
    keep_alive(scene, agent, 90)
    scene.forward(29)
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.RUNNING
    scene.forward(1)
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.TIMING_OUT
    assert scene.job_reason(value_of(accepted), accepted.job) == ""  # it may still send its log
    ended = scene.finish(accepted.job, "-1")
    assert ended.state is JobState.TIMED_OUT
    assert scene.job(accepted.job).state is JobState.TIMED_OUT
    assert scene.build_state(build) == "failed"
    assert len(scene.events(Action.JOB_TIMING_OUT)) == 1
    assert scene.job_reason(value_of(accepted), accepted.job) == Reason.JOB_FINISHED


def test_a_job_that_exits_with_0_after_its_time_is_timed_out(scene: Scene) -> None:
    agent, build, accepted = running(scene, 1)
    keep_alive(scene, agent, 60)
    assert scene.finish(accepted.job, "0").state is JobState.TIMED_OUT
    assert scene.build_state(build) == "failed"


def test_the_server_ends_a_timed_out_job_whose_agent_says_nothing(scene: Scene) -> None:
    agent, build, accepted = running(scene, 1)
    keep_alive(scene, agent, 60)
    keep_alive(scene, agent, 90)
    assert scene.job(accepted.job).state is JobState.TIMING_OUT
    keep_alive(scene, agent, 30)
    ended = scene.job(accepted.job)
    assert (ended.state, ended.exit_status) == (JobState.TIMED_OUT, "-1")
    assert scene.build_state(build) == "failed"
    with pytest.raises(Conflict):
        scene.finish(accepted.job)
    assert scene.ping(agent) is None
    waiting = scene.one_job()
    assert scene.ping(agent) == waiting.id


def test_a_build_that_is_cancelled_while_a_job_times_out_ends_with_it(scene: Scene) -> None:
    agent, build, accepted = running(scene, 1)
    keep_alive(scene, agent, 60)
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    assert scene.job(accepted.job).state is JobState.TIMING_OUT
    assert scene.build_state(build) == "canceling"
    scene.finish(accepted.job, "-1")
    assert scene.build_state(build) == "canceled"


@pytest.mark.parametrize("state", [AgentState.LOST, AgentState.DISCONNECTED])
def test_a_timed_out_job_whose_agent_goes_is_timed_out(scene: Scene, state: AgentState) -> None:
    agent, _, accepted = running(scene, 1)
    keep_alive(scene, agent, 60)
    scene.run(scene.authority.finisher.disconnect(LOCAL, agent.agent.id, state))
    assert scene.job(accepted.job).state is JobState.TIMED_OUT


def test_more_time_can_be_had_while_the_job_runs(scene: Scene) -> None:
    agent, _, accepted = running(scene, 5)
    change(scene, accepted.job, 6)
    keep_alive(scene, agent, 330)
    assert scene.job(accepted.job).state is JobState.RUNNING
    keep_alive(scene, agent, 30)
    assert scene.job(accepted.job).state is JobState.TIMING_OUT
    with pytest.raises(Conflict):
        change(scene, accepted.job, 10)


def test_an_hour_more_than_the_job_had_at_first_is_the_most(scene: Scene) -> None:
    _, _, accepted = running(scene, 5)
    change(scene, accepted.job, 65)
    change(scene, accepted.job, 30)
    for minutes in (66, 0, -1):
        with pytest.raises(Invalid):
            change(scene, accepted.job, minutes)
    change(scene, accepted.job, 65)
    assert scene.job(accepted.job).timeout_minutes == 65


def test_a_job_without_a_timeout_gets_no_longer_one_than_its_token_lives(scene: Scene) -> None:
    accepted = scene.running(scene.agent())
    with pytest.raises(Invalid):
        change(scene, accepted.job, 30 * 24 * 60 + 1)
    change(scene, accepted.job, 30 * 24 * 60)


def test_time_counts_from_the_start_and_not_from_the_accept(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.accept(agent, scene.one_job())
    change(scene, accepted.job, 2)
    keep_alive(scene, agent, 240)
    scene.start(accepted.job)
    keep_alive(scene, agent, 90)
    assert scene.job(accepted.job).state is JobState.RUNNING
    keep_alive(scene, agent, 30)
    assert scene.job(accepted.job).state is JobState.TIMING_OUT


def test_a_restart_keeps_the_time_and_gives_the_agent_its_grace_anew(scene: Scene) -> None:
    agent, _, accepted = running(scene, 1)
    keep_alive(scene, agent, 60)
    scene.forward(600)  # the server is away; nobody can hear of the time-out, or finish
    scene.world.restart()
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.TIMING_OUT
    assert scene.finish(accepted.job, "-1").state is JobState.TIMED_OUT


def test_a_job_whose_time_ends_while_the_server_is_away_times_out_at_the_next_start(scene: Scene) -> None:
    _, _, accepted = running(scene, 1)
    scene.forward(600)
    scene.world.restart()
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.TIMING_OUT


def test_a_cancellation_gets_its_grace_anew_after_a_restart(scene: Scene) -> None:
    _, build, accepted = running(scene, 60)
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    scene.forward(600)
    scene.world.restart()
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.CANCELING
    scene.forward(120)
    scene.sweep()
    assert scene.job(accepted.job).state is JobState.CANCELED


def test_a_failure_is_promised_once_and_the_job_goes_on(scene: Scene) -> None:
    accepted = scene.running(scene.agent())
    promise(scene, accepted.job, 3, "tests fail")
    promise(scene, accepted.job, 3)
    kept = scene.job(accepted.job)
    assert (kept.state, kept.promised_status, kept.promised_reason) == (JobState.RUNNING, "3", "tests fail")
    with pytest.raises(Conflict) as caught:
        promise(scene, accepted.job, 4)
    assert caught.value.status == 409
    assert len(scene.events(Action.JOB_FAILURE_PROMISED)) == 1
    assert scene.finish(accepted.job, "3").exit_status == "3"
    with pytest.raises(Conflict) as caught:
        promise(scene, accepted.job, 3)
    assert caught.value.status == 422


def test_a_job_that_does_not_run_yet_promises_nothing(scene: Scene) -> None:
    accepted = scene.accept(scene.agent(), scene.one_job())
    with pytest.raises(Conflict) as caught:
        promise(scene, accepted.job, 3)
    assert caught.value.status == 422
    with pytest.raises(Invalid):
        promise(scene, accepted.job, 0)
    assert scene.job(accepted.job).promised_status == ""
