"""Failures: every error leaves as `{"message", "code"}` (contract rest-graphql §1.8)."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from watchword.domain.errors import Refused, WatchwordError
from watchword.domain.tokens import Reason
from watchword.services.budgets import BudgetSpent

log = structlog.get_logger("watchword.rest")

AUTHENTICATION_REQUIRED = (
    "Authentication required. Please supply a valid API Access Token: "
    "https://buildkite.com/docs/apis/rest-api#authentication"
)
# These say nothing beyond the known text, so that an unknown value and none at all read alike.
_PLAIN = (Reason.MISSING, Reason.MALFORMED, Reason.UNKNOWN)
_KNOWN = {
    400: ("The request cannot be understood.", "malformed"),
    404: ("Not Found", "no_such_path"),
    405: ("Method Not Allowed", "method_not_allowed"),
    413: ("The request body is too large.", "too_large"),
}
_UNAUTHENTICATED = 401
_INVALID = 422
_SERVER_ERROR = 500


class Failure(msgspec.Struct, kw_only=True):
    """An error: a sentence for people, a stable word for programs."""

    message: str
    code: str


class Spent(Failure, kw_only=True):
    """A budget is used up: which, how much of it was used, and the seconds until it begins anew."""

    scope: str
    limit: int
    current: int
    reset: int


class FieldProblem(msgspec.Struct, kw_only=True):
    """What is wrong with a field of a body, in words; `base` where it is no field's alone."""

    field: str
    code: str


class Listed(Failure, kw_only=True):
    """What is wrong with the body of a pipeline or build: the list form of contract rest-graphql §1.8."""

    errors: list[FieldProblem]


# Which field an error speaks of; those that are left out speak of the whole.
_FIELDS = {
    "invalid_name": "name",
    "invalid_slug": "name",
    "taken": "name",
    "invalid_yaml": "configuration",
    "invalid_pipeline": "configuration",
    "two_configurations": "configuration",
    "invalid_timeout": "default_timeout_in_minutes",
    "protected_variable": "env",
    "invalid_key": "meta_data",
    "invalid_value": "meta_data",
    "invalid_command": "command",
    "invalid_step": "command",
    "no_steps": "configuration",
}
_PREFIX = "Validation failed: "


def listed(failure: Failure) -> Listed:
    """A failure in the list form; the reason, in words, stands where clients look for it."""
    reason = failure.message.removeprefix(_PREFIX)
    field = _FIELDS.get(failure.code, "base")
    if failure.code == "invalid_body":
        field = reason.partition(":")[0]
    problem = FieldProblem(field=field, code=reason)
    return Listed(message="Validation Failed", code=failure.code, errors=[problem])


def shape(error: Exception) -> tuple[int, Failure, dict[str, str]]:
    """Status, body and headers of an error."""
    if isinstance(error, Refused) and error.status == _UNAUTHENTICATED:
        text = AUTHENTICATION_REQUIRED
        if error.code not in _PLAIN:
            text = f"{text} ({error.message})"
        headers = {"www-authenticate": 'Bearer realm="watchword"'}
        return error.status, Failure(message=text, code=error.code), headers
    if isinstance(error, WatchwordError):
        headers = {"retry-after": str(error.retry_after)} if error.retry_after else {}
        return error.status, _failure(error), headers
    if isinstance(error, HTTPException) and error.status_code in _KNOWN:
        message, code = _KNOWN[error.status_code]
        known: Mapping[str, str] = error.headers or {}
        return error.status_code, Failure(message=message, code=code), dict(known)
    return _SERVER_ERROR, Failure(message="Something failed here.", code=WatchwordError.code), {}


def _failure(error: WatchwordError) -> Failure:
    if not isinstance(error, BudgetSpent):
        return Failure(message=error.message, code=error.code)
    budget = error.budget
    return Spent(
        message=error.message,
        code=error.code,
        scope=budget.scope,
        limit=budget.limit,
        current=budget.used,
        reset=budget.reset,
    )


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Failure]:
    """The answer to a request that failed; what we did not foresee is logged with its trace."""
    status, failure, headers = shape(error)
    if status == _INVALID and _lists(request):
        failure = listed(failure)
    if status == _SERVER_ERROR:
        log.error("unhandled", path=request.scope["path"], error=type(error).__name__, exc_info=error)
    return Response(failure, status_code=status, headers=headers, media_type="application/json")


def _lists(request: Request[Any, Any, Any]) -> bool:
    """Whether the route gives the list form."""
    handler: Any = request.scope.get("route_handler")
    return handler is not None and bool(handler.opt.get("listed"))
