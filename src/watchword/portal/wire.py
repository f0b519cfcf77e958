"""Bodies and answers of portals (contract rest-graphql §5.1 to §5.4)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from watchword.domain.errors import Malformed, Refused, WatchwordError
from watchword.domain.formats import whole_seconds
from watchword.domain.ratelimits import Budget
from watchword.edge.asking import variables
from watchword.edge.http import Headers, Response, decode
from watchword.services.budgets import BudgetSpent
from watchword.services.issuing import Issued
from watchword.services.portaldoor import AskedCode

MAX_BODY = 1024 * 1024
MAX_TOKEN_BODY = 16 * 1024
_UNAUTHENTICATED = 401


class TokenBody(msgspec.Struct):
    """What asks for a token; which keys count depends on `grant_type`. `expires_in` counts minutes."""

    grant_type: str = ""
    client_id: str = ""
    secret: str = ""
    code: str = ""
    expires_in: int | None = None


_ANYTHING: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder(strict=True)
_TOKEN = msgspec.json.Decoder(TokenBody)


def read_arguments(body: bytes) -> Mapping[str, Any]:
    """The body of a run: an object whose keys are the variables of the stored document; nothing is `{}`.

    Raises:
        Malformed: it is no JSON, or no object.
        Invalid: a value nests too deep, or holds a NUL character.
    """
    given = decode(_ANYTHING, body) if body.strip() else {}
    if not isinstance(given, dict):
        raise Malformed(
            "The body is a JSON object: each key is an argument of the portal.", code="invalid_body"
        )
    return variables(given)


def read_token_body(body: bytes) -> TokenBody:
    """What asks for a token.

    Raises:
        Malformed: it is no JSON (400), or a key holds what it cannot hold (422).
    """
    found: TokenBody = decode(_TOKEN, body if body.strip() else b"{}")
    return found


def issued_answer(issued: Issued) -> Response:
    """A fresh token."""
    token = issued.token
    return Response.json({"token": issued.value.reveal(), "expires_at": whole_seconds(token.expires_at)})


def code_answer(asked: AskedCode) -> Response:
    """A fresh code."""
    return Response.json(
        {
            "code": asked.code,
            "secret": asked.secret.reveal(),
            "authorization_url": asked.url,
            "expires_at": whole_seconds(asked.expires_at),
        }
    )


def limit_headers(budget: Budget) -> Headers:
    """What an answer says of the organization's budget; times are seconds to go."""
    shown = {
        "ratelimit-scope": budget.scope,
        "ratelimit-limit": str(budget.shown_limit),
        "ratelimit-remaining": str(budget.remaining),
        "ratelimit-reset": str(budget.reset),
    }
    return [(name.encode(), value.encode()) for name, value in shown.items()]


def refuse_run(error: WatchwordError) -> Response:
    """An error of a run: `message` and `code` as on REST, `errors` as GraphQL clients read them."""
    shown: dict[str, object] = {
        "message": error.message,
        "code": error.code,
        "errors": [{"message": error.message, "extensions": {"code": error.code}}],
    }
    if isinstance(error, BudgetSpent):
        budget = error.budget
        shown |= {
            "scope": budget.scope,
            "limit": budget.limit,
            "current": budget.used,
            "reset": budget.reset,
        }
    response = Response.json(shown, error.status)
    if isinstance(error, BudgetSpent):
        response.headers += limit_headers(error.budget)
    return _headed(response, error)


def refuse_token(error: WatchwordError) -> Response:
    """An error of a token or code: the words of OAuth beside ours."""
    shown = {
        "message": error.message,
        "code": error.code,
        "error": error.code,
        "error_description": error.message,
    }
    return _headed(Response.json(shown, error.status), error)


def _headed(response: Response, error: WatchwordError) -> Response:
    if isinstance(error, Refused) and error.status == _UNAUTHENTICATED:
        response.headers.append((b"www-authenticate", b'Bearer realm="watchword"'))
    if error.retry_after:
        response.headers.append((b"retry-after", str(error.retry_after).encode()))
    return response
