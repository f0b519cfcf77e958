"""A portal's tokens and secrets; routes of our own (contract rest-graphql §2.12). A value is seen once."""

from collections.abc import Awaitable, Callable

import msgspec
from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from watchword.crypto.values import Secret
from watchword.domain.kinds import Kind
from watchword.domain.portals import PORTAL_TOKENS, Portal
from watchword.domain.tokens import Token
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.portals import PORTAL
from watchword.rest.portalshapes import CreatedPortalToken, NewPortalToken, PortalToken, show_token
from watchword.rest.rotations import handlers as rotation_handlers
from watchword.rest.tokens import GONE
from watchword.rest.withdrawals import (
    REVOCATION,
    BlastRadius,
    Find,
    Revocation,
    RevokeToken,
    radius_of,
    revocation_of,
    revoke_token,
)
from watchword.services.issuing import Issued
from watchword.services.portals import find_portal
from watchword.services.portaltokens import (
    KeptPortalToken,
    create_secret_in,
    create_service_token_in,
    find_portal_token_in,
    kept_in,
    portal_tokens_in,
    require_rotation_room_in,
)
from watchword.services.queries import Access, Unit

_REASON = "revoked through REST"
Create = Callable[[Call, Unit, Access, Portal, str], Awaitable[Issued]]


async def _portal(call: Call, tx: Unit, access: Access) -> Portal:
    return await find_portal(tx, access.id, call.path("portal"))


def handlers(  # noqa: C901 - nine short handlers of one noun
    noun: str, what: str, operation: str, kinds: tuple[Kind, ...], create: Create
) -> tuple[HTTPRouteHandler, ...]:
    """The handlers of one sort of a portal's values.

    Args:
        noun: last part of the list's path.
        what: what people call one, with its article.
        operation: what operations call it.
        kinds: what these are; the first one is listed and created.
        create: makes one.
    """
    path = f"{PORTAL}/{noun}"
    one = path + "/{token:str}"

    async def find_one(call: Call, tx: Unit, access: Access) -> Token:
        portal = await _portal(call, tx, access)
        return await find_portal_token_in(tx, portal, kinds, call.path("token"))

    def finder(call: Call) -> Find:
        async def find(tx: Unit, access: Access, *, revoked: bool) -> Token:  # noqa: ARG001 - of the protocol
            return await find_one(call, tx, access)

        return find

    @get(path, opt=needs(f"{operation}.read", query=PAGED), summary=f"List {noun} of a portal")
    async def list_them(request: RestRequest) -> Response[list[PortalToken]]:
        """Those of the portal that people made, ended ones too, newest first."""
        call = Call.of(request)

        async def work(tx: Unit, access: Access) -> list[KeptPortalToken]:
            portal, ledger = await _portal(call, tx, access), call.authority.ledger
            return await portal_tokens_in(tx, ledger, portal, kinds[0], call.page.window)

        rows = await call.read(work)
        return call.listed([show_token(call, each) for each in call.page.cut(rows)], rows)

    @get(one, opt=needs(f"{operation}.read"), summary=f"Get {what}")
    async def get_one(request: RestRequest) -> PortalToken:
        """One by its id, also a revoked one; never its value."""
        call = Call.of(request)

        async def work(tx: Unit, access: Access) -> PortalToken:
            return show_token(
                call, await kept_in(tx, call.authority.ledger, await find_one(call, tx, access))
            )

        return await call.read(work)

    @post(path, opt=needs(f"{operation}.create", body=NewPortalToken, keyed=True), summary=f"Create {what}")
    async def create_one(request: RestRequest) -> Response[CreatedPortalToken]:
        """Create one; the answer alone carries its value."""
        call = await Call.with_body(request)

        async def work(tx: Unit, access: Access) -> CreatedPortalToken:
            portal = await _portal(call, tx, access)
            issued = await create(call, tx, access, portal, call.decode(NewPortalToken).description)
            shown = show_token(call, await kept_in(tx, call.authority.ledger, issued.token))
            return CreatedPortalToken(**msgspec.structs.asdict(shown), token=_shown(issued.value))

        return await call.create(work)

    @delete(
        one,
        status_code=200,
        responses=GONE,
        opt=needs(f"{operation}.revoke", body=RevokeToken, query=REVOCATION, keyed=True),
        summary=f"Revoke {what}",
    )
    async def revoke_one(request: RestRequest) -> Response[BlastRadius | Revocation | None]:
        """Revoke one: whoever holds it is refused from the next call on."""
        call = await Call.with_body(request)
        return await revoke_token(call, finder(call), reason=_REASON)

    @get(
        one + "/blast-radius",
        opt=needs(f"{operation}.read"),
        summary=f"See what the end of {what} would touch",
    )
    async def radius_of_one(request: RestRequest) -> BlastRadius:
        """Callers of the last day that its end would touch."""
        call = Call.of(request)
        return await radius_of(call, finder(call))

    @get(one + "/revocation", opt=needs(f"{operation}.read"), summary=f"Get the revocation of {what}")
    async def revocation_of_one(request: RestRequest) -> Revocation:
        """The receipt of its revocation."""
        call = Call.of(request)
        return await revocation_of(call, finder(call))

    rotations = rotation_handlers(
        one, what, f"{operation}.read", f"{operation}.rotate", find_one, ready=require_rotation_room_in
    )
    return list_them, get_one, create_one, revoke_one, radius_of_one, revocation_of_one, *rotations


def _shown(value: Secret) -> str:
    return value.reveal()


async def _create_token(call: Call, tx: Unit, access: Access, portal: Portal, description: str) -> Issued:
    return await create_service_token_in(call.context, tx, access.caller, portal, description, access.user.id)


async def _create_secret(call: Call, tx: Unit, access: Access, portal: Portal, description: str) -> Issued:
    return await create_secret_in(call.context, tx, access.caller, portal, description, access.user.id)


HANDLERS = (
    *handlers("tokens", "a portal token", "portal_token", PORTAL_TOKENS, _create_token),
    *handlers("secrets", "a portal secret", "portal_secret", (Kind.PORTAL_SECRET,), _create_secret),
)
