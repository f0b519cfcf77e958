"""REST: agents are stopped, paused and resumed, queues paused and resumed, by admins."""

import pytest

from rest_client import Rest, api_token
from services.scene import Scene
from support import World
from watchword.domain.accounts import Role
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.pipelines import JobState
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


@pytest.fixture
def rest(scene: Scene) -> Rest:
    scopes = ("read_agents", "write_agents", "read_clusters", "write_clusters")
    return Rest(scene.world, api_token(scene.world, *scopes).value)


def shown(rest: Rest, agent: Joined) -> dict[str, object]:
    body: dict[str, object] = rest("GET", f"agents/{agent.agent.id}").json()
    return body


def put(rest: Rest, agent: Joined, what: str, **options: object) -> tuple[int, str]:
    answer = rest("PUT", f"agents/{agent.agent.id}/{what}", **options)
    return answer.status_code, answer.json()["message"] if answer.content else ""


def test_an_agent_is_paused_and_resumed(rest: Rest, scene: Scene) -> None:
    agent, job = scene.agent(), scene.one_job()
    assert shown(rest, agent)["paused"] is False
    assert shown(rest, agent)["paused_by"] is None
    assert put(rest, agent, "pause", json={"note": "disks", "timeout_in_minutes": 9}) == (204, "")
    body = shown(rest, agent)
    assert (body["paused"], body["paused_note"], body["paused_timeout_in_minutes"]) == (True, "disks", 9)
    assert body["paused_at"] is not None
    assert isinstance(body["paused_by"], dict)
    assert body["paused_by"]["name"] == scene.first.admin.name
    assert scene.ping(agent) is None
    assert put(rest, agent, "pause") == (422, "Agent is already paused")
    assert put(rest, agent, "resume") == (204, "")
    assert put(rest, agent, "resume", json={}) == (422, "Agent is not paused")
    assert shown(rest, agent)["paused"] is False
    assert scene.ping(agent) == job.id
    assert put(rest, agent, "pause", json={}) == (204, "")
    assert shown(rest, agent)["paused_timeout_in_minutes"] == 5
    events = [*scene.events(Action.AGENT_PAUSED), *scene.events(Action.AGENT_RESUMED)]
    assert [event.actor_kind for event in events] == ["user"] * 3


def test_an_agent_is_stopped_by_force_unless_asked_otherwise(rest: Rest, scene: Scene) -> None:
    gentle, forced = scene.agent(), scene.agent(name="forced")
    first, second = scene.running(gentle), scene.running(forced)
    assert put(rest, gentle, "stop", json={"force": False}) == (204, "")
    assert put(rest, forced, "stop") == (204, "")
    assert scene.job(first.job).state is JobState.RUNNING
    assert scene.job(second.job).state is JobState.CANCELING
    assert shown(rest, gentle)["connection_state"] == "stopping"
    assert [agent["connection_state"] for agent in rest("GET", "agents").json()] == ["stopping"] * 2
    scene.run(scene.authority.finisher.disconnect(LOCAL, gentle.agent.id, AgentState.DISCONNECTED))
    body = shown(rest, gentle)
    assert (body["connection_state"], body["stopped_at"] is None) == ("stopped", False)
    assert put(rest, gentle, "stop") == (400, "Can only stop connected agents")
    assert put(rest, gentle, "pause") == (422, "Only connected agents may be paused")


def test_what_an_order_cannot_be_is_said(rest: Rest, scene: Scene) -> None:
    agent = scene.agent()
    assert put(rest, agent, "pause", json={"timeout_in_minutes": 1441})[0] == 422
    assert put(rest, agent, "pause", json={"timeout_in_minutes": "x"})[0] == 422
    assert rest("PUT", "agents/01900000-0000-7000-8000-000000000000/stop").status_code == 404
    assert shown(rest, agent)["paused"] is False


def test_orders_are_for_admins(scene: Scene) -> None:
    agent = scene.agent()
    scopes = ("write_agents", "write_clusters")
    issued = api_token(scene.world, *scopes, role=Role.MEMBER, email="m@example.com")
    member = Rest(scene.world, issued.value)
    queue = f"clusters/{scene.first.cluster.id}/queues/{scene.first.queue.id}"
    for what in ("stop", "pause", "resume"):
        assert put(member, agent, what)[0] == 403
    for what in ("pause_dispatch", "resume_dispatch"):
        assert member("POST", f"{queue}/{what}").status_code == 403
    assert scene.row(agent.agent.id).order is None


@pytest.mark.parametrize("key", ["note", "dispatch_paused_note"])
def test_a_queue_is_paused_and_resumed(rest: Rest, scene: Scene, key: str) -> None:
    agent, job = scene.agent(), scene.one_job()
    path = f"clusters/{scene.first.cluster.id}/queues/{scene.first.queue.id}"
    paused = rest("POST", f"{path}/pause_dispatch", json={key: "disks"})
    assert paused.status_code == 200
    body = paused.json()
    assert (body["dispatch_paused"], body["dispatch_paused_note"]) == (True, "disks")
    assert body["dispatch_paused_at"] is not None
    assert body["dispatch_paused_by"]["name"] == scene.first.admin.name
    assert rest("GET", path).json() == body
    assert scene.ping(agent) is None
    again = rest("POST", f"{path}/pause_dispatch")
    assert (again.status_code, again.json()["message"]) == (422, "Cluster queue is already paused")
    resumed = rest("POST", f"{path}/resume_dispatch")
    assert resumed.status_code == 200
    assert resumed.json()["dispatch_paused"] is False
    assert resumed.json()["dispatch_paused_by"] is None
    again = rest("POST", f"{path}/resume_dispatch")
    assert (again.status_code, again.json()["message"]) == (422, "Cluster queue is not paused")
    assert scene.ping(agent) == job.id


def test_a_nul_in_a_body_is_refused(rest: Rest, scene: Scene) -> None:
    agent = scene.agent()
    status, message = put(rest, agent, "pause", json={"note": "a\0b"})
    assert status == 422
    assert "NUL" in message
    assert shown(rest, agent)["paused"] is False
