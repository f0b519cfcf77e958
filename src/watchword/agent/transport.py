"""One base URL and one token: sends calls and turns every failure into an `ApiError`."""

import asyncio
import contextlib
import platform
import re
import sys
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from structlog.typing import FilteringBoundLogger

from watchword.agent.errors import ApiError
from watchword.agent.wire import Refusal, secret_hook
from watchword.crypto.values import Secret

T = TypeVar("T")

VERSION = f"4.0.0-watchword.{version('watchword')}"
BUILD = "1"

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i686": "386"}
_TIMEOUT = 60.0
_IDLE = 90.0
_QUOTED = 512
_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,9})?")
# What gRPC says instead of an HTTP status: unauthenticated, permission denied, unimplemented.
_GRPC_STATUS = {
    "16": HTTPStatus.UNAUTHORIZED,
    "7": HTTPStatus.FORBIDDEN,
    "12": HTTPStatus.NOT_FOUND,
}
_HEADER_PREFIX = "Buildkite-"
_VARIABLE_PREFIX = "BUILDKITE_REQUEST_HEADER_"


def architecture() -> str:
    """The machine's architecture as Go names it."""
    machine = platform.machine().lower()
    return _ARCHITECTURES.get(machine, machine)


def http_client(
    transport: httpx.AsyncBaseTransport | None = None, log: FilteringBoundLogger | None = None
) -> httpx.AsyncClient:
    """A client that follows no redirect: one would carry the token to another host (contract section 1.6).

    Args:
        transport: stands in for the network.
        log: hears of every answer at the level of debugging: what was called, and the status.
    """

    async def tell(answer: httpx.Response) -> None:
        if log is not None:
            request = answer.request
            log.debug("called", method=request.method, path=request.url.path, status=answer.status_code)

    return httpx.AsyncClient(
        event_hooks={"response": [tell]},
        timeout=_TIMEOUT,
        limits=httpx.Limits(keepalive_expiry=_IDLE),
        headers={"User-Agent": f"buildkite-agent/{VERSION}.{BUILD} ({sys.platform}; {architecture()})"},
        transport=transport,
    )


def segment(text: str) -> str:
    """Escape a value for one segment of a path: everything, and dots too (contract section 1.1)."""
    return quote(text, safe="").replace(".", "%2E")


def wanted_headers(asked: Mapping[str, str]) -> dict[str, str]:
    """Those of the headers a server asks for that it may ask for (contract section 1.4)."""
    return {name: value for name, value in asked.items() if name.startswith(_HEADER_PREFIX)}


def headers_to_variables(headers: Mapping[str, str]) -> dict[str, str]:
    """The variables that hand the asked-for headers on to the commands inside a job."""
    return {_VARIABLE_PREFIX + name.upper().replace("-", "_"): value for name, value in headers.items()}


def variables_to_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """The way back, inside a job."""
    names = (name for name in environ if name.startswith(_VARIABLE_PREFIX))
    found = {name.removeprefix(_VARIABLE_PREFIX).replace("_", "-").title(): environ[name] for name in names}
    return wanted_headers(found)


def _seconds(text: str | None) -> float | None:
    """A plain number of seconds; a date is not understood (contract section 1.8)."""
    return float(text) if text and _NUMBER.fullmatch(text) else None


