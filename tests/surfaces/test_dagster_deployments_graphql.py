"""Deployments, settings, branches and code locations over Dagster+'s GraphQL (contract §10, §11)."""

from typing import Any

import pytest

from dagster_scene import BEAT, FILE, DagsterScene, heartbeat
from support import World
from watchword.domain.events import Action
from watchword.services import codelocations
from watchword.services.issuing import Issued

ERRORS = "... on UnauthorizedError { message } ... on PythonError { message }"
DEPLOYMENT = (
    "deploymentName deploymentId deploymentType deploymentStatus agentType isBranchDeployment"
    " organizationName"
)
FULL = f"query {{ found: fullDeployments {{ {DEPLOYMENT} }} }}"
NAMED = (
    "query($name: String!) { found: deploymentByName(name: $name) { __typename"
    f" ... on DagsterCloudDeployment {{ {DEPLOYMENT} parentDeployment {{ deploymentName }}"
    " branchDeploymentGitMetadata { repoName branchName pullRequestStatus commitHash branchUrl } }"
    f" ... on DeploymentNotFoundError {{ message }} }} }}"
)
MAKE = (
    "mutation($name: String!, $settings: DeploymentSettingsInput)"
    " { found: createDeployment(deploymentName: $name, deploymentSettings: $settings) { __typename"
    " ... on DagsterCloudDeployment { deploymentId deploymentSettings { settings } }"
    f" ... on DuplicateDeploymentError {{ message }} {ERRORS} }} }}"
)
DELETE = (
    "mutation($id: Int!) { found: deleteDeployment(deploymentId: $id)"
    f" {{ __typename ... on DeploymentNotFoundError {{ message }} {ERRORS} }} }}"
)
BRANCH = (
    "mutation($branch: CreateOrUpdateBranchDeploymentInput!, $commit: DeploymentCommitInput!, $base: String)"
    " { found: createOrUpdateBranchDeployment("
    "branchData: $branch, commit: $commit, baseDeploymentName: $base)"
    f" {{ __typename ... on DagsterCloudDeployment {{ deploymentName deploymentId }} {ERRORS} }} }}"
)
BRANCHES = (
    "query($limit: Int, $cursor: String, $status: PullRequestStatus)"
    " { found: branchDeployments(limit: $limit, cursor: $cursor, pullRequestStatus: $status)"
    " { hasNext nodes { deploymentName } } }"
)
SETTINGS = "query { found: deploymentSettings { settings } }"
SAVE = (
    "mutation($given: DeploymentSettingsInput!) { found: setDeploymentSettings(deploymentSettings: $given)"
    f" {{ __typename ... on DeploymentSettings {{ settings }} {ERRORS} }} }}"
)
WORKSPACE = (
    "query { found: workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus"
    " locationOrLoadError { __typename ... on RepositoryLocation { name }"
    " ... on PythonError { message stack errorChain { isExplicitLink error { message stack } } } } } } } }"
)
ADD = (
    "mutation($document: GenericScalar!) { found: addOrUpdateLocationFromDocument(document: $document)"
    " { __typename ... on WorkspaceEntry { locationName } ... on InvalidLocationError { errors } } }"
)
SYNC = (
    "mutation($document: GenericScalar!) { found: reconcileLocationsFromDocument(document: $document)"
    " { __typename ... on ReconcileLocationsSuccess { locations { locationName hasOutdatedData } }"
    " ... on InvalidLocationError { errors } } }"
)
DEPLOY = (
    "mutation($document: GenericScalar!) { found: deployLocations(document: $document)"
    " { __typename ... on DeployLocationsSuccess { locations { locationName hasOutdatedData } }"
    " ... on InvalidLocationError { errors } } }"
)
AS_DOCUMENT = "query { found: locationsAsDocument { document } }"
REMOVE = (
    "mutation($name: String!) { found: deleteLocation(locationName: $name)"
    " { __typename ... on DeleteLocationSuccess { locationName } ... on PythonError { message } } }"
)
PING = 'mutation { found: pingLocation(locationName: "etl") { ... on PingLocationSuccess { requestId } } }'
COMMIT = {"commitHash": "c0ffee", "timestamp": 1_700_000_000.0}


