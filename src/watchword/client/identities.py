"""Identities of jobs, checked offline: what `oidc request-token` gives them (contract agent-api §2.10).

The authority's keys are read once an hour. Such a token lives for minutes and cannot be taken back before it
expires; who must see a revocation sooner asks about the job's own token with an `Introspector`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from watchword.client.answers import TokenRefused, Unavailable
from watchword.client.keysets import TIMEOUT_SECONDS, Keys, KeySet
from watchword.crypto.idtokens import BadToken, UnknownKey, verify

LEEWAY_SECONDS = 30
ALGORITHMS = ("RS256", "ES256")
# Names of claims, as the authority writes them.
_NAMES = (
    "organization_slug",
    "pipeline_slug",
    "build_branch",
    "build_commit",
    "step_key",
    "job_id",
    "agent_id",
)


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """A job, as the authority vouched for it.

    Attributes:
        subject: `sub`, as `organization:acme:pipeline:app:ref:refs/heads/main:commit:…:step:deploy`.
        expires_at: seconds since the epoch.
        claims: all claims.
    """

    subject: str
    organization_slug: str
    pipeline_slug: str
    build_branch: str
    build_commit: str
    step_key: str
    job_id: str
    agent_id: str
    expires_at: int
    claims: Mapping[str, Any]

    def require(self, **claims: str | Sequence[str]) -> "JobIdentity":
        """Require claims: each has the value, or one of the values, that is given.

        Raises:
            TokenRefused: one has another.
        """
        for name, wanted in claims.items():
            found = self.claims.get(name)
            if found != wanted and (isinstance(wanted, str) or found not in wanted):
                raise TokenRefused("claim", f"The claim {name} of this job's identity does not fit.", 403)
        return self


@dataclass(frozen=True, slots=True)
class Rules:
    """What an identity is checked against.

    Attributes:
        now: seconds since the epoch.
    """

    issuer: str
    audience: str
    leeway: int
    now: Callable[[], float]

    def judge(self, claims: Mapping[str, Any]) -> JobIdentity:
        """Check claims whose signature is right (RFC 7519 §4.1).

        Raises:
            TokenRefused: one of them does not fit; `code` is its name.
        """
        if claims.get("iss") != self.issuer:
            raise TokenRefused("iss", "This identity is of another issuer.")
        audience = claims.get("aud")
        if audience != self.audience and not (isinstance(audience, list) and self.audience in audience):
            raise TokenRefused("aud", "This identity is for another audience.")
        now = self.now()
        expires = _seconds(claims, "exp")
        if now >= expires + self.leeway:
            raise TokenRefused("exp", "This identity has expired.")
        for name in ("nbf", "iat"):
            if name in claims and now < _seconds(claims, name) - self.leeway:
                raise TokenRefused(name, "This identity is not valid yet.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise TokenRefused("sub", "This identity names nobody.")
        texts = {name: claims[name] if isinstance(claims.get(name), str) else "" for name in _NAMES}
        return JobIdentity(subject=subject, expires_at=int(expires), claims=claims, **texts)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(name, f"The claim {name} of this identity is no time.")
    return value


def _signed(token: str | None, keys: Keys) -> Mapping[str, Any]:
    """The claims of a token that is signed with one of the keys.

    Raises:
        TokenRefused: it is not.
        UnknownKey: it names a key that is not among them.
    """
    if not token:
        raise TokenRefused("missing", "Send a job's identity: Authorization: Bearer TOKEN.")
    try:
        return verify(token, keys, ALGORITHMS).claims
    except BadToken as error:
        raise TokenRefused("signature", f"This is no identity of a job: {error}.") from None


_UNKNOWN_KEY = "This identity is signed with a key that its issuer does not publish."


class JobIdentities:
    """Checks identities, for threads.

    Args:
        issuer: the authority's address, as it stands in `iss`.
        audience: what this resource server calls itself; jobs ask for it.
        leeway: seconds by which clocks may differ.
        transport: another way to the issuer, as for tests.
        monotonic: seconds that never jump back.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        leeway: int = LEEWAY_SECONDS,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._rules = Rules(issuer, audience, leeway, now)
        self._keys = KeySet(issuer, monotonic)
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport)

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def verify(self, token: str | None) -> JobIdentity:
        """The job that a token names.

        Raises:
            TokenRefused: it does not pass; `code` says which check failed.
            Unavailable: the issuer's keys were never read, and cannot be now.
        """
        kept = self._keys
        keys = kept.keys if kept.fresh() else self._read()
        try:
            return self._rules.judge(_signed(token, keys))
        except UnknownKey:
            keys = self._read() if kept.may_ask_again() else ()
        try:
            return self._rules.judge(_signed(token, keys))
        except UnknownKey:
            raise TokenRefused("key", _UNKNOWN_KEY) from None

    def _read(self) -> Keys:
        kept = self._keys
        try:
            uri = kept.jwks_uri(self._http.get(kept.discovery))
            return kept.keep(kept.listed(self._http.get(uri)))
        except (httpx.HTTPError, Unavailable) as error:
            return kept.after(error)


class AsyncJobIdentities:
    """Checks identities, as `JobIdentities`, on one event loop."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        leeway: int = LEEWAY_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._rules = Rules(issuer, audience, leeway, now)
        self._keys = KeySet(issuer, monotonic)
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def verify(self, token: str | None) -> JobIdentity:
        """The job that a token names.

        Raises:
            TokenRefused: it does not pass; `code` says which check failed.
            Unavailable: the issuer's keys were never read, and cannot be now.
        """
        kept = self._keys
        keys = kept.keys if kept.fresh() else await self._read()
        try:
            return self._rules.judge(_signed(token, keys))
        except UnknownKey:
            keys = await self._read() if kept.may_ask_again() else ()
        try:
            return self._rules.judge(_signed(token, keys))
        except UnknownKey:
            raise TokenRefused("key", _UNKNOWN_KEY) from None

    async def _read(self) -> Keys:
        kept = self._keys
        try:
            uri = kept.jwks_uri(await self._http.get(kept.discovery))
            return kept.keep(kept.listed(await self._http.get(uri)))
        except (httpx.HTTPError, Unavailable) as error:
            return kept.after(error)
