"""Identity tokens of workloads: whose they are, whether they are genuine, and which trust admits them.

The order of checks: shape, issuer, key and signature, audience, times, claims. Of several trusts that admit a
token the oldest is taken, so that a new trust never turns agents away from where they were.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchword.crypto.idtokens import BadToken, UnknownKey, Verified, is_compact, read_unverified
from watchword.domain.errors import Refused, Unavailable
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.domain.workloads import (
    Finding,
    IdentityReason,
    TrustedIssuer,
    audiences_of,
    judge,
    refused,
    remembered_until,
    subject_of,
)
from watchword.services.context import Context
from watchword.services.keysets import KeySets, KeySource
from watchword.services.ledger import Ledger
from watchword.services.trustedissuers import token_of
from watchword.services.verifying import Presented, look_at
from watchword.store.base import Transaction

MAX_TOKEN = 16 * 1024
_MAX_TRUSTS = 200
# A token may be for several audiences, and trusts may pin keys of their own: this many are tried.
_MAX_AUDIENCES = 10
_MAX_SOURCES = 8
_MAX_JTI = 255
_SIGNATURES = {"algorithm": IdentityReason.ALGORITHM, "signature": IdentityReason.SIGNATURE}
_MESSAGES = {
    IdentityReason.MALFORMED: "This is no identity token: a signed JSON Web Token of at most 16 KiB.",
    IdentityReason.ISSUER_UNKNOWN: "No organization here trusts the issuer of this identity token.",
    IdentityReason.KEY_UNKNOWN: "The issuer publishes no key with the id (kid) of this identity token.",
    IdentityReason.ALGORITHM: "The identity token's algorithm is not one that its key allows.",
    IdentityReason.SIGNATURE: "The identity token's signature is wrong.",
    IdentityReason.REPLAYED: "This identity token was used already. Ask the platform for a new one.",
}


class IdentityRefused(Refused):
    """An identity token that does not pass; `trust` is the one that it came closest to, if any."""

    def __init__(
        self, reason: IdentityReason, message: str = "", trust: TrustedIssuer | None = None, subject: str = ""
    ) -> None:
        super().__init__(message or _MESSAGES[reason], code=reason.value)
        self.trust = trust
        self.subject = subject


@dataclass(frozen=True, slots=True)
class Proven:
    """An identity token that passed.

    Attributes:
        presented: the token that stands for the trust, as if it had been presented.
        digest: by which its use is known.
        until: how long that is remembered, in microseconds.
    """

    trust: TrustedIssuer
    presented: Presented
    claims: Mapping[str, Any]
    subject: str
    digest: str
    until: int


@dataclass(slots=True)
class Identities:
    """Decides about identity tokens."""

    context: Context
    key_sets: KeySets
    ledger: Ledger

    async def prove(self, token: str, address: str | None, agent: str = "") -> Proven:
        """Check an identity token; it is not used up by that.

        Args:
            token: as it was presented.
            address: the client's address.
            agent: the client's user agent, for the ledger.

        Raises:
            IdentityRefused: it does not pass; `code` is an `IdentityReason`.
            Unavailable: the issuer's keys cannot be fetched now.
        """
        now = self.context.clock.now()
        try:
            proven = await self._prove(token, now)
        except IdentityRefused as error:
            known = error.trust
            owner = (known.token_id, now, known.organization_id) if known is not None else ("", now)
            self.ledger.refuse(error.code, address, *owner)
            raise
        self.ledger.note(
            proven.trust.organization_id, proven.trust.token_id, address, proven.subject[:64], agent, now
        )
        return proven

    async def _prove(self, token: str, now: int) -> Proven:
        seen = read_identity(token)
        trusts = await self._trusts(seen)
        verified, genuine = await self.genuine(token, trusts)
        subject = subject_of(verified.claims)
        closest: tuple[Finding, TrustedIssuer] | None = None
        for trust in genuine:
            finding = refused(judge(trust.terms, verified.claims, now))
            if finding is None:
                return await self._proven(token, trust, verified.claims, now)
            if closest is None or (
                closest[0].reason is IdentityReason.AUDIENCE and finding.reason is not IdentityReason.AUDIENCE
            ):
                closest = finding, trust
        if closest is None or closest[0].reason is None:
            raise IdentityRefused(IdentityReason.SIGNATURE)
        finding, trust = closest
        # A genuine token for somebody else is told so, and noted in nobody's trail.
        told = None if finding.reason is IdentityReason.AUDIENCE else trust
        raise IdentityRefused(closest[0].reason, finding.message, told, subject)

    async def _trusts(self, seen: Verified) -> Sequence[TrustedIssuer]:
        """Live trusts in the issuer: those of the audiences, else any, so that a wrong one can be named."""
        issuer = str(seen.claims["iss"])

        async def work(tx: Transaction) -> Sequence[TrustedIssuer]:
            found: dict[str, TrustedIssuer] = {}
            for audience in audiences_of(seen.claims)[:_MAX_AUDIENCES]:
                for each in await tx.workloads.for_audience(issuer, audience):
                    if audience in each.terms.audiences:
                        found.setdefault(each.id, each)
            rows = list(found.values()) or await tx.workloads.of_issuer(issuer, _MAX_TRUSTS)
            return sorted(rows, key=lambda each: each.id)

        trusts = await self.context.store.read(work)
        if not trusts:
            raise IdentityRefused(IdentityReason.ISSUER_UNKNOWN)
        return trusts

    async def genuine(
        self, token: str, trusts: Sequence[TrustedIssuer]
    ) -> tuple[Verified, list[TrustedIssuer]]:
        """Check a signature by the keys of trusts; those by whose keys it is right.

        Raises:
            IdentityRefused: it is by none.
            Unavailable: keys cannot be fetched now, and it is right by no others.
        """
        right: list[TrustedIssuer] = []
        verified: Verified | None = None
        failure: IdentityRefused | Unavailable | None = None
        sources: dict[KeySource, list[TrustedIssuer]] = {}
        for trust in trusts:
            sources.setdefault(source_of(trust), []).append(trust)
        for source in list(sources)[:_MAX_SOURCES]:
            try:
                verified = await self.key_sets.verify(token, source)
            except UnknownKey:
                failure = failure or IdentityRefused(IdentityReason.KEY_UNKNOWN)
            except BadToken as error:
                failure = IdentityRefused(_SIGNATURES.get(str(error), IdentityReason.MALFORMED))
            except Unavailable as error:
                failure = failure or error
            else:
                right += sources[source]
        if verified is None:
            raise failure or IdentityRefused(IdentityReason.SIGNATURE)
        return verified, sorted(right, key=lambda each: each.id)

    async def _proven(self, token: str, trust: TrustedIssuer, claims: Mapping[str, Any], now: int) -> Proven:
        record = await self.context.store.read(lambda tx: _live_token(tx, trust))
        return Proven(
            trust,
            look_at(record),
            claims,
            subject_of(claims),
            use_digest(token, claims),
            remembered_until(claims, now),
        )


async def _live_token(tx: Transaction, trust: TrustedIssuer) -> Token:
    token = await token_of(tx, trust)
    if token.kind is not Kind.TRUSTED_ISSUER or token.state is not State.ACTIVE:
        raise IdentityRefused(IdentityReason.ISSUER_UNKNOWN)
    return token


def looks_like_identity(value: str | None) -> bool:
    """Whether a value may be an identity token; ours have a prefix that none of these begins with."""
    return value is not None and value.startswith("ey") and is_compact(value, MAX_TOKEN)


def read_identity(token: str) -> Verified:
    """Header and claims of an identity token whose signature is not checked yet.

    Raises:
        IdentityRefused: it cannot be read, or can be read in two ways.
    """
    if len(token) > MAX_TOKEN:
        raise IdentityRefused(IdentityReason.MALFORMED)
    try:
        seen = read_unverified(token)
    except BadToken:
        raise IdentityRefused(IdentityReason.MALFORMED) from None
    if not isinstance(seen.claims.get("iss"), str):
        raise IdentityRefused(IdentityReason.MALFORMED)
    return seen


def source_of(trust: TrustedIssuer) -> KeySource:
    """Where the keys of a trust are from."""
    if trust.terms.jwks:
        return KeySource(inline=trust.terms.jwks)
    return KeySource(trust.issuer, trust.terms.jwks_url)


def use_digest(token: str, claims: Mapping[str, Any]) -> str:
    """By what a use is known: the `jti`, else what is signed, which nobody can write otherwise."""
    issuer, jti = str(claims.get("iss")), claims.get("jti")
    named = isinstance(jti, str) and 0 < len(jti) <= _MAX_JTI
    text = f"jti\0{issuer}\0{jti}" if named else f"signed\0{token.rpartition('.')[0]}"
    return hashlib.sha256(text.encode()).hexdigest()
