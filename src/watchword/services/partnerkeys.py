"""A partner's published keys: fetched when they are needed, kept, asked for anew when one is unknown.

The list is kept for half an hour and asked for again with its ETag. A key id that is not in it has the list
fetched once more, at most every five minutes, so that forged ids do not make us ask a partner again and again
(GitHub allows 60 requests an hour). Where the partner cannot be asked, the last good list goes on for a day.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import structlog

from watchword.crypto.reports import MAX_KEY_LIST, PublicKey, UnfitKey, read_key_list
from watchword.domain.errors import Unavailable
from watchword.domain.tokens import DAY_US, MINUTE_US
from watchword.services.context import Clock
from watchword.services.providers import is_this_machine

if TYPE_CHECKING:
    import httpx

log = structlog.get_logger("watchword.leaks")

FRESH_US = 30 * MINUTE_US
KEPT_US = DAY_US
UNKNOWN_US = 5 * MINUTE_US
RETRY_US = MINUTE_US
_SECONDS = 5
_OK, _NOT_MODIFIED = 200, 304
_MAX_ETAG = 256


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer to a request for a list."""

    status: int
    etag: str
    body: bytes


class Unreachable(Exception):
    """The list could not be fetched; says why in a word."""


Fetch = Callable[[str, str], Awaitable[Fetched]]


async def fetch(url: str, etag: str) -> Fetched:
    """Ask for a list that may be known already.

    Raises:
        Unreachable: there was no answer in time, or a longer one than any list.
    """
    # Its import takes a third of a second, for which nobody else is to wait.
    client = await asyncio.to_thread(_client, url)
    headers = {"Accept": "application/json", "User-Agent": "watchword"}
    if etag:
        headers["If-None-Match"] = etag
    body = bytearray()
    try:
        async with (
            asyncio.timeout(_SECONDS),
            client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_KEY_LIST:
                    raise Unreachable("too_long")
            return Fetched(answer.status_code, answer.headers.get("etag", "")[:_MAX_ETAG], bytes(body))
    except (_failures(), TimeoutError) as error:
        raise Unreachable(type(error).__name__) from None


def _client(url: str) -> "httpx.AsyncClient":
    import anyio  # noqa: F401, PLC0415 - what the client imports when it first connects
    import httpx  # noqa: PLC0415 - needed where there are reporters alone

    return httpx.AsyncClient(timeout=_SECONDS, trust_env=not is_this_machine(url), verify=_trust())


def _failures() -> type[Exception]:
    """What a request may fail with."""
    import httpx  # noqa: PLC0415 - imported by now

    return httpx.HTTPError


@cache
def _trust() -> ssl.SSLContext:
    """What certificates are checked against; reading them takes longer than a request."""
    import httpx  # noqa: PLC0415 - slow to import

    return httpx.create_ssl_context()


@dataclass(slots=True)
class PartnerKeys:
    """The keys of one partner.

    Attributes:
        url: where it publishes them.
        fetch: asks for them; replaced by tests alone.
    """

    url: str
    clock: Clock
    fetch: Fetch = fetch
    _keys: Mapping[str, PublicKey] = field(default_factory=dict)
    _etag: str = ""
    _read_at: int = 0
    _tried_at: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, key_id: str) -> PublicKey | None:
        """The current key of an id; None where the partner has none of that id.

        Raises:
            Unavailable: there is no list, and the partner cannot be asked now.
        """
        if self._age() >= FRESH_US:
            await self._refresh(RETRY_US)
        found = self._usable().get(key_id)
        if found is None and self._usable():
            await self._refresh(UNKNOWN_US)
            found = self._usable().get(key_id)
        if not self._usable():
            error = Unavailable(
                "The keys of this reporter cannot be fetched at the moment. Send the report again.",
                code="reporter_keys_unavailable",
            )
            error.retry_after = RETRY_US // 1_000_000
            raise error
        return found

    def _age(self) -> int:
        return self.clock.now() - self._read_at

    def _usable(self) -> Mapping[str, PublicKey]:
        return self._keys if self._age() < KEPT_US else {}

    async def _refresh(self, pause: int) -> None:
        """Ask for the list, unless that was done a moment ago; what fails leaves what was known."""
        began = self.clock.now()
        async with self._lock:  # who waited here finds what the one before brought
            if self._tried_at and began - self._tried_at < pause:
                return
            self._tried_at = self.clock.now()
            try:
                self._take(await self.fetch(self.url, self._etag))
            except (Unreachable, UnfitKey) as error:
                log.warning("reporter_keys_unavailable", url=self.url, reason=str(error))

    def _take(self, fetched: Fetched) -> None:
        if fetched.status == _NOT_MODIFIED and self._keys:
            self._read_at = self.clock.now()
            return
        if fetched.status != _OK:
            raise Unreachable(f"answer {fetched.status}")
        found = read_key_list(fetched.body)
        if not found:
            raise UnfitKey("no current P-256 key in the list")
        self._keys, self._etag, self._read_at = found, fetched.etag, self.clock.now()
