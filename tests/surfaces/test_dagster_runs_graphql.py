"""Runs as people launch, read and stop them over Dagster+'s GraphQL (contract §11)."""

import json
from typing import Any

import pytest

from dagster_scene import DagsterScene
from support import World
from watchword.services import codelocations
from watchword.services.issuing import Issued

RUN = "runId status jobName runConfigYaml tags { key value } creationTime startTime endTime"
LAUNCH = (
    "mutation($params: ExecutionParams!) { found: launchRun(executionParams: $params) { __typename"
    f" ... on LaunchRunSuccess {{ run {{ {RUN} }} }} ... on PipelineNotFoundError {{ message pipelineName }}"
    " ... on UnauthorizedError { message } ... on PythonError { message } } }"
)
READ = (
    "query($id: ID!) { found: runOrError(runId: $id) { __typename"
    f" ... on Run {{ {RUN} stats {{ __typename }} }} ... on RunNotFoundError {{ runId }} }} }}"
)
LIST = (
    "query($filter: RunsFilter, $cursor: String, $limit: Int) {"
    " found: runsOrError(filter: $filter, cursor: $cursor, limit: $limit)"
    " { __typename ... on Runs { count results { runId } } } }"
)
STOP = (
    "mutation($id: String!) { found: terminateRun(runId: $id) { __typename"
    " ... on TerminateRunSuccess { run { status } } ... on RunNotFoundError { runId } } }"
)
MANIFEST = {"repositories": [{"name": "__repository__", "code_pointer": {"__class__": "FileCodePointer"}}]}


@pytest.fixture
def scene(world: World) -> DagsterScene:
    made = DagsterScene(world)
    made.agent_token()
    prod = made.find("prod")
    made.location(prod, "etl")
    made.write(
        lambda tx: codelocations.loaded_in(made.context, tx, prod, "etl", manifest=json.dumps(MANIFEST))
    )
    return made


@pytest.fixture
def admin(scene: DagsterScene) -> Issued:
    return scene.user_token()


def params(job: str = "daily", **more: Any) -> dict[str, Any]:
    return {
        "selector": {
            "repositoryLocationName": "etl",
            "repositoryName": "__repository__",
            "jobName": job,
            **more.pop("selector", {}),
        },
        "runConfigData": {"ops": {"one": 1}},
        "executionMetadata": {"tags": [{"key": "team", "value": "data"}]},
        **more,
    }


def ask(scene: DagsterScene, token: Issued, query: str, **variables: Any) -> Any:
    return scene.data(token, query, variables, path="/dagster/acme/prod/graphql")["found"]


def test_a_run_is_work_for_an_agent_and_is_read_and_stopped(scene: DagsterScene, admin: Issued) -> None:
    agent = scene.agent_token()
    scene.pop(agent, "prod")  # the location is to be looked at
    run = ask(scene, admin, LAUNCH, params=params())["run"]
    assert (run["status"], run["jobName"]) == ("STARTING", "daily")
    assert json.loads(run["runConfigYaml"]) == {"ops": {"one": 1}}
    assert run["tags"] == [{"key": "team", "value": "data"}]
    assert run["creationTime"] == scene.context.clock.now() / 1_000_000
    assert (run["startTime"], run["endTime"]) == (None, None)
    [work] = scene.pop(agent, "prod")
    assert work["requestApi"] == "LAUNCH_RUN"
    found = ask(scene, admin, READ, id=run["runId"])
    assert (found["__typename"], found["status"]) == ("Run", "STARTING")
    assert found["stats"] == {"__typename": "PythonError"}
    assert ask(scene, admin, STOP, id=run["runId"])["run"] == {"status": "CANCELING"}
    assert [one["requestApi"] for one in scene.pop(agent, "prod")] == ["TERMINATE_RUN"]
    nothing = {"__typename": "RunNotFoundError", "runId": "x"}
    assert ask(scene, admin, READ, id="x") == ask(scene, admin, STOP, id="x") == nothing


def test_a_repeated_launch_with_the_same_key_is_one_run(scene: DagsterScene, admin: Issued) -> None:
    body = json.dumps({"query": LAUNCH, "variables": {"params": params()}}).encode()
    headers = {"Dagster-Cloud-Api-Token": admin.value.reveal(), "Idempotency-Key": "5f1c"}
    answers = [scene.call("POST", "/dagster/acme/prod/graphql", body, headers) for _ in range(2)]
    first, second = [answer.body["data"]["found"]["run"]["runId"] for answer in answers]
    assert first == second
    assert ask(scene, admin, LIST)["count"] == 1


def test_runs_are_listed_latest_first_and_sifted(scene: DagsterScene, admin: Issued) -> None:
    ids = []
    for job in ("daily", "hourly", "daily"):
        scene.world.clock.forward(1_000_000)
        ids.append(ask(scene, admin, LAUNCH, params=params(job))["run"]["runId"])

    def listed(**variables: Any) -> list[str]:
        return [one["runId"] for one in ask(scene, admin, LIST, **variables)["results"]]

    assert listed() == ids[::-1]
    assert listed(limit=1, cursor=ids[2]) == [ids[1]]
    assert listed(filter={"pipelineName": "hourly"}) == [ids[1]]
    assert listed(filter={"runIds": [ids[0]]}) == [ids[0]]
    assert listed(filter={"statuses": ["SUCCESS"]}) == []
    assert len(listed(filter={"tags": [{"key": "team", "value": "data"}]})) == 3
    assert listed(filter={"tags": [{"key": "team", "value": "other"}]}) == []
    assert listed(filter={"tags": [{"key": "absent"}]}) == []
    wrong = ask(scene, admin, LIST, filter={"statuses": ["SLEEPING"]})
    assert wrong == {"__typename": "InvalidPipelineRunsFilterError"}


@pytest.mark.parametrize(
    ("wrong", "typename"),
    [
        (params(selector={"repositoryName": "other"}), "PipelineNotFoundError"),
        (params(selector={"repositoryLocationName": "other"}), "PipelineNotFoundError"),
        (params(selector={"jobName": None}), "PythonError"),
        (params(selector={"assetSelection": [{"path": ["a"]}]}), "PythonError"),
        (params(stepKeys=["one"]), "PythonError"),
        (params(runConfigData=[1]), "PythonError"),
    ],
)
def test_what_cannot_run_is_refused_in_words(
    scene: DagsterScene, admin: Issued, wrong: dict[str, Any], typename: str
) -> None:
    assert ask(scene, admin, LAUNCH, params=wrong)["__typename"] == typename
    assert ask(scene, admin, LIST)["count"] == 0


def test_a_viewer_launches_nothing(scene: DagsterScene) -> None:
    viewer = scene.user_token(scene.member("vi"))
    refused = ask(scene, viewer, LAUNCH, params=params())
    assert refused["__typename"] == "UnauthorizedError"
    assert refused["message"] == (
        "This needs the role Launcher or more on the deployment prod; you are a Viewer there."
    )