@pytest.fixture
def scene(world: World) -> DagsterScene:
    return DagsterScene(world)


@pytest.fixture
def admin(scene: DagsterScene) -> Issued:
    return scene.user_token()


def found(scene: DagsterScene, token: Issued, query: str, at: str = "", **variables: Any) -> Any:
    path = f"/dagster/acme/{at}/graphql" if at else "/dagster/acme/graphql"
    return scene.data(token, query, variables, path=path)["found"]


def branch(name: str = "next", **more: Any) -> dict[str, Any]:
    return {"branch": {"repoName": "acme/etl", "branchName": name, **more}, "commit": COMMIT}


def located(name: str, **more: Any) -> dict[str, Any]:
    return {"location_name": name, **FILE, **more}


def load(scene: DagsterScene, name: str, error: str = "") -> None:
    deployment = scene.find("prod")
    scene.write(lambda tx: codelocations.loaded_in(scene.context, tx, deployment, name, error=error))


def test_full_deployments_are_listed_found_made_and_deleted(scene: DagsterScene, admin: Issued) -> None:
    made = found(scene, admin, MAKE, name="staging", settings={"settings": {"a": [1]}})
    assert made == {
        "__typename": "DagsterCloudDeployment",
        "deploymentId": 2,
        "deploymentSettings": {"settings": {"a": [1]}},
    }
    listed = found(scene, admin, FULL)
    assert listed[0] == {
        "deploymentName": "prod",
        "deploymentId": 1,
        "deploymentType": "PRODUCTION",
        "deploymentStatus": "ACTIVE",
        "agentType": "HYBRID",
        "isBranchDeployment": False,
        "organizationName": "acme",
    }
    assert found(scene, admin, NAMED, name="staging")["deploymentId"] == 2
    assert found(scene, admin, MAKE, name="staging")["__typename"] == "DuplicateDeploymentError"
    assert found(scene, admin, MAKE, name="Not a name")["__typename"] == "PythonError"
    assert found(scene, admin, DELETE, id=2)["__typename"] == "DagsterCloudDeployment"
    assert found(scene, admin, DELETE, id=2)["__typename"] == "DeploymentNotFoundError"
    assert found(scene, admin, NAMED, name="staging")["__typename"] == "DeploymentNotFoundError"
    assert found(scene, admin, DELETE, id=1)["__typename"] == "DeleteFinalDeploymentError"


def test_the_current_deployment_is_that_of_address_or_header(scene: DagsterScene, admin: Issued) -> None:
    query = "query { found: currentDeployment { deploymentName agentType } }"
    prod = {"deploymentName": "prod", "agentType": "HYBRID"}
    assert found(scene, admin, query) is None
    assert found(scene, admin, query, at="prod") == prod
    assert scene.data(admin, query, deployment="prod")["found"] == prod


def test_a_branch_has_one_deployment_however_often_it_is_pushed(scene: DagsterScene, admin: Issued) -> None:
    named = 'query { found: getBranchDeploymentName(repoName: "acme/etl", branchName: "next") }'
    name = found(scene, admin, named)
    first = found(scene, admin, BRANCH, **branch(pullRequestStatus="OPEN"))
    again = found(scene, admin, BRANCH, **branch(pullRequestStatus="CLOSED"))
    assert first == again
    assert first["deploymentName"] == name
    shown = found(scene, admin, NAMED, name=name)
    assert shown["deploymentType"] == "BRANCH"
    assert shown["parentDeployment"] == {"deploymentName": "prod"}
    assert shown["branchDeploymentGitMetadata"] == {
        "repoName": "acme/etl",
        "branchName": "next",
        "pullRequestStatus": "CLOSED",
        "commitHash": "c0ffee",
        "branchUrl": None,
    }
    assert found(scene, admin, DELETE, id=first["deploymentId"])["__typename"] == "DagsterCloudDeployment"
    renewed = found(scene, admin, BRANCH, **branch())
    assert renewed["deploymentName"] == name
    assert renewed["deploymentId"] != first["deploymentId"]


