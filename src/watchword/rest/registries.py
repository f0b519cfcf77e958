"""Package registries (contract rest-graphql §2.13)."""

from dataclasses import replace
from typing import Any

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, UnsetType

from watchword.domain import registries
from watchword.domain.errors import Invalid
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id
from watchword.services.queries import Access, Unit
from watchword.services.registries import (
    RegistryRequest,
    create_registry,
    delete_registry,
    find_registry,
    registries_of,
    update_registry,
)

REGISTRIES = "/v2/packages/organizations/{org:str}/registries"
REGISTRY = REGISTRIES + "/{registry:str}"


class Registry(msgspec.Struct, kw_only=True):
    """A package registry; `oidc_policy` is a text, as it was given."""

    id: str
    graphql_id: str
    slug: str
    url: str
    web_url: str
    name: str
    ecosystem: str
    type: str
    description: str | None
    emoji: str | None
    color: str | None
    public: bool
    oidc_policy: str | None
    team_ids: list[str]


class NewRegistry(Body):
    """What a new registry is to be; `oidc_policy` is a text, or JSON that is kept as one."""

    name: str | None = None
    ecosystem: str | None = None
    description: str | None = None
    emoji: str | None = None
    color: str | None = None
    public: bool | None = None
    oidc_policy: str | list[Any] | dict[str, Any] | None = None
    team_ids: list[str] | None = None


class RegistryChange(Body):
    """What changes of a registry: an absent key leaves it as it is, null clears it."""

    name: str | UnsetType | None = UNSET
    ecosystem: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    emoji: str | UnsetType | None = UNSET
    color: str | UnsetType | None = UNSET
    public: bool | UnsetType | None = UNSET
    oidc_policy: str | list[Any] | dict[str, Any] | UnsetType | None = UNSET
    team_ids: list[str] | UnsetType | None = UNSET


def registry_path(slug: str, registry: registries.Registry) -> tuple[str, ...]:
    """Where a registry is below `/v2`."""
    return ("packages", "organizations", slug, "registries", registry.slug)


def registry_page(site: Site, slug: str, registry: registries.Registry) -> str:
    """Its page for people."""
    return site.web("organizations", slug, "registries", registry.slug)


def show_registry(site: Site, slug: str, registry: registries.Registry) -> Registry:
    """A registry as JSON."""
    return Registry(
        id=registry.id,
        graphql_id=graphql_id("Registry", registry.id),
        slug=registry.slug,
        url=site.rest(*registry_path(slug, registry)),
        web_url=registry_page(site, slug, registry),
        name=registry.name,
        ecosystem=registry.ecosystem,
        type=registries.TYPE,
        description=registry.description or None,
        emoji=registry.emoji or None,
        color=registry.color or None,
        public=registry.public,
        oidc_policy=registry.oidc_policy or None,
        team_ids=list(registry.team_ids),
    )


def _policy(given: str | list[Any] | dict[str, Any] | None) -> str:
    """An OIDC policy as text: clients send one, or JSON (contract rest-graphql §2.13)."""
    if given is None or isinstance(given, str):
        return given or ""
    return msgspec.json.encode(given).decode()


@get(REGISTRIES, opt=needs("registry.read", query=PAGED), summary="List registries")
async def list_registries(request: RestRequest) -> Response[list[Registry]]:
    """Registries that the caller reaches, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[registries.Registry], list[Registry]]:
        rows = await registries_of(tx, access, call.page.window)
        slug = access.organization.slug
        return rows, [show_registry(call.site, slug, one) for one in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(REGISTRY, opt=needs("registry.read"), summary="Get a registry")
async def get_registry(request: RestRequest) -> Registry:
    """One registry by its slug or id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Registry:
        found = await find_registry(tx, access, call.path("registry"))
        return show_registry(call.site, access.organization.slug, found)

    return await call.read(work)


@post(
    REGISTRIES,
    status_code=200,
    opt=needs("registry.create", body=NewRegistry, keyed=True),
    summary="Create a registry",
)
async def post_registry(request: RestRequest) -> Response[Registry]:
    """Create a registry. Packages of the ecosystem `python` are served; others hold tokens alone."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Registry:
        asked = call.decode(NewRegistry)
        wanted = RegistryRequest(
            name=asked.name or "",
            ecosystem=asked.ecosystem or "",
            description=asked.description or "",
            emoji=asked.emoji or "",
            color=asked.color or "",
            public=asked.public or False,
            oidc_policy=_policy(asked.oidc_policy),
            team_ids=asked.team_ids or (),
        )
        made = await create_registry(call.context, tx, access, wanted)
        return show_registry(call.site, access.organization.slug, made)

    return await call.create(work, status=200)


def _text(given: str | UnsetType | None, known: str) -> str:
    return known if given is UNSET else given or ""


def _changed(before: registries.Registry, asked: RegistryChange) -> registries.Registry:
    """A registry with what a body changes of it.

    Raises:
        Invalid: it changes the ecosystem.
    """
    if asked.ecosystem is not UNSET and asked.ecosystem not in (None, before.ecosystem):
        raise Invalid("Validation failed: Ecosystem cannot be changed", code="ecosystem_fixed")
    policy, teams, public = asked.oidc_policy, asked.team_ids, asked.public
    return replace(
        before,
        name=_text(asked.name, before.name),
        description=_text(asked.description, before.description),
        emoji=_text(asked.emoji, before.emoji),
        color=_text(asked.color, before.color),
        public=before.public if public is UNSET else bool(public),
        oidc_policy=before.oidc_policy if policy is UNSET else _policy(policy),
        team_ids=before.team_ids if teams is UNSET else tuple(teams or ()),
    )


@route(
    REGISTRY,
    http_method=["POST", "PUT", "PATCH"],
    status_code=200,
    opt=needs("registry.update", body=RegistryChange),
    summary="Update a registry",
)
async def put_registry(request: RestRequest) -> Registry:
    """Change a registry. Another name makes another slug, and with it another address for installers."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Registry:
        before = await find_registry(tx, access, call.path("registry"))
        after = _changed(before, call.decode(RegistryChange))
        changed = await update_registry(call.context, tx, access, before, after)
        return show_registry(call.site, access.organization.slug, changed)

    return await call.write(work)


@delete(REGISTRY, opt=needs("registry.delete"), summary="Delete a registry")
async def remove_registry(request: RestRequest) -> None:
    """Delete a registry with its packages, and revoke its tokens."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        registry = await find_registry(tx, access, call.path("registry"))
        await delete_registry(call.context, tx, access, registry)

    await call.write(work)


HANDLERS = (list_registries, get_registry, post_registry, put_registry, remove_registry)
