"""One portal: its document, its tokens and secrets; these are made, shown once and revoked here."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from watchword.crypto.values import Secret
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.ids import TokenId
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.lifecycle import BlastRadius
from watchword.domain.portals import MAX_SECRETS, PORTAL_KINDS, PORTAL_TOKENS, Portal
from watchword.domain.tokens import State
from watchword.services.access import Access
from watchword.services.issuing import Issued
from watchword.services.lookups import EVERYTHING, token_by_id
from watchword.services.portaltokens import (
    KeptPortalToken,
    create_secret_in,
    create_service_token_in,
    find_portal_token_in,
    kept_in,
    live_tokens_in,
    portal_of_token,
    portal_tokens_in,
)
from watchword.services.queries import Unit
from watchword.services.withdrawing import Withdrawn
from watchword.web.forms import Form
from watchword.web.needs import page
from watchword.web.once import fresh_once, mint_once
from watchword.web.portals import ORGANIZATION, PORTAL, at, base, here, named, show_value
from watchword.web.rendering import segment
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.withdrawal import read_withdrawal

Create = Callable[[Visit, Unit, Access, Portal, str], Awaitable[Issued]]
_PASSING = (Kind.PORTAL_EPHEMERAL, Kind.PORTAL_USER)
_UNSAID = "revoked on the console"


async def _show(visit: Visit, *errors: WatchwordError) -> Page:
    ledger = visit.authority.ledger

    async def work(tx: Unit, access: Access) -> dict[str, Any]:
        portal = await here(visit, tx, access)
        live = [each for each in await live_tokens_in(tx, portal, visit.now) if each.kind in _PASSING]
        return {
            "portal": portal,
            "tokens": await portal_tokens_in(tx, ledger, portal, Kind.PORTAL_SERVICE, EVERYTHING),
            "secrets": await portal_tokens_in(tx, ledger, portal, Kind.PORTAL_SECRET, EVERYTHING),
            "passing": [await kept_in(tx, ledger, each) for each in live],
        }

    values = await visit.read(work)
    portal: Portal = values["portal"]
    try:
        values["operations"], values["unfit"] = visit.authority.portals.outline(portal), ""
    except Invalid as error:
        values["operations"], values["unfit"] = (), error.message
    url = f"{visit.context.installation.url}/portal/organizations/{visit.path('org')}/portals/{portal.slug}"
    secrets: list[KeptPortalToken] = values["secrets"]
    room = sum(one.token.state is State.ACTIVE for one in secrets) < MAX_SECRETS
    return visit.show_again(
        "portals/show.html", *map(named, errors), once=fresh_once(), url=url, room=room, **values
    )


@get(PORTAL, opt=page("portal.read"))
async def show_portal(request: WebRequest) -> Page:
    """What it runs, and who may."""
    return await _show(Visit.of(request))


@get(ORGANIZATION + "/portal-tokens/{token:str}", opt=page("portal_token.read"))
async def lead_to_portal(request: WebRequest) -> Page:
    """From a token, by its id, to the page of the portal that it belongs to."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Portal:
        token = await token_by_id(tx, access.id, TokenId(visit.path("token").lower()))
        portal = await portal_of_token(tx, token) if token is not None else None
        if portal is None or token is None or token.kind not in PORTAL_KINDS:
            raise NotFound("No portal found")
        return portal

    return visit.go(f"{base(visit)}/{segment((await visit.read(work)).slug)}")


def _handlers(  # noqa: C901 - short handlers of one noun
    noun: str, what: str, operation: str, kinds: tuple[Kind, ...], create: Create
) -> tuple[HTTPRouteHandler, ...]:
    """Pages of one sort of a portal's values; `noun` is a part of their paths."""
    one = f"{PORTAL}/{noun}/{{token:str}}/revoke"

    @post(f"{PORTAL}/{noun}", opt=page(f"{operation}.create", fresh=True), status_code=200)
    async def create_one(request: WebRequest) -> Page:
        """Make one; its value stands on the page that follows and nowhere else."""
        visit = Visit.of(request)

        async def mint(tx: Unit, access: Access) -> tuple[TokenId, Secret]:
            portal = await here(visit, tx, access)
            issued = await create(visit, tx, access, portal, visit.form.text("description"))
            return issued.token.id, issued.value

        async def found(tx: Unit, access: Access) -> Portal:
            return await here(visit, tx, access)

        portal = await visit.read(found)
        try:
            minted = await mint_once(visit, portal.organization_id, visit.unit(mint))
        except WatchwordError as error:
            return await _show(visit, error)
        if minted.value is None:
            return visit.go(at(visit))
        return show_value(visit, portal, minted.value, what)

    async def ending(visit: Visit, *errors: WatchwordError) -> Page:
        async def work(tx: Unit, access: Access) -> tuple[Portal, KeptPortalToken, BlastRadius]:
            portal = await here(visit, tx, access)
            token = await find_portal_token_in(tx, portal, kinds, visit.path("token"))
            radius = await visit.authority.blast.radius_in(tx, token)
            return portal, await kept_in(tx, visit.authority.ledger, token), radius

        portal, kept, radius = await visit.read(work)
        return visit.show_again(
            "portals/revoke.html",
            *errors,
            portal=portal,
            kept=kept,
            token=kept.token,
            radius=radius,
            noun=noun,
            what=KINDS[kept.token.kind].title,
            live=kept.token.state_at(visit.now) is State.ACTIVE,
        )

    @get(one, opt=page(f"{operation}.revoke"))
    async def ask_to_revoke(request: WebRequest) -> Page:
        """What stops with it."""
        return await ending(Visit.of(request))

    @post(one, opt=page(f"{operation}.revoke", fresh=True), status_code=200)
    async def revoke_one(request: WebRequest) -> Page:
        """Revoke it, for good."""
        visit = Visit.of(request)

        async def work(tx: Unit, access: Access) -> Withdrawn:
            portal = await here(visit, tx, access)
            token = await find_portal_token_in(tx, portal, kinds, visit.path("token"))
            if not visit.form.ticked("sure"):
                raise Invalid("Tick the box that you know what stops.", code="not_confirmed")
            asked = read_withdrawal(Form([("reason", visit.form.text("reason"))]), reason=_UNSAID)
            revoker = visit.authority.revoker
            return await revoker.revoke_in(tx, access.caller, token, access.user.id, asked)

        try:
            made = await visit.write(work)
        except WatchwordError as error:
            return await ending(visit, error)
        visit.authority.revoker.settle(made)
        await visit.authority.revoker.confirm(made.revocation.organization_id, made.revocation.id)
        return visit.go(at(visit), done="portal-value-revoked")

    return create_one, ask_to_revoke, revoke_one


async def _create_token(visit: Visit, tx: Unit, access: Access, portal: Portal, text: str) -> Issued:
    return await create_service_token_in(visit.context, tx, access.caller, portal, text, access.user.id)


async def _create_secret(visit: Visit, tx: Unit, access: Access, portal: Portal, text: str) -> Issued:
    return await create_secret_in(visit.context, tx, access.caller, portal, text, access.user.id)


HANDLERS = (
    show_portal,
    lead_to_portal,
    *_handlers("values", "portal token", "portal_token", PORTAL_TOKENS, _create_token),
    *_handlers("secrets", "portal secret", "portal_secret", (Kind.PORTAL_SECRET,), _create_secret),
)