def test_branch_deployments_are_paged_newest_first(scene: DagsterScene, admin: Issued) -> None:
    names = [found(scene, admin, BRANCH, **branch(one))["deploymentName"] for one in "abc"]
    found(scene, admin, BRANCH, **branch("b", pullRequestStatus="MERGED"))
    page = found(scene, admin, BRANCHES, limit=2)
    assert page == {"hasNext": True, "nodes": [{"deploymentName": name} for name in (names[2], names[1])]}
    last = found(scene, admin, BRANCHES, limit=2, cursor=names[1])
    assert last == {"hasNext": False, "nodes": [{"deploymentName": names[0]}]}
    assert found(scene, admin, BRANCHES, status="MERGED")["nodes"] == [{"deploymentName": names[1]}]
    assert found(scene, admin, BRANCHES, limit=-1)["nodes"] == []


def test_a_branch_of_nothing_is_an_error_in_words(scene: DagsterScene, admin: Issued) -> None:
    assert found(scene, admin, BRANCH, **branch(), base="nowhere")["__typename"] == "DeploymentNotFoundError"
    assert found(scene, admin, BRANCH, **branch(" "))["__typename"] == "PythonError"
    assert found(scene, admin, BRANCH, **branch(branchUrl="x" * 20_000))["__typename"] == "PythonError"


def test_settings_stand_in_place_of_those_before(scene: DagsterScene, admin: Issued) -> None:
    assert found(scene, admin, SETTINGS, at="prod") == {"settings": {}}
    found(scene, admin, SAVE, at="prod", given={"settings": {"a": 1}})
    saved = found(scene, admin, SAVE, at="prod", given={"settings": {"run_queue": {"max": 3}}})
    assert saved["settings"] == {"run_queue": {"max": 3}}
    assert found(scene, admin, SETTINGS, at="prod") == {"settings": {"run_queue": {"max": 3}}}
    for wrong in ([1], "text", {"a": "x" * 70_000}):
        answer = found(scene, admin, SAVE, at="prod", given={"settings": wrong})
        assert answer["__typename"] == "PythonError"
    assert found(scene, admin, SETTINGS, at="prod") == {"settings": {"run_queue": {"max": 3}}}
    nowhere = scene.ask(admin, SETTINGS)
    assert nowhere.status == 200
    assert nowhere.body["errors"][0]["extensions"]["code"] == "deployment_missing"


def test_a_location_loads_as_its_agent_tells(scene: DagsterScene, admin: Issued) -> None:
    assert found(scene, admin, ADD, at="prod", document=located("etl")) == {
        "__typename": "WorkspaceEntry",
        "locationName": "etl",
    }

    def state() -> tuple[str, Any]:
        [entry] = found(scene, admin, WORKSPACE, at="prod")["locationEntries"]
        return entry["loadStatus"], entry["locationOrLoadError"]

    assert state() == ("LOADING", None)
    load(scene, "etl", error="no module named etl")
    status, error = state()
    assert status == "LOADED"
    assert error == {
        "__typename": "PythonError",
        "message": "no module named etl",
        "stack": [],
        "errorChain": [],
    }
    load(scene, "etl")
    assert state() == ("LOADED", {"__typename": "RepositoryLocation", "name": "etl"})
    assert found(scene, admin, REMOVE, at="prod", name="etl")["locationName"] == "etl"
    assert found(scene, admin, REMOVE, at="prod", name="etl")["__typename"] == "PythonError"


