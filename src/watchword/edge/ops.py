"""Operations: health, readiness, metrics (design §2: guarded by the network, not by a token); a greeting."""

from collections.abc import Awaitable, Callable

from watchword.edge.http import Request, Response
from watchword.edge.meter import Meter
from watchword.edge.router import Route

_SECOND_US = 1_000_000
Ready = Callable[[], Awaitable[str]]


def routes(meter: Meter, ready: Ready, now: Callable[[], int]) -> list[Route]:
    """Routes of the operations surface.

    Args:
        meter: what to show.
        ready: why the server is not ready, or an empty text.
        now: microseconds since the epoch.
    """

    async def healthz(_: Request) -> Response:
        return Response.json({"status": "ok"})

    async def readyz(_: Request) -> Response:
        reason = await ready()
        if reason:
            return Response.json({"status": "not ready", "message": reason}, 503)
        return Response.json({"status": "ready"})

    async def metrics(_: Request) -> Response:
        headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
        return Response(200, meter.text(), headers)

    async def greet(_: Request) -> Response:
        # What clients look for to learn whether an API is there (contract rest-graphql §1.1).
        return Response.json({"message": "\N{WAVING HAND SIGN}", "timestamp": now() // _SECOND_US})

    return [
        Route("GET", "/", greet, ()),
        Route("GET", "/healthz", healthz, ()),
        Route("GET", "/readyz", readyz, ()),
        Route("GET", "/metrics", metrics, ()),
    ]
