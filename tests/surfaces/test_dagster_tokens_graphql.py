"""Tokens over Dagster+'s GraphQL: what its command lines and infrastructure code do (contract §10, §13)."""

from typing import Any

import pytest

from dagster_scene import AGENTS, DagsterScene
from support import World
from watchword.domain.accounts import Role
from watchword.domain.events import Action
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued

FIELDS = (
    "id token description revoked createTimestamp revokeTimestamp createdBy { id email } revokedBy { email }"
)
GRANT = "{ grant deploymentScope deploymentId }"
PERMISSIONS = (
    f"permissions {{ organizationPermissionGrant {GRANT} allBranchDeploymentsPermissionGrant {GRANT}"
    f" deploymentPermissionGrants {GRANT} perBaseBranchDeploymentsPermissionGrants {GRANT} }}"
)
ERRORS = "... on UnauthorizedError { message } ... on PythonError { message stack }"
AGENT = f"__typename ... on DagsterCloudAgentToken {{ {FIELDS} {PERMISSIONS} }} {ERRORS}"
USER = f"__typename ... on DagsterCloudUserToken {{ {FIELDS} user {{ id }} }} {ERRORS}"
GONE = "... on DagsterCloudTokenNotFoundError { message }"
LIST = (
    f"query {{ found: agentTokensOrError {{ __typename ... on DagsterCloudAgentTokens"
    f" {{ tokens {{ {FIELDS} {PERMISSIONS} }} }} {ERRORS} }} }}"
)
ONE = f"query($id: Int!) {{ found: agentTokenOrError(tokenId: $id) {{ {AGENT} }} }}"
CREATE = f"mutation($text: String) {{ found: createAgentToken(description: $text) {{ {AGENT} }} }}"
DESCRIBE = (
    "mutation($id: Int!, $text: String)"
    f" {{ found: editAgentTokenDescription(tokenId: $id, description: $text) {{ {AGENT} {GONE} }} }}"
)
REVOKE = f"mutation($id: Int!) {{ found: revokeAgentToken(tokenId: $id) {{ {AGENT} {GONE} }} }}"
PERMIT = (
    "mutation($asked: AgentPermissionInput!)"
    f" {{ found: createOrUpdateAgentPermissions(agentPermission: $asked) {{ {AGENT} {GONE} }} }}"
)
FORBID = PERMIT.replace("createOrUpdateAgentPermissions", "removeAgentPermissions")
USERS = (
    f"query($user: Int!) {{ found: userTokensOrError(userId: $user) {{ __typename"
    f" ... on DagsterCloudUserTokens {{ tokens {{ {FIELDS} user {{ id }} }} }} {ERRORS} }} }}"
)
CREATE_USER = (
    "mutation($text: String, $user: Int)"
    f" {{ found: createUserToken(description: $text, userId: $user) {{ {USER} }} }}"
)
DESCRIBE_USER = (
    "mutation($id: Int!, $user: Int!, $text: String)"
    " { found: editUserTokenDescription(tokenId: $id, userId: $user, description: $text)"
    f" {{ {USER} {GONE} }} }}"
)
REVOKE_USER = (
    "mutation($id: Int!, $user: Int!)"
    f" {{ found: revokeUserToken(tokenId: $id, userId: $user) {{ {USER} {GONE} }} }}"
)
VIEWER = "query { viewer { id user { email } organizationPermissionGrant { grant } } }"


@pytest.fixture
def scene(world: World) -> DagsterScene:
    return DagsterScene(world)


@pytest.fixture
def admin(scene: DagsterScene) -> Issued:
    return scene.user_token()


def found(scene: DagsterScene, token: Issued | str, query: str, **variables: Any) -> dict[str, Any]:
    answer: dict[str, Any] = scene.data(token, query, variables)["found"]
    return answer


def number(scene: DagsterScene, token: Issued) -> int:
    answer: int = scene.data(token, VIEWER)["viewer"]["id"]
    return answer


def test_a_new_agent_token_shows_its_value_once_and_serves_every_deployment(
    scene: DagsterScene, admin: Issued
) -> None:
    made = found(scene, admin, CREATE, text="  ci   of staging ")
    assert made["__typename"] == "DagsterCloudAgentToken"
    assert made["description"] == "ci of staging"
    assert isinstance(made["id"], int)
    assert not made["revoked"]
    assert made["revokeTimestamp"] is None
    assert made["createTimestamp"] == scene.context.clock.now() / 1_000_000
    assert made["createdBy"]["email"] == scene.admin.email
    assert made["permissions"]["organizationPermissionGrant"] == {
        "grant": "AGENT",
        "deploymentScope": "ORGANIZATION",
        "deploymentId": None,
    }
    assert scene.data(made["token"], AGENTS) == {"agents": []}
    for again in (found(scene, admin, ONE, id=made["id"]), found(scene, admin, LIST)["tokens"][0]):
        assert again["token"] is None
        assert {**again, "token": 0, "__typename": 0} == {**made, "token": 0, "__typename": 0}


