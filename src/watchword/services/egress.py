"""Egress: the one way out to addresses that tenants name, guarded against server-side request forgery.

A name is resolved once; every address that it has is checked; the connection goes to an address that was
checked, so that a second answer of the name server changes nothing. No redirect is followed, nothing of
the environment is heeded, and what comes back is limited in size and time.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import monotonic
from typing import TYPE_CHECKING, Any

from watchword.domain.addresses import Address
from watchword.domain.destinations import Reach, Target, parse_target, refuse_addresses
from watchword.domain.errors import WatchwordError

if TYPE_CHECKING:
    import httpcore

MAX_ANSWER = 16 * 1024
TIMEOUT_S = 10.0
_MAX_ADDRESSES = 16
_KEPT_HEADERS = 50

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class EgressError(WatchwordError):
    """A request could not be sent, or was not answered.

    `code` is one of `forbidden_destination`, `unresolvable`, `unreachable`, `tls_failed`, `timed_out`,
    `bad_answer`.
    """

    code = "unreachable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the body is cut off after `MAX_ANSWER` bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float


async def resolve(host: str, port: int) -> Sequence[Address]:
    """All addresses of a name, as the machine's resolver knows them.

    Raises:
        EgressError: it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EgressError(f"The name {host} cannot be resolved.", code="unresolvable") from error
    # A zone id names an interface of this machine: such an address is link-local, and refused as that.
    return [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]


@dataclass(slots=True)
class Egress:
    """Sends guarded requests.

    Attributes:
        reach: what may be called.
        resolve: finds the addresses of a name.
        trust: what certificates are checked against; the usual authorities unless set.
    """

    reach: Reach = field(default_factory=Reach)
    resolve: Resolve = resolve
    trust: ssl.SSLContext | None = None
    _contexts: dict[bool, ssl.SSLContext] = field(default_factory=dict)

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        verify: bool = True,
        seconds: float = TIMEOUT_S,
    ) -> Answer:
        """Send one POST request and read the answer.

        Args:
            url: where to.
            headers: sent as they are, with `Host` and `Content-Length` besides, and nothing else.
            body: the content.
            verify: whether the receiver's certificate is checked.
            seconds: how long everything together may take.

        Raises:
            Invalid: the address is none that may be called.
            EgressError: nothing was sent, or nothing useful came back.
        """
        return await self._send("POST", url, headers, body, verify=verify, seconds=seconds)

    async def get(
        self, url: str, headers: Mapping[str, str], *, seconds: float = TIMEOUT_S, most: int = MAX_ANSWER
    ) -> Answer:
        """Send one GET request; see `post`. Of the answer `most` bytes are read.

        Raises:
            Invalid: the address is none that may be called.
            EgressError: nothing was sent, or nothing useful came back.
        """
        return await self._send("GET", url, headers, b"", verify=True, seconds=seconds, most=most)

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        verify: bool,
        seconds: float,
        most: int = MAX_ANSWER,
    ) -> Answer:
        target = parse_target(url, self.reach)
        began = monotonic()
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._addresses(target)
                status, kept, content = await self._exchange(
                    method, target, addresses, headers, body, verify=verify, most=most
                )
        except TimeoutError:
            raise EgressError(f"No answer within {seconds:g} seconds.", code="timed_out") from None
        return Answer(status, kept, content, monotonic() - began)

    async def _addresses(self, target: Target) -> list[Address]:
        """The addresses of a target, every one of them checked.

        Raises:
            EgressError: one of them must not be called.
        """
        if target.address is not None:  # `parse_target` has checked it
            return [target.address]
        found = list(await self.resolve(target.host, target.port))
        reason = refuse_addresses(self.reach, found)
        if reason:
            raise EgressError(
                f"{target.host} has an address that must not be called ({reason}).",
                code="forbidden_destination",
            )
        return found[:_MAX_ADDRESSES]

    async def _exchange(
        self,
        method: str,
        target: Target,
        addresses: Sequence[Address],
        headers: Mapping[str, str],
        body: bytes,
        *,
        verify: bool,
        most: int,
    ) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        import httpcore  # noqa: PLC0415 - a server without webhooks starts without it

        from watchword.services.egressconnections import CheckedAddresses  # noqa: PLC0415 - the same

        sent = [("Host", target.authority), *headers.items(), ("Content-Length", str(len(body)))]
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._context(verify=verify) if target.secure else None,
            network_backend=CheckedAddresses(addresses),
            http1=True,
            http2=False,
            retries=0,
        )
        url = httpcore.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        encoded = [(name.encode(), value.encode()) for name, value in sent]
        try:
            async with pool, pool.stream(method, url, headers=encoded, content=body) as answer:
                content = await _read(answer, most)
                return answer.status, _kept(answer.headers), content
        except (httpcore.ConnectError, ssl.SSLError) as error:
            raise _unreachable(error) from error
        except (httpcore.TimeoutException, httpcore.NetworkError, OSError) as error:
            raise EgressError("The connection failed.", code="unreachable") from error
        except httpcore.ProtocolError as error:
            raise EgressError("The answer is no HTTP.", code="bad_answer") from error

    def _context(self, *, verify: bool) -> ssl.SSLContext:
        found = self._contexts.get(verify)
        if found is None:
            found = self._contexts[verify] = self._make_context(verify=verify)
        return found

    def _make_context(self, *, verify: bool) -> ssl.SSLContext:
        if verify and self.trust is not None:
            return self.trust
        import httpx  # noqa: PLC0415 - a server without webhooks starts without it

        return httpx.create_ssl_context(verify=verify)


async def _read(answer: "httpcore.Response", most: int) -> bytes:
    """The body up to the limit; what is longer is not read on."""
    content = bytearray()
    stream: Any = answer.aiter_stream()
    async for part in stream:
        content += part
        if len(content) >= most:
            break
    return bytes(content[:most])


def _kept(headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers[:_KEPT_HEADERS]
    )


def _unreachable(error: Exception) -> EgressError:
    """An attempt to connect that failed; a certificate that does not pass is said as that."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or "TLS failed"
            return EgressError(f"The receiver's certificate or TLS: {reason}.", code="tls_failed")
        cause = cause.__cause__ or cause.__context__
    return EgressError("The receiver cannot be reached.", code="unreachable")
