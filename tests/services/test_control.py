"""Control: agents and queues are stopped, paused and resumed, and hear of it by their pings."""

import pytest

from services.scene import Scene
from watchword.domain.accounts import Queue
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.fleet import Order
from watchword.domain.ids import AgentId
from watchword.domain.pipelines import JobState
from watchword.services.context import LOCAL
from watchword.services.control import Pause
from watchword.services.exchanging import Joined
from watchword.store.base import Transaction


def order(scene: Scene, agent: Joined) -> Order | None:
    """What the agent's next ping is answered, jobs aside."""
    assert scene.ping(agent) is None
    return scene.authority.fleet.order(agent.agent.id)


def stop(scene: Scene, agent: Joined, *, force: bool = False) -> None:
    scene.run(scene.authority.controller.stop(LOCAL, scene.organization_id, agent.agent.id, force=force))


def pause(scene: Scene, agent: Joined, asked: Pause = Pause()) -> None:  # noqa: B008 - frozen
    scene.run(scene.authority.controller.pause(LOCAL, scene.organization_id, agent.agent.id, asked))


def resume(scene: Scene, agent: Joined) -> None:
    scene.run(scene.authority.controller.resume(LOCAL, scene.organization_id, agent.agent.id))


def hold_back(scene: Scene, *, paused: bool) -> Queue:
    """Pause or resume the default queue."""
    controller, queue = scene.authority.controller, scene.first.queue

    async def work(tx: Transaction) -> Queue:
        current = await tx.accounts.queue(queue.organization_id, queue.id)
        assert current is not None
        if paused:
            return await controller.pause_queue_in(tx, LOCAL, current, "why", None)
        return await controller.resume_queue_in(tx, LOCAL, current)

    changed = scene.run(scene.world.store.write(work))
    controller.settle_queue(changed)
    return changed


