"""Letting an application in from the browser: it asks, the person decides (RFC 6749 §4.1, 8252, 9700).

Nobody is sent to an address that is not known to be the application's. Browsers follow no redirect of a form
to where the page's policy lets no form go, so that the page names that one address; the proof of who one is
comes before the page, because the page of that proof names none.
"""

from urllib.parse import parse_qsl, urlsplit

from litestar import get, post

from watchword.domain.errors import WatchwordError
from watchword.domain.oauth import OAuthError
from watchword.domain.scopewords import sentences
from watchword.services.access import enter_in_person
from watchword.services.oauthconsent import (
    Asked,
    Returned,
    approve_in,
    choices_in,
    read_in,
    refusal_url,
)
from watchword.services.queries import Unit
from watchword.web.forms import Problem
from watchword.web.needs import PERSONAL, page
from watchword.web.security import CONTENT_SECURITY, content_security
from watchword.web.visit import Page, Visit, WebRequest

AUTHORIZE = "/oauth/authorize"
APPROVE = "approve"


def form_target(redirect_uri: str) -> str:
    """Where a form's answer leads, as a policy of content security names it (CSP 3 §2.3.1)."""
    parts = urlsplit(redirect_uri)
    if parts.scheme not in ("http", "https") or "[" in parts.netloc:  # it knows no IPv6 addresses
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"


def _given(visit: Visit) -> dict[str, list[str]]:
    """The query's parameters, all of their values; empty ones count as left out (RFC 6749 §3.1)."""
    found: dict[str, list[str]] = {}
    query = visit.request.scope["query_string"].decode("latin-1")
    for name, value in parse_qsl(query, keep_blank_values=False):
        found.setdefault(name, []).append(value)
    return found


async def _read(visit: Visit) -> Asked | Page:
    """What is asked; or the answer where that is not in order."""
    try:
        return await visit.context.store.read(lambda tx: read_in(tx, _given(visit)))
    except Returned as error:
        return visit.go_elsewhere(refusal_url(visit.context, error))
    except OAuthError as error:
        problem = Problem(error.message, error.code)
        return visit.show("oauth/consent.html", status=400, problems=[problem], asked=None)


async def _show(visit: Visit, asked: Asked, *errors: WatchwordError) -> Page:
    choice = await visit.context.store.read(lambda tx: choices_in(tx, visit.user, asked.application))
    wanted = visit.form.raw("organization") or asked.organization
    shown = visit.show(
        "oauth/consent.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "") for error in errors],
        asked=asked,
        target=urlsplit(asked.redirect_uri),
        opens=sentences(asked.scopes),
        choice=choice,
        chosen=next((one.slug for one in choice if wanted in (one.slug, one.id)), ""),
        here=visit.here,
    )
    shown.headers[CONTENT_SECURITY] = content_security(form=form_target(asked.redirect_uri))
    return shown


@get(AUTHORIZE, opt=page(PERSONAL, fresh=True))
async def ask(request: WebRequest) -> Page:
    """Show who asks for what, and for which organization; say what the page is for where nobody asks."""
    visit = Visit.of(request)
    if not visit.request.scope["query_string"]:
        return visit.show("oauth/consent.html", asked=None)
    asked = await _read(visit)
    return await _show(visit, asked) if isinstance(asked, Asked) else asked


@post(AUTHORIZE, opt=page(PERSONAL), status_code=200)
async def decide(request: WebRequest) -> Page:
    """Send the browser back to the application: with a code, or with the person's refusal."""
    visit = Visit.of(request)
    asked = await _read(visit)
    if not isinstance(asked, Asked):
        return asked
    if not visit.fresh:
        return visit.go(visit.here)
    if visit.form.raw("decision") != APPROVE:
        refused = Returned("access_denied", "The person refused.", asked.redirect_uri, asked.state)
        return visit.go_elsewhere(refusal_url(visit.context, refused))

    async def work(tx: Unit) -> str:
        access = await enter_in_person(tx, visit.user, visit.form.text("organization"), visit.caller)
        return await approve_in(visit.context, tx, access, asked)

    try:
        return visit.go_elsewhere(await visit.context.store.write(work))
    except WatchwordError as error:
        return await _show(visit, asked, error)


HANDLERS = (ask, decide)
