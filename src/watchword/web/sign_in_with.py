"""Single sign-on: to a provider, and back.

The ticket of the request stays in a cookie of its own, so that only the browser that left comes back.
"""

from litestar import get

from watchword.crypto.values import Secret
from watchword.domain.errors import WatchwordError
from watchword.domain.passkeys import TICKET_US
from watchword.services.single_sign_on import Begun
from watchword.web.needs import PERSONAL, page
from watchword.web.security import cookie_header
from watchword.web.sign_in import door, enter, require_safe, target
from watchword.web.visit import Page, Visit, WebRequest

TICKET_COOKIE = "__Host-watchword-sign-on"
_TICKET_SECONDS = TICKET_US // 1_000_000


def leave(visit: Visit, begun: Begun) -> None:
    """Keep the ticket in the browser while it is away."""
    visit.cookies.append(cookie_header(TICKET_COOKIE, begun.ticket.reveal(), _TICKET_SECONDS))


@get("/sign-in/with/{provider:str}", opt=page(None))
async def begin(request: WebRequest) -> Page:
    """Go to a provider to sign in; nothing is written for it."""
    visit = Visit.of(request)
    try:
        require_safe(visit)
        begun = await visit.authority.single_sign_on.begin(visit.path("provider"), target(visit))
    except WatchwordError as error:
        return door(visit, error)
    leave(visit, begun)
    return visit.go_elsewhere(begun.url)


@get("/step-up/with/{provider:str}", opt=page(PERSONAL))
async def begin_step_up(request: WebRequest) -> Page:
    """Go to a provider to sign in there again, as a fresh proof."""
    visit = Visit.of(request)
    begun = await visit.authority.single_sign_on.begin_step_up(
        visit.signed_in, visit.path("provider"), target(visit)
    )
    leave(visit, begun)
    return visit.go_elsewhere(begun.url)


@get("/sign-in/with/{provider:str}/done", opt=page(None))
async def finish(request: WebRequest) -> Page:
    """Come back from a provider."""
    visit = Visit.of(request)
    ticket = Secret(request.cookies.get(TICKET_COOKIE, ""))
    visit.cookies.append(cookie_header(TICKET_COOKIE, "", 0))
    answer = dict(visit.query.given)
    try:
        require_safe(visit)
        arrived = await visit.authority.single_sign_on.finish(
            visit.path("provider"), ticket, answer, visit.caller, visit.visitor
        )
    except WatchwordError as error:
        if visit.visitor is not None:
            raise
        return door(visit, error)
    if arrived.signed is None:
        return visit.go(arrived.to, done="identity-linked" if arrived.linked else "")
    return await enter(visit, arrived.signed, arrived.to)


HANDLERS = (begin, begin_step_up, finish)
