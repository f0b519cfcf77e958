"""The store's contract for teams, who is in them, and who maintains which cluster."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from watchword.domain.accounts import User
from watchword.domain.ids import ClusterId, MaintainerId, OrganizationId, TeamId, TeamMemberId, UserId
from watchword.domain.teams import Maintainer, Team, TeamMember, TeamRole
from watchword.store.page import Page


class Appointment(NamedTuple):
    """A maintainer, and the person or team that it is."""

    maintainer: Maintainer
    user: User | None
    team: Team | None


class Teams(Protocol):
    """Teams, their members, and maintainers of clusters."""

    async def add(self, team: Team) -> None:
        """Insert. Raises `Duplicate` where the organization has the slug."""

    async def find(self, organization_id: OrganizationId, team_id: TeamId) -> Team | None:
        """By id."""

    async def by_slug(self, organization_id: OrganizationId, slug: str) -> Team | None:
        """By slug."""

    async def list(
        self, organization_id: OrganizationId, seen_by: UserId | None, of: UserId | None, page: Page
    ) -> Sequence[Team]:
        """Oldest first; those that one person sees and those that one person is in, where named."""

    async def defaults(self, organization_id: OrganizationId) -> Sequence[Team]:
        """Teams that new members join, oldest first."""

    async def count(self, organization_id: OrganizationId) -> int:
        """How many there are."""

    async def save(self, team: Team) -> None:
        """Write everything but who made it. Raises `Duplicate` where the organization has the slug."""

    async def delete(self, organization_id: OrganizationId, team_id: TeamId) -> bool:
        """Delete a team and its members' places, not its clusters; False if there was none."""

    async def add_member(self, member: TeamMember) -> None:
        """Insert. Raises `Duplicate` where the person is in the team."""

    async def member(
        self, organization_id: OrganizationId, team_id: TeamId, user_id: UserId
    ) -> TeamMember | None:
        """A person's place in a team."""

    async def member_by_id(
        self, organization_id: OrganizationId, member_id: TeamMemberId
    ) -> TeamMember | None:
        """A place in a team by its own id."""

    async def members(
        self, organization_id: OrganizationId, team_id: TeamId, page: Page
    ) -> Sequence[tuple[TeamMember, User]]:
        """People in a team, first come first."""

    async def places(self, organization_id: OrganizationId, user_id: UserId) -> Sequence[TeamMember]:
        """A person's places in teams."""

    async def set_role(
        self, organization_id: OrganizationId, team_id: TeamId, user_id: UserId, role: TeamRole
    ) -> bool:
        """Change a person's role in a team; False if the person is not in it."""

    async def remove_member(self, organization_id: OrganizationId, team_id: TeamId, user_id: UserId) -> bool:
        """Take a person out of a team; False if the person was not in it."""

    async def add_maintainer(self, maintainer: Maintainer) -> None:
        """Insert. Raises `Duplicate` where the person or team maintains the cluster."""

    async def appointment(
        self, organization_id: OrganizationId, maintainer_id: MaintainerId
    ) -> Appointment | None:
        """A maintainer by id."""

    async def appointments(
        self, organization_id: OrganizationId, cluster_id: ClusterId | None, page: Page
    ) -> Sequence[Appointment]:
        """Maintainers, oldest first; of one cluster where one is named."""

    async def maintainers_of_user(
        self, organization_id: OrganizationId, user_id: UserId
    ) -> Sequence[Maintainer]:
        """Clusters that are given to a person directly."""

    async def maintainers_of_team(
        self, organization_id: OrganizationId, team_id: TeamId
    ) -> Sequence[Maintainer]:
        """Clusters that are given to a team."""

    async def maintained(self, organization_id: OrganizationId, user_id: UserId) -> frozenset[ClusterId]:
        """Clusters that a person maintains, directly or through a team."""

    async def remove_maintainer(self, organization_id: OrganizationId, maintainer_id: MaintainerId) -> bool:
        """Delete; False if there was none."""

    async def drop_maintainers(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Delete the maintainers of a cluster."""
