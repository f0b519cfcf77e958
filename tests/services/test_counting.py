"""Counting: what those who scale agents see of a cluster's queues."""

import pytest

from services.scene import Scene
from watchword.domain.errors import NotFound
from watchword.domain.pipelines import JobState
from watchword.domain.tokens import Token
from watchword.services.counting import Counts, QueueCount, count


def counted(scene: Scene, token: Token, key: str = "") -> Counts:
    authority = scene.authority
    return scene.run(count(authority.context, authority.fleet, authority.dispatcher, token, key))


def test_agents_and_jobs_are_counted_by_queue(scene: Scene) -> None:
    scene.queue("gpu")
    token = scene.first.agent_token.token
    busy, _, _ = scene.agent(), scene.agent(name="idle"), scene.register(name="not connected")
    scene.agent(name="gpu", tags=("queue=gpu",))
    scene.running(busy)
    held_back, _ = scene.build("a", "b")[1]
    scene.set_state(held_back, JobState.WAITING)
    scene.authority.dispatcher.lines.withdraw(held_back)
    scene.one_job(agents=("queue=gpu",))
    found = counted(scene, token)
    assert (found.organization, found.cluster) == ("acme", scene.first.cluster.name)
    assert found.queues == {
        "default": QueueCount(idle=1, busy=1, scheduled=1, running=1, waiting=1),
        "gpu": QueueCount(idle=1, scheduled=1),
    }
    assert found.total == QueueCount(idle=2, busy=1, scheduled=2, running=1, waiting=1)
    assert counted(scene, token, "gpu").total == QueueCount(idle=1, scheduled=1)
    with pytest.raises(NotFound):
        counted(scene, token, "nope")


def test_agents_outside_clusters_are_counted_apart(scene: Scene) -> None:
    loose = scene.token(unclustered=True)
    scene.agent(loose)
    scene.agent(loose, tags=("queue=own",), name="own")
    scene.agent(name="of the cluster")
    held_back = scene.one_job(unclustered=True, agents=("queue=own",))
    scene.set_state(held_back, JobState.LIMITED)
    scene.authority.dispatcher.lines.withdraw(held_back)
    scene.one_job(unclustered=True)
    scene.one_job()
    found = counted(scene, loose.token)
    assert (found.organization, found.cluster) == ("acme", "")
    assert found.queues == {
        "default": QueueCount(idle=1, scheduled=1),
        "own": QueueCount(idle=1, waiting=1),
    }
    assert counted(scene, loose.token, "own").total == QueueCount(idle=1, waiting=1)
    assert counted(scene, loose.token, "other").total == QueueCount()
