"""Streams: agents that listen hear of jobs, orders and their end at once, by the rules of a ping."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.scene import Scene
from watchword.crypto.values import digest
from watchword.domain.accounts import Queue
from watchword.domain.errors import Conflict, Refused, TooMany
from watchword.domain.fleet import AgentState
from watchword.domain.pingframes import Action, Told
from watchword.domain.pipelines import Job, JobState
from watchword.services.context import LOCAL
from watchword.services.control import Pause
from watchword.services.exchanging import Joined
from watchword.store.base import Transaction

IDLE = Told(Action.RESUME)
# So many turns of the loop, and everything that follows from one thing has happened.
_TURNS = 6


class Listener:
    """One agent's stream, read message by message."""

    def __init__(self, scene: Scene, joined: Joined) -> None:
        self._scene = scene
        self.id = joined.agent.id
        self.over = False
        self._next: asyncio.Task[Told] | None = None
        streams = scene.authority.streams

        async def begin() -> None:
            self.stream = streams.open(self.id, digest(joined.value.reveal()))
            self._told = streams.messages(self.stream)

        scene.run(begin())

    def hears(self) -> list[Told]:
        """What it was told since the last look."""
        return self._scene.run(self._read())

    async def _read(self) -> list[Told]:
        found: list[Told] = []
        while not self.over:
            if self._next is None:
                self._next = asyncio.ensure_future(anext(self._told))
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if not self._next.done():
                break
            done, self._next = self._next, None
            try:
                found.append(done.result())
            except StopAsyncIteration:
                self.over = True
        return found

    def leave(self) -> None:
        """The client goes away."""
        self.stream.end()
        self.hears()


Listen = Callable[..., Listener]


@pytest.fixture
def listen(scene: Scene) -> Any:
    listeners: list[Listener] = []

    def begin(joined: Joined | None = None, **registration: Any) -> Listener:
        listener = Listener(scene, joined or scene.agent(**registration))
        listeners.append(listener)
        assert listener.hears()[0].action in (Action.RESUME, Action.PAUSE, Action.DISCONNECT)
        return listener

    yield begin
    for listener in listeners:
        listener.leave()


def job_of(job: Job) -> Told:
    return Told(Action.JOB, job.id)


def begin(scene: Scene, agent: Joined, job: Job) -> Job:
    """The agent takes the job and runs it."""
    accepted = scene.accept(agent, job)
    scene.start(accepted.job)
    return accepted.job


def look_again(scene: Scene, seconds: float = 0) -> None:
    scene.forward(seconds)
    scene.run(scene.authority.streams.look_again())


def test_a_job_is_told_as_it_comes_and_idleness_after_it(scene: Scene, listen: Listen) -> None:
    agent = scene.agent()
    listener = listen(agent)
    job = scene.one_job()
    assert listener.hears() == [job_of(job)]
    other = scene.one_job()
    assert listener.hears() == []  # it has an offer, and later a job
    running = begin(scene, agent, job)
    assert listener.hears() == []
    scene.finish(running)
    assert listener.hears() == [job_of(other)]
    scene.finish(begin(scene, agent, other))
    assert listener.hears() == [IDLE]


def test_an_offer_is_repeated_to_whoever_comes_back_and_to_pings(scene: Scene) -> None:
    agent = scene.agent()
    job = scene.one_job()
    first = Listener(scene, agent)
    assert first.hears() == [IDLE, job_of(job)]
    again = Listener(scene, agent)
    assert again.hears() == [IDLE, job_of(job)]
    assert first.hears() == []
    assert first.over  # one stream for an agent: the newer one
    assert scene.ping(agent) == job.id
    again.leave()
    assert not scene.authority.streams.by_agent


def test_an_offer_that_nobody_takes_is_told_again_and_then_goes_to_another(
    scene: Scene, listen: Listen
) -> None:
    deaf = listen(name="deaf")
    job = scene.one_job()
    assert deaf.hears() == [job_of(job)]
    look_again(scene, 5)
    assert deaf.hears() == []
    look_again(scene, 6)
    assert deaf.hears() == [job_of(job)]
    other = listen(name="other")
    look_again(scene, 20)
    assert other.hears() == [job_of(job)]


