"""People in teams: added, promoted, removed (contract rest-graphql §2.11)."""

from dataclasses import replace

from watchword.domain.accounts import Member, User
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import TeamMemberId, UserId, is_uuid
from watchword.domain.teams import Team, TeamMember, TeamRole
from watchword.services.context import Caller, Context
from watchword.store.base import Duplicate, Page, Transaction


async def team_members_of(tx: Transaction, team: Team, page: Page) -> list[tuple[TeamMember, User]]:
    """People in a team, first come first."""
    return list(await tx.teams.members(team.organization_id, team.id, page))


async def find_team_member(tx: Transaction, team: Team, text: str) -> TeamMember:
    """A person's place in a team, by the person's id in a path.

    Raises:
        NotFound: the person is not in it.
    """
    user_id = UserId(text.lower())
    place = await tx.teams.member(team.organization_id, team.id, user_id) if is_uuid(text) else None
    if place is None:
        raise NotFound("No team member found")
    return place


async def add_team_member(
    context: Context,
    tx: Transaction,
    caller: Caller,
    team: Team,
    user: str,
    role: TeamRole | None,
    by: UserId | None,
) -> TeamMember:
    """Put a member of the organization into a team, inside a unit of work.

    Args:
        context: the ground.
        tx: the unit of work.
        caller: who does it.
        team: the team.
        user: the person's id, as a client wrote it.
        role: None means the role that the team gives.
        by: who does it, as a person.

    Raises:
        Invalid: there is no such member.
        Conflict: the person is in the team.
    """
    member = await tx.accounts.member(team.organization_id, UserId(user.lower())) if is_uuid(user) else None
    if member is None:
        raise Invalid("Validation failed: User must be a member of the organization", code="unknown_user")
    return await enrol(context, tx, caller, team, member, role, by)


async def enrol(
    context: Context,
    tx: Transaction,
    caller: Caller,
    team: Team,
    member: Member,
    role: TeamRole | None,
    by: UserId | None,
) -> TeamMember:
    """Put a member into a team, inside a unit of work; see `add_team_member`.

    Raises:
        Conflict: the person is in the team.
    """
    place = TeamMember(
        organization_id=team.organization_id,
        team_id=team.id,
        user_id=member.user_id,
        id=TeamMemberId(context.new_id()),
        role=team.default_member_role if role is None else role,
        created_at=context.clock.now(),
        created_by=by,
    )
    try:
        await tx.teams.add_member(place)
    except Duplicate:
        raise Conflict(
            "Validation failed: User has already been added to this team", code="already_added"
        ) from None
    await _record(context, tx, caller, Action.TEAM_MEMBER_ADDED, place)
    return place


async def change_team_role(
    context: Context, tx: Transaction, caller: Caller, place: TeamMember, role: TeamRole
) -> TeamMember:
    """Change a person's role in a team, inside a unit of work.

    Raises:
        NotFound: the person is not in it any more.
    """
    changed = replace(place, role=role)
    if changed == place:
        return place
    if not await tx.teams.set_role(place.organization_id, place.team_id, place.user_id, role):
        raise NotFound("No team member found")
    await _record(context, tx, caller, Action.TEAM_MEMBER_UPDATED, changed)
    return changed


async def remove_team_member(context: Context, tx: Transaction, caller: Caller, place: TeamMember) -> None:
    """Take a person out of a team, inside a unit of work; what the team gave is gone at the next call.

    Raises:
        NotFound: the person is not in it any more.
    """
    if not await tx.teams.remove_member(place.organization_id, place.team_id, place.user_id):
        raise NotFound("No team member found")
    await _record(context, tx, caller, Action.TEAM_MEMBER_REMOVED, place)


async def _record(
    context: Context, tx: Transaction, caller: Caller, action: Action, place: TeamMember
) -> None:
    details = {"team_id": place.team_id, "user_id": place.user_id, "role": place.role.value}
    await context.record(tx, caller, action, place.organization_id, ("team_member", place.id), details)
