"""Signing in and out with a password and a second factor, and proving again who one is."""

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Forbidden, Refused, WatchwordError
from watchword.domain.tokens import DAY_US
from watchword.services.sessions import SignedIn
from watchword.web.forms import Problem
from watchword.web.needs import PERSONAL, page
from watchword.web.proving import ask_for_proof, takes_passkeys, try_proof
from watchword.web.security import SESSION_COOKIE, VISIT_COOKIE, cookie_header
from watchword.web.visit import Page, Visit, WebRequest, is_local

_WHY = {
    "session_ended": "Your session has ended. Sign in to go on; what you sent was not done.",
    "user_disabled": "This account is disabled. Ask an administrator of your installation.",
}
_SECOND = 1_000_000


def target(visit: Visit) -> str:
    """Where somebody wanted to go: a page of ours, else the first one."""
    asked = visit.form.raw("to") or visit.query.raw("to")
    return asked if is_local(asked) and not asked.startswith("/sign-") else "/"


@get("/sign-in", opt=page(None))
async def ask(request: WebRequest) -> Page:
    """The door."""
    visit = Visit.of(request)
    if visit.visitor is not None:
        return visit.go(target(visit))
    return door(visit)


def door(visit: Visit, *errors: WatchwordError) -> Page:
    """The page at which people sign in, with what went wrong."""
    origin = visit.origin
    party = visit.authority.passkey_signing.party()
    return visit.show(
        "sign_in.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "") for error in errors],
        to=target(visit),
        email=visit.form.text("email"),
        why=_WHY.get(visit.query.raw("why"), ""),
        can_sign_in=origin.can_sign_in,
        host=origin.host,
        passkeys=takes_passkeys(visit),
        passkey_site=party.origin if party is not None and not takes_passkeys(visit) else "",
        providers=visit.authority.single_sign_on.providers,
    )


@post("/sign-in", opt=page(None), status_code=200)
async def sign_in(request: WebRequest) -> Page:
    """Sign in with a password; the second factor comes next where the person has one."""
    visit = Visit.of(request)
    try:
        require_safe(visit)
        signed = await visit.authority.signing_in.sign_in(
            visit.form.text("email"), Secret(visit.form.raw("password")), visit.caller
        )
    except WatchwordError as error:
        return door(visit, error)
    return await enter(visit, signed)


def require_safe(visit: Visit) -> None:
    """Require that the browser keeps a session's cookie here, before anything secret is looked at.

    Raises:
        Forbidden: it came over plain http from another machine.
    """
    if not visit.origin.can_sign_in:
        raise Forbidden("Nobody can sign in over plain http from another machine.", code="tls_required")


async def enter(visit: Visit, signed: SignedIn, to: str = "") -> Page:
    """Give the browser its cookie, and go on: to the second factor, or to where the person wanted."""
    session = signed.session
    lasts = (session.expires_at - session.created_at) // _SECOND
    visit.cookies.append(
        cookie_header(SESSION_COOKIE, signed.cookie.reveal(), min(lasts, 400 * DAY_US // _SECOND))
    )
    visit.cookies.append(cookie_header(VISIT_COOKIE, "", 0))
    if session.complete:
        return visit.go(to or target(visit))
    visit.key = signed.cookie
    return await ask_for_code(visit, to)


async def ask_for_code(visit: Visit, to: str = "", *errors: WatchwordError) -> Page:
    """The page of the second factor: a code, a recovery code, or a passkey."""
    user = await visit.authority.signing_in.halfway(visit.key)
    data = await visit.context.store.read(lambda tx: tx.people.sign_in_data(user.id))
    return visit.show(
        "sign_in_code.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "code") for error in errors],
        to=to or target(visit),
        app=data.totp,
        passkeys=data.passkeys > 0 and takes_passkeys(visit),
    )


@get("/sign-in/code", opt=page(None))
async def second(request: WebRequest) -> Page:
    """The page of the second factor, for whoever comes back from a provider."""
    visit = Visit.of(request)
    if visit.visitor is not None:
        return visit.go(target(visit))
    try:
        return await ask_for_code(visit)
    except Refused:
        return door(visit)


@post("/sign-in/code", opt=page(None), status_code=200)
async def code(request: WebRequest) -> Page:
    """Go on with the second factor."""
    visit = Visit.of(request)
    try:
        signed = await visit.authority.signing_in.second_factor(
            visit.key, visit.form.text("code"), visit.caller
        )
    except WatchwordError as error:
        return await again(visit, error)
    return await enter(visit, signed)


async def again(visit: Visit, error: WatchwordError) -> Page:
    """The second factor once more; the door where the time for it is over."""
    try:
        return await ask_for_code(visit, "", error)
    except Refused as ended:
        return door(visit, ended)


@post("/sign-out", opt=page(PERSONAL), status_code=200)
async def sign_out(request: WebRequest) -> Page:
    """End this session."""
    visit = Visit.of(request)
    await visit.authority.signing_in.sign_out(visit.signed_in, visit.caller)
    visit.cookies.append(cookie_header(SESSION_COOKIE, "", 0))
    return visit.go("/sign-in", done="signed-out")


@post("/step-up", opt=page(PERSONAL), status_code=200)
async def step_up(request: WebRequest) -> Page:
    """Prove again who one is, then go on to the page that asked for it."""
    visit = Visit.of(request)
    try:
        if not await try_proof(visit):
            return await ask_for_proof(visit)
    except WatchwordError as error:
        return await ask_for_proof(visit, error)
    return visit.go(target(visit))


HANDLERS = (ask, sign_in, second, code, sign_out, step_up)