def test_synchronising_leaves_what_is_the_same_and_takes_the_rest_away(
    scene: DagsterScene, admin: Issued
) -> None:
    document = {"locations": [located("a"), located("b")]}
    found(scene, admin, SYNC, at="prod", document=document)
    load(scene, "a")
    load(scene, "b")
    changed = {"locations": [located("a"), located("b", image="two"), located("c")]}
    made = found(scene, admin, SYNC, at="prod", document=changed)["locations"]
    assert [(one["locationName"], one["hasOutdatedData"]) for one in made] == [
        ("a", False),
        ("b", True),
        ("c", True),
    ]
    found(scene, admin, SYNC, at="prod", document={"locations": [located("c")]})
    assert found(scene, admin, AS_DOCUMENT, at="prod") == {"document": {"locations": [located("c")]}}


def test_deploying_loads_anew_what_is_the_same(scene: DagsterScene, admin: Issued) -> None:
    document = {"locations": [located("a")]}
    found(scene, admin, DEPLOY, at="prod", document=document)
    load(scene, "a")
    made = found(scene, admin, DEPLOY, at="prod", document=document)["locations"]
    assert made == [{"locationName": "a", "hasOutdatedData": True}]


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        {"locations": {"a": {}}},
        {"locations": ["a"]},
        {"locations": [{"location_name": "a"}]},
        {"locations": [located("a"), located("a")]},
        {"locations": [located("a"), {"location_name": "b", "code_source": {}}]},
    ],
)
def test_a_wrong_document_changes_nothing_and_says_why(
    scene: DagsterScene, admin: Issued, document: Any
) -> None:
    for query in (SYNC, DEPLOY):
        answer = found(scene, admin, query, at="prod", document=document)
        assert answer["__typename"] == "InvalidLocationError"
        assert answer["errors"][0].startswith("Validation failed: ")
    assert found(scene, admin, AS_DOCUMENT, at="prod") == {"document": {"locations": []}}


def test_a_ping_is_work_for_the_agent(scene: DagsterScene, admin: Issued) -> None:
    request = found(scene, admin, PING, at="prod")["requestId"]
    [work] = scene.pop(scene.agent_token(), "prod")
    assert (work["requestId"], work["requestApi"]) == (request, "PING_LOCATION")


def test_agents_that_run_are_told_to_people(scene: DagsterScene, admin: Issued) -> None:
    query = "query { found: activeAgentCategory }"
    assert found(scene, admin, query) is None
    scene.data(scene.agent_token(), BEAT, {"beats": [heartbeat("prod")], "errors": []})
    assert found(scene, admin, query) == "HYBRID"
    scene.world.clock.forward(91_000_000)
    assert found(scene, admin, query) is None


def test_what_was_done_stands_in_the_trail_with_who_and_where(scene: DagsterScene, admin: Issued) -> None:
    agent = scene.agent_token()
    scene.ask(agent, ADD, {"document": located("etl")}, deployment="prod")
    found(scene, admin, SAVE, at="prod", given={"settings": {}})
    query = (
        "query($cursor: String, $limit: Int) { found: auditLog { entries: auditLogEntries(limit: $limit,"
        " cursor: $cursor) { __typename ... on AuditLogEntries { entries { id eventType authorUserEmail"
        " authorAgentTokenId deploymentName timestamp } } } } }"
    )
    saved, added = found(scene, admin, query, limit=2)["entries"]["entries"]
    assert saved["authorUserEmail"] == scene.admin.email
    assert saved["timestamp"] == scene.context.clock.now() / 1_000_000
    assert added["authorUserEmail"] is None
    assert added["authorAgentTokenId"] > 0
    assert added["deploymentName"] == "prod"
    after = found(scene, admin, query, limit=1, cursor=saved["id"])["entries"]["entries"]
    assert after == [added]
    wrong = found(scene, admin, query, cursor="x")["entries"]
    assert wrong["__typename"] == "PythonError"
    events = scene.write(lambda tx: tx.audit.events(scene.organization.id, 0, 1_000))
    assert [one.action for one in events].count(Action.DEPLOYMENT_UPDATED) == 1
