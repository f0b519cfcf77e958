"""The store's contract for deployments and for what tokens and people may do in them."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.dagsterroles import RoleGrant
from watchword.domain.deployments import (
    DagsterOrganization,
    Deployment,
    DeploymentGrant,
    DeploymentKind,
    GrantScope,
)
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.store.page import Page


class Deployments(Protocol):
    """Deployments, grants, roles, numbers."""

    async def organization(self, organization_id: OrganizationId) -> DagsterOrganization | None:
        """What an organization said of itself; None where it has not begun with Dagster+."""

    async def begin(self, organization: DagsterOrganization) -> bool:
        """Insert; False if it had begun."""

    async def save_organization(self, organization: DagsterOrganization) -> None:
        """Write its settings."""

    async def next_number(self, organization_id: OrganizationId) -> int:
        """The next deployment's number, part of the unit."""

    async def add(self, deployment: Deployment) -> None:
        """Insert. Raises `Duplicate` where the name is taken."""

    async def save(self, deployment: Deployment) -> bool:
        """Write name, settings and branch of one that is not deleted; False if it is."""

    async def delete(self, organization_id: OrganizationId, deployment_id: DeploymentId, at: int) -> bool:
        """Delete one with its grants, roles, locations and work; its name is free. False if it was before."""

    async def find(self, organization_id: OrganizationId, deployment_id: DeploymentId) -> Deployment | None:
        """By id, deleted ones too."""

    async def by_name(self, organization_id: OrganizationId, name: str) -> Deployment | None:
        """By name, of those that are not deleted."""

    async def by_number(self, organization_id: OrganizationId, number: int) -> Deployment | None:
        """By number, of those that are not deleted."""

    async def list(
        self, organization_id: OrganizationId, kind: DeploymentKind, page: Page
    ) -> Sequence[Deployment]:
        """Those of a kind that are not deleted, oldest first."""

    async def grant(self, grant: DeploymentGrant) -> bool:
        """Give an agent token a right; False if it had it."""

    async def ungrant(
        self,
        organization_id: OrganizationId,
        token_id: TokenId,
        scope: GrantScope,
        deployment_id: str,
    ) -> bool:
        """Take a right away; False if it had none."""

    async def grants(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[DeploymentGrant]:
        """Rights of an agent token."""

    async def set_role(self, grant: RoleGrant) -> None:
        """Give a person a role on a deployment, in place of another."""

    async def drop_role(self, organization_id: OrganizationId, user_id: UserId, deployment_id: str) -> bool:
        """Take a person's role away; False if there was none."""

    async def roles(self, organization_id: OrganizationId, user_id: UserId) -> Sequence[RoleGrant]:
        """Roles of a person."""

    async def roles_on(self, organization_id: OrganizationId, deployment_id: str) -> Sequence[RoleGrant]:
        """Roles that people have on a deployment."""

    async def number_of(self, organization_id: OrganizationId, noun: str, id_: str) -> int:
        """The number by which clients know something; given at the first question."""

    async def id_of(self, organization_id: OrganizationId, noun: str, number: int) -> str | None:
        """What has a number."""

    async def tokens(
        self, organization_id: OrganizationId, kind: Kind, user_id: UserId | None, page: Page
    ) -> Sequence[Token]:
        """Tokens of one of Dagster's kinds in whatever state, of everybody or of one person, newest first."""
