"""Queues over REST: changing one, deleting one, how many a cluster may have."""

import pytest

from rest_client import Rest
from services.scene import Scene
from support import World
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.services.context import LOCAL


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


@pytest.fixture
def queues(world: World) -> str:
    return f"clusters/{world.first.cluster.id}/queues"


def test_both_verbs_change_what_the_body_names(world: World, queues: str, scene: Scene) -> None:
    rest = Rest(world)
    made = rest("POST", queues, json={"key": "linux", "description": "old"}).json()
    assert made["retry_agent_affinity"] == "prefer-warmest"
    path = f"{queues}/{made['id']}"
    changed = rest("PATCH", path, json={"retry_agent_affinity": "prefer-different"}).json()
    assert changed == {**made, "retry_agent_affinity": "prefer-different"}
    changed = rest("PUT", path, json={"description": "new", "key": "ignored"}).json()
    assert changed == {**made, "retry_agent_affinity": "prefer-different", "description": "new"}
    assert rest("GET", path).json() == changed
    assert rest("PUT", path, json={"description": None}).json()["description"] is None
    assert [event.subject_id for event in scene.events(Action.QUEUE_UPDATED)] == [made["id"]] * 3


def test_a_change_that_cannot_be_is_refused(world: World, queues: str) -> None:
    rest = Rest(world)
    path = f"{queues}/{world.first.queue.id}"
    for body, code in (
        ({"retry_agent_affinity": "warm"}, "invalid_affinity"),
        ({"hostedAgents": {"instanceShape": "LINUX_AMD64_2X4"}}, "hosted_agents"),
        ({"description": "x" * 1025}, "invalid_body"),
    ):
        answer = rest("PATCH", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["message"].startswith("Validation failed: ")


def test_a_cluster_has_no_hosted_machines(world: World) -> None:
    rest = Rest(world)
    path = f"clusters/{world.first.cluster.id}"
    shown = rest("PATCH", path, json={"hosted_git_mirror_enabled": False, "description": "d"}).json()
    assert (shown["hosted_git_mirror_enabled"], shown["hosted_container_cache_enabled"]) == (False, False)
    for name in ("hosted_git_mirror_enabled", "hosted_container_cache_enabled"):
        answer = rest("PATCH", path, json={name: True, "description": "x"})
        assert (answer.status_code, answer.json()["code"]) == (422, "hosted_agents")
    assert rest("GET", path).json() == shown


def test_a_queue_is_deleted_when_nobody_uses_it(world: World, queues: str, scene: Scene) -> None:
    rest = Rest(world)
    made = rest("POST", queues, json={"key": "linux"}).json()
    path = f"{queues}/{made['id']}"
    rest("POST", f"{path}/pause_dispatch", json={})

    def refusal() -> tuple[int, str, str]:
        answer = rest("DELETE", path)
        return answer.status_code, answer.json()["code"], answer.json()["message"]

    joined = scene.agent(tags=("queue=linux",))
    assert refusal() == (422, "queue_has_agents", "There is 1 agent in this queue; stop first.")
    leave = world.authority.finisher.disconnect
    world.run(leave(LOCAL, joined.agent.id, AgentState.DISCONNECTED))
    build, _ = scene.build("true", "true", agents=("queue=linux",))
    assert refusal() == (422, "queue_has_jobs", "There are 2 unfinished jobs in this queue; cancel first.")
    world.run(world.authority.builder.cancel(LOCAL, build))
    assert made["id"] in world.authority.dispatcher.lines.paused
    gone = rest("DELETE", path)
    assert (gone.status_code, gone.content, "content-type" in gone.headers) == (204, b"", False)
    assert made["id"] not in world.authority.dispatcher.lines.paused
    assert rest("GET", path).json()["message"] == "No queue found"
    assert rest("DELETE", path).status_code == 404
    (event,) = scene.events(Action.QUEUE_DELETED)
    assert event.subject_id == made["id"]
    assert rest("POST", queues, json={"key": "linux"}).status_code == 201


def test_the_default_queue_stays(world: World, queues: str) -> None:
    rest = Rest(world)
    answer = rest("DELETE", f"{queues}/{world.first.queue.id}")
    assert (answer.status_code, answer.json()["code"]) == (422, "default_queue")
    rest("PUT", f"clusters/{world.first.cluster.id}", json={"default_queue_id": None})
    assert rest("DELETE", f"{queues}/{world.first.queue.id}").status_code == 204


def test_a_cluster_has_fifty_queues_at_most(world: World, queues: str) -> None:
    rest = Rest(world)
    for number in range(49):
        assert rest("POST", queues, json={"key": f"q{number}"}).status_code == 201
    answer = rest("POST", queues, json={"key": "one-more"})
    assert (answer.status_code, answer.json()["code"]) == (422, "queue_quota")
