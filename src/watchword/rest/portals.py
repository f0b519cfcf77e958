"""Portals (contract rest-graphql §2.12)."""

import msgspec
from litestar import Response, delete, get, post, route

from watchword.domain import portals
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.portalshapes import CreatedPortal, NewPortal, Portal, PortalChange, show_portal
from watchword.services.portals import PortalRequest, find_portal, portals_of
from watchword.services.queries import Access, Unit, people

PORTALS = "/v2/organizations/{org:str}/portals"
PORTAL = PORTALS + "/{portal:str}"


async def _show(tx: Unit, portal: portals.Portal) -> Portal:
    return show_portal(portal, await people(tx, [portal.created_by]))


@get(PORTALS, opt=needs("portal.read", query=PAGED), summary="List portals")
async def list_portals(request: RestRequest) -> Response[list[Portal]]:
    """Portals of the organization, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[portals.Portal], list[Portal]]:
        rows = await portals_of(tx, access.id, call.page.window)
        return rows, [await _show(tx, portal) for portal in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(PORTAL, opt=needs("portal.read"), summary="Get a portal")
async def get_portal(request: RestRequest) -> Portal:
    """One portal by its slug."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Portal:
        return await _show(tx, await find_portal(tx, access.id, call.path("portal")))

    return await call.read(work)


@post(PORTALS, opt=needs("portal.create", body=NewPortal, keyed=True), summary="Create a portal")
async def create_portal(request: RestRequest) -> Response[CreatedPortal]:
    """Create a portal; the answer alone carries the value of its first service token."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedPortal:
        body = call.decode(NewPortal)
        asked = PortalRequest(
            name=body.name or "",
            query=body.query or "",
            slug=body.slug or "",
            description=body.description or "",
            allowed_networks=body.allowed_ip_addresses or "",
            user_invokable=bool(body.user_invokable),
        )
        portal, issued = await call.authority.portals.create_in(
            tx, access.caller, access.id, asked, access.user.id
        )
        shown = await _show(tx, portal)
        return CreatedPortal(**msgspec.structs.asdict(shown), token=issued.value.reveal())

    return await call.create(work)


@route(
    PORTAL,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("portal.update", body=PortalChange),
    summary="Update a portal",
)
async def update_portal(request: RestRequest) -> Portal:
    """Change a portal. Its tokens run the new document from the next call on.

    Switching `user_invokable` off ends what members were given.
    """
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Portal:
        portal = await find_portal(tx, access.id, call.path("portal"))
        given = call.decode(PortalChange).given()
        desk = call.authority.portals
        return await _show(tx, await desk.update_in(tx, access.caller, portal, given, access.user.id))

    return await call.write(work)


@delete(PORTAL, opt=needs("portal.delete"), summary="Delete a portal")
async def delete_portal(request: RestRequest) -> None:
    """Delete a portal; every token and secret of it ends with it."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        portal = await find_portal(tx, access.id, call.path("portal"))
        await call.authority.portals.delete_in(tx, access.caller, portal, access.user.id)

    await call.write(work)


HANDLERS = (list_portals, get_portal, create_portal, update_portal, delete_portal)