def test_lists_hold_no_values_and_are_sorted_newest_first(scene: DagsterScene, admin: Issued) -> None:
    made = [found(scene, admin, CREATE)["id"] for _ in range(3)]
    listed = found(scene, admin, LIST)["tokens"]
    assert [one["id"] for one in listed] == made[::-1]
    assert {one["token"] for one in listed} == {None}


def test_a_description_changes_and_a_token_that_does_not_exist_says_so(
    scene: DagsterScene, admin: Issued
) -> None:
    made = found(scene, admin, CREATE, text="one")
    assert found(scene, admin, DESCRIBE, id=made["id"], text="two")["description"] == "two"
    for query in (DESCRIBE, REVOKE):
        assert found(scene, admin, query, id=99)["__typename"] == "DagsterCloudTokenNotFoundError"
    assert found(scene, admin, ONE, id=99)["__typename"] == "PythonError"


def test_a_revoked_token_is_refused_at_once_and_stays_with_who_and_when(
    scene: DagsterScene, admin: Issued
) -> None:
    made = found(scene, admin, CREATE)
    scene.world.clock.forward(5_000_000)
    ended = found(scene, admin, REVOKE, id=made["id"])
    assert ended["revoked"]
    assert ended["revokedBy"]["email"] == scene.admin.email
    assert ended["revokeTimestamp"] == scene.context.clock.now() / 1_000_000
    assert scene.ask(made["token"], AGENTS).status == 401
    assert found(scene, admin, LIST)["tokens"][0]["revoked"]
    assert found(scene, admin, REVOKE, id=made["id"])["revoked"]
    assert found(scene, admin, DESCRIBE, id=made["id"], text="x")["__typename"] == "PythonError"


def test_permissions_are_given_and_taken_and_tell_their_scope(scene: DagsterScene, admin: Issued) -> None:
    made = found(scene, admin, CREATE)
    staging = scene.deployment("staging")
    scene.deployment("f00d", staging)
    whole = {"agentTokenId": made["id"], "deploymentScope": "ORGANIZATION"}
    one = {"agentTokenId": made["id"], "deploymentScope": "DEPLOYMENT", "deploymentId": staging.number}
    branches = {"agentTokenId": made["id"], "deploymentScope": "ALL_BRANCH_DEPLOYMENTS", "grant": "AGENT"}
    names = "query { deployments { deploymentName } }"

    def served() -> list[str]:
        return [each["deploymentName"] for each in scene.data(made["token"], names)["deployments"]]

    assert served() == ["prod", "staging", "f00d"]
    assert found(scene, admin, FORBID, asked=whole)["permissions"]["organizationPermissionGrant"] is None
    assert served() == []
    granted = found(scene, admin, PERMIT, asked={**one, "grant": "AGENT"})["permissions"]
    assert granted["deploymentPermissionGrants"] == [
        {"grant": "AGENT", "deploymentScope": "DEPLOYMENT", "deploymentId": staging.number}
    ]
    assert served() == ["staging"]
    granted = found(scene, admin, PERMIT, asked=branches)["permissions"]
    assert granted["allBranchDeploymentsPermissionGrant"]["deploymentScope"] == "ALL_BRANCH_DEPLOYMENTS"
    assert granted["perBaseBranchDeploymentsPermissionGrants"] == []
    assert served() == ["staging", "f00d"]
    found(scene, admin, FORBID, asked=one)
    assert served() == ["f00d"]
    events = scene.write(lambda tx: tx.audit.events(scene.organization.id, 0, 1_000))
    assert [one.action for one in events].count(Action.DEPLOYMENT_GRANT_REMOVED) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"deploymentScope": "ORGANIZATION", "grant": "ADMIN"},
        {"deploymentScope": "DEPLOYMENT"},
        {"deploymentScope": "DEPLOYMENT", "deploymentId": 99},
        {"deploymentScope": "ORGANIZATION", "deploymentId": 1},
    ],
)
def test_a_permission_that_no_agent_token_can_have_is_an_error_in_words(
    scene: DagsterScene, admin: Issued, wrong: dict[str, Any]
) -> None:
    made = found(scene, admin, CREATE)
    answer = found(scene, admin, PERMIT, asked={"agentTokenId": made["id"], **wrong})
    assert answer["__typename"] == "PythonError"
    assert answer["message"].startswith("Validation failed: ")


