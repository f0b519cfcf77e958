"""What agents repeat is answered without executing GraphQL, and says the same as if it were executed."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_scene import AGENTS, BEAT, DEPLOYMENTS, ENTRIES, INFO, POP, DagsterScene, heartbeat
from support import Answer, World
from watchword.dagster.documents import Documents
from watchword.domain.deployments import GrantScope
from watchword.services.issuing import Issued

HOT = (AGENTS, BEAT, DEPLOYMENTS, ENTRIES, INFO, POP)

names = st.sampled_from(["prod", "staging", "f00d", "nowhere"])
queues = st.none() | st.lists(st.none() | st.sampled_from(["", "gpu"]), max_size=3)
wrong: st.SearchStrategy[Any] = st.sampled_from(
    [True, 7, "prod", [7], [[]], {}, {"a": 1}, [None], 1.5, 2**40, None]
)
variables = st.fixed_dictionaries(
    {},
    optional={
        "names": st.lists(names, max_size=4) | wrong,
        "serverless": st.booleans() | wrong,
        "queues": queues | wrong,
        "full": st.lists(names, max_size=4) | wrong,
        "branches": st.booleans() | wrong,
        "limit": st.integers(0, 3) | wrong,
        "since": st.sampled_from([0, 1.5, 1.8e9, 9e9]) | wrong,
        "beats": st.lists(names.map(heartbeat), max_size=2) | wrong,
        "errors": st.lists(st.sampled_from(["no json", '{"error": {"message": "m"}}']), max_size=2) | wrong,
        "unknown": wrong,
    },
)


@pytest.fixture
def scene(world: World) -> DagsterScene:
    made = DagsterScene(world)
    made.agent_token()
    staging = made.deployment("staging")
    made.deployment("f00d", base=staging)
    made.location(made.find("prod"), "one")
    made.location(made.find("prod"), "two", agent_queue="gpu")
    made.location(staging, "three")
    while made.pop(made.agent_token(), "prod", "staging", branches=True, queues=["gpu", None]):
        pass  # locations that are new have their agents look
    return made


@pytest.fixture
def cast(scene: DagsterScene) -> list[Issued]:
    """Everybody who asks: all of it, one deployment, that and branches, a person."""
    branches = scene.limited("staging")
    scene.grant(branches, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    return [scene.agent_token(), scene.limited("staging"), branches, scene.user_token()]


def executed(scene: DagsterScene, token: Issued, query: str, asked: dict[str, Any], **headers: str) -> Answer:
    """The answer of an execution: the document asks for one thing more, which is taken out again."""
    answer = scene.ask(token, query.rstrip()[:-1] + " __typename }", asked, **headers)
    if isinstance(answer.body.get("data"), dict):
        answer.body["data"].pop("__typename", None)
    return answer


def test_each_of_them_is_recognised_whatever_its_blanks_and_names() -> None:
    engine = Documents().engine
    assert all(engine.prepare(query, None).hot for query in HOT)
    assert engine.prepare(AGENTS.replace("$since", "$x").replace(" ", "  ,\n"), None).hot
    for other in (
        AGENTS.replace("id status", "status id"),
        AGENTS.replace("id status", "id"),
        AGENTS.replace("{ id", "{ a: id"),
        AGENTS.replace(": $since", ": 1.5").replace("($since: Float)", ""),
        AGENTS.replace("status", "status @skip(if: false)"),
        AGENTS.replace("Float)", "Float = 3)"),
        AGENTS.replace("} }", "} workspace { __typename } }"),
    ):
        assert engine.prepare(other, None).hot is None


@pytest.mark.parametrize("name", ["prod", "staging", "nowhere"])
def test_both_ways_say_the_same_to_everybody_who_asks_as_agents_do(
    scene: DagsterScene, cast: list[Issued], name: str
) -> None:
    usual: dict[str, dict[str, Any]] = {
        AGENTS: {"since": 0},
        BEAT: {"beats": [heartbeat(name)], "errors": []},
        DEPLOYMENTS: {"names": [name]},
        ENTRIES: {"names": [name], "serverless": False, "queues": [None]},
        INFO: {},
        POP: {"full": [name], "branches": True, "queues": [None]},
    }
    for query, asked in usual.items():
        for token, headers in itertools.product(cast, ({}, {"deployment": name})):
            fast = scene.ask(token, query, asked, **headers)
            slow = executed(scene, token, query, asked, **headers)
            assert (fast.status, fast.body) == (slow.status, slow.body)


@given(query=st.sampled_from(HOT), asked=variables, who=st.integers(0, 3))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_both_ways_say_the_same(
    scene: DagsterScene, cast: list[Issued], query: str, asked: dict[str, Any], who: int
) -> None:
    fast, slow = scene.ask(cast[who], query, asked), executed(scene, cast[who], query, asked)
    assert (fast.status, fast.body) == (slow.status, slow.body)


def test_both_ways_hand_out_the_same_work(scene: DagsterScene) -> None:
    token, prod = scene.agent_token(), scene.find("prod")
    first, second = scene.queue(prod), scene.queue(prod)
    asked = {"full": ["prod"], "branches": True, "queues": [None], "limit": 1}
    one = scene.ask(token, POP, asked).body["data"]["userCloudAgent"]["popUserCloudAgentRequests"]
    two = executed(scene, token, POP, asked).body["data"]["userCloudAgent"]["popUserCloudAgentRequests"]
    assert [one[0]["requestId"], two[0]["requestId"]] == [first.id, second.id]
    same = {key: str(value).replace(second.id, first.id) for key, value in two[0].items()}
    assert {key: str(value) for key, value in one[0].items()} == same
