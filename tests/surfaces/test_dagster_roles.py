"""The table of roles of contract dagster-agents-api §13: every operation asked by everybody."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dagster_scene import DagsterScene
from support import World
from watchword.dagster.binding import BOUND
from watchword.dagster.schema import executable
from watchword.domain.dagsterroles import DagsterRole
from watchword.services.issuing import Issued

AGENT = "agent"
# Fields of agents have their own tests; these roots answer everybody who has a token with what they see.
ELSEWHERE = {
    *("agents", "deployments", "deploymentInfo", "workspace", "userCloudAgent"),
    *("scopedSecrets", "latestDefsStateInfo", "runs", "eventLogs", "defsState"),
}


@dataclass(frozen=True)
class Operation:
    """An operation, the least role that may do it, and whether an agent token may."""

    name: str
    least: DagsterRole
    agent: bool = False
    text: str = ""
    variables: Callable[["Crowd"], dict[str, Any]] = field(default=lambda _crowd: {})

    @property
    def query(self) -> str:
        word = "mutation" if self.name in BOUND["Mutation"] else "query"
        return f"{word}{self.text.replace('@', self.name) or ' { ' + self.name + ' { __typename } }'}"


class Crowd:
    """One person of each role on `prod` and on branches, and an agent token of everything."""

    def __init__(self, world: World) -> None:
        self.scene = DagsterScene(world)
        self.admin = self.scene.user_token()
        self.prod = self.scene.find("prod")
        self.scene.location(self.prod, "etl")
        self.tokens: dict[str, Issued] = {AGENT: self.scene.agent_token()}
        for role in DagsterRole:
            if role is DagsterRole.ORGANIZATION_ADMIN:
                self.tokens[role] = self.admin
                continue
            user = self.scene.member(f"the-{role.value}")
            self.scene.role(user, self.prod, role)
            self.scene.role(user, None, role)
            self.tokens[role] = self.scene.user_token(user)
        self.made = 0

    def number(self) -> int:
        """An agent token's number."""
        query = "mutation { createAgentToken { ... on DagsterCloudAgentToken { id } } }"
        found: int = self.scene.data(self.admin, query)["createAgentToken"]["id"]
        return found

    def fresh(self, *, branch: bool) -> int:
        """A deployment's number."""
        self.made += 1
        return self.scene.deployment(f"d{self.made}", self.prod if branch else None).number

    def ask(self, who: str, operation: Operation) -> str:
        """What comes of asking: done, refused, or what else."""
        answer = self.scene.ask(
            self.tokens[who], operation.query, operation.variables(self), deployment="prod"
        )
        assert answer.status == 200, answer
        if "errors" in answer.body:
            code = answer.body["errors"][0]["extensions"]["code"]
            refused = ("role_too_low", "people_only", "agents_only", "deployment_not_permitted")
            return "refused" if code in refused else str(answer.body["errors"])
        found = answer.body["data"][operation.name]
        if isinstance(found, dict) and found.get("entries"):
            found = found["entries"]
        typename = found.get("__typename", "") if isinstance(found, dict) else ""
        return "refused" if typename == "UnauthorizedError" else "done"


VIEWER, LAUNCHER, EDITOR = DagsterRole.VIEWER, DagsterRole.LAUNCHER, DagsterRole.EDITOR
ADMIN, OWNER = DagsterRole.ADMIN, DagsterRole.ORGANIZATION_ADMIN
TOKEN = "($id: Int!) { @(tokenId: $id) { __typename } }"
PERMISSION = "($asked: AgentPermissionInput!) { @(agentPermission: $asked) { __typename } }"
DOCUMENT = "($document: GenericScalar!) { @(document: $document) { __typename } }"
ETL = {"location_name": "etl", "code_source": {"python_file": "defs.py"}}


def _permission(crowd: Crowd) -> dict[str, Any]:
    return {"asked": {"agentTokenId": crowd.number(), "deploymentScope": "ORGANIZATION"}}


