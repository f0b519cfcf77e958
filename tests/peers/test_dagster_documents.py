"""Every document of the published clients of Dagster+ against our schema: it fits or is refused in words."""

import json

import pytest

from dagster_documents import ROUNDS, Document, documents, variables_of
from dagster_scene import DagsterScene
from support import World
from watchword.dagster.schema import executable

# Operations of contract dagster-agents-api §10 to §12, and what `dg api` asks beside them.
SERVED = {
    *("CliDeploymentsQuery", "CliAgentStatus", "DeploymentInfoQuery", "CliCurrentDeploymentName"),
    *("CliWorkspaceEntries", "CliLocationsQuery", "CliAddOrUpdateLocation", "CliDeleteLocation"),
    *("CliReconcileLocationsFromDoc", "CliDeployLocations", "CliLocationsAsDocument"),
    *("CliSetDeploymentSettings", "CliDeploymentSettings", "CliAlertPoliciesDocument"),
    *("CliReconcileAlertPoliciesFromDocumentMutation", "CliSetOrganizationSettings"),
    *("CliOrganizationSettings", "CliCreateOrUpdateBranchDeployment", "CliGetBranchDeploymentName"),
    *("CliLaunchRun", "CliGetRunStatus", "MarkCliEventMutation", "DeploymentByNameQuery"),
    *("CliDeleteDeployment", "AllSecretsQuery", "SecretsForScopesQuery", "AgentTokensQuery"),
    *("CreateAgentTokenMutation", "ListAgents", "ListAlertPoliciesAsDocument", "ListCodeLocations"),
    *("GetLocationStatuses", "AddOrUpdateCodeLocation", "DeleteCodeLocation", "ListDeployments"),
    *("ListBranchDeployments", "GetDeployment", "GetDeploymentSettings", "SetDeploymentSettings"),
    *("DeleteDeployment", "GetOrganizationSettings", "UpdateOrganizationSettings", "LaunchRun", "GetRun"),
    *("ListRuns", "TerminateRun", "ListSecrets", "GetSecretWithValue"),
}


@pytest.fixture
def scene(world: World) -> DagsterScene:
    made = DagsterScene(world)
    made.agent_token()
    return made


def served() -> list[Document]:
    return [one for one in documents() if one.name in SERVED]


def test_each_document_that_we_serve_is_there_and_fits(scene: DagsterScene) -> None:
    assert {one.name for one in served()} == SERVED
    token = scene.user_token()
    for document in served():
        variables = variables_of(executable(), document, 0)
        answer = scene.ask(token, document.text, variables, deployment="prod")
        assert answer.status == 200, document.name
        assert "errors" not in answer.body, (document.name, answer.body)


def test_each_other_document_is_refused_in_words(scene: DagsterScene) -> None:
    token = scene.user_token()
    for document in documents():
        if document.name not in SERVED:
            answer = scene.ask(token, document.text, deployment="prod")
            assert answer.status == 200, document.name
            codes = {error["extensions"]["code"] for error in answer.body["errors"]}
            assert codes <= {"graphql_validation", "graphql_execution"}, (document.name, answer.body)


def test_odd_variables_fail_in_words_whoever_asks(scene: DagsterScene) -> None:
    viewer, agent = scene.user_token(scene.member("vi")), scene.agent_token()
    for turn in range(1, ROUNDS):
        for token in (scene.user_token(), viewer, agent):
            for document in served():
                variables = variables_of(executable(), document, turn)
                answer = scene.ask(token, document.text, variables, deployment="prod")
                assert answer.status in (200, 403), (document.name, turn, answer)
                assert "internal_error" not in json.dumps(answer.body), (document.name, turn, answer.body)
                if scene.ask(token, "query { __typename }", deployment="prod").status == 403:
                    scene.deployment("prod")  # somebody was allowed to delete it
