"""The GraphQL API as an ASGI application (contract rest-graphql §1.8, §3.2): one path, POST, JSON."""

from typing import Any

import structlog

from watchword.domain.errors import Refused, WatchwordError
from watchword.domain.kinds import Kind
from watchword.domain.scopes import GRAPHQL
from watchword.edge.asking import MAX_BODY, ask
from watchword.edge.http import Asgi, ClientGone, Receive, Request, Response, Scope, Send
from watchword.graphql import spending
from watchword.graphql.call import Call
from watchword.graphql.engine import Engine, Outcome, refused
from watchword.graphql.failures import plain, shape
from watchword.graphql.schema import executable
from watchword.services.authority import Authority
from watchword.services.verifying import Presented

log = structlog.get_logger("watchword.graphql")

PATHS = ("/v1", "/graphql")
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Link"),
]
_PREFLIGHT = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"Authorization, Content-Type"),
    (b"access-control-max-age", b"600"),
]
_BEARER = b"bearer "
_STATS = b"buildkite-include-query-stats"
_UNAUTHENTICATED = 401


class GraphQL:
    """Serves the two paths; everything else below them does not exist."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._engine = Engine(executable())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        edge = scope.get("watchword") or {}
        client = scope.get("client")
        address = edge["address"] if edge else client[0] if client else None
        request = Request(scope, receive, headers, address, edge.get("request_id", ""))
        try:
            response = await self._answer(request)
        except ClientGone:
            raise
        except WatchwordError as error:
            response = _refusal(error)
        except Exception as error:  # the last line: nothing reaches a client unshaped
            log.exception("unhandled", request_id=request.id, error=type(error).__name__)
            response = Response.json(refused(error, request.id))
        response.headers += _CORS
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, request: Request) -> Response:
        if request.scope["path"].rstrip("/") not in PATHS:
            return Response.json({"errors": [plain("Not Found", "no_such_path")]}, 404)
        method = request.scope["method"]
        if method == "OPTIONS":  # what a path takes is public; browsers ask without a token
            return Response(204, b"", list(_PREFLIGHT))
        if method != "POST":
            response = Response.json({"errors": [plain("This path takes POST.", "method_not_allowed")]}, 405)
            response.headers.append((b"allow", b"POST"))
            return response
        presented = await self._verify(request)
        spending.require(self._authority.budgets, presented)
        outcome = await self._execute(request, presented)
        budgets = spending.spend(self._authority.budgets, presented, outcome.actual)
        if request.headers.get(_STATS, b"").lower() == b"true":
            stats = {"requestedComplexity": outcome.requested, "actualComplexity": outcome.actual}
            outcome.content["stats"] = stats
        response = Response.json(outcome.content)
        response.headers += [
            *spending.headers(budgets),
            (b"ratelimit-complexity-requested", str(outcome.requested).encode()),
            (b"ratelimit-complexity-actual", str(outcome.actual).encode()),
        ]
        return response

    async def _verify(self, request: Request) -> Presented:
        """The token of the request.

        Raises:
            Refused: it does not pass, or does not open GraphQL.
        """
        header = request.headers.get(b"authorization", b"")
        value = header[len(_BEARER) :].strip().decode("latin-1") if header[:7].lower() == _BEARER else None
        return await self._authority.verifier.verify(
            value,
            (Kind.API_ACCESS, Kind.TOKEN_EXCHANGE),
            address=request.address,
            scope=GRAPHQL,
            agent=request.agent,
        )

    async def _execute(self, request: Request, presented: Presented) -> Outcome:
        """Answer what is asked; everything after the token is checked answers 200 (contract §1.8)."""
        body = await request.body(MAX_BODY)
        try:
            asked = ask(body)
            prepared = self._engine.prepare(asked)
        except Exception as error:  # noqa: BLE001 - what we did not foresee is logged and says no more
            return Outcome(_unprepared(error, request))
        call = Call(self._authority, presented, request.address, request.id)
        return await self._engine.run(prepared, asked, call, request.id)


def _unprepared(error: Exception, request: Request) -> dict[str, Any]:
    content = refused(error, request.id)
    if content["errors"] and content["errors"][0]["extensions"]["code"] == WatchwordError.code:
        log.error("unhandled", request_id=request.id, error=type(error).__name__, exc_info=error)
    return content


def _refusal(error: WatchwordError) -> Response:
    """An answer to a request whose document is not looked at."""
    response = Response.json({"errors": [shape(error)]}, error.status)
    if isinstance(error, Refused) and error.status == _UNAUTHENTICATED:
        response.headers.append((b"www-authenticate", b'Bearer realm="watchword"'))
    if isinstance(error, spending.PointsSpent):
        response.headers += spending.headers(error.budgets)
    if error.retry_after:
        response.headers.append((b"retry-after", str(error.retry_after).encode()))
    return response


def build(authority: Authority) -> Asgi:
    """Make the application; it serves `/v1` and `/graphql`."""
    return GraphQL(authority)
