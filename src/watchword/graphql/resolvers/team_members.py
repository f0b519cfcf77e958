"""People in teams (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from watchword.domain.accounts import Member, User
from watchword.domain.ids import TeamId, TeamMemberId
from watchword.domain.teams import Team, TeamMember, TeamRole
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import encode, listed
from watchword.graphql.finding import maybe, node, permission
from watchword.graphql.resolvers.members import show_member
from watchword.graphql.resolvers.teams import finder, show_team, team_id
from watchword.graphql.resolvers.users import by, person
from watchword.services.lookups import EVERYTHING, team_place
from watchword.services.members import find_member
from watchword.services.queries import Access, Unit
from watchword.services.teammembers import (
    add_team_member,
    change_team_role,
    remove_team_member,
    team_members_of,
)
from watchword.services.teams import find_team, teams_of

MISSING = "No team member found"
_TYPE = "TeamMember"


@dataclass(frozen=True, slots=True)
class Place:
    """A person's place in a team that the caller sees."""

    member: TeamMember
    team: Team


def show_place(place: TeamMember) -> Thing:
    """A place in a team as an object."""
    values = {
        "id": ids.encode(_TYPE, place.id),
        "uuid": place.id,
        "role": place.role.name,
        "createdAt": place.created_at,
    }
    return Thing(_TYPE, place.organization_id, place, values)


by(_TYPE, "createdBy", "created_by")


@field(_TYPE, "user")
async def user_of_place(call: Call, place: TeamMember, _arguments: Arguments) -> Thing | None:
    """Who it is."""
    return await person(call, place.user_id)


@field(_TYPE, "team", "team.read")
async def team_of_place(call: Call, place: TeamMember, _arguments: Arguments) -> Thing | None:
    """The team."""
    access = await call.access(place.organization_id)

    async def read() -> Team | None:
        return await call.read(lambda tx: maybe(find_team(tx, access, place.team_id)))

    found = await call.once(("team", place.team_id), read)
    return show_team(found) if found is not None else None


@field(_TYPE, "organizationMember", "member.read")
async def member_of_place(call: Call, place: TeamMember, _arguments: Arguments) -> Thing | None:
    """The person's membership in the organization."""
    found = await call.read(lambda tx: maybe(find_member(tx, place.organization_id, place.user_id)))
    return show_member(found) if found is not None else None


@field(_TYPE, "permissions")
async def permissions_of_place(call: Call, place: TeamMember, _arguments: Arguments) -> object:
    """What the person may do with it."""
    access = await call.access(place.organization_id)
    return {
        "teamMemberDelete": permission(access, "team_member.remove", team=place.team_id),
        "teamMemberUpdate": permission(access, "team_member.update", team=place.team_id),
    }


@node(_TYPE, "team.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A place in a team that the person sees."""
    found = await team_place(tx, access, TeamMemberId(uuid))
    return show_place(found[0]) if found is not None else None


@field("Team", "members", "team.read")
async def members_of_team(call: Call, team: Team, arguments: Arguments) -> object:
    """People in it that fit; first come first unless ordered."""
    rows = await call.read(lambda tx: team_members_of(tx, team, EVERYTHING))
    roles, searched = arguments.get("role"), str(arguments.get("search") or "").lower()
    kept = [row for row in rows if _fits(row, roles, searched)]
    order = arguments.get("order")
    if order == "NAME":
        kept.sort(key=lambda row: (row[1].name.lower(), row[1].id))
    elif order == "RECENTLY_CREATED":
        kept.reverse()
    return listed(kept, arguments, lambda row: show_place(row[0]), lambda row: row[0].id)


def _fits(row: tuple[TeamMember, User], roles: list[str] | None, searched: str) -> bool:
    place, user = row
    named = searched in user.name.lower() or searched in user.email.lower()
    return named and (roles is None or place.role.name in roles)


@field("OrganizationMember", "teams", "team.read")
async def teams_of_member(call: Call, member: Member, arguments: Arguments) -> object:
    """The member's places in teams that the person sees."""
    access = await call.access(member.organization_id)

    async def read(tx: Unit) -> list[TeamMember]:
        found = []
        for team in await teams_of(tx, access, EVERYTHING, member.user_id):
            rows = await team_members_of(tx, team, EVERYTHING)
            found += [place for place, user in rows if user.id == member.user_id]
        return found

    return listed(await call.read(read), arguments, show_place, lambda place: place.id)


@mutation("teamMemberCreate", "team_member.create")
async def create(order: Order) -> Mapping[str, object]:
    """Put a member of the organization into a team."""
    user = ids.uuid_of(str(order.input["userID"]), "User")
    role = order.input.get("role")

    async def work(tx: Unit, access: Access, team: Team) -> Place:
        wanted = TeamRole[role] if role is not None else None
        made = await add_team_member(order.context, tx, access.caller, team, user, wanted, access.user.id)
        return Place(made, team)

    found = await order.write_found(finder(order, "teamID"), "No team found", work, team=team_id)
    edge = {"cursor": encode(found.member.id), "node": show_place(found.member)}
    return {"team": show_team(found.team), "teamMemberEdge": edge}


async def _change(order: Order, change: Callable[[Unit, Access, Place], Awaitable[TeamMember]]) -> Place:
    """Change the place that the input names."""
    uuid = ids.uuid_of(str(order.input["id"]), _TYPE)

    async def look(tx: Unit, access: Access) -> Place | None:
        found = await team_place(tx, access, TeamMemberId(uuid))
        return Place(*found) if found is not None else None

    async def work(tx: Unit, access: Access, place: Place) -> Place:
        return Place(await change(tx, access, place), place.team)

    return await order.write_found(look, MISSING, work, team=_team)


def _team(place: Place) -> TeamId:
    return place.team.id


@mutation("teamMemberUpdate", "team_member.update")
async def update(order: Order) -> Mapping[str, object]:
    """Change a person's role in a team."""
    role = TeamRole[order.input["role"]]

    async def change(tx: Unit, access: Access, place: Place) -> TeamMember:
        return await change_team_role(order.context, tx, access.caller, place.member, role)

    return {"teamMember": show_place((await _change(order, change)).member)}


@mutation("teamMemberDelete", "team_member.remove")
async def delete(order: Order) -> Mapping[str, object]:
    """Take a person out of a team."""

    async def change(tx: Unit, access: Access, place: Place) -> TeamMember:
        await remove_team_member(order.context, tx, access.caller, place.member)
        return place.member

    place = await _change(order, change)
    return {
        "deletedTeamMemberID": ids.encode(_TYPE, place.member.id),
        "team": show_team(place.team),
    }
