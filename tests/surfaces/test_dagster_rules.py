"""The rules of contract dagster-agents-api §9, one by one: who gets in, and to what."""

import json
from io import StringIO

import pytest

from dagster_scene import AGENTS, BEAT, DEPLOYMENTS, ENTRIES, INFO, POP, DagsterScene, heartbeat
from support import World
from watchword.domain.deployments import GrantScope
from watchword.edge.logging import configure

REFUSED = {"error", "message"}


@pytest.fixture
def scene(world: World) -> DagsterScene:
    made = DagsterScene(world)
    made.agent_token()
    made.deployment("staging")
    return made


def test_whatever_does_not_pass_gets_one_answer_that_clients_print(scene: DagsterScene) -> None:
    revoked = scene.agent_token()
    scene.revoke(revoked.token)
    foreign = scene.agent_token().value.reveal().replace(":acme:", ":other:")
    unknown = "agent:acme:" + "0" * 12 + "4" + "0" * 3 + "8" + "0" * 15
    answers = [
        scene.ask(value, "no GraphQL at all {{{")
        for value in (None, "", "garbage", unknown, foreign, revoked, f"user:{'0' * 32}", "agent:acme:\n")
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({json.dumps(answer.body) for answer in answers}) == 1
    assert set(answers[0].body) == REFUSED
    assert "location" not in answers[0].headers


def test_a_token_gets_in_at_every_address_that_its_clients_use(scene: DagsterScene) -> None:
    token = scene.agent_token()
    for path in (
        "/dagster/graphql",
        "/dagster//graphql",
        "/dagster/graphql/",
        "/dagster/acme/graphql",
        "/dagster/acme//graphql",
        "/dagster/staging/graphql",
        "/dagster/acme/staging/graphql",
        "/dagster/acme/staging/graphql/",
    ):
        assert scene.data(token, AGENTS, path=path) == {"agents": []}
    assert scene.data(token, INFO, path="/dagster/acme/staging/graphql") == {
        "deploymentInfo": {"deploymentName": "staging"}
    }
    assert scene.data(token, INFO, path="/dagster/staging/graphql", deployment="staging") == {
        "deploymentInfo": {"deploymentName": "staging"}
    }


def test_address_and_header_that_name_two_deployments_are_refused(scene: DagsterScene) -> None:
    for token in (scene.agent_token(), scene.user_token()):
        for path in ("/dagster/staging/graphql", "/dagster/acme/staging/graphql"):
            answer = scene.ask(token, AGENTS, path=path, deployment="prod")
            assert (answer.status, set(answer.body)) == (400, REFUSED)
        assert scene.ask(token, AGENTS, organization="other").status == 400
        assert scene.ask(token, AGENTS, path="/dagster/other/staging/graphql").status == 404


def test_a_header_that_decides_may_come_once(scene: DagsterScene) -> None:
    value = scene.agent_token().value.reveal()
    for name, text in (("Dagster-Cloud-Api-Token", value), ("Dagster-Cloud-Deployment", "prod")):
        headers = {"Dagster-Cloud-Api-Token": value, "Dagster-Cloud-Deployment": "prod", name.upper(): text}
        assert scene.call("POST", "/dagster/graphql", b"{}", headers).status == 400


def test_a_person_gets_nothing_of_what_is_for_agents(scene: DagsterScene) -> None:
    token = scene.user_token()
    for query, variables in (
        (POP, {}),
        (BEAT, {}),
        (INFO, {}),
        (DEPLOYMENTS, {"names": ["prod"]}),
        (ENTRIES, {"names": [], "serverless": False}),
    ):
        answer = scene.ask(token, query, variables, deployment="prod")
        assert (answer.status, set(answer.body)) == (403, REFUSED)
    assert scene.data(token, AGENTS) == {"agents": []}
    listed = scene.data(token, "{ deployments { deploymentName } }")["deployments"]
    assert [one["deploymentName"] for one in listed] == ["prod", "staging"]


def test_an_agent_learns_only_of_deployments_that_it_may_serve(scene: DagsterScene) -> None:
    branch = scene.deployment("f00d", base=scene.find("staging"))
    token = scene.limited("staging")
    names = ["prod", "staging", "f00d", "nowhere"]
    assert scene.data(token, DEPLOYMENTS, {"names": names}) == {
        "deployments": [{"deploymentName": "staging"}]
    }
    assert scene.data(token, DEPLOYMENTS, {"names": ["prod"]}) == {"deployments": []}
    scene.grant(token, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    assert [
        one["deploymentName"] for one in scene.data(token, DEPLOYMENTS, {"names": names})["deployments"]
    ] == [
        "staging",
        branch.name,
    ]


def test_a_running_agent_that_lost_everything_is_told_so(scene: DagsterScene) -> None:
    token = scene.limited("staging")
    asked = {"names": ["prod"], "serverless": False, "queues": [None]}
    answer = scene.ask(token, ENTRIES, asked)
    assert answer.status == 200
    assert set(answer.body) == {"errors"}
    assert "prod" in answer.body["errors"][0]["message"]
    both = scene.data(token, ENTRIES, {**asked, "names": ["prod", "staging"]})
    assert [one["deploymentName"] for one in both["deployments"]] == ["staging"]
    assert scene.data(token, ENTRIES, {**asked, "names": []}) == {"deployments": []}
    scene.grant(token, GrantScope.ORGANIZATION)
    assert scene.data(token, ENTRIES, asked)["deployments"][0]["deploymentName"] == "prod"


def test_work_goes_only_to_whoever_asks_for_it_and_may_serve_it(scene: DagsterScene) -> None:
    branch = scene.deployment("f00d", base=scene.find("staging"))
    for deployment in (scene.find("prod"), scene.find("staging"), branch):
        scene.queue(deployment)
    token = scene.limited("staging")
    assert scene.pop(token, "prod", branches=True) == []
    assert [one["deploymentName"] for one in scene.pop(token, "prod", "staging", branches=True)] == [
        "staging"
    ]
    assert scene.pop(token, "prod", "staging") == []
    scene.grant(token, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    assert scene.pop(token) == []
    assert [one["isBranchDeployment"] for one in scene.pop(token, branches=True)] == [True]
    scene.grant(token, GrantScope.ORGANIZATION)
    assert [one["deploymentName"] for one in scene.pop(token, "prod")] == ["prod"]


def test_heartbeats_are_taken_all_or_none(scene: DagsterScene) -> None:
    token = scene.limited("staging")
    answer = scene.ask(token, BEAT, {"beats": [heartbeat("staging"), heartbeat("prod")], "errors": []})
    assert (answer.status, set(answer.body)) == (403, REFUSED)
    assert "prod" in answer.body["message"]
    assert scene.data(token, AGENTS) == {"agents": []}
    assert scene.data(token, BEAT, {"beats": [], "errors": []}) == {
        "userCloudAgent": {"addAgentHeartbeats": {"ok": True}}
    }
    scene.data(token, BEAT, {"beats": [heartbeat("staging")], "errors": []})
    assert scene.data(token, AGENTS) == {"agents": [{"id": "a1", "status": "RUNNING"}]}


def test_agents_of_other_deployments_are_not_shown_to_an_agent(scene: DagsterScene) -> None:
    scene.data(scene.agent_token(), BEAT, {"beats": [heartbeat("prod", "p")]})
    scene.data(scene.agent_token(), BEAT, {"beats": [heartbeat("staging", "s")]})
    seen = scene.data(scene.limited("staging"), AGENTS)["agents"]
    assert [one["id"] for one in seen] == ["s"]
    assert len(scene.data(scene.user_token(), AGENTS)["agents"]) == 2


def test_a_deployment_that_is_not_permitted_and_one_that_is_not_there_are_refused_alike(
    scene: DagsterScene,
) -> None:
    token = scene.limited("staging")
    answers = [scene.ask(token, AGENTS, deployment=name) for name in ("prod", "nowhere")]
    assert [answer.status for answer in answers] == [403, 403]
    assert answers[0].body["message"].replace("prod", "nowhere") == answers[1].body["message"]


def test_what_is_no_document_of_ours_is_an_error_that_clients_print(scene: DagsterScene) -> None:
    token = scene.agent_token()
    for query in (
        "{ nothing }",
        "{{{",
        "mutation { revokeEverything }",
        "query A { agents { id } } query B { agents { id } }",
    ):
        answer = scene.ask(token, query)
        assert answer.status == 200
        assert set(answer.body) == {"errors"}
    assert (
        scene.call(
            "POST", "/dagster/graphql", b"[]", {"Dagster-Cloud-Api-Token": token.value.reveal()}
        ).status
        == 200
    )


def test_rights_that_change_hold_at_the_next_call(scene: DagsterScene) -> None:
    token = scene.agent_token()
    asked = {"names": ["prod"]}
    assert scene.data(token, DEPLOYMENTS, asked)["deployments"]
    scene.ungrant(token, GrantScope.ORGANIZATION)
    assert not scene.data(token, DEPLOYMENTS, asked)["deployments"]
    scene.grant(token, GrantScope.ORGANIZATION)
    assert scene.data(token, DEPLOYMENTS, asked)["deployments"]
    scene.revoke(token.token)
    assert scene.ask(token, DEPLOYMENTS, asked).status == 401
    scene.world.restart()
    assert scene.ask(token, DEPLOYMENTS, asked).status == 401


def test_a_revoked_agent_that_asks_for_ever_costs_one_line_a_minute_and_no_look_at_the_database(
    scene: DagsterScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = scene.agent_token()
    scene.revoke(token.token)
    assert scene.ask(token, AGENTS).status == 401
    stream = StringIO()
    configure("warning", "json", ("bk",), stream)
    try:
        edge = scene.edge
        monkeypatch.setattr(DagsterScene, "edge", edge)
        reads = scene.world.store.read
        monkeypatch.setattr(scene.world.store, "read", None)
        answers = {scene.ask(token, AGENTS).status for _ in range(50)}
        monkeypatch.setattr(scene.world.store, "read", reads)
    finally:
        configure("warning", "text", ("bk",))
    assert answers == {401}
    assert stream.getvalue().count("token_revoked") == 1
    assert token.value.reveal().rpartition(":")[2] not in stream.getvalue()
