"""Failures: every error leaves in GraphQL's form, with a stable code (contract rest-graphql §1.8)."""

from collections.abc import Iterable
from typing import Any

import structlog
from graphql import GraphQLError

from watchword.domain.errors import Invalid, Refused, Unavailable, WatchwordError
from watchword.domain.tokens import Reason

log = structlog.get_logger("watchword.graphql")

AUTHENTICATION_REQUIRED = (
    "Authentication required. Please supply a valid API Access Token: "
    "https://buildkite.com/docs/apis/graphql-api#authentication"
)
# These say nothing beyond the known text, so that an unknown value and none at all read alike.
_PLAIN = (Reason.MISSING, Reason.MALFORMED, Reason.UNKNOWN)
_UNAUTHENTICATED = 401
MAX_ERRORS = 5


class Unsupported(Invalid):
    """A field that clients' documents name and this server does not serve."""

    code = "unsupported"


def unsupported(name: str) -> Unsupported:
    """The error of such a field."""
    return Unsupported(f"{name} is not supported by this server")


def refusal_text(error: Refused) -> str:
    """What a token that does not pass is told."""
    if error.status != _UNAUTHENTICATED:
        return error.message
    return AUTHENTICATION_REQUIRED if error.code in _PLAIN else f"{AUTHENTICATION_REQUIRED} ({error.message})"


def fault(request_id: str) -> str:
    """What is told of what we did not foresee."""
    return f"Something failed here; tell the operator request {request_id}."


def plain(message: str, code: str) -> dict[str, Any]:
    """An error that belongs to no field."""
    return {"message": message, "extensions": {"code": code}}


def shape(error: WatchwordError) -> dict[str, Any]:
    """An error of ours outside of any field."""
    message = refusal_text(error) if isinstance(error, Refused) else error.message
    return plain(message, error.code)


def told(errors: Iterable[GraphQLError], code: str, request_id: str) -> list[dict[str, Any]]:
    """Errors of a document as JSON; what we did not foresee is logged and says no more than that.

    Args:
        errors: what parsing, validation or execution found.
        code: of errors that are not of ours.
        request_id: named to the client where something failed here.
    """
    return [_tell(error, code, request_id) for error in list(errors)[:MAX_ERRORS]]


def _tell(error: GraphQLError, code: str, request_id: str) -> dict[str, Any]:
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    shown = {key: value for key, value in error.formatted.items() if key in ("message", "locations", "path")}
    if isinstance(cause, WatchwordError):
        code = cause.code
        shown["message"] = cause.message
        if isinstance(cause, Unavailable):  # clients try again on these words (contract §1.8)
            shown["message"] = "The server is currently busy, please try again."
    elif cause is not None and error.path is not None:
        log.error("unhandled", path=error.path, error=type(cause).__name__, exc_info=cause)
        code = WatchwordError.code
        shown["message"] = fault(request_id)
    return {**shown, "extensions": {"code": code}}
