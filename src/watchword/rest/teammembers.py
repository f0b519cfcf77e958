"""People in teams (contract rest-graphql §2.11)."""

import msgspec
from litestar import Response, delete, get, post, route

from watchword.domain import accounts, teams
from watchword.domain.errors import Invalid
from watchword.domain.teams import TeamRole
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.rest.teams import TEAM
from watchword.services.queries import Access, Unit, people
from watchword.services.teammembers import (
    add_team_member,
    change_team_role,
    find_team_member,
    remove_team_member,
    team_members_of,
)
from watchword.services.teams import find_team

MEMBERS = TEAM + "/members"
MEMBER = MEMBERS + "/{user:str}"


class TeamMember(msgspec.Struct, kw_only=True):
    """A person in a team."""

    role: str
    created_at: str
    user_id: str
    user_name: str


class NewTeamMember(Body):
    """Who is to be in the team, and as what."""

    user_id: str | None = None
    role: TeamRole | None = None


class TeamMemberChange(Body):
    """The person's new role."""

    role: TeamRole | None = None


def show_team_member(place: teams.TeamMember, user: accounts.User | None) -> TeamMember:
    """A person in a team as JSON."""
    return TeamMember(
        role=place.role.value,
        created_at=instant(place.created_at),
        user_id=place.user_id,
        user_name=user.name if user is not None else "",
    )


async def _show(tx: Unit, place: teams.TeamMember) -> TeamMember:
    return show_team_member(place, (await people(tx, [place.user_id])).get(place.user_id))


def _role(given: TeamRole | None) -> TeamRole:
    """The role of a body, which must be there.

    Raises:
        Invalid: it is not.
    """
    if given is None:
        raise Invalid("Validation failed: Role is member or maintainer", code="invalid_role")
    return given


@get(MEMBERS, opt=needs("team.read", query=PAGED), summary="List members of a team")
async def list_team_members(request: RestRequest) -> Response[list[TeamMember]]:
    """People in a team, first come first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[tuple[teams.TeamMember, accounts.User]]:
        team = await find_team(tx, access, call.path("team"))
        return await team_members_of(tx, team, call.page.window)

    rows = await call.read(work)
    return call.listed([show_team_member(*row) for row in call.page.cut(rows)], rows)


@get(MEMBER, opt=needs("team.read"), summary="Get a member of a team")
async def get_team_member(request: RestRequest) -> TeamMember:
    """One person in a team by the person's id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> TeamMember:
        team = await find_team(tx, access, call.path("team"))
        return await _show(tx, await find_team_member(tx, team, call.path("user")))

    return await call.read(work)


@post(MEMBERS, opt=needs("team_member.create", body=NewTeamMember, keyed=True), summary="Add a team member")
async def post_team_member(request: RestRequest) -> Response[TeamMember]:
    """Put a member of the organization into a team."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> TeamMember:
        team = await find_team(tx, access, call.path("team"))
        asked = call.decode(NewTeamMember)
        place = await add_team_member(
            call.context, tx, access.caller, team, asked.user_id or "", _role(asked.role), access.user.id
        )
        return await _show(tx, place)

    return await call.create(work)


@route(
    MEMBER,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("team_member.update", body=TeamMemberChange),
    summary="Update a member of a team",
)
async def patch_team_member(request: RestRequest) -> TeamMember:
    """Change a person's role in a team."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> TeamMember:
        team = await find_team(tx, access, call.path("team"))
        place = await find_team_member(tx, team, call.path("user"))
        role = _role(call.decode(TeamMemberChange).role)
        return await _show(tx, await change_team_role(call.context, tx, access.caller, place, role))

    return await call.write(work)


@delete(MEMBER, opt=needs("team_member.remove"), summary="Remove a member from a team")
async def delete_team_member(request: RestRequest) -> None:
    """Take a person out of a team; what the team gave is gone at the next call."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        team = await find_team(tx, access, call.path("team"))
        place = await find_team_member(tx, team, call.path("user"))
        await remove_team_member(call.context, tx, access.caller, place)

    await call.write(work)


HANDLERS = (list_team_members, get_team_member, post_team_member, patch_team_member, delete_team_member)