def test_jobs_are_dealt_by_priority_tags_and_waiting_time(scene: Scene, listen: Listen) -> None:
    low, high = listen(name="low", priority=1), listen(name="high", priority=2)
    tagged = listen(name="tagged", priority=9, tags=("os=mac",))
    job, mac = scene.one_job(), scene.one_job(agents=("os=mac",))
    assert tagged.hears() == [job_of(job)]  # the best of all that fit, and one job at a time
    assert high.hears() == low.hears() == []
    second = scene.one_job()
    assert high.hears() == [job_of(second)]
    assert scene.run(tell_withdrawn(scene, job)) is None
    look_again(scene)
    assert tagged.hears() == [job_of(mac)]
    last = scene.one_job()
    assert low.hears() == [job_of(last)]


async def tell_withdrawn(scene: Scene, job: Job) -> None:
    scene.authority.dispatcher.lines.withdraw(job)


def test_equal_agents_take_turns(scene: Scene, listen: Listen) -> None:
    agents = [scene.agent(name=f"agent {number}") for number in range(3)]
    listeners = {agent.agent.id: listen(agent) for agent in agents}
    turns = []
    for _ in range(6):
        job = scene.one_job()
        (taker,) = [agent for agent in agents if listeners[agent.agent.id].hears()]
        turns.append(taker.agent.name)
        scene.finish(begin(scene, taker, job))
        assert listeners[taker.agent.id].hears() == [IDLE]
    assert turns[:3] == turns[3:]
    assert len(set(turns)) == 3


def test_a_fresh_job_waits_for_a_better_agent_that_polls_and_not_for_ever(
    scene: Scene, listen: Listen
) -> None:
    polling = scene.agent(name="polling", priority=9)
    low = listen(name="low", priority=1)
    scene.ping(polling)
    job = scene.one_job()
    assert low.hears() == []
    look_again(scene, 1)
    assert low.hears() == []
    look_again(scene, 5)
    assert low.hears() == [job_of(job)]


def test_a_polling_agent_leaves_a_fresh_job_to_a_better_one_that_listens(
    scene: Scene, listen: Listen
) -> None:
    agent = scene.agent(name="high", priority=9)
    listener = listen(agent)
    low = scene.agent(name="low", priority=1)
    scene.forward(50)  # it was heard of long ago, and is there all the same
    job = scene.one_job()
    assert scene.ping(low) is None
    assert listener.hears() == [job_of(job)]


def test_orders_are_told_at_once_and_paused_agents_get_no_job(scene: Scene, listen: Listen) -> None:
    agent = scene.agent()
    listener = listen(agent)
    controller = scene.authority.controller
    scene.run(controller.pause(LOCAL, scene.organization_id, agent.agent.id, Pause("maintenance")))
    (told,) = listener.hears()
    assert told.action is Action.PAUSE
    assert "maintenance" in told.text
    job = scene.one_job()
    assert listener.hears() == []
    late = Listener(scene, agent)
    assert [told.action for told in late.hears()] == [Action.PAUSE]
    scene.run(controller.resume(LOCAL, scene.organization_id, agent.agent.id))
    assert late.hears() == [IDLE, job_of(job)]
    scene.run(controller.stop(LOCAL, scene.organization_id, agent.agent.id, force=False))
    assert [told.action for told in late.hears()] == [Action.DISCONNECT]
    late.leave()


def test_an_order_while_a_job_runs_is_told_too(scene: Scene, listen: Listen) -> None:
    agent = scene.agent()
    listener = listen(agent)
    accepted = scene.running(agent)
    listener.hears()
    scene.run(scene.authority.controller.stop(LOCAL, scene.organization_id, agent.agent.id, force=False))
    assert [told.action for told in listener.hears()] == [Action.DISCONNECT]
    scene.finish(accepted.job)
    assert scene.authority.dispatcher.lines.offer_of(agent.agent.id) is None


def test_a_paused_queue_keeps_its_jobs_until_it_goes_on(scene: Scene, listen: Listen) -> None:
    listener = listen()
    hold_back(scene, paused=True)
    job = scene.one_job()
    look_again(scene, 40)
    assert listener.hears() == []
    hold_back(scene, paused=False)
    assert listener.hears() == [job_of(job)]


def hold_back(scene: Scene, *, paused: bool) -> None:
    controller, queue = scene.authority.controller, scene.first.queue

    async def work(tx: Transaction) -> Queue:
        current = await tx.accounts.queue(queue.organization_id, queue.id)
        assert current is not None
        if paused:
            return await controller.pause_queue_in(tx, LOCAL, current, "why", None)
        return await controller.resume_queue_in(tx, LOCAL, current)

    controller.settle_queue(scene.run(scene.world.store.write(work)))


