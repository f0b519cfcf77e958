"""Key sets of outside issuers (RFC 7517): found by discovery or at an address, fetched, kept, asked for anew.

What is fetched goes through `services.egress`: TLS, public addresses, no redirects, unless the settings
allow more. A set is kept for an hour. A key id that is not in it has the set fetched once more, once a minute
at most, so that forged ids do not make us ask an issuer again and again. Where the issuer cannot be asked,
the last good set goes on for a day.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from watchword.crypto.idtokens import ASYMMETRIC, BadToken, UnknownKey, Verified, algorithms_of, verify
from watchword.domain.errors import Invalid, Unavailable
from watchword.domain.tokens import DAY_US, MINUTE_US
from watchword.services.context import Clock
from watchword.services.egress import Egress, EgressError

log = structlog.get_logger("watchword.keys")

FRESH_US = 60 * MINUTE_US
KEPT_US = DAY_US
RETRY_US = MINUTE_US
MAX_SET = 256 * 1024
MAX_KEYS = 50
_MOST = 1000
_SECONDS = 5.0
_OK = 200
DISCOVERY = "/.well-known/openid-configuration"

Keys = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where keys are from.

    Attributes:
        issuer: whose they are; its discovery document names their address where nothing else is said.
        url: their address.
        inline: the key set itself, as JSON: nothing is fetched.
    """

    issuer: str = ""
    url: str = ""
    inline: str = ""


class UnfitKeys(Exception):
    """What came back is no key set; says why in a word."""


def read_key_set(text: str | bytes, *, named: bool = False) -> Keys:
    """The signing keys of a key set in JSON; keys that verify nothing here are left out.

    Args:
        text: the document.
        named: whether every key must have an id.

    Raises:
        Invalid: it is no key set, it holds a private or a secret key, or no key that can be used.
    """
    if len(text) > MAX_SET:
        raise _invalid(f"takes at most {MAX_SET // 1024} KiB")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid("is a JSON Web Key Set") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _invalid('is a JSON Web Key Set: {"keys": [...]}')
    if any("d" in one or "k" in one for one in listed):
        raise _invalid("holds public keys alone; what was sent here may have to be replaced")
    usable = [one for one in listed if algorithms_of(one) and one.get("use", "sig") == "sig"]
    if not usable or len(usable) > MAX_KEYS:
        raise _invalid(f"holds 1 to {MAX_KEYS} keys of the types RSA, EC and OKP")
    if named and not all(isinstance(one.get("kid"), str) and one["kid"] for one in usable):
        raise _invalid("names each key by a kid")
    return usable


def _invalid(what: str) -> Invalid:
    return Invalid(f"Validation failed: jwks {what}", code="invalid_jwks")


@dataclass(slots=True)
class _Kept:
    """A key set and when it was read; `tried_at` is when it was last asked for."""

    keys: Keys = ()
    read_at: int = 0
    tried_at: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class KeySets:
    """Fetches key sets, keeps them and verifies by them."""

    clock: Clock
    egress: Egress
    _kept: dict[KeySource, _Kept] = field(default_factory=dict)

    async def verify(self, token: str, source: KeySource, algorithms: Sequence[str] = ASYMMETRIC) -> Verified:
        """Check a token's signature by the keys of a source.

        Args:
            token: in its compact form.
            source: whose keys.
            algorithms: what may be used, as far as the key allows it.

        Raises:
            UnknownKey: none of the keys is the one that the token names.
            BadToken: it is no such token, or its signature is wrong.
            Unavailable: there are no keys, and they cannot be fetched now.
        """
        if source.inline:
            return verify(token, read_key_set(source.inline), algorithms)
        try:
            return verify(token, await self.keys(source), algorithms)
        except UnknownKey:
            return verify(token, await self.keys(source, newest=True), algorithms)
        except BadToken as error:
            # An issuer that replaced a key and kept its id: a set that is a minute old is asked for anew.
            if str(error) != "signature":
                raise
            return verify(token, await self.keys(source, newest=True), algorithms)

    async def keys(self, source: KeySource, *, newest: bool = False) -> Keys:
        """The keys of a source.

        Args:
            source: which.
            newest: whether those that are kept will not do; asked for once a minute at most.

        Raises:
            Unavailable: there are none, and they cannot be fetched now.
        """
        kept = self._kept.setdefault(source, _Kept())
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        age = self.clock.now() - kept.read_at
        if newest or not kept.keys or age >= FRESH_US:
            await self._refresh(source, kept)
        if not kept.keys or self.clock.now() - kept.read_at >= KEPT_US:
            error = Unavailable(
                "The issuer's keys cannot be fetched at the moment. Try again in a minute.",
                code="issuer_keys_unavailable",
            )
            error.retry_after = RETRY_US // 1_000_000
            raise error
        return kept.keys

    async def _refresh(self, source: KeySource, kept: _Kept) -> None:
        """Ask for the set, unless that was done a moment ago; what fails leaves what was known."""
        began = self.clock.now()
        async with kept.lock:  # who waited here finds what the one before brought
            if kept.tried_at and began - kept.tried_at < RETRY_US:
                return
            kept.tried_at = self.clock.now()
            try:
                kept.keys = read_key_set(await self._get(await self._address(source)))
            except (Invalid, EgressError, UnfitKeys) as error:
                log.warning(
                    "issuer_keys_unavailable", issuer=source.issuer, url=source.url, reason=str(error)
                )
            else:
                kept.read_at = self.clock.now()

    async def _address(self, source: KeySource) -> str:
        """Where the keys are (OpenID Connect Discovery 1.0 §4)."""
        if source.url:
            return source.url
        about: Any = None
        try:
            about = json.loads(await self._get(source.issuer.rstrip("/") + DISCOVERY))
        except (ValueError, RecursionError):
            raise UnfitKeys("the discovery document is no JSON") from None
        if not isinstance(about, dict) or about.get("issuer") != source.issuer:
            raise UnfitKeys("the discovery document is of another issuer")
        found = about.get("jwks_uri")
        if not isinstance(found, str):
            raise UnfitKeys("the discovery document names no jwks_uri")
        return found

    async def _get(self, url: str) -> bytes:
        headers = {"Accept": "application/json", "User-Agent": "watchword"}
        answer = await self.egress.get(url, headers, seconds=_SECONDS, most=MAX_SET + 1)
        if answer.status != _OK:
            raise UnfitKeys(f"answer {answer.status}")
        return answer.body
