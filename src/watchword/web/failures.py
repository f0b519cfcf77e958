"""Failures as pages: what is wrong in words, the stable code, and the request's id to copy."""

from typing import Any, cast
from urllib.parse import urlencode

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from watchword.domain.errors import NotFound, Refused, WatchwordError
from watchword.web.rendering import render
from watchword.web.visit import Visit

log = structlog.get_logger("watchword.web")

_HEADINGS = {
    400: "This request cannot be understood",
    403: "You may not do that",
    404: "There is nothing here",
    405: "This page takes no such request",
    413: "That is too much",
    429: "Too many attempts",
    503: "Not available right now",
}
_PLAIN = {
    400: ("The request cannot be understood.", "malformed"),
    404: ("There is no such page, or you may not see it.", "no_such_path"),
    405: ("Open the page anew instead of sending it this way.", "method_not_allowed"),
    413: ("The form is too large.", "too_large"),
}
_SIGN_IN_CODES = frozenset({"session_ended", "user_disabled"})
_SERVER_ERROR = 500


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """The page of an error; whoever is not signed in is led to the door and comes back afterwards."""
    if isinstance(error, Refused) and error.code in _SIGN_IN_CODES:
        return _to_sign_in(request, error)
    status, message, code, headers = _read(error)
    if status == _SERVER_ERROR:
        log.error("unhandled", path=request.scope["path"], error=type(error).__name__, exc_info=error)
    scope = cast("dict[str, Any]", request.scope)
    edge = scope.get("watchword") or {}
    body = render(
        "error.html",
        {
            "visitor": _visitor(scope),
            "status": status,
            "heading": _HEADINGS.get(status, "Something failed here"),
            "message": message,
            "code": code,
            "request_id": edge.get("request_id", ""),
        },
    )
    return Response(body, status_code=status, media_type="text/html", headers=headers)


def _read(error: Exception) -> tuple[int, str, str, dict[str, str]]:
    """Status, sentence, code and headers of an error."""
    if isinstance(error, NotFound):
        return 404, *_PLAIN[404], {}
    if isinstance(error, WatchwordError):
        headers = {"retry-after": str(error.retry_after)} if error.retry_after else {}
        return error.status, error.message, error.code, headers
    if isinstance(error, HTTPException) and error.status_code in _PLAIN:
        return error.status_code, *_PLAIN[error.status_code], dict(error.headers or {})
    return _SERVER_ERROR, "This is our fault. Tell your operator the request's id.", "internal_error", {}


def _visitor(scope: dict[str, Any]) -> object:
    visit: Visit | None = scope.get("watchword_visit")
    return visit.visitor if visit is not None else None


def _to_sign_in(request: Request[Any, Any, Any], error: Refused) -> Response[str]:
    """Lead to the sign-in page. A form that was sent is lost, and its page opens again afterwards."""
    path = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    back = path + (f"?{query}" if query else "")
    pairs = {"to": back} if back != "/" else {}
    if request.method == "POST" or error.code == "user_disabled":
        pairs["why"] = error.code
    target = "/sign-in" + (f"?{urlencode(pairs)}" if pairs else "")
    return Response("", status_code=303, media_type="text/html", headers={"location": target})