class Connection:
    """Calls to one endpoint with one token.

    Attributes:
        endpoint: base URL without a slash at the end.
        headers: what the server asked to be sent with every call.
    """

    def __init__(
        self, http: httpx.AsyncClient, endpoint: str, token: Secret, headers: Mapping[str, str] | None = None
    ) -> None:
        self._http = http
        self._token = token
        self.endpoint = endpoint.rstrip("/")
        self.headers = dict(headers or {})

    def to(self, endpoint: str) -> "Connection":
        """The same caller at another endpoint."""
        return Connection(self._http, endpoint, self._token, self.headers)

    def using(self, token: Secret) -> "Connection":
        """The same endpoint with another token."""
        return Connection(self._http, self.endpoint, token, self.headers)

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Make one attempt of a call.

        Args:
            method: HTTP method.
            path: below the endpoint, escaped, without a slash in front.
            body: sent as JSON with a line end; None sends no body and no content type (contract section 1.5).
            content: sent as it is; `headers` then say what it is.
            params: the query.
            headers: for this call only.

        Returns:
            The answer's body, which may be empty.

        Raises:
            ApiError: no answer, or a status outside 200 to 299.
        """
        answer = await self.ask(method, path, body=body, content=content, params=params, headers=headers)
        return answer.content

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """As `send`, for those who need the answer's status and headers."""
        sent = {**self.headers, "Authorization": f"Token {self._token.reveal()}", **(headers or {})}
        if body is not None:
            content = msgspec.json.encode(body) + b"\n"
            sent["Content-Type"] = "application/json"
        call, url = f"{method} {path}", f"{self.endpoint}/{path}"
        try:
            async with asyncio.timeout(_TIMEOUT):
                answer = await self._http.request(method, url, content=content, params=params, headers=sent)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ApiError(call, self._shown(str(error)), retryable=False) from None
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise ApiError(call, self._shown(f"{self.endpoint}: {reason}"), retryable=True) from None
        if not answer.is_success:
            raise self._refusal(call, answer)
        return answer

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, content: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Make a gRPC call whose answer comes in pieces, for as long as they are read.

        Args:
            path: from the root of the endpoint's host, with a slash in front.
            content: the request.
            headers: for this call only.

        Raises:
            ApiError: no answer, an answer that is no stream, or one that breaks off.
        """
        sent = {**self.headers, "Authorization": f"Token {self._token.reveal()}", **headers}
        call, url = f"POST {path}", urlsplit(self.endpoint)._replace(path=path, query="").geturl()
        limits = httpx.Timeout(_TIMEOUT, read=None)
        try:
            async with self._http.stream(
                "POST", url, content=content, headers=sent, timeout=limits
            ) as answer:
                if answer.status_code != HTTPStatus.OK:
                    await answer.aread()
                    raise self._refusal(call, answer)
                self._check_grpc(call, answer)
                yield answer.aiter_raw()
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ApiError(call, self._shown(str(error)), retryable=False) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            reason = str(error) or type(error).__name__
            raise ApiError(call, self._shown(f"{self.endpoint}: {reason}"), retryable=True) from None

    def _check_grpc(self, call: str, answer: httpx.Response) -> None:
        """Refuse what is no stream; a status in the head is an answer without messages."""
        said = answer.headers.get("grpc-status")
        if said is not None or not answer.headers.get("content-type", "").startswith("application/grpc"):
            reason = f"gRPC status {said}" if said is not None else "the answer is no stream"
            raise ApiError(call, reason, status=_GRPC_STATUS.get(said or "", HTTPStatus.OK), retryable=True)

    async def fetch(
        self,
        kind: type[T],
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Make one attempt of a call whose answer is read.

        Raises:
            ApiError: as `send`, or the answer is not the JSON that was expected.
        """
        data = await self.send(method, path, body=body, params=params, headers=headers)
        try:
            return msgspec.json.decode(data, type=kind, dec_hook=secret_hook)
        except msgspec.DecodeError as error:
            reason = f"the answer is not what it must be: {error}"
            raise ApiError(
                f"{method} {path}", self._shown(reason), status=HTTPStatus.OK, retryable=True
            ) from None

    def _refusal(self, call: str, answer: httpx.Response) -> ApiError:
        try:
            refusal = msgspec.json.decode(answer.content, type=Refusal)
        except msgspec.DecodeError:
            refusal = Refusal(answer.text[:_QUOTED])
        return ApiError(
            call,
            self._shown(refusal.message or answer.reason_phrase),
            status=answer.status_code,
            code=self._shown(refusal.code) if refusal.code else None,
            retryable=answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or answer.is_server_error,
            retry_after=_seconds(answer.headers.get("Retry-After")),
        )

    def _shown(self, text: str) -> str:
        """A text of the server's as it may be printed: without the token, without control characters."""
        masked = text.replace(self._token.reveal(), "[REDACTED]")
        return "".join(c if c.isprintable() else " " for c in masked).strip()
