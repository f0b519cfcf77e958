"""Roles of people in Dagster+, and what each may do (contract dagster-agents-api §13)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.accounts import Role
from watchword.domain.deployments import Deployment, DeploymentKind
from watchword.domain.ids import OrganizationId, UserId


class DagsterRole(StrEnum):
    """A role, from the least to the most; each includes those before it.

    The last is the administrator's of the whole organization; the others are a deployment's.
    """

    VIEWER = "viewer"
    LAUNCHER = "launcher"
    EDITOR = "editor"
    ADMIN = "admin"
    ORGANIZATION_ADMIN = "organization_admin"

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return tuple(DagsterRole).index(self)

    def includes(self, other: "DagsterRole") -> bool:
        """Whether whoever has this role may do what the other may."""
        return self.rank >= other.rank


class Act(StrEnum):
    """What people do; each asks for a role (contract §13, table)."""

    VIEW = "view"
    OWN_TOKENS = "own_tokens"
    LAUNCH = "launch"
    EDIT_LOCATIONS = "edit_locations"
    EDIT_SETTINGS = "edit_settings"
    EDIT_BRANCHES = "edit_branches"
    ADD_USERS = "add_users"
    AGENT_TOKENS = "agent_tokens"
    OTHERS_TOKENS = "others_tokens"
    DEPLOYMENTS = "deployments"
    ROLES = "roles"
    AUDIT = "audit"
    ORGANIZATION_SETTINGS = "organization_settings"


ASKS: dict[Act, DagsterRole] = {
    Act.VIEW: DagsterRole.VIEWER,
    Act.OWN_TOKENS: DagsterRole.VIEWER,
    Act.LAUNCH: DagsterRole.LAUNCHER,
    Act.EDIT_LOCATIONS: DagsterRole.EDITOR,
    Act.EDIT_SETTINGS: DagsterRole.EDITOR,
    Act.EDIT_BRANCHES: DagsterRole.EDITOR,
    Act.ADD_USERS: DagsterRole.ADMIN,
    Act.AGENT_TOKENS: DagsterRole.ORGANIZATION_ADMIN,
    Act.OTHERS_TOKENS: DagsterRole.ORGANIZATION_ADMIN,
    Act.DEPLOYMENTS: DagsterRole.ORGANIZATION_ADMIN,
    Act.ROLES: DagsterRole.ORGANIZATION_ADMIN,
    Act.AUDIT: DagsterRole.ORGANIZATION_ADMIN,
    Act.ORGANIZATION_SETTINGS: DagsterRole.ORGANIZATION_ADMIN,
}


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A person's role on a full deployment, or on every branch where `deployment_id` is empty."""

    organization_id: OrganizationId
    user_id: UserId
    deployment_id: str
    role: DagsterRole
    granted_at: int
    granted_by: UserId | None


@dataclass(frozen=True, slots=True)
class DagsterStanding:
    """What a person is in an organization.

    Attributes:
        roles: by deployment; the role on branch deployments under an empty id.
    """

    admin: bool
    roles: dict[str, DagsterRole]

    @classmethod
    def of(cls, role: Role, grants: Iterable[RoleGrant]) -> "DagsterStanding":
        """A member's standing: the organization's administrators are Dagster's."""
        return cls(role is Role.ADMIN, {grant.deployment_id: grant.role for grant in grants})

    def role_on(self, deployment: Deployment | None) -> DagsterRole:
        """The role on a deployment; where none is named, on the organization.

        Who was given nothing views.
        """
        if self.admin:
            return DagsterRole.ORGANIZATION_ADMIN
        if deployment is None:
            return DagsterRole.VIEWER
        key = deployment.id if deployment.kind is DeploymentKind.FULL else ""
        return self.roles.get(key, DagsterRole.VIEWER)

    def may(self, act: Act, deployment: Deployment | None = None) -> bool:
        """Whether the person may do something, on a deployment where it is about one.

        People may be added by whoever administers some deployment.
        """
        asked = ASKS[act]
        if act is Act.ADD_USERS and not self.admin:
            return DagsterRole.ADMIN in self.roles.values()
        return self.role_on(deployment).includes(asked)

    def may_on_branches(self, act: Act) -> bool:
        """Whether the person may do something on branch deployments, of which there need not be one yet."""
        return self.admin or self.roles.get("", DagsterRole.VIEWER).includes(ASKS[act])
