"""The REST API v2 as an ASGI application (contract rest-graphql §1, §2)."""

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.types import Message, Scope

from watchword.edge import http as edge
from watchword.rest import (
    abilities,
    access_token,
    accessaudit,
    agents,
    annotations,
    apirotations,
    apisettings,
    apitokens,
    artifacts,
    audit_events,
    buildactions,
    builds,
    caches,
    clusters,
    dagster,
    dagsteragenttokens,
    dagsterusertokens,
    deliveries,
    environments,
    exchangeapplications,
    hygiene,
    incidents,
    invitations,
    jobactions,
    jobs,
    jobsettings,
    leakpolicies,
    leaks,
    limits,
    logs,
    maintainers,
    members,
    meta,
    notifications,
    oauthapplications,
    organizations,
    packages,
    pipelineactions,
    pipelines,
    portals,
    portaltokens,
    queues,
    registries,
    registrytokens,
    repositories,
    rotations,
    secretpolicies,
    secrets,
    stacknotifications,
    teammembers,
    teams,
    tokens,
    trustedissuers,
    unclustered,
    users,
)
from watchword.rest.bodies import MAX_BODY
from watchword.rest.call import BUDGETS, SERVED, Served, guard
from watchword.rest.documentation import describe, plain_path
from watchword.rest.failures import answer
from watchword.services.authority import Authority
from watchword.services.budgets import Budgets
from watchword.services.context import Installation

HANDLERS: tuple[HTTPRouteHandler, ...] = (
    *meta.HANDLERS,
    *users.HANDLERS,
    *access_token.HANDLERS,
    *organizations.HANDLERS,
    *limits.HANDLERS,
    *clusters.HANDLERS,
    *tokens.HANDLERS,
    *trustedissuers.HANDLERS,
    *unclustered.HANDLERS,
    *queues.HANDLERS,
    *secrets.HANDLERS,
    *secretpolicies.HANDLERS,
    *caches.HANDLERS,
    *repositories.HANDLERS,
    *agents.HANDLERS,
    *pipelines.HANDLERS,
    *pipelineactions.HANDLERS,
    *builds.HANDLERS,
    *buildactions.HANDLERS,
    *jobs.HANDLERS,
    *jobactions.HANDLERS,
    *logs.HANDLERS,
    *environments.HANDLERS,
    *stacknotifications.HANDLERS,
    *annotations.HANDLERS,
    *artifacts.HANDLERS,
    *rotations.HANDLERS,
    *incidents.HANDLERS,
    *leaks.HANDLERS,
    *leakpolicies.HANDLERS,
    *notifications.HANDLERS,
    *deliveries.HANDLERS,
    *audit_events.HANDLERS,
    *apitokens.HANDLERS,
    *apirotations.HANDLERS,
    *apisettings.HANDLERS,
    *jobsettings.HANDLERS,
    *abilities.HANDLERS,
    *accessaudit.HANDLERS,
    *hygiene.HANDLERS,
    *members.HANDLERS,
    *invitations.HANDLERS,
    *teams.HANDLERS,
    *teammembers.HANDLERS,
    *maintainers.HANDLERS,
    *dagster.HANDLERS,
    *dagsteragenttokens.HANDLERS,
    *dagsterusertokens.HANDLERS,
    *portals.HANDLERS,
    *oauthapplications.HANDLERS,
    *exchangeapplications.HANDLERS,
    *portaltokens.HANDLERS,
    *registries.HANDLERS,
    *registrytokens.HANDLERS,
    *packages.HANDLERS,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation, for the authorization test.

    Attributes:
        scope: the scope it asks for; "" takes any API access token, None takes none at all.
        operation: what it performs; None where nobody needs a token.
    """

    method: str
    path: str
    scope: str | None
    operation: str | None


ROUTES: tuple[Route, ...] = tuple(
    Route(method, plain_path(path), handler.opt["scope"], handler.opt["operation"])
    for handler in HANDLERS
    for path in sorted(handler.paths)
    for method in sorted(handler.http_methods)
)

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Link"),
)
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key"),
)
_NO_CONTENT = 204
_WARNING = "You have exceeded your API rate limit."


def build(authority: Authority) -> edge.Asgi:
    """Make the application; it serves paths that begin with `/v2`."""
    application = _application()

    @cache
    def description() -> bytes:
        return msgspec.json.encode(openapi(authority))

    served = Served(authority, description)

    async def serve(scope: edge.Scope, receive: edge.Receive, send: edge.Send) -> None:
        scope[SERVED] = served
        await application(cast("Any", scope), cast("Any", receive), cast("Any", send))

    return serve


@cache
def _application() -> Litestar:
    """The routes, made once: that takes a quarter of a second, and they hold nothing of an installation."""
    return Litestar(
        route_handlers=HANDLERS,
        guards=[guard],
        exception_handlers={Exception: answer},
        before_send=[_finish],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_BODY,
        debug=False,
    )


def openapi(authority: Authority | None) -> dict[str, Any]:
    """The API's description in OpenAPI 3.1; for a default installation where no authority is given."""
    installation = Installation() if authority is None else authority.context.installation
    return describe(HANDLERS, installation.url)


async def _finish(message: Message, scope: Scope) -> None:
    """Add the headers that every answer has; an answer without a body has no content type."""
    if message["type"] != "http.response.start":
        return
    known = cast("dict[str, Any]", scope)
    headers = [*message["headers"], *_CORS, (b"cache-control", b"no-store")]
    if BUDGETS in known:
        headers += limit_headers(known[BUDGETS])
    if known["method"] == "OPTIONS":
        headers += _PREFLIGHT
    if message["status"] == _NO_CONTENT:
        headers = [(name, value) for name, value in headers if name.lower() != b"content-type"]
    message["headers"] = headers


def limit_headers(budgets: Budgets) -> list[tuple[bytes, bytes]]:
    """What an answer says of the organization's and the person's budget (contract rest-graphql §1.9)."""
    headers: list[tuple[str, str]] = []
    for prefix, budget in (("ratelimit", budgets.organization), ("ratelimit-user", budgets.user)):
        headers += [
            (f"{prefix}-scope", budget.scope),
            (f"{prefix}-limit", str(budget.shown_limit)),
            (f"{prefix}-remaining", str(budget.remaining)),
            (f"{prefix}-reset", str(budget.reset)),
        ]
        if budget.exhausted:
            headers.append((f"{prefix}-warning", _WARNING))
    return [(name.encode(), value.encode()) for name, value in headers]
