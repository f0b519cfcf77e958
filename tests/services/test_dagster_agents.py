"""Dagster agents as they are heard of: running, silent, forgotten; their errors; after a restart too."""

import json

import pytest

from dagster_scene import AGENTS, BEAT, DagsterScene, heartbeat
from support import MINUTE_US, SECOND_US, World
from watchword.domain.tokens import DAY_US
from watchword.services import dagsteragents

ALL = (
    "{ agents { id agentLabel status lastHeartbeatTime errors { timestamp error { message } }"
    " metadata { key value } } }"
)


@pytest.fixture
def scene(world: World) -> DagsterScene:
    made = DagsterScene(world)
    made.agent_token()
    return made


def test_an_agent_runs_for_ninety_seconds_and_is_forgotten_after_seven_days(scene: DagsterScene) -> None:
    token, clock = scene.agent_token(), scene.world.clock
    scene.data(token, BEAT, {"beats": [heartbeat("prod")]})
    since = clock.now() / SECOND_US
    clock.forward(89 * SECOND_US)
    assert scene.data(token, AGENTS)["agents"][0]["status"] == "RUNNING"
    clock.forward(1 * SECOND_US)
    assert scene.data(token, AGENTS)["agents"][0]["status"] == "NOT_RUNNING"
    assert scene.data(token, AGENTS, {"since": since})["agents"]
    assert not scene.data(token, AGENTS, {"since": since + 1})["agents"]
    scene.world.restart()
    assert scene.data(token, AGENTS)["agents"] == [{"id": "a1", "status": "NOT_RUNNING"}]
    clock.forward(7 * DAY_US)
    assert scene.data(token, AGENTS) == {"agents": []}
    scene.world.run(scene.world.authority.dagster_house.keep())
    scene.world.restart()
    assert not scene.world.authority.dagster_fleet.known(scene.organization.id)


def test_what_an_agent_says_of_itself_is_shown_and_survives_a_restart(scene: DagsterScene) -> None:
    token = scene.agent_token()
    said = [
        json.dumps({"timestamp": 7.5, "error": {"message": f"{number}" + "x" * 20_000, "stack": ["s"]}})
        for number in range(30)
    ]
    scene.data(token, BEAT, {"beats": [heartbeat("prod")], "errors": said})
    for _ in range(2):
        (agent,) = scene.data(token, ALL)["agents"]
        assert (agent["agentLabel"], agent["status"]) == ("one", "RUNNING")
        assert {"key": "version", "value": "1.13.27"} in agent["metadata"]
        assert len(agent["errors"]) == 25
        assert agent["errors"][3]["timestamp"] == 7.5
        assert len(agent["errors"][3]["error"]["message"]) == 10_000
        scene.world.restart()
    (known,) = scene.world.authority.dagster_fleet.holders(scene.organization.id, token.token.id)
    assert known.queues == ("",)


def test_an_agent_that_stops_serving_a_deployment_is_silent_there_alone(scene: DagsterScene) -> None:
    token, fleet = scene.agent_token(), scene.world.authority.dagster_fleet
    staging, prod = scene.deployment("staging"), scene.find("prod")
    scene.data(token, BEAT, {"beats": [heartbeat("prod"), heartbeat("staging")]})
    scene.world.clock.forward(2 * MINUTE_US)
    scene.data(token, BEAT, {"beats": [heartbeat("staging")]})
    now = scene.world.clock.now()
    status = {
        place.name: [one.status_at(now).value for one in fleet.on(scene.organization.id, place.id)]
        for place in (prod, staging)
    }
    assert status == {"prod": ["NOT_RUNNING"], "staging": ["RUNNING"]}


def test_what_many_agents_say_of_themselves_has_its_bound(
    scene: DagsterScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagsteragents, "MAX_ERRORS_SIZE", 2_500)
    monkeypatch.setattr(dagsteragents, "MAX_AGENTS", 4)
    token, said = scene.agent_token(), [json.dumps({"error": {"message": "x" * 1_000}})]
    for _ in range(2):
        for number in range(6):
            scene.data(token, BEAT, {"beats": [heartbeat("prod", f"a{number}")], "errors": said})
            scene.world.clock.forward(1)
        agents = scene.world.authority.dagster_fleet.known(scene.organization.id)
        assert [one.id for one in agents] == ["a5", "a4", "a3", "a2"]
        assert sum(len(one.errors) for one in agents) == 2


@pytest.mark.parametrize("text", ["", "[]", '{"agent_id": 7}', '{"agent_id": ""}', "{" * 5000])
def test_what_is_no_heartbeat_is_an_error_and_nothing_is_taken(scene: DagsterScene, text: str) -> None:
    token = scene.agent_token()
    wrong = {"deploymentName": "prod", "serializedAgentHeartbeat": text}
    assert "errors" in scene.ask(token, BEAT, {"beats": [heartbeat("prod"), wrong]}).body
    assert scene.data(token, AGENTS) == {"agents": []}


def test_heartbeats_touch_no_database_until_they_are_flushed(
    scene: DagsterScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = scene.agent_token()
    scene.data(token, BEAT, {"beats": [heartbeat("prod")]})
    store = scene.world.store
    with monkeypatch.context() as without:
        without.setattr(store, "read", None)
        without.setattr(store, "write", None)
        scene.data(token, BEAT, {"beats": [heartbeat("prod"), heartbeat("prod", "a2")]})
        assert scene.pop(token, "prod", branches=True) == []
    assert scene.world.run(scene.world.authority.dagster_fleet.flush()) == 2
    assert scene.world.run(scene.world.authority.dagster_fleet.flush()) == 0
