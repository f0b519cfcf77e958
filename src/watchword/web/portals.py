"""Portals of an organization: listed, made, changed and deleted."""

from functools import partial

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.ids import TokenId
from watchword.domain.portals import Portal
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.portals import PortalRequest, find_portal, portals_of
from watchword.services.portaltokens import live_tokens_in
from watchword.services.queries import Unit
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.once import fresh_once, mint_once
from watchword.web.rendering import segment
from watchword.web.visit import Page, Visit, WebRequest

ORGANIZATION = "/organizations/{org:str}"
PORTALS = ORGANIZATION + "/portals"
PORTAL = PORTALS + "/{portal:str}"
# A portal may be called `new`; its page keeps that address.
NEW = ORGANIZATION + "/new-portal"

# Which field these speak of here.
_FIELDS = {"taken": "slug", "invalid_query": "query"}


def named(error: WatchwordError) -> WatchwordError | Problem:
    """An error with the field that it speaks of here."""
    return Problem.of(error, _FIELDS[error.code]) if error.code in _FIELDS else error


def base(visit: Visit) -> str:
    """Address of the list."""
    return f"/organizations/{segment(visit.path('org'))}/portals"


def at(visit: Visit) -> str:
    """Address of the portal of the path."""
    return f"{base(visit)}/{segment(visit.path('portal'))}"


async def here(visit: Visit, tx: Unit, access: Access) -> Portal:
    """The portal of the path.

    Raises:
        NotFound: there is none.
    """
    return await find_portal(tx, access.id, visit.path("portal"))


@get(PORTALS, opt=page("portal.read"))
async def list_portals(request: WebRequest) -> Page:
    """Portals, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> list[Portal]:
        return await portals_of(tx, access.id, visit.paging.window)

    paging, portals = visit.paging.cut(await visit.read(work))
    return visit.show("portals/index.html", portals=portals, paging=paging)


# -- made ------------------------------------------------------------------------------------------


def _asked(form: Form) -> PortalRequest:
    """What a form asks for; its lines end with CR LF, which no document means."""
    return PortalRequest(
        name=form.text("name"),
        query=form.raw("query").replace("\r\n", "\n"),
        slug=form.text("slug"),
        description=form.text("description"),
        allowed_networks=form.text("allowed_ip_addresses"),
        user_invokable=form.ticked("user_invokable"),
    )


async def _show_new(visit: Visit, *errors: WatchwordError) -> Page:
    async def nothing(_tx: Unit, _access: Access) -> None:
        return None

    await visit.read(nothing)
    return visit.show_again("portals/edit.html", *map(named, errors), portal=None, once=fresh_once())


@get(NEW, opt=page("portal.create"))
async def ask_for_portal(request: WebRequest) -> Page:
    """The form of a new portal."""
    return await _show_new(Visit.of(request))


@post(NEW, opt=page("portal.create", fresh=True), status_code=200)
async def create_portal(request: WebRequest) -> Page:
    """Create a portal; the value of its first token stands on this page alone."""
    visit = Visit.of(request)
    made: list[Portal] = []

    async def mint(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
        desk, by = visit.authority.portals, access.user.id
        portal, issued = await desk.create_in(tx, access.caller, access.id, _asked(visit.form), by)
        made[:] = [portal]
        return issued.token.id, issued.value

    async def owner(_tx: Unit, access: Access) -> Access:
        return access

    try:
        minted = await mint_once(visit, (await visit.read(owner)).id, visit.unit(mint))
    except WatchwordError as error:
        return await _show_new(visit, error)
    if minted.value is None or not made:
        return visit.go(base(visit))
    await visit.read(owner)
    return show_value(visit, made[0], minted.value, "portal token")


def show_value(visit: Visit, portal: Portal, value: Secret, what: str) -> Page:
    """The one page that shows a fresh value."""
    url = f"{visit.context.installation.url}/portal/organizations/{visit.path('org')}/portals/{portal.slug}"
    return visit.show("portals/value.html", portal=portal, value=value.reveal(), what=what, url=url)


# -- changed ---------------------------------------------------------------------------------------


async def _show_edit(visit: Visit, *errors: WatchwordError) -> Page:
    portal = await visit.read(partial(here, visit))
    return visit.show_again("portals/edit.html", *map(named, errors), portal=portal, once="")


@get(PORTAL + "/edit", opt=page("portal.update"))
async def ask_for_changes(request: WebRequest) -> Page:
    """The form of a portal."""
    return await _show_edit(Visit.of(request))


@post(PORTAL + "/edit", opt=page("portal.update", fresh=True), status_code=200)
async def change_portal(request: WebRequest) -> Page:
    """Change a portal: its tokens run the new document from the next call on."""
    visit = Visit.of(request)
    asked = _asked(visit.form)

    async def work(tx: Unit, access: Access) -> Portal:
        portal = await here(visit, tx, access)
        changes = {
            "name": asked.name,
            "query": asked.query,
            "slug": asked.slug or portal.slug,
            "description": asked.description,
            "allowed_networks": asked.allowed_networks,
            "user_invokable": asked.user_invokable,
        }
        desk, by = visit.authority.portals, access.user.id
        return await desk.update_in(tx, access.caller, portal, changes, by)

    try:
        portal = await visit.write(work)
    except WatchwordError as error:
        return await _show_edit(visit, error)
    return visit.go(f"{base(visit)}/{segment(portal.slug)}", done="portal-updated")


# -- deleted ---------------------------------------------------------------------------------------


async def _show_deletion(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Portal, list[Token], int]:
        portal = await here(visit, tx, access)
        live = await live_tokens_in(tx, portal, visit.now)
        callers = 0
        for token in live:
            callers += len((await visit.authority.blast.radius_in(tx, token)).callers)
        return portal, live, callers

    portal, live, callers = await visit.read(work)
    return visit.show_again("portals/delete.html", *errors, portal=portal, live=live, callers=callers)


@get(PORTAL + "/delete", opt=page("portal.delete"))
async def ask_before_deletion(request: WebRequest) -> Page:
    """What ends with it."""
    return await _show_deletion(Visit.of(request))


@post(PORTAL + "/delete", opt=page("portal.delete", fresh=True), status_code=200)
async def delete_portal(request: WebRequest) -> Page:
    """Delete a portal; every token and secret of it ends."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        portal = await here(visit, tx, access)
        if not visit.form.ticked("sure"):
            raise Invalid("Tick the box that you know what stops.", code="not_confirmed")
        await visit.authority.portals.delete_in(tx, access.caller, portal, access.user.id)

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show_deletion(visit, error)
    return visit.go(base(visit), done="portal-deleted")


HANDLERS = (
    list_portals,
    ask_for_portal,
    create_portal,
    ask_for_changes,
    change_portal,
    ask_before_deletion,
    delete_portal,
)
