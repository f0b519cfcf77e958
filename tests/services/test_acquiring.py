"""Acquiring: an agent that was started for one job takes it, under the same fence as any other."""

import asyncio

import pytest

from services.scene import Scene
from watchword.domain.errors import Conflict, Forbidden, Locked, NotFound
from watchword.domain.ids import JobId
from watchword.domain.pipelines import Job, JobState
from watchword.domain.restrictions import Restrictions
from watchword.services.context import LOCAL
from watchword.services.control import Pause
from watchword.services.dispatching import Accepted
from watchword.services.exchanging import Joined


def acquire(scene: Scene, agent: Joined, job: Job) -> Accepted:
    return scene.run(scene.authority.dispatcher.acquire(LOCAL, agent.agent.id, job.id))


def test_an_agent_that_ignores_dispatches_acquires_and_runs_its_job(scene: Scene) -> None:
    agent, job = scene.agent(ignore_in_dispatches=True), scene.one_job()
    assert scene.ping(agent) is None
    accepted = acquire(scene, agent, job)
    assert (accepted.job.state, accepted.job.agent_id) == (JobState.ACCEPTED, agent.agent.id)
    scene.start(accepted.job)
    assert scene.finish(accepted.job).passed


def test_acquiring_again_gives_the_same_answer_until_the_job_starts(scene: Scene) -> None:
    agent, job = scene.agent(ignore_in_dispatches=True), scene.one_job()
    first, again = acquire(scene, agent, job), acquire(scene, agent, job)
    assert first.value is not None
    assert again.value is not None
    assert first.value.reveal() == again.value.reveal()
    assert first.job == again.job
    scene.start(first.job)
    with pytest.raises(Conflict) as caught:
        acquire(scene, agent, job)
    assert caught.value.status == 422


def test_of_many_that_acquire_one_job_one_gets_it(scene: Scene) -> None:
    agents = [scene.agent(name=f"agent {number}", ignore_in_dispatches=True) for number in range(12)]
    job = scene.one_job()

    async def scenario() -> list[Accepted | BaseException]:
        dispatcher = scene.authority.dispatcher
        return await asyncio.gather(
            *(dispatcher.acquire(LOCAL, agent.agent.id, job.id) for agent in agents), return_exceptions=True
        )

    answers = scene.run(scenario())
    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 11


def test_a_job_on_offer_to_another_agent_is_acquired(scene: Scene) -> None:
    offered, agent = scene.agent(), scene.agent(name="one", ignore_in_dispatches=True)
    job = scene.one_job()
    assert scene.ping(offered) == job.id
    acquire(scene, agent, job)
    with pytest.raises(Conflict):
        scene.accept(offered, job)
    assert scene.ping(offered) is None


def test_queue_and_tags_do_not_matter_but_the_cluster_does(scene: Scene) -> None:
    scene.queue("gpu")
    agent = scene.agent(ignore_in_dispatches=True)
    job = scene.one_job(agents=("queue=gpu", "os=linux"))
    assert acquire(scene, agent, job).job.agent_id == agent.agent.id
    loose = scene.agent(scene.token(unclustered=True), ignore_in_dispatches=True)
    with pytest.raises(NotFound):
        acquire(scene, loose, scene.one_job())
    outside = scene.one_job(unclustered=True)
    with pytest.raises(NotFound):
        acquire(scene, scene.agent(name="b", ignore_in_dispatches=True), outside)
    assert acquire(scene, loose, outside).job.agent_id == loose.agent.id


def test_a_token_for_one_queue_acquires_from_that_queue_alone(scene: Scene) -> None:
    scene.queue("gpu")
    token = scene.token(restrictions=Restrictions(queue="gpu"))
    agent = scene.agent(token, tags=("queue=gpu",), ignore_in_dispatches=True)
    with pytest.raises(Forbidden):
        acquire(scene, agent, scene.one_job())
    job = scene.one_job(agents=("queue=gpu",))
    assert acquire(scene, agent, job).job.agent_id == agent.agent.id


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.LIMITED])
def test_a_job_that_waits_for_others_is_locked_for_now(scene: Scene, state: JobState) -> None:
    agent, job = scene.agent(ignore_in_dispatches=True), scene.one_job()
    scene.set_state(job, state)
    with pytest.raises(Locked) as caught:
        acquire(scene, agent, job)
    assert caught.value.status == 423
    assert caught.value.retry_after > 0
    scene.set_state(job, JobState.SCHEDULED)
    assert acquire(scene, agent, job).job.agent_id == agent.agent.id


def test_a_paused_agent_acquires_later_a_stopping_one_never(scene: Scene) -> None:
    agent, job = scene.agent(ignore_in_dispatches=True), scene.one_job()
    controller, organization_id = scene.authority.controller, scene.organization_id
    scene.run(controller.pause(LOCAL, organization_id, agent.agent.id, Pause()))
    with pytest.raises(Locked):
        acquire(scene, agent, job)
    scene.run(controller.stop(LOCAL, organization_id, agent.agent.id, force=False))
    with pytest.raises(Conflict):
        acquire(scene, agent, job)


def test_what_is_taken_ended_or_unknown_is_not_acquired(scene: Scene) -> None:
    agent, other = scene.agent(ignore_in_dispatches=True), scene.agent(name="other")
    build, (taken, canceled) = scene.build("a", "b")
    running = scene.accept(other, taken)
    with pytest.raises(Conflict):
        acquire(scene, agent, taken)
    scene.start(running.job)
    scene.run(scene.authority.builder.cancel(LOCAL, build))
    for job in (taken, canceled):
        with pytest.raises(Conflict) as caught:
            acquire(scene, agent, job)
        assert caught.value.status == 422
    with pytest.raises(NotFound):
        scene.run(
            scene.authority.dispatcher.acquire(
                LOCAL, agent.agent.id, JobId("01900000-0000-7000-8000-000000000000")
            )
        )


def test_an_agent_that_holds_a_job_acquires_no_other(scene: Scene) -> None:
    agent = scene.agent()
    scene.running(agent)
    with pytest.raises(Conflict) as caught:
        acquire(scene, agent, scene.one_job())
    assert caught.value.code == "agent_busy"