def test_a_stopped_agent_finishes_its_job_and_is_then_told_to_leave(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    waiting = scene.one_job()
    stop(scene, agent)
    assert scene.job(accepted.job).state is JobState.RUNNING
    assert scene.finish(accepted.job).passed
    told = order(scene, agent)
    assert told is not None
    assert told.stop
    with pytest.raises(Conflict) as caught:
        scene.accept(agent, waiting)
    assert caught.value.code == "agent_stopping"
    assert scene.ping(scene.agent(name="next")) == waiting.id


def test_a_forced_stop_cancels_the_running_job_through_its_state(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    stop(scene, agent, force=True)
    assert scene.job(accepted.job).state is JobState.CANCELING
    assert scene.finish(accepted.job, "-1").state is JobState.CANCELED
    assert len(scene.events(Action.JOB_CANCELING)) == 1
    told = order(scene, agent)
    assert told is not None
    assert told.stop


def test_a_forced_stop_hands_back_a_job_that_was_not_started(scene: Scene) -> None:
    agent, other = scene.agent(), scene.agent(name="other")
    accepted = scene.accept(agent, scene.one_job())
    stop(scene, agent, force=True)
    assert scene.job(accepted.job).state is JobState.SCHEDULED
    with pytest.raises(Conflict):
        scene.start(accepted.job)
    assert scene.ping(other) == accepted.job.id
    assert scene.accept(other, accepted.job).job.agent_id == other.agent.id


def test_a_job_on_offer_to_a_stopped_or_paused_agent_goes_to_another_at_once(scene: Scene) -> None:
    one, two, three = scene.agent(), scene.agent(name="two"), scene.agent(name="three")
    job = scene.one_job()
    assert scene.ping(one) == job.id
    assert scene.ping(two) is None
    stop(scene, one)
    assert scene.ping(two) == job.id
    pause(scene, two)
    assert scene.ping(three) == job.id


def test_stopping_again_changes_nothing_but_that_it_may_become_forced(scene: Scene) -> None:
    agent = scene.agent()
    stop(scene, agent)
    first = scene.row(agent.agent.id)
    scene.forward(5)
    stop(scene, agent)
    assert scene.row(agent.agent.id) == first
    assert len(scene.events(Action.AGENT_STOPPING)) == 1
    stop(scene, agent, force=True)
    stop(scene, agent)
    assert scene.row(agent.agent.id).stop_forced
    assert len(scene.events(Action.AGENT_STOPPING)) == 2


def test_only_connected_agents_are_stopped_or_paused(scene: Scene) -> None:
    registered = scene.register()
    for give in (stop, pause):
        with pytest.raises(Conflict) as caught:
            give(scene, registered)
        assert caught.value.code == "agent_not_connected"
    nobody = AgentId("01900000-0000-7000-8000-000000000000")
    with pytest.raises(NotFound):
        scene.run(scene.authority.controller.stop(LOCAL, scene.organization_id, nobody, force=False))


def test_a_paused_agent_takes_no_job_until_it_is_resumed(scene: Scene) -> None:
    agent, job = scene.agent(), scene.one_job()
    pause(scene, agent, Pause("new disks", 60))
    assert order(scene, agent) == Order(until=scene.world.clock.now() + 3_600_000_000, message="new disks")
    with pytest.raises(Conflict) as caught:
        scene.accept(agent, job)
    assert caught.value.code == "agent_paused"
    resume(scene, agent)
    assert scene.ping(agent) == job.id
    with pytest.raises(Conflict) as caught:
        resume(scene, agent)
    assert caught.value.code == "agent_not_paused"


def test_a_pause_lasts_five_minutes_unless_it_was_asked_otherwise(scene: Scene) -> None:
    agent, job = scene.agent(), scene.one_job()
    pause(scene, agent)
    for _ in range(299):
        scene.forward(1)
        assert scene.ping(agent) is None
    scene.sweep()
    assert scene.ping(agent) is None
    scene.forward(1)
    scene.sweep()
    assert scene.ping(agent) == job.id
    (event,) = scene.events(Action.AGENT_RESUMED)
    assert event.actor_kind == "system"


@pytest.mark.parametrize("minutes", [-1, 1441])
def test_a_pause_is_at_most_a_day(scene: Scene, minutes: int) -> None:
    agent = scene.agent()
    with pytest.raises(Invalid):
        pause(scene, agent, Pause(minutes=minutes))
    with pytest.raises(Invalid):
        pause(scene, agent, Pause(note="x" * 256))
    assert order(scene, agent) is None


def test_a_paused_agent_is_paused_again_only_where_that_is_meant(scene: Scene) -> None:
    agent = scene.agent()
    pause(scene, agent)
    with pytest.raises(Conflict) as caught:
        pause(scene, agent)
    assert caught.value.code == "agent_paused"
    scene.forward(60)
    pause(scene, agent, Pause(again=True))
    scene.forward(290)
    assert order(scene, agent) is not None
    scene.sweep()
    assert order(scene, agent) is not None


def test_a_paused_agent_goes_on_with_its_job(scene: Scene) -> None:
    agent = scene.agent()
    accepted = scene.running(agent)
    pause(scene, agent)
    assert scene.job(accepted.job).state is JobState.RUNNING
    assert scene.finish(accepted.job).passed
    assert order(scene, agent) is not None


def test_orders_survive_a_restart(scene: Scene) -> None:
    paused, stopped = scene.agent(), scene.agent(name="stopped")
    job = scene.one_job()
    pause(scene, paused, Pause("why"))
    stop(scene, stopped)
    scene.world.restart()
    told = order(scene, paused)
    assert told is not None
    assert (told.stop, told.message) == (False, "why")
    told = order(scene, stopped)
    assert told is not None
    assert told.stop
    scene.forward(300)
    scene.authority.fleet.heartbeat(paused.agent.id)
    scene.sweep()
    assert scene.ping(paused) == job.id


def test_a_paused_queue_holds_its_jobs_back_also_after_a_restart(scene: Scene) -> None:
    agent = scene.agent()
    first, second = scene.build("a", "b")[1]
    running = scene.accept(agent, first)
    hold_back(scene, paused=True)
    scene.start(running.job)
    assert scene.finish(running.job).passed  # what runs goes on
    for _ in range(2):
        assert scene.ping(agent) is None
        with pytest.raises(Conflict) as caught:
            scene.accept(agent, second)
        assert caught.value.code == "queue_paused"
        scene.world.restart()
    with pytest.raises(Conflict):
        hold_back(scene, paused=True)
    hold_back(scene, paused=False)
    with pytest.raises(Conflict):
        hold_back(scene, paused=False)
    assert scene.ping(agent) == second.id
    assert len(scene.events(Action.QUEUE_PAUSED)) == len(scene.events(Action.QUEUE_RESUMED)) == 1


def test_other_queues_go_on_while_one_is_paused(scene: Scene) -> None:
    scene.queue("gpu")
    agent = scene.agent(tags=("queue=gpu",))
    hold_back(scene, paused=True)
    job = scene.one_job(agents=("queue=gpu",))
    assert scene.ping(agent) == job.id
