"""Signing in and out, and proving again who one is."""

from litestar import get, post

from watchword.crypto.values import Secret
from watchword.domain.errors import Forbidden, WatchwordError
from watchword.domain.tokens import DAY_US
from watchword.services.signing_in import SignedIn
from watchword.web.forms import Problem
from watchword.web.needs import PERSONAL, page
from watchword.web.security import SESSION_COOKIE, VISIT_COOKIE, cookie_header
from watchword.web.visit import PROOF_FIELD, Page, Visit, WebRequest, ask_for_proof, is_local

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
    return _door(visit)


def _door(visit: Visit, *errors: WatchwordError) -> Page:
    origin = visit.origin
    return visit.show(
        "sign_in.html",
        status=next((error.status for error in errors), 200),
        problems=[_problem(error) for error in errors],
        to=target(visit),
        email=visit.form.text("email"),
        why=_WHY.get(visit.query.raw("why"), ""),
        can_sign_in=origin.can_sign_in,
        host=origin.host,
    )


def _problem(error: WatchwordError) -> Problem:
    return Problem.of(error, "")


@post("/sign-in", opt=page(None), status_code=200)
async def sign_in(request: WebRequest) -> Page:
    """Sign in with a password; the second factor comes next where the person has one."""
    visit = Visit.of(request)
    if not visit.origin.can_sign_in:
        return _door(visit, _insecure())
    try:
        signed = await visit.authority.signing_in.sign_in(
            visit.form.text("email"), Secret(visit.form.raw("password")), visit.caller
        )
    except WatchwordError as error:
        return _door(visit, error)
    welcome(visit, signed)
    if not signed.session.complete:
        visit.key = signed.cookie
        return visit.show("sign_in_code.html", to=target(visit))
    return visit.go(target(visit))


def _insecure() -> Forbidden:
    return Forbidden("Nobody can sign in over plain http from another machine.", code="tls_required")


def welcome(visit: Visit, signed: SignedIn) -> None:
    """Give the browser its cookie."""
    session = signed.session
    lasts = (session.expires_at - session.created_at) // _SECOND
    visit.cookies.append(
        cookie_header(SESSION_COOKIE, signed.cookie.reveal(), min(lasts, 400 * DAY_US // _SECOND))
    )
    visit.cookies.append(cookie_header(VISIT_COOKIE, "", 0))


@post("/sign-in/code", opt=page(None), status_code=200)
async def code(request: WebRequest) -> Page:
    """Go on with the second factor."""
    visit = Visit.of(request)
    try:
        signed = await visit.authority.signing_in.second_factor(
            visit.key, visit.form.text("code"), visit.caller
        )
    except WatchwordError as error:
        problems = [Problem.of(error, "code")]
        return visit.show("sign_in_code.html", status=error.status, problems=problems, to=target(visit))
    welcome(visit, signed)
    return visit.go(target(visit))


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
    proof = Secret(visit.form.raw(PROOF_FIELD))
    try:
        await visit.authority.signing_in.escalate(visit.signed_in, proof, visit.caller)
    except WatchwordError as error:
        return await ask_for_proof(visit, error)
    return visit.go(target(visit))


HANDLERS = (ask, sign_in, code, sign_out, step_up)
