"""Answers of this surface: what its clients take for success, and the shape of refusals (contract §3, §9).

An answer of success never has a key `errors` or `maintenance`, whatever its value; a refusal has neither of
them, nor `data`: the agent's client would take it for something else.
"""

from collections.abc import Mapping
from typing import Any

from watchword.domain.errors import Forbidden, Refused, WatchwordError
from watchword.edge.http import Response

_UNAUTHENTICATED = 401
_REFUSED = Response.json(
    {
        "error": "unauthorized",
        "message": "This token is missing, unknown or revoked. Give the agent or the command line a token of"
        " this organization.",
    },
    _UNAUTHENTICATED,
)


class Barred(Forbidden):
    """A whole call is refused because of one of its fields."""

    code = "barred"


def refuse(error: WatchwordError) -> Response:
    """A refusal. Of a token that does not pass it is always the same one (§9, rule 1)."""
    if isinstance(error, Refused) and error.status == _UNAUTHENTICATED:
        return _REFUSED
    response = Response.json({"error": error.code, "message": error.message}, error.status)
    if error.retry_after:
        response.headers.append((b"retry-after", str(error.retry_after).encode()))
    return response


def fault(message: str, code: str) -> dict[str, Any]:
    """An error of GraphQL that belongs to no field."""
    return {"message": message, "extensions": {"code": code}}


def succeed(data: Mapping[str, Any]) -> Response:
    """A GraphQL answer."""
    return Response.json({"data": data})
