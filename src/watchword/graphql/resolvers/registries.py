"""Package registries, the teams that reach them, and their tokens (contract rest-graphql §2.13, §3.5)."""

from typing import NamedTuple
from uuid import UUID, uuid5

from watchword.domain import accounts, registries, teams
from watchword.domain.ids import OrganizationId, TeamId, TokenId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, query
from watchword.graphql.call import Call
from watchword.graphql.connections import listed
from watchword.graphql.finding import maybe, node, thing_of
from watchword.graphql.resolvers.organizations import owned
from watchword.graphql.resolvers.teams import show_team
from watchword.graphql.resolvers.users import by
from watchword.services.lookups import EVERYTHING, token_by_id
from watchword.services.queries import Access, Unit
from watchword.services.registries import find_registry, registries_of
from watchword.services.teams import find_team


def show_registry(registry: registries.Registry) -> Thing:
    """A registry as an object."""
    values = {
        "id": ids.encode("Registry", registry.id),
        "uuid": registry.id,
        "slug": registry.slug,
        "name": registry.name,
        "description": registry.description or None,
        "emoji": registry.emoji or None,
        "color": registry.color or None,
        "createdAt": registry.created_at,
        "updatedAt": registry.updated_at,
    }
    return Thing("Registry", registry.organization_id, registry, values)


owned("Registry")


@field("Registry", "url")
async def url_of_registry(call: Call, registry: registries.Registry, _arguments: Arguments) -> str:
    """Its page."""
    slug = (await call.access(registry.organization_id)).organization.slug
    return call.site.web("organizations", slug, "registries", registry.slug)


@node("Registry", "registry.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A registry that the person reaches."""
    found = await maybe(find_registry(tx, access, uuid))
    return show_registry(found) if found is not None and found.id == uuid else None


@query("registry", "registry.read")
async def registry_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/registry-slug`, or by UUID."""
    uuid = str(arguments.get("uuid") or "").lower()
    where, _, slug = str(arguments.get("slug") or "").strip().partition("/")
    if not slug:
        return await thing_of(call, "Registry", uuid if is_uuid(uuid) else "")
    access = await maybe(call.access_of(where))
    if access is None:
        return None
    access.require("registry.read")
    found = await call.read(lambda tx: maybe(find_registry(tx, access, slug)))
    return show_registry(found) if found is not None else None


async def _reached(call: Call, organization_id: OrganizationId) -> list[registries.Registry]:
    access = await call.access(organization_id)
    return await call.read(lambda tx: registries_of(tx, access, EVERYTHING))


@field("Organization", "registries", "registry.read")
async def registries_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Registries that the person reaches and that fit; oldest first unless ordered."""
    searched = str(arguments.get("search") or "").lower()
    since, until = arguments.get("createdAtFrom"), arguments.get("createdAtTo")
    kept = [
        one
        for one in await _reached(call, organization.id)
        if searched in one.name.lower()
        and (since is None or one.created_at >= since)
        and (until is None or one.created_at <= until)
    ]
    order = arguments.get("order")
    if order == "NAME":
        kept.sort(key=lambda one: (one.name.lower(), one.id))
    elif order == "RECENTLY_CREATED":
        kept.reverse()
    return listed(kept, arguments, show_registry, lambda one: one.id)


# -- teams and registries ------------------------------------------------------------------------


class TeamRegistry(NamedTuple):
    """That a team reaches a registry. It has no row of its own: its id is made of the two."""

    registry: registries.Registry
    team: teams.Team

    @property
    def organization_id(self) -> OrganizationId:
        """Whose they are."""
        return self.registry.organization_id

    @property
    def id(self) -> str:
        """The same whenever it is asked for."""
        return str(uuid5(UUID(self.registry.id), self.team.id))


def _show_pair(pair: TeamRegistry) -> Thing:
    values = {
        "id": ids.encode("TeamRegistry", pair.id),
        "uuid": pair.id,
        # Members of the team install and upload; what a registry is, administrators change.
        "accessLevel": "READ_AND_WRITE",
        "createdAt": pair.registry.created_at,
        "createdBy": None,
        "updatedAt": pair.registry.updated_at,
        "updatedBy": None,
        "registry": show_registry(pair.registry),
        "team": show_team(pair.team),
    }
    return Thing("TeamRegistry", pair.organization_id, pair, values)


@field("Registry", "teams", "team.read")
async def teams_of_registry(call: Call, registry: registries.Registry, arguments: Arguments) -> object:
    """Teams whose members reach it, as far as the person sees them."""
    access = await call.access(registry.organization_id)

    async def read(tx: Unit) -> list[teams.Team]:
        found = [await maybe(find_team(tx, access, team_id)) for team_id in registry.team_ids]
        return [team for team in found if team is not None]

    pairs = [TeamRegistry(registry, team) for team in await call.read(read)]
    return listed(pairs, arguments, _show_pair, lambda pair: pair.id)


@field("Team", "registries", "registry.read")
async def registries_of_team(call: Call, team: teams.Team, arguments: Arguments) -> object:
    """Registries that the team's members reach, as far as the person does."""
    found = await _reached(call, team.organization_id)
    pairs = [TeamRegistry(one, team) for one in found if TeamId(team.id) in one.team_ids]
    return listed(pairs, arguments, _show_pair, lambda pair: pair.id)


# -- tokens --------------------------------------------------------------------------------------


def show_token(token: Token) -> Thing:
    """A registry token as an object; never its value."""
    values = {
        "id": ids.encode("RegistryToken", token.id),
        "uuid": token.id,
        "description": token.description or None,
        "createdAt": token.created_at,
        "updatedAt": None,
        "updatedBy": None,
    }
    return Thing("RegistryToken", token.organization_id, token, values)


by("RegistryToken", "createdBy", "created_by")
owned("RegistryToken")


@node("RegistryToken", "registry_token.read")
async def find_token(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A registry token of an organization, revoked or not, whose registry is there."""
    token = await token_by_id(tx, access.id, TokenId(uuid))
    if token is None or token.kind is not Kind.REGISTRY or token.resource_id is None:
        return None
    registry = await maybe(find_registry(tx, access, token.resource_id))
    return show_token(token) if registry is not None else None


@field("RegistryToken", "registry", "registry.read")
async def registry_of_token(call: Call, token: Token, _arguments: Arguments) -> Thing:
    """What it opens.

    Raises:
        NotFound: it was deleted this very moment.
    """
    access = await call.access(token.organization_id)
    return show_registry(await call.read(lambda tx: find_registry(tx, access, token.resource_id or "")))