def test_everybody_has_tokens_of_their_own(scene: DagsterScene) -> None:
    scene.agent_token()
    first = scene.user_token(scene.member("vi"))
    me = number(scene, first)
    made = found(scene, first, CREATE_USER, text="laptop")
    assert made["token"].startswith("user:")
    assert made["user"] == {"id": me}
    assert found(scene, first, CREATE_USER, user=me)["__typename"] == "DagsterCloudUserToken"
    listed = found(scene, made["token"], USERS, user=me)["tokens"]
    assert len(listed) == 3
    assert {one["token"] for one in listed} == {None}
    renamed = found(scene, first, DESCRIBE_USER, id=made["id"], user=me, text="desk")
    assert renamed["description"] == "desk"
    assert found(scene, first, REVOKE_USER, id=made["id"], user=me)["revoked"]
    assert scene.ask(made["token"], VIEWER).status == 401


def test_only_administrators_list_and_revoke_others_tokens_and_nobody_makes_or_describes_them(
    scene: DagsterScene, admin: Issued
) -> None:
    theirs = scene.user_token(scene.member("vi"))
    them, me = number(scene, theirs), number(scene, admin)
    for query in (USERS, CREATE_USER):
        assert found(scene, theirs, query, user=me)["__typename"] == "UnauthorizedError"
    listed = found(scene, admin, USERS, user=them)["tokens"]
    assert [one["token"] for one in listed] == [None]
    theirs_id = listed[0]["id"]
    for query in (CREATE_USER, DESCRIBE_USER):
        variables = {"id": theirs_id} if query is DESCRIBE_USER else {}
        assert found(scene, admin, query, user=them, **variables)["__typename"] == "UnauthorizedError"
    mine = found(scene, admin, USERS, user=me)["tokens"][0]["id"]
    assert found(scene, theirs, REVOKE_USER, id=mine, user=me)["__typename"] == "UnauthorizedError"
    wrong = found(scene, admin, REVOKE_USER, id=theirs_id, user=me)
    assert wrong["__typename"] == "DagsterCloudTokenNotFoundError"
    assert found(scene, admin, REVOKE_USER, id=theirs_id, user=them)["revoked"]
    assert scene.ask(theirs, VIEWER).status == 401


def test_an_agent_token_manages_no_tokens(scene: DagsterScene) -> None:
    agent = scene.agent_token()
    for query, variables in (
        (LIST, {}),
        (ONE, {"id": 1}),
        (CREATE, {}),
        (REVOKE, {"id": 1}),
        (USERS, {"user": 1}),
        (CREATE_USER, {}),
    ):
        assert found(scene, agent, query, **variables)["__typename"] == "UnauthorizedError"


def test_numbers_of_another_organization_are_those_of_nothing(scene: DagsterScene, admin: Issued) -> None:
    other = DagsterScene(scene.world)
    made = create_organization(scene.context, LOCAL, "other", "Other", "o@example.com", "Olga")
    things = scene.world.run(made)
    other.organization, other.admin = things.organization, things.admin
    theirs = other.user_token()
    ids = {found(scene, admin, CREATE)["id"] for _ in range(3)}
    taken = {one["id"] for one in found(scene, theirs, LIST)["tokens"]}
    for foreign in ids - taken:
        assert found(scene, theirs, REVOKE, id=foreign)["__typename"] == "DagsterCloudTokenNotFoundError"
        assert found(scene, theirs, ONE, id=foreign) == found(scene, theirs, ONE, id=987)


def test_a_membership_that_ends_ends_the_tokens_and_a_role_that_sinks_their_rights(
    scene: DagsterScene,
) -> None:
    user = scene.member("ada", Role.ADMIN)
    token = scene.user_token(user)
    assert found(scene, token, CREATE)["__typename"] == "DagsterCloudAgentToken"
    scene.write(lambda tx: tx.members.demote(scene.organization.id, user.id))
    refused = found(scene, token, CREATE)
    assert refused == {"__typename": "UnauthorizedError", "message": refused["message"]}
    assert "Organization Admin" in refused["message"]
    scene.write(lambda tx: tx.members.remove(scene.organization.id, user.id))
    assert scene.ask(token, VIEWER).status == 401


def test_service_tokens_are_answered_cleanly(scene: DagsterScene, admin: Issued) -> None:
    query = "query { found: serviceTokensOrError(serviceUserId: 1) { ... on PythonError { message } } }"
    assert found(scene, admin, query)["message"] == "serviceTokensOrError is not supported by this server."
