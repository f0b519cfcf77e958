"""Teams (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from watchword.domain import accounts
from watchword.domain.ids import TeamId, UserId, is_uuid
from watchword.domain.teams import Privacy, Team, TeamRole
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import empty, encode, listed
from watchword.graphql.finding import denied, maybe, node, organization_id, permission
from watchword.graphql.resolvers.organizations import owned, show_organization
from watchword.graphql.resolvers.users import by
from watchword.services.lookups import EVERYTHING
from watchword.services.queries import Access, Unit
from watchword.services.teams import (
    TeamRequest,
    create_team,
    delete_team,
    find_team,
    find_team_by_slug,
    teams_of,
    update_team,
)

MISSING = "No team found"
_SWITCHES = {
    "members_can_create_pipelines": "membersCanCreatePipelines",
    "members_can_delete_pipelines": "membersCanDeletePipelines",
    "members_can_create_suites": "membersCanCreateSuites",
    "members_can_create_registries": "membersCanCreateRegistries",
    "members_can_destroy_registries": "membersCanDestroyRegistries",
    "members_can_destroy_packages": "membersCanDestroyPackages",
}


def show_team(team: Team) -> Thing:
    """A team as an object."""
    values = {
        "id": ids.encode("Team", team.id),
        "uuid": team.id,
        "slug": team.slug,
        "name": team.name,
        "description": team.description or None,
        "privacy": team.privacy.name,
        "isDefaultTeam": team.is_default_team,
        "defaultMemberRole": team.default_member_role.name,
        "createdAt": team.created_at,
        **{name: getattr(team, ours) for ours, name in _SWITCHES.items()},
    }
    return Thing("Team", team.organization_id, team, values)


by("Team", "createdBy", "created_by")
owned("Team")


def team_id(team: Team) -> TeamId:
    """Its id, which the right to it depends on."""
    return team.id


@node("Team", "team.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A team of an organization that the person sees."""
    found = await maybe(find_team(tx, access, uuid))
    return show_team(found) if found is not None else None


@query("team", "team.read")
async def team_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/team-slug`."""
    where, _, slug = str(arguments["slug"]).strip().partition("/")
    access = await maybe(call.access_of(where))
    if access is None:
        return None
    access.require("team.read")
    found = await call.read(lambda tx: maybe(find_team_by_slug(tx, access, slug)))
    return show_team(found) if found is not None else None


@field("Organization", "teams", "team.read")
async def teams_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Teams that the person sees and that fit; oldest first unless ordered."""
    access = await call.access(organization.id)
    user = str(arguments.get("user") or "")
    of = UserId(user.lower()) if is_uuid(user) else None
    rows = await call.read(lambda tx: teams_of(tx, access, EVERYTHING, of))
    searched, privacies = str(arguments.get("search") or "").lower(), arguments.get("privacy")
    kept = [
        team
        for team in rows
        if searched in team.name.lower() and (privacies is None or team.privacy.name in privacies)
    ]
    if (user and of is None) or arguments.get("pipeline"):
        kept = []  # teams hold no pipelines
    order = arguments.get("order")
    if order == "NAME":
        kept.sort(key=lambda team: (team.name.lower(), team.id))
    elif order == "RECENTLY_CREATED":
        kept.reverse()
    return listed(kept, arguments, show_team, lambda team: team.id)


@field("Organization", "isTeamsEnabled")
async def teams_enabled(_call: Call, _organization: accounts.Organization, _arguments: Arguments) -> bool:
    """Teams are never off."""
    return True


@field("Team", "permissions")
async def permissions_of_team(call: Call, team: Team, _arguments: Arguments) -> object:
    """What the person may do with it."""
    access = await call.access(team.organization_id)
    elsewhere = ("teamPipelineCreate", "teamRegistryCreate", "teamSuiteCreate")
    return {
        "pipelineView": permission(access, "pipeline.read"),
        "teamDelete": permission(access, "team.delete", team=team.id),
        "teamUpdate": permission(access, "team.update", team=team.id),
        "teamMemberCreate": permission(access, "team_member.create", team=team.id),
        **{name: denied("Not supported by this server", "unsupported") for name in elsewhere},
    }


def _empty(*names: str) -> None:
    for name in names:

        @field("Team", name)
        async def resolve(_call: Call, _team: Team, _arguments: Arguments) -> object:
            return empty()


# Every member sees every pipeline, and there are no suites: teams hold none.
_empty("pipelines", "suites")


@mutation("teamCreate", "team.create")
async def create(order: Order) -> Mapping[str, object]:
    """Create a team without members."""
    switches = {ours: order.input.get(name) is True for ours, name in _SWITCHES.items()}
    asked = TeamRequest(
        name=order.text("name"),
        description=order.text("description"),
        privacy=Privacy[order.input["privacy"]],
        is_default_team=order.input["isDefaultTeam"] is True,
        default_member_role=TeamRole[order.input["defaultMemberRole"]],
        **switches,
    )

    async def work(tx: Unit, access: Access) -> tuple[Team, accounts.Organization]:
        made = await create_team(order.context, tx, access.caller, access.id, asked, access.user.id)
        return made, access.organization

    team, organization = await order.write(organization_id(order, "organizationID"), work)
    edge = {"cursor": encode(team.id), "node": show_team(team)}
    return {"teamEdge": edge, "organization": show_organization(organization)}


def finder(order: Order, name: str = "id") -> Callable[[Unit, Access], Awaitable[Team | None]]:
    """Finds the team that the input names."""
    uuid = ids.uuid_of(str(order.input[name]), "Team")

    async def look(tx: Unit, access: Access) -> Team | None:
        return await maybe(find_team(tx, access, uuid))

    return look


@mutation("teamUpdate", "team.update")
async def update(order: Order) -> Mapping[str, object]:
    """Change what the input names; another name makes another slug."""
    changes: dict[str, Any] = {
        "name": order.text("name"),
        "is_default_team": order.input["isDefaultTeam"] is True,
        "default_member_role": TeamRole[order.input["defaultMemberRole"]],
    }
    if "description" in order.input:
        changes["description"] = order.text("description")
    if order.input.get("privacy") is not None:
        changes["privacy"] = Privacy[order.input["privacy"]]
    changes |= {
        ours: order.input[name] for ours, name in _SWITCHES.items() if order.input.get(name) is not None
    }

    async def work(tx: Unit, access: Access, team: Team) -> Team:
        return await update_team(order.context, tx, access, team, replace(team, **changes))

    return {"team": show_team(await order.write_found(finder(order), MISSING, work, team=team_id))}


@mutation("teamDelete", "team.delete")
async def delete(order: Order) -> Mapping[str, object]:
    """Delete a team; its clusters lose it, its members their places in it."""

    async def work(tx: Unit, access: Access, team: Team) -> tuple[Team, accounts.Organization]:
        await delete_team(order.context, tx, access.caller, team)
        return team, access.organization

    team, organization = await order.write_found(finder(order), MISSING, work, team=team_id)
    return {
        "deletedTeamID": ids.encode("Team", team.id),
        "organization": show_organization(organization),
    }
