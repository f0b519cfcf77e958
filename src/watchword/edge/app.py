"""The edge: every request passes here first. Address, id, route, errors, limits, metrics, log."""

import itertools
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import structlog

from watchword.domain.accounts import CONSENT, DOORS, MACHINES, PAGES
from watchword.domain.addresses import Block, client_address, contains, parse_address
from watchword.domain.errors import Malformed, NotFound, Refused, WatchwordError
from watchword.domain.texts import refuse_nul_in_url
from watchword.edge.http import (
    Asgi,
    ClientGone,
    Message,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    Streamed,
)
from watchword.edge.meter import Meter
from watchword.edge.router import Route, Router

log = structlog.get_logger("watchword.edge")

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_QUIET_SECONDS = 60.0
_MAX_QUIET = 10_000
_SERVER_ERROR = 500
_ONCE_ONLY = (
    b"authorization",
    b"content-length",
    b"content-type",
    b"dagster-cloud-api-token",
    b"dagster-cloud-deployment",
)


class Watched:
    """A mounted application's way out: notes its status, adds the request id."""

    __slots__ = ("_request_id", "_send", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self._request_id.encode())]
        await self._send(message)


class Edge:
    """The outermost ASGI application.

    Args:
        router: routes of the raw surfaces.
        mounts: applications for whole prefixes, made when the first request for one comes.
        trusted: address blocks of the operator's proxies.
        console: makes the application for people, which gets every path that no other surface has.
        meter: counts what passes.
        clock: seconds, for durations; replaced by tests.
    """

    def __init__(
        self,
        router: Router,
        mounts: Mapping[str, Callable[[], Asgi]],
        trusted: Sequence[Block],
        meter: Meter,
        clock: Callable[[], float] = time.perf_counter,
        console: Callable[[], Asgi] | None = None,
    ) -> None:
        self._router = router
        self._console = console
        self._makers = dict(mounts)
        self._mounted: dict[str, Asgi] = {}
        self._trusted = tuple(trusted)
        self._meter = meter
        self._clock = clock
        self._ids = itertools.count(1)
        self._boot = secrets.token_hex(4)
        self._quiet: dict[tuple[str, str | None], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        started = self._clock()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = self._request_id(headers)
        name = "-"
        route = None
        try:
            request = Request(scope, receive, headers, self._address(scope, headers), request_id)
            arguments: Mapping[str, str] = {}
            route = self._router.exact(scope["method"], scope["path"])
            if route is None or scope["path"] == "/":
                path = _raw_path(scope)
                refuse_nul_in_url(path.encode("latin-1"), scope.get("query_string", b""))
                route, arguments, allowed = self._router.find(scope["method"], path)
                mounted = self._mounted_at(path, headers, known=bool(route or allowed))
                if mounted is not None:
                    name = mounted[0]
                    status = await self._pass_on(mounted[1], request, send)
                    self._meter.count(name, status, self._clock() - started)
                    return
            if route is None:
                response = _no_route(allowed)
            else:
                name = route.name
                request.right = route.right
                response = await route.handler(request, **arguments)
        except ClientGone:
            self._meter.count(name, 499, self._clock() - started)
            return
        except WatchwordError as error:
            response = self._refuse(error, scope, request_id, route)
        except Exception as error:  # the last line: nothing reaches a client unshaped
            log.exception("unhandled", route=name, request_id=request_id, error=type(error).__name__)
            failure = WatchwordError(f"Something failed here; tell the operator request {request_id}.")
            response = _shaped(failure, route)
        shown = [*response.headers, (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": response.status, "headers": shown})
        if isinstance(response, Streamed):
            await self._stream(response, send, name, request_id)
        await send({"type": "http.response.body", "body": response.body})
        self._meter.count(name, response.status, self._clock() - started)

    async def _stream(self, response: Streamed, send: Send, name: str, request_id: str) -> None:
        """Send the pieces of a body. One that breaks off shows: the announced length is not reached."""
        try:
            async for piece in response.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except Exception as error:  # noqa: BLE001 - the head is out: there is no other answer any more
            log.warning("cut_off", route=name, request_id=request_id, error=type(error).__name__)
        finally:
            close = getattr(response.pieces, "aclose", None)
            if close is not None:
                await close()

    def _mount_of(self, path: str) -> tuple[str, Asgi] | None:
        first = "/" + path.lstrip("/").partition("/")[0]
        if first not in self._makers:
            return None
        application = self._mounted.get(first)
        if application is None:
            application = self._mounted[first] = self._makers[first]()
        return first, application

    async def _pass_on(self, application: Asgi, request: Request, send: Send) -> int:
        """Let a mounted application answer; the status that it gave."""
        scope, watched = request.scope, Watched(send, request.id)
        scope["watchword"] = {
            "address": request.address,
            "request_id": request.id,
            "encrypted": self._encrypted(scope, request.headers),
        }
        await application(scope, request.receive, watched)
        return watched.status

    def _mounted_at(
        self, path: str, headers: Mapping[bytes, bytes], *, known: bool
    ) -> tuple[str, Asgi] | None:
        """The application that serves a path, with its name in metrics; None for paths of raw surfaces.

        Browsers that ask for `/` get the console, programs a greeting (contract rest-graphql §1.1), and for
        what is nowhere programs get their plain answer. Portals have paths among the console's, where
        the vendor's own host has them: there too programs get the portal, and browsers the page.
        """
        mounted = self._mount_of(path)
        if mounted is not None or self._console is None:
            return mounted
        first = path.lstrip("/").partition("/")[0].lower()
        # Browsers name text when they ask for a page or a stream; whoever has our cookie is one too.
        browser = b"text/" in headers.get(b"accept", b"") or b"__Host-watchword" in headers.get(
            b"cookie", b""
        )
        if path == "/":
            return ("console", self._console()) if browser else None
        ours = first in PAGES and (browser or not known)
        if ours or (not known and _opens_a_page(path, first, browser=browser)):
            return "console", self._console()
        return None

    def _encrypted(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the client speaks TLS: to us, or to a proxy that we trust and that says so."""
        if scope.get("scheme") == "https":
            return True
        if not self._trusted or headers.get(b"x-forwarded-proto", b"").strip().lower() != b"https":
            return False
        peer = parse_address(scope["client"][0]) if scope["client"] else None
        return peer is not None and contains(self._trusted, peer)

    def _address(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str | None:
        """The client's address; None where it is ambiguous.

        Raises:
            Malformed: a header that may come once came twice.
        """
        lines = scope["headers"]
        if len(headers) != len(lines):
            names = [name for name, _ in lines]
            for name in _ONCE_ONLY:
                if names.count(name) > 1:
                    raise Malformed(f"The header {name.decode()} came twice.", code="header_twice")
        client = scope["client"]
        peer = client[0] if client else ""
        if not self._trusted:
            return _direct(peer)
        forwarded = [value.decode("latin-1") for name, value in lines if name == b"x-forwarded-for"]
        return client_address(peer, forwarded, self._trusted)

    def _request_id(self, headers: Mapping[bytes, bytes]) -> str:
        given = headers.get(b"x-request-id")
        if given is not None and _GIVEN_ID.fullmatch(given):
            return given.decode()
        return f"{self._boot}{next(self._ids):08x}"

    def _refuse(self, error: WatchwordError, scope: Scope, request_id: str, route: Route | None) -> Response:
        """Shape an error; the same refusal from the same address is logged once a minute."""
        self._meter.refuse(error.code)
        client = scope.get("client")
        key = (error.code, client[0] if client else None)
        now = self._clock()
        if error.status >= _SERVER_ERROR or now - self._quiet.get(key, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            if len(self._quiet) >= _MAX_QUIET:
                self._quiet.clear()
            self._quiet[key] = now
            log.warning(
                "refused",
                code=error.code,
                status=error.status,
                method=scope["method"],
                path=scope["path"],
                peer=key[1],
                request_id=request_id,
            )
        return _shaped(error, route)


def _opens_a_page(path: str, first: str, *, browser: bool) -> bool:
    """Whether a path that no raw route knows is for people: they arrive at some addresses of machines too."""
    bare = path.strip("/")
    if any(bare == door or bare.startswith(f"{door}/") for door in CONSENT):
        return True
    return browser and (first not in MACHINES or bare in DOORS)


@lru_cache(maxsize=65536)
def _direct(peer: str) -> str | None:
    """The address of a client that no proxy stands before."""
    return client_address(peer, (), ())


def _shaped(error: WatchwordError, route: Route | None) -> Response:
    if route is None or route.refuse is None:
        return error_response(error)
    return route.refuse(error)


def error_response(error: WatchwordError) -> Response:
    """An error in the shape of the contracts: `message` for people, `code` for programs."""
    response = Response.json({"message": error.message, "code": error.code}, error.status)
    if isinstance(error, Refused) and error.status == 401:  # noqa: PLR2004 - RFC 9110 §15.5.2
        response.headers.append((b"www-authenticate", b'Bearer realm="watchword"'))
    if error.retry_after:  # a plain number of seconds: clients ignore dates (contract agent-api, trap 17)
        response.headers.append((b"retry-after", str(error.retry_after).encode()))
    return response


def _raw_path(scope: Scope) -> str:
    """The path as it was sent, so that an escaped slash stays one."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _no_route(allowed: set[str]) -> Response:
    if allowed:
        names = ", ".join(sorted(allowed))
        error = WatchwordError(f"This path takes {names}.", code="method_not_allowed", status=405)
        response = error_response(error)
        response.headers.append((b"allow", names.encode()))
        return response
    return error_response(NotFound("Not Found", code="no_such_path"))
