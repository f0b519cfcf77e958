"""Priorities: which job comes first, and which of several idle agents gets it."""

from services.scene import Scene
from watchword.services.context import LOCAL

# Agents ping every two seconds and as much again by chance.
INTERVAL = 2


def test_jobs_of_higher_priority_come_first_and_then_older_ones(scene: Scene) -> None:
    low, high = scene.one_job(priority=-5), scene.one_job(priority=5)
    scene.forward(1)
    later = scene.one_job(priority=5)
    order = []
    for number in range(3):
        agent = scene.agent(name=f"agent {number}")
        offered = scene.ping(agent)
        order.append(offered)
    assert order == [high.id, later.id, low.id]


def test_an_idle_agent_of_higher_priority_gets_a_fresh_job(scene: Scene) -> None:
    low, high = scene.agent(priority=-1), scene.agent(name="high", priority=3)
    for agent in (low, high):
        scene.ping(agent)
    job = scene.one_job()
    assert scene.ping(low) is None
    assert scene.ping(high) == job.id
    scene.accept(high, job)
    other = scene.one_job()
    assert scene.ping(low) == other.id  # the better one is busy now


def test_an_agent_that_names_no_priority_comes_last(scene: Scene) -> None:
    without, named = scene.agent(), scene.agent(name="named", priority=-7)
    for agent in (without, named):
        scene.ping(agent)
    job = scene.one_job()
    assert scene.ping(without) is None
    assert scene.ping(named) == job.id


def test_a_job_does_not_wait_longer_than_the_better_agent_may_take_to_ping(scene: Scene) -> None:
    low, high = scene.agent(priority=1), scene.agent(name="high", priority=3)
    for agent in (low, high):
        scene.ping(agent)
    job = scene.one_job()
    scene.forward(2 * INTERVAL)
    assert scene.ping(low) is None
    scene.forward(1)
    assert scene.ping(low) == job.id


def test_agents_that_could_not_take_it_hold_no_job_back(scene: Scene) -> None:
    low = scene.agent(priority=1)
    scene.agent(name="tags", priority=9, tags=("os=mac",))
    scene.register(name="not connected", priority=9)
    scene.agent(name="ignored", priority=9, ignore_in_dispatches=True)
    stopping = scene.agent(name="stopping", priority=9)
    controller = scene.authority.controller
    scene.run(controller.stop(LOCAL, scene.organization_id, stopping.agent.id, force=False))
    job = scene.one_job(agents=("os=*",))
    tagged = scene.agent(name="low", priority=1, tags=("os=linux",))
    assert scene.ping(tagged) is None  # the one of higher priority has the tag too
    plain = scene.one_job(priority=-1)
    mac = next(agent for agent in scene.authority.fleet.agents.values() if "os=mac" in agent.tags)
    assert scene.authority.dispatcher.ping(mac.id) == job.id
    assert scene.ping(low) == plain.id


def test_the_better_agent_gone_holds_nothing_back(scene: Scene) -> None:
    low, high = scene.agent(priority=1), scene.agent(name="high", priority=3)
    scene.forward(60)
    job = scene.one_job()
    assert scene.ping(low) == job.id  # nothing was heard of the better one for a while
    assert scene.ping(high) is None
