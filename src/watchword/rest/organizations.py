"""Organizations that a token reaches."""

import msgspec
from litestar import Response, get

from watchword.domain import accounts
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant
from watchword.services.queries import Access, Unit, reachable


class Organization(msgspec.Struct, kw_only=True):
    """An organization."""

    id: str
    graphql_id: str
    url: str
    web_url: str
    name: str
    slug: str
    pipelines_url: str
    agents_url: str
    emojis_url: str
    created_at: str


def show_organization(site: Site, organization: accounts.Organization) -> Organization:
    """An organization as JSON."""
    at = ("organizations", organization.slug)
    return Organization(
        id=organization.id,
        graphql_id=graphql_id("Organization", organization.id),
        url=site.rest(*at),
        web_url=site.web(organization.slug),
        name=organization.name,
        slug=organization.slug,
        pipelines_url=site.rest(*at, "pipelines"),
        agents_url=site.rest(*at, "agents"),
        emojis_url=site.rest(*at, "emojis"),
        created_at=instant(organization.created_at),
    )


@get("/v2/organizations", opt=needs("organization.list", query=PAGED), summary="List organizations")
async def list_organizations(request: RestRequest) -> Response[list[Organization]]:
    """Only organizations that the presented token reaches."""
    call = Call.of(request)

    async def work(tx: Unit) -> list[accounts.Organization]:
        window = call.page.window
        return (await reachable(tx, call.presented))[window.offset : window.offset + window.limit]

    rows = await call.context.store.read(work)
    return call.listed([show_organization(call.site, one) for one in call.page.cut(rows)], rows)


@get("/v2/organizations/{org:str}", opt=needs("organization.read"), summary="Get an organization")
async def get_organization(request: RestRequest) -> Organization:
    """One organization by its slug."""
    call = Call.of(request)

    async def work(_tx: Unit, access: Access) -> Organization:
        return show_organization(call.site, access.organization)

    return await call.read(work)


class Emoji(msgspec.Struct, kw_only=True):
    """An emoji of the organization's own."""

    name: str
    url: str


@get("/v2/organizations/{org:str}/emojis", opt=needs("organization.emojis"), summary="List emojis")
async def list_emojis(request: RestRequest) -> list[Emoji]:
    """None: emojis beyond Unicode's belong to the vendor's pages."""
    call = Call.of(request)

    async def work(_tx: Unit, _access: Access) -> list[Emoji]:
        return []

    return await call.read(work)


HANDLERS = (list_organizations, get_organization, list_emojis)