def test_agents_that_take_no_jobs_listen_in_vain(scene: Scene, listen: Listen) -> None:
    ignored = listen(name="ignored", ignore_in_dispatches=True)
    unconnected = listen(scene.register(name="registered alone"))
    scene.one_job()
    look_again(scene, 40)
    assert ignored.hears() == unconnected.hears() == []


def test_a_job_whose_agent_let_it_go_is_told_to_another(scene: Scene, listen: Listen) -> None:
    agent = scene.agent(name="first")
    listener = listen(agent)
    job = scene.one_job()
    assert listener.hears() == [job_of(job)]
    other = listen(name="other")
    scene.run(scene.authority.controller.stop(LOCAL, scene.organization_id, agent.agent.id, force=False))
    assert other.hears() == [job_of(job)]


def test_a_stream_ends_with_its_session(scene: Scene, listen: Listen) -> None:
    agent, other = scene.agent(name="one"), scene.agent(name="other")
    listener, stays = listen(agent), listen(other)
    scene.run(scene.authority.finisher.disconnect(LOCAL, agent.agent.id, AgentState.DISCONNECTED))
    assert listener.hears() == []
    assert listener.over
    assert scene.reason(agent.value.reveal()) == "session_ended"
    assert stays.hears() == []
    assert not stays.over


def test_a_session_that_is_no_longer_in_memory_gets_no_stream(scene: Scene) -> None:
    agent = scene.agent()
    scene.authority.fleet.forget(agent.agent.id)
    with pytest.raises(Conflict) as caught:
        Listener(scene, agent)
    assert caught.value.code == "agent_not_connected"
    assert not isinstance(caught.value, Refused)  # 401 would switch streaming off for good


def test_opening_a_stream_is_a_sign_of_life_and_being_open_none(scene: Scene, listen: Listen) -> None:
    agent = scene.agent()
    scene.forward(100)
    listener = listen(agent)
    assert scene.authority.fleet.agents[agent.agent.id].seen_at == scene.world.clock.now()
    look_again(scene, 110)
    assert agent.agent.id in scene.authority.streams.by_agent
    look_again(scene, 11)  # clients end theirs after 60 s: there is nobody behind this one
    assert listener.hears() == []
    assert listener.over
    scene.forward(60)
    scene.sweep()
    assert agent.agent.id not in scene.authority.fleet.agents


def test_a_job_that_its_listening_agent_gave_up_ends(scene: Scene) -> None:
    """A polling agent shows by its pings that it runs nothing; one that listens sends none."""
    agent = scene.agent()
    accepted = scene.running(agent)
    dispatcher, fleet = scene.authority.dispatcher, scene.authority.fleet
    listener = Listener(scene, agent)
    listener.hears()

    def pass_minutes(count: int) -> JobState:
        for _ in range(count):
            scene.forward(60)
            fleet.heartbeat(agent.agent.id)
        scene.sweep()
        return scene.job(accepted.job).state

    assert pass_minutes(9) is JobState.RUNNING
    dispatcher.at_work(accepted.job)
    assert pass_minutes(9) is JobState.RUNNING
    assert pass_minutes(1) is JobState.FINISHED
    ended = scene.job(accepted.job)
    assert (ended.exit_status, ended.signal_reason) == ("-1", "agent_stop")
    assert listener.hears() == [IDLE]
    other = scene.one_job()
    assert listener.hears() == [job_of(other)]
    listener.leave()


def test_there_is_a_limit(scene: Scene) -> None:
    scene.configure(ping_streams=1)
    one, other = scene.agent(name="one"), scene.agent(name="other")
    first = Listener(scene, one)
    assert first.hears() == [IDLE]
    with pytest.raises(TooMany):
        Listener(scene, other)
    again = Listener(scene, one)  # in the place of the former
    assert again.hears() == [IDLE]
    again.leave()
    second = Listener(scene, other)
    assert second.hears() == [IDLE]
    second.leave()
    first.leave()


def test_jobs_and_agents_of_a_former_process_find_each_other(scene: Scene) -> None:
    agent = scene.agent()
    job = scene.one_job()
    former = Listener(scene, agent)
    assert former.hears() == [IDLE, job_of(job)]
    former.leave()
    scene.world.restart()
    listener = Listener(scene, agent)
    assert listener.hears() == [IDLE, job_of(job)]
    scene.authority.streams.stop()
    assert listener.hears() == []
    assert listener.over
