"""Teams: made, changed and deleted; who sees which (contract rest-graphql §2.11)."""

from dataclasses import dataclass, replace

from watchword.domain.accounts import Cluster, slugify
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, TeamId, UserId, is_uuid
from watchword.domain.teams import MAX_TEAMS, Privacy, Team, TeamRole
from watchword.services.access import Access
from watchword.services.accounts import check_name
from watchword.services.context import Caller, Context
from watchword.store.base import Duplicate, Page, Transaction

MAX_DESCRIPTION = 1024
# What widens what people may do: administrators alone turn these on or off.
_SWITCHES = (
    "is_default_team",
    "members_can_create_pipelines",
    "members_can_delete_pipelines",
    "members_can_create_suites",
    "members_can_create_registries",
    "members_can_destroy_registries",
    "members_can_destroy_packages",
)


@dataclass(frozen=True, slots=True)
class TeamRequest:
    """What a new team is to be; see `domain.teams.Team`."""

    name: str
    description: str = ""
    privacy: Privacy = Privacy.VISIBLE
    is_default_team: bool = False
    default_member_role: TeamRole = TeamRole.MEMBER
    members_can_create_pipelines: bool = False
    members_can_delete_pipelines: bool = False
    members_can_create_suites: bool = False
    members_can_create_registries: bool = False
    members_can_destroy_registries: bool = False
    members_can_destroy_packages: bool = False


async def teams_of(tx: Transaction, access: Access, page: Page, of: UserId | None = None) -> list[Team]:
    """Teams that the caller sees, oldest first; those that one person is in, where named."""
    seen_by = None if access.standing.admin else access.user.id
    return list(await tx.teams.list(access.id, seen_by, of, page))


async def sees(tx: Transaction, access: Access, team: Team) -> bool:
    """Whether the caller sees a team: a secret one is seen by those in it and by administrators."""
    if team.privacy is Privacy.VISIBLE or access.standing.admin:
        return True
    return await tx.teams.member(team.organization_id, team.id, access.user.id) is not None


async def find_team(tx: Transaction, access: Access, text: str) -> Team:
    """A team that the caller sees, by the id in a path.

    Raises:
        NotFound: there is none, or the caller does not see it.
    """
    team = await tx.teams.find(access.id, TeamId(text.lower())) if is_uuid(text) else None
    if team is None or not await sees(tx, access, team):
        raise NotFound("No team found")
    return team


async def find_team_by_slug(tx: Transaction, access: Access, slug: str) -> Team:
    """A team that the caller sees, by its slug.

    Raises:
        NotFound: there is none, or the caller does not see it.
    """
    team = await tx.teams.by_slug(access.id, slug)
    if team is None or not await sees(tx, access, team):
        raise NotFound("No team found")
    return team


async def clusters_of_team(tx: Transaction, team: Team) -> list[Cluster]:
    """Clusters that a team maintains."""
    found = [
        await tx.accounts.cluster(team.organization_id, one.cluster_id)
        for one in await tx.teams.maintainers_of_team(team.organization_id, team.id)
    ]
    return [cluster for cluster in found if cluster is not None]


async def create_team(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    asked: TeamRequest,
    by: UserId | None,
) -> Team:
    """Create a team without members, inside a unit of work.

    Raises:
        Invalid: the name or description is not acceptable.
        Conflict: a team has the name already, or there are too many.
    """
    if await tx.teams.count(organization_id) >= MAX_TEAMS:
        raise Conflict(
            f"Validation failed: An organization has at most {MAX_TEAMS} teams", code="too_many_teams"
        )
    team = Team(
        organization_id=organization_id,
        id=TeamId(context.new_id()),
        name=check_name(asked.name),
        slug=_slug(asked.name),
        description=_description(asked.description),
        privacy=asked.privacy,
        is_default_team=asked.is_default_team,
        default_member_role=asked.default_member_role,
        created_at=context.clock.now(),
        created_by=by,
        members_can_create_pipelines=asked.members_can_create_pipelines,
        members_can_delete_pipelines=asked.members_can_delete_pipelines,
        members_can_create_suites=asked.members_can_create_suites,
        members_can_create_registries=asked.members_can_create_registries,
        members_can_destroy_registries=asked.members_can_destroy_registries,
        members_can_destroy_packages=asked.members_can_destroy_packages,
    )
    try:
        await tx.teams.add(team)
    except Duplicate:
        raise _taken(team.name) from None
    await context.record(tx, caller, Action.TEAM_CREATED, organization_id, ("team", team.id), _details(team))
    return team


async def update_team(context: Context, tx: Transaction, access: Access, before: Team, after: Team) -> Team:
    """Write a changed team, inside a unit of work; another name makes another slug.

    Raises:
        Invalid: the name or description is not acceptable.
        Forbidden: it changes what only administrators may change.
        Conflict: a team has the name already.
    """
    if not access.standing.admin and any(getattr(before, one) != getattr(after, one) for one in _SWITCHES):
        raise Forbidden("You're not allowed to do that")
    name = check_name(after.name)
    team = replace(
        after,
        name=name,
        slug=before.slug if name == before.name else _slug(name),
        description=_description(after.description),
    )
    try:
        await tx.teams.save(team)
    except Duplicate:
        raise _taken(team.name) from None
    await context.record(
        tx, access.caller, Action.TEAM_UPDATED, team.organization_id, ("team", team.id), _details(team)
    )
    return team


async def delete_team(context: Context, tx: Transaction, caller: Caller, team: Team) -> None:
    """Delete a team, inside a unit of work; its clusters lose it, its members their places in it.

    Raises:
        NotFound: it is gone.
    """
    for maintainer in await tx.teams.maintainers_of_team(team.organization_id, team.id):
        await tx.teams.remove_maintainer(team.organization_id, maintainer.id)
        await context.record(
            tx,
            caller,
            Action.MAINTAINER_REMOVED,
            team.organization_id,
            ("maintainer", maintainer.id),
            {"cluster_id": maintainer.cluster_id, "team_id": team.id},
        )
    if not await tx.teams.delete(team.organization_id, team.id):
        raise NotFound("No team found")
    await context.record(
        tx, caller, Action.TEAM_DELETED, team.organization_id, ("team", team.id), _details(team)
    )


async def enable_teams(
    context: Context, tx: Transaction, caller: Caller, organization_id: OrganizationId
) -> None:
    """Turn teams on, inside a unit of work. They are never off: what is written is that somebody asked."""
    await context.record(
        tx, caller, Action.ORGANIZATION_TEAMS_ENABLED, organization_id, ("organization", organization_id)
    )


def _slug(name: str) -> str:
    slug = slugify(name)
    if not slug:
        raise Invalid("Validation failed: Name needs a letter or a digit", code="invalid_name")
    return slug


def _description(text: str) -> str:
    if len(text) > MAX_DESCRIPTION:
        raise Invalid(
            f"Validation failed: Description takes at most {MAX_DESCRIPTION} characters",
            code="invalid_description",
        )
    return text


def _taken(name: str) -> Conflict:
    return Conflict(f"Validation failed: A team with the name {name!r} already exists", code="taken")


def _details(team: Team) -> dict[str, object]:
    return {
        "name": team.name,
        "privacy": team.privacy.value,
        **{one: getattr(team, one) for one in _SWITCHES},
    }
