"""Teams: people of an organization taken together, and who maintains which cluster."""

from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.ids import (
    BannerId,
    ClusterId,
    MaintainerId,
    OrganizationId,
    TeamId,
    TeamMemberId,
    UserId,
)

MAX_TEAMS = 250  # of one organization


class TeamRole(StrEnum):
    """Role of a person in a team; a maintainer may change the team and who is in it."""

    MEMBER = "member"
    MAINTAINER = "maintainer"


class Privacy(StrEnum):
    """Who sees a team: every member of the organization, or only those in it and administrators."""

    VISIBLE = "visible"
    SECRET = "secret"  # noqa: S105 - a word of the contract


@dataclass(frozen=True, slots=True)
class Team:
    """A team. The last six switches say what its members may create and destroy.

    Attributes:
        slug: made of the name, once in the organization.
        is_default_team: whether new members of the organization join it.
        default_member_role: the role of those who join it without one being named.
    """

    organization_id: OrganizationId
    id: TeamId
    name: str
    slug: str
    description: str
    privacy: Privacy
    is_default_team: bool
    default_member_role: TeamRole
    created_at: int
    created_by: UserId | None
    members_can_create_pipelines: bool = False
    members_can_delete_pipelines: bool = False
    members_can_create_suites: bool = False
    members_can_create_registries: bool = False
    members_can_destroy_registries: bool = False
    members_can_destroy_packages: bool = False


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A person in a team; `id` names the membership itself."""

    organization_id: OrganizationId
    team_id: TeamId
    user_id: UserId
    id: TeamMemberId
    role: TeamRole
    created_at: int
    created_by: UserId | None


@dataclass(frozen=True, slots=True)
class Maintainer:
    """A cluster given to a person or to a team, exactly one of the two."""

    organization_id: OrganizationId
    id: MaintainerId
    cluster_id: ClusterId
    user_id: UserId | None
    team_id: TeamId | None
    created_at: int
    created_by: UserId | None


@dataclass(frozen=True, slots=True)
class Banner:
    """A message that an organization shows to everybody in it; one at most."""

    organization_id: OrganizationId
    id: BannerId
    message: str
    created_at: int
    updated_at: int
    updated_by: UserId | None
