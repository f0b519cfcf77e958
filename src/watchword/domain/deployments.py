"""Deployments of Dagster+, full ones and branches, and which of them agent tokens may serve (contract §9)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId, UserId

FIRST = "prod"
MAX_NAME = 100
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
# First parts of paths below a surface; a deployment of that name could not be told from them.
RESERVED = frozenset({"graphql", "cli-auth"})


class DeploymentKind(StrEnum):
    """What a deployment is."""

    FULL = "full"
    BRANCH = "branch"


class GrantScope(StrEnum):
    """What an agent token's grant is about."""

    ORGANIZATION = "organization"  # every deployment, branches included: "Org Agent"
    ALL_BRANCH_DEPLOYMENTS = "all_branch_deployments"
    DEPLOYMENT = "deployment"  # one full deployment


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment. Times are microseconds, 0 means none.

    Attributes:
        number: by which clients name it.
        base_id: of a branch deployment: the full one that it follows.
        settings: JSON.
        branch: of a branch deployment: repository, branch, commit and links, as JSON.
    """

    organization_id: OrganizationId
    id: DeploymentId
    number: int
    name: str
    kind: DeploymentKind
    base_id: DeploymentId | None
    settings: str
    branch: str
    created_at: int
    created_by: UserId | None
    updated_at: int
    deleted_at: int = 0

    @property
    def full(self) -> bool:
        """Whether it is a full deployment."""
        return self.kind is DeploymentKind.FULL


@dataclass(frozen=True, slots=True)
class DeploymentGrant:
    """A right of an agent token.

    Attributes:
        deployment_id: empty unless the scope is one deployment.
    """

    organization_id: OrganizationId
    token_id: TokenId
    scope: GrantScope
    deployment_id: str
    granted_at: int
    granted_by: UserId | None


@dataclass(frozen=True, slots=True)
class Permitted:
    """What an agent token may serve, made of its grants.

    Attributes:
        everything: the organization grant.
        branches: every branch deployment.
        deployments: single full deployments.
    """

    everything: bool = False
    branches: bool = False
    deployments: frozenset[str] = frozenset()

    @classmethod
    def of(cls, grants: Iterable[DeploymentGrant]) -> "Permitted":
        """What these grants allow together."""
        listed = list(grants)
        return cls(
            any(one.scope is GrantScope.ORGANIZATION for one in listed),
            any(one.scope is GrantScope.ALL_BRANCH_DEPLOYMENTS for one in listed),
            frozenset(one.deployment_id for one in listed if one.scope is GrantScope.DEPLOYMENT),
        )

    @property
    def any_branch(self) -> bool:
        """Whether branch deployments may be served."""
        return self.everything or self.branches

    def allows(self, deployment: Deployment) -> bool:
        """Whether a deployment may be served; one that is gone never."""
        if deployment.deleted_at:
            return False
        if self.everything:
            return True
        return deployment.id in self.deployments if deployment.full else self.branches


@dataclass(frozen=True, slots=True)
class DagsterOrganization:
    """What an organization has said of itself to Dagster+'s clients. `settings` is JSON."""

    organization_id: OrganizationId
    settings: str
    began_at: int
    updated_at: int


def check_deployment_name(name: str, slug: str) -> str:
    """A deployment's name: part of addresses, beside the organization's.

    Raises:
        Invalid: it is none, or stands for something else in addresses.
    """
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise Invalid(
            f"Validation failed: a deployment's name has 1 to {MAX_NAME} lower-case letters, digits, dashes"
            " and underscores, with a letter or digit at both ends",
            code="invalid_deployment_name",
        )
    if name in RESERVED or name == slug:
        raise Invalid(
            f"Validation failed: {name!r} stands for something else in addresses; take another name",
            code="reserved_deployment_name",
        )
    return name
