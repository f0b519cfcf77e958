"""What stands before every page: whose request it is, where its form came from, and a fresh proof.

`before` refuses forms of other sites, finds out who is signed in, and asks for a fresh proof where a handler
needs one.
"""

from typing import Any, cast

from watchword.crypto.values import Secret
from watchword.domain.errors import Refused
from watchword.web.forms import Form
from watchword.web.proving import prove
from watchword.web.security import (
    CSRF_FIELD,
    SESSION_COOKIE,
    VISIT_COOKIE,
    cookie_header,
    require_same_site,
    require_token,
)
from watchword.web.visit import AUTHORITY, COOKIES, VISIT, Page, Visit, WebRequest


async def before(request: WebRequest) -> Page | None:
    """Everything that stands before a handler; an answer here ends the request.

    Raises:
        Forbidden: the form comes from another site or is out of date.
        Refused: the handler needs somebody signed in, and nobody is.
        LookupError: the handler does not say what it needs.
    """
    needs = request.route_handler.opt
    if not needs.get("console"):
        raise LookupError("a page that does not say what it needs opens for nobody")
    visit = await _arrive(request)
    cast("dict[str, Any]", request.scope)[VISIT] = visit
    require_same_site(request.method, request.headers, request.headers.get("host", ""))
    if request.method == "POST":
        visit.form = Form.of(await request.form())
    require_token(request.method, visit.form.raw(CSRF_FIELD), visit.key)
    if needs["operation"] is None:
        return None
    _ = visit.signed_in
    return await prove(visit) if needs["fresh"] else None


async def _arrive(request: WebRequest) -> Visit:
    """Find out who it is."""
    scope = cast("dict[str, Any]", request.scope)
    edge = scope.get("watchword") or {}
    visit = Visit(
        request,
        scope[AUTHORITY],
        edge.get("address"),
        edge.get("request_id", ""),
        bool(edge.get("encrypted")),
    )
    scope[COOKIES] = visit.cookies
    cookie, known = request.cookies.get(SESSION_COOKIE), request.cookies.get(VISIT_COOKIE)
    if cookie:
        visit.key = Secret(cookie)
        try:
            visit.visitor = await visit.authority.signing_in.authenticate(visit.key)
        except Refused:
            visit.visitor = None
    elif known:
        visit.key = Secret(known)
    elif request.method == "GET":
        visit.cookies.append(cookie_header(VISIT_COOKIE, visit.key.reveal()))
    return visit
