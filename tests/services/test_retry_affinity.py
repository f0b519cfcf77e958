"""A queue that prefers another agent for the next attempt of a job."""

from services.scene import Scene
from support import World
from watchword.domain.accounts import Affinity, Queue
from watchword.domain.ids import QueueId
from watchword.domain.pipelines import Job
from watchword.services.context import LOCAL
from watchword.services.queues import update_queue
from watchword.store.base import Transaction


def prefer_different(world: World) -> None:
    async def work(tx: Transaction) -> Queue:
        queue = await tx.accounts.queue(world.first.organization.id, QueueId(world.first.queue.id))
        assert queue is not None
        return await update_queue(world.context, tx, LOCAL, queue, affinity=Affinity.DIFFERENT)

    world.run(world.context.store.write(work))


def retried(scene: Scene, job: Job) -> Job:
    attempts = scene.authority.attempts

    async def work(tx: Transaction) -> tuple[Job, object]:
        return await attempts.retry_in(tx, LOCAL, job)

    made, moved = scene.run(scene.authority.context.store.write(work))
    attempts.scheduler.settle(moved)  # type: ignore[arg-type]
    return made


def failed(scene: Scene, agent: object) -> Job:
    accepted = scene.running(agent)  # type: ignore[arg-type]
    return scene.finish(accepted.job, "1")


def test_another_agent_gets_the_next_attempt(world: World, scene: Scene) -> None:
    prefer_different(world)
    first, second = scene.agent(), scene.agent(name="second")
    scene.ping(second)
    again = retried(scene, failed(scene, first))
    assert again.avoided_agent_id == first.agent.id
    assert scene.ping(first) is None
    assert scene.ping(second) == again.id
    scene.accept(second, again)
    assert not scene.authority.dispatcher.lines.avoiding


def test_the_same_agent_gets_it_where_no_other_comes(world: World, scene: Scene) -> None:
    prefer_different(world)
    first = scene.agent()
    again = retried(scene, failed(scene, first))
    assert scene.ping(first) == again.id  # there is no other agent at all
    scene.agent(name="silent")
    scene.accept(first, again)
    last = retried(scene, scene.finish(scene.job(again), "1"))
    assert scene.ping(first) is None
    scene.forward(6)
    assert scene.ping(first) == last.id


def test_a_warm_queue_gives_it_to_whoever_asks(scene: Scene) -> None:
    first, second = scene.agent(), scene.agent(name="second")
    scene.ping(second)
    again = retried(scene, failed(scene, first))
    assert again.avoided_agent_id is None
    assert scene.ping(first) == again.id


def test_other_jobs_do_not_avoid_the_agent(world: World, scene: Scene) -> None:
    prefer_different(world)
    tags = ("os=linux",)
    first, second = scene.agent(tags=tags), scene.agent(name="second", tags=tags)
    scene.ping(second)
    retried(scene, failed(scene, first))
    other = scene.build("true", agents=tags)[1][0]
    assert scene.ping(first) == other.id


def test_the_preference_outlives_a_restart(world: World, scene: Scene) -> None:
    prefer_different(world)
    first, second = scene.agent(), scene.agent(name="second")
    again = retried(scene, failed(scene, first))
    world.restart()
    assert scene.ping(first) is None
    assert scene.ping(second) == again.id