OPERATIONS = [
    # Agent tokens and what they may serve.
    Operation("agentTokensOrError", OWNER),
    Operation("agentTokenOrError", OWNER, text=TOKEN, variables=lambda crowd: {"id": crowd.number()}),
    Operation("createAgentToken", OWNER),
    Operation("editAgentTokenDescription", OWNER, text=TOKEN, variables=lambda crowd: {"id": crowd.number()}),
    Operation("revokeAgentToken", OWNER, text=TOKEN, variables=lambda crowd: {"id": crowd.number()}),
    Operation("createOrUpdateAgentPermissions", OWNER, text=PERMISSION, variables=_permission),
    Operation("removeAgentPermissions", OWNER, text=PERMISSION, variables=_permission),
    # One's own tokens; those of others have their own tests.
    Operation("createUserToken", VIEWER),
    Operation("viewer", VIEWER),
    # Deployments and locations are seen by everybody.
    Operation("fullDeployments", VIEWER, agent=True),
    Operation("branchDeployments", VIEWER, agent=True),
    Operation("deploymentByName", VIEWER, agent=True, text=' { @(name: "prod") { __typename } }'),
    Operation("currentDeployment", VIEWER, agent=True),
    Operation("activeAgentCategory", VIEWER, agent=True, text=" { @ }"),
    Operation("getBranchDeploymentName", VIEWER, agent=True, text=' { @(repoName: "a", branchName: "b") }'),
    Operation("deploymentSettings", VIEWER),
    Operation("organizationSettings", VIEWER),
    Operation("workspaceOrError", VIEWER, agent=True),
    Operation("locationStatusesOrError", VIEWER, agent=True),
    Operation("locationsAsDocument", VIEWER, agent=True),
    Operation("markCliEvent", VIEWER, agent=True, text=" { @(eventType: BUILD, durationSeconds: 1) }"),
    # Runs and work.
    Operation("runOrError", VIEWER, agent=True, text=' { @(runId: "x") { __typename } }'),
    Operation("runsOrError", VIEWER, agent=True),
    Operation("terminateRun", LAUNCHER, agent=True, text=' { @(runId: "x") { __typename } }'),
    Operation(
        "launchRun",
        LAUNCHER,
        agent=True,
        text=(
            ' { @(executionParams: {selector: {repositoryName: "r", repositoryLocationName: "etl",'
            ' jobName: "j"}}) { __typename } }'
        ),
    ),
    Operation("pingLocation", LAUNCHER, text=' { @(locationName: "etl") { __typename } }'),
    # Code locations, settings, branch deployments.
    Operation(
        "addOrUpdateLocationFromDocument",
        EDITOR,
        agent=True,
        text=DOCUMENT,
        variables=lambda _: {"document": ETL},
    ),
    Operation(
        "deployLocations",
        EDITOR,
        agent=True,
        text=DOCUMENT,
        variables=lambda _: {"document": {"locations": [ETL]}},
    ),
    Operation(
        "reconcileLocationsFromDocument",
        EDITOR,
        agent=True,
        text=DOCUMENT,
        variables=lambda _: {"document": {"locations": [ETL, {**ETL, "location_name": "gone"}]}},
    ),
    Operation("deleteLocation", EDITOR, agent=True, text=' { @(locationName: "other") { __typename } }'),
    Operation("setDeploymentSettings", EDITOR, text=" { @(deploymentSettings: {}) { __typename } }"),
    Operation(
        "createOrUpdateBranchDeployment",
        EDITOR,
        agent=True,
        text=(
            ' { @(branchData: {repoName: "a", branchName: "b"}, commit: {commitHash: "c", timestamp: 1})'
            " { __typename } }"
        ),
    ),
    Operation(
        "deleteDeployment",
        EDITOR,
        agent=True,
        text="($id: Int!) { @(deploymentId: $id) { __typename } }",
        variables=lambda crowd: {"id": crowd.fresh(branch=True)},
    ),
    # People.
    Operation("usersOrError", ADMIN),
    # The organization's own.
    Operation(
        "deleteDeployment",
        OWNER,
        text="($id: Int!) { @(deploymentId: $id) { __typename } }",
        variables=lambda crowd: {"id": crowd.fresh(branch=False)},
    ),
    Operation("createDeployment", OWNER, text=' { @(deploymentName: "again") { __typename } }'),
    Operation("setOrganizationSettings", OWNER, text=" { @(organizationSettings: {}) { __typename } }"),
    Operation("auditLog", OWNER, text=" { @ { entries: auditLogEntries { __typename } } }"),
]
OWN_TESTS = {"userTokensOrError", "editUserTokenDescription", "revokeUserToken"}
UNSERVED = {
    "alertPoliciesAsDocumentOrError",
    "secretsOrError",
    "serviceTokensOrError",
    "reconcileAlertPoliciesFromDocument",
    "createServiceToken",
    "updateServiceToken",
    "revokeServiceToken",
}


