"""Teams (contract rest-graphql §2.11)."""

from dataclasses import replace
from typing import Any

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, UnsetType

from watchword.domain import teams
from watchword.domain.ids import UserId
from watchword.domain.teams import Privacy, TeamRole
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import graphql_id, instant
from watchword.rest.users import User, show_person
from watchword.services.queries import Access, Unit, people
from watchword.services.teams import (
    TeamRequest,
    create_team,
    delete_team,
    enable_teams,
    find_team,
    teams_of,
    update_team,
)

TEAMS = "/v2/organizations/{org:str}/teams"
TEAM = TEAMS + "/{team:str}"
# Of the body and of the answer alike, each with the name that the record gives it.
_SWITCHES = (
    "members_can_create_pipelines",
    "members_can_create_suites",
    "members_can_create_registries",
    "members_can_destroy_registries",
    "members_can_destroy_packages",
)


class Team(msgspec.Struct, kw_only=True):
    """People of an organization taken together; `default` and `is_default_team` say the same."""

    id: str
    graphql_id: str
    name: str
    slug: str
    description: str | None
    privacy: str
    default: bool
    is_default_team: bool
    default_member_role: str
    members_can_create_pipelines: bool
    members_can_create_suites: bool
    members_can_create_registries: bool
    members_can_destroy_registries: bool
    members_can_destroy_packages: bool
    created_at: str
    created_by: User | None


class NewTeam(Body):
    """What a new team is; null counts as absent."""

    name: str | None = None
    description: str | None = None
    privacy: Privacy | None = None
    is_default_team: bool | None = None
    default_member_role: TeamRole | None = None
    members_can_create_pipelines: bool | None = None
    members_can_create_suites: bool | None = None
    members_can_create_registries: bool | None = None
    members_can_destroy_registries: bool | None = None
    members_can_destroy_packages: bool | None = None


class TeamChange(Body):
    """What changes of a team: an absent key leaves it as it is; null clears the description."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    privacy: Privacy | UnsetType = UNSET
    is_default_team: bool | UnsetType = UNSET
    default_member_role: TeamRole | UnsetType = UNSET
    members_can_create_pipelines: bool | UnsetType = UNSET
    members_can_create_suites: bool | UnsetType = UNSET
    members_can_create_registries: bool | UnsetType = UNSET
    members_can_destroy_registries: bool | UnsetType = UNSET
    members_can_destroy_packages: bool | UnsetType = UNSET


def _given(body: NewTeam | TeamChange) -> dict[str, Any]:
    """The keys that a body holds."""
    found = {name: getattr(body, name) for name in body.__struct_fields__}
    if isinstance(body, TeamChange) and body.description is None:
        found["description"] = ""
    return {name: value for name, value in found.items() if value is not None and value is not UNSET}


async def _show(tx: Unit, team: teams.Team) -> Team:
    found = await people(tx, [team.created_by])
    return Team(
        id=team.id,
        graphql_id=graphql_id("Team", team.id),
        name=team.name,
        slug=team.slug,
        description=team.description or None,
        privacy=team.privacy.value,
        default=team.is_default_team,
        is_default_team=team.is_default_team,
        default_member_role=team.default_member_role.value,
        created_at=instant(team.created_at),
        created_by=show_person(found, team.created_by),
        **{name: getattr(team, name) for name in _SWITCHES},
    )


@get(TEAMS, opt=needs("team.read", query=("user_id", *PAGED)), summary="List teams")
async def list_teams(request: RestRequest) -> Response[list[Team]]:
    """Teams that the caller sees, oldest first; with `user_id` those that the person is in."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[teams.Team], list[Team]]:
        of = next((UserId(text.lower()) for text in call.query("user_id")), None)
        rows = await teams_of(tx, access, call.page.window, of)
        return rows, [await _show(tx, team) for team in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(TEAM, opt=needs("team.read"), summary="Get a team")
async def get_team(request: RestRequest) -> Team:
    """One team by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Team:
        return await _show(tx, await find_team(tx, access, call.path("team")))

    return await call.read(work)


@post(TEAMS, opt=needs("team.create", body=NewTeam, keyed=True), summary="Create a team")
async def post_team(request: RestRequest) -> Response[Team]:
    """Create a team without members."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Team:
        asked = TeamRequest(**{"name": "", **_given(call.decode(NewTeam))})
        return await _show(
            tx, await create_team(call.context, tx, access.caller, access.id, asked, access.user.id)
        )

    return await call.create(work)


@post(TEAMS + "/enable", status_code=204, opt=needs("team.enable"), summary="Turn teams on")
async def post_enable(request: RestRequest) -> None:
    """Turn teams on; they always are."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await enable_teams(call.context, tx, access.caller, access.id)

    await call.write(work)


@route(
    TEAM,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("team.update", body=TeamChange),
    summary="Update a team",
)
async def patch_team(request: RestRequest) -> Team:
    """Change a team; what widens its members' rights is for administrators."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Team:
        team = await find_team(tx, access, call.path("team"))
        changed = replace(team, **_given(call.decode(TeamChange)))
        return await _show(tx, await update_team(call.context, tx, access, team, changed))

    return await call.write(work)


@delete(TEAM, opt=needs("team.delete"), summary="Delete a team")
async def remove_team(request: RestRequest) -> None:
    """Delete a team; the clusters that it maintained lose it."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        team = await find_team(tx, access, call.path("team"))
        await delete_team(call.context, tx, access.caller, team)

    await call.write(work)


HANDLERS = (list_teams, get_team, post_team, post_enable, patch_team, remove_team)
