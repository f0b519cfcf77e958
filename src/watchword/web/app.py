"""The console as an ASGI application; it serves every path that no other surface has."""

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.types import Message, Scope

from watchword.edge import http as edge
from watchword.services.authority import Authority
from watchword.web import (
    agents,
    agenttokenedit,
    agenttokenpage,
    agenttokenrevoke,
    agenttokenrotation,
    agenttokens,
    artifactpages,
    buildactions,
    buildpages,
    builds,
    caches,
    cliauth,
    clusters,
    clustersettings,
    crews,
    dagsteragents,
    dagsterdeployments,
    dagsterrotation,
    dagstertokenpage,
    dagstertokens,
    door_links,
    events,
    home,
    hygiene,
    incidents,
    joblogs,
    jobs,
    leakanswers,
    leakreporting,
    leakrules,
    leaks,
    maintainers,
    newagenttokens,
    newapitoken,
    oauthapplications,
    oauthapps,
    oauthconsent,
    oauthdevice,
    organization_settings,
    overview,
    own_passkeys,
    own_security,
    ownleaks,
    ownrotation,
    owntokenchange,
    owntokens,
    pipelines,
    pipelinesettings,
    portalconsent,
    portalpage,
    portals,
    queues,
    registries,
    registrytokens,
    secretpolicies,
    secrets,
    sign_in,
    sign_in_passkeys,
    sign_in_with,
    stacks,
    statics,
    tokens,
    trustedissuerchanges,
    trustedissuers,
    unblocking,
    usertokens,
)
from watchword.web.arriving import before
from watchword.web.failures import answer
from watchword.web.security import HEADERS, NO_STORE, TRANSPORT
from watchword.web.visit import AUTHORITY, COOKIES

HANDLERS: tuple[HTTPRouteHandler, ...] = (
    *statics.HANDLERS,
    *sign_in.HANDLERS,
    *sign_in_passkeys.HANDLERS,
    *sign_in_with.HANDLERS,
    *door_links.HANDLERS,
    *cliauth.HANDLERS,
    *oauthconsent.HANDLERS,
    *oauthdevice.HANDLERS,
    *oauthapps.HANDLERS,
    *oauthapplications.HANDLERS,
    *own_security.HANDLERS,
    *own_passkeys.HANDLERS,
    *events.HANDLERS,
    *home.HANDLERS,
    *clusters.HANDLERS,
    *queues.HANDLERS,
    *overview.HANDLERS,
    *tokens.HANDLERS,
    *newapitoken.HANDLERS,
    *owntokens.HANDLERS,
    *owntokenchange.HANDLERS,
    *ownrotation.HANDLERS,
    *usertokens.HANDLERS,
    *hygiene.HANDLERS,
    *incidents.HANDLERS,
    *leaks.HANDLERS,
    *leakreporting.HANDLERS,
    *leakanswers.HANDLERS,
    *leakrules.HANDLERS,
    *ownleaks.HANDLERS,
    *organization_settings.HANDLERS,
    *agenttokens.HANDLERS,
    *newagenttokens.HANDLERS,
    *pipelines.HANDLERS,
    *pipelinesettings.HANDLERS,
    *builds.HANDLERS,
    *buildpages.HANDLERS,
    *buildactions.HANDLERS,
    *unblocking.HANDLERS,
    *artifactpages.HANDLERS,
    *jobs.HANDLERS,
    *joblogs.HANDLERS,
    *crews.HANDLERS,
    *agents.HANDLERS,
    *maintainers.HANDLERS,
    *clustersettings.HANDLERS,
    *secrets.HANDLERS,
    *trustedissuers.HANDLERS,
    *trustedissuerchanges.HANDLERS,
    *secretpolicies.HANDLERS,
    *stacks.HANDLERS,
    *caches.HANDLERS,
    *portals.HANDLERS,
    *portalpage.HANDLERS,
    *portalconsent.HANDLERS,
    *agenttokenpage.HANDLERS,
    *agenttokenedit.HANDLERS,
    *agenttokenrotation.HANDLERS,
    *agenttokenrevoke.HANDLERS,
    *dagstertokens.HANDLERS,
    *dagstertokenpage.HANDLERS,
    *dagsterrotation.HANDLERS,
    *dagsterdeployments.HANDLERS,
    *dagsteragents.HANDLERS,
    *registries.HANDLERS,
    *registrytokens.HANDLERS,
)
MAX_FORM = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """One page or form, for the authorization test.

    Attributes:
        operation: what it performs; "personal" for what signed-in people do with their own; None where
            nobody needs to be signed in.
        fresh: whether it needs a proof of the last five minutes.
    """

    method: str
    path: str
    operation: str | None
    fresh: bool


def _plain(path: str) -> str:
    """A path without the types of its parts."""
    return path.replace(":str}", "}").replace(":int}", "}")


ROUTES: tuple[Route, ...] = tuple(
    Route(method, _plain(path), handler.opt["operation"], handler.opt["fresh"])
    for handler in HANDLERS
    for path in sorted(handler.paths)
    for method in sorted(handler.http_methods)
)


def build(authority: Authority) -> edge.Asgi:
    """Make the application."""
    application = _application()

    async def serve(scope: edge.Scope, receive: edge.Receive, send: edge.Send) -> None:
        scope[AUTHORITY] = authority
        await application(cast("Any", scope), cast("Any", receive), cast("Any", send))

    return serve


@cache
def _application() -> Litestar:
    """The routes, made once: that takes a third of a second, and they hold nothing of an installation."""
    return Litestar(
        route_handlers=HANDLERS,
        before_request=before,
        exception_handlers={Exception: answer},
        before_send=[_finish],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_FORM,
        debug=False,
    )


async def _finish(message: Message, scope: Scope) -> None:
    """Add the headers that every answer has, and the cookies that this one sets."""
    if message["type"] != "http.response.start":
        return
    known = cast("dict[str, Any]", scope)
    headers = [*message["headers"]]
    names = {name.lower() for name, _ in headers}
    added = [each for each in HEADERS if each[0].encode() not in names]
    added += known.get(COOKIES, ())
    if b"cache-control" not in names:
        added.append(NO_STORE)
    if (known.get("watchword") or {}).get("encrypted"):
        added.append(TRANSPORT)
    message["headers"] = [*headers, *((name.encode(), value.encode()) for name, value in added)]