@pytest.fixture
def crowd(world: World) -> Crowd:
    executable()  # the fields are bound when it is made
    return Crowd(world)


def test_every_operation_asks_for_its_role(crowd: Crowd) -> None:
    wrong = []
    for operation in OPERATIONS:
        if operation.name == "deleteLocation":
            crowd.scene.location(crowd.prod, "other")
        for who in crowd.tokens:
            if who == AGENT:
                expected = "done" if operation.agent else "refused"
            else:
                expected = "done" if DagsterRole(who).includes(operation.least) else "refused"
            outcome = crowd.ask(who, operation)
            if operation.name == "deleteLocation" and "not_found" in outcome:
                outcome = "done"  # somebody before was allowed to
            if outcome != expected:
                wrong.append((operation.name, who, outcome))
    assert wrong == []


def test_a_role_on_one_deployment_is_none_on_another(crowd: Crowd) -> None:
    crowd.scene.deployment("staging")
    save = "mutation { setDeploymentSettings(deploymentSettings: {}) { __typename } }"
    for name, expected in (("prod", "DeploymentSettings"), ("staging", "UnauthorizedError")):
        answer = crowd.scene.data(crowd.tokens[EDITOR], save, deployment=name)
        assert answer["setDeploymentSettings"]["__typename"] == expected


def test_an_agent_token_does_what_ci_does_on_its_own_deployments_alone(crowd: Crowd) -> None:
    scene = crowd.scene
    staging = scene.deployment("staging")
    token = scene.limited("staging")
    put = f"mutation{DOCUMENT}".replace("@", "addOrUpdateLocationFromDocument")
    assert scene.ask(token, put, {"document": ETL}, deployment="prod").status == 403
    answer = scene.data(token, put, {"document": ETL}, deployment="staging")
    assert answer["addOrUpdateLocationFromDocument"]["__typename"] == "WorkspaceEntry"
    branch = next(one for one in OPERATIONS if one.name == "createOrUpdateBranchDeployment")
    answer = scene.data(token, branch.query, deployment="staging")
    assert answer["createOrUpdateBranchDeployment"]["__typename"] == "UnauthorizedError"
    names = scene.data(token, "query { fullDeployments { deploymentName } }")
    assert names == {"fullDeployments": [{"deploymentName": "staging"}]}
    by_name = 'query { deploymentByName(name: "prod") { __typename } }'
    assert scene.data(token, by_name)["deploymentByName"]["__typename"] == "DeploymentNotFoundError"
    record = scene.write(lambda tx: tx.audit.events(scene.organization.id, 0, 1_000))[-1]
    assert (record.actor_kind, record.actor_id) == ("token", token.token.id)
    assert staging.id == record.subject_id


def test_every_field_of_the_roots_stands_in_the_table_or_has_its_own_test() -> None:
    executable()
    named = {operation.name for operation in OPERATIONS} | OWN_TESTS | UNSERVED | ELSEWHERE
    assert named >= set(BOUND["Query"]) | set(BOUND["Mutation"])
