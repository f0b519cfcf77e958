"""Objects of answers that several resolvers make: people, permissions, what is missing (contract §10)."""

from collections.abc import Iterable, Mapping
from typing import Any

from watchword.domain.dagsterroles import DagsterRole, DagsterStanding
from watchword.domain.deployments import Deployment, DeploymentGrant, GrantScope
from watchword.domain.errors import WatchwordError
from watchword.services.dagsterpeople import NumberedUser

_SECOND_US = 1_000_000
AGENT = "AGENT"


def seconds(at: int) -> float:
    """A time as clients read it: Unix seconds."""
    return at / _SECOND_US


def told(typename: str, error: WatchwordError) -> dict[str, Any]:
    """An error as a member of a union."""
    return {"__typename": typename, "message": error.message, "errors": [error.message]}


def user(numbered: NumberedUser | None) -> dict[str, Any] | None:
    """A person."""
    if numbered is None:
        return None
    found = numbered.user
    return {"id": numbered.number, "userId": numbered.number, "email": found.email, "name": found.name}


def grant(word: str, scope: GrantScope, deployment: Deployment | None = None) -> dict[str, Any]:
    """A permission."""
    return {
        "grant": word,
        "deploymentScope": scope.value.upper(),
        "deploymentId": deployment.number if deployment is not None else None,
    }


def agent_permissions(grants: Iterable[DeploymentGrant], deployments: Iterable[Deployment]) -> dict[str, Any]:
    """What an agent token may serve."""
    listed = list(grants)
    scopes = {one.scope for one in listed}
    named = {one.deployment_id for one in listed if one.scope is GrantScope.DEPLOYMENT}

    def whole(scope: GrantScope) -> dict[str, Any] | None:
        return grant(AGENT, scope) if scope in scopes else None

    return {
        "organizationPermissionGrant": whole(GrantScope.ORGANIZATION),
        "allBranchDeploymentsPermissionGrant": whole(GrantScope.ALL_BRANCH_DEPLOYMENTS),
        "deploymentPermissionGrants": [
            grant(AGENT, GrantScope.DEPLOYMENT, one) for one in deployments if one.id in named
        ],
        "perBaseBranchDeploymentsPermissionGrants": [],
    }


def roles(
    numbered: NumberedUser, standing: DagsterStanding, deployments: Mapping[str, Deployment]
) -> dict[str, Any]:
    """A member with roles; who was given none on a deployment views it."""
    full = sorted((one for one in deployments.values() if one.full), key=lambda one: one.number)
    branches = standing.roles.get("", DagsterRole.VIEWER)
    return {
        "id": numbered.number,
        "user": user(numbered),
        # An administrator of the organization is above all grants that clients know a word for.
        "organizationPermissionGrant": grant("ADMIN", GrantScope.ORGANIZATION) if standing.admin else None,
        "allBranchDeploymentsPermissionGrant": None
        if standing.admin
        else grant(branches.value.upper(), GrantScope.ALL_BRANCH_DEPLOYMENTS),
        "deploymentPermissionGrants": []
        if standing.admin
        else [grant(standing.role_on(one).value.upper(), GrantScope.DEPLOYMENT, one) for one in full],
    }
