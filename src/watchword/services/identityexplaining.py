"""Explaining: which trusts would admit a claim set or an identity token, rule by rule; uses nothing up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchword.domain.errors import Invalid, Unavailable
from watchword.domain.workloads import (
    Finding,
    IdentityReason,
    TrustedIssuer,
    judge,
    refused,
)
from watchword.services.identities import Identities, IdentityRefused, looks_like_identity, read_identity


@dataclass(frozen=True, slots=True)
class Explained:
    """What one trust says of a claim set.

    Attributes:
        findings: of every check, in order; the first that does not pass is what a holder would be told.
    """

    trust: TrustedIssuer
    findings: tuple[Finding, ...]

    @property
    def passes(self) -> bool:
        """Whether it would be admitted."""
        return refused(self.findings) is None


async def explain(
    identities: Identities,
    trusts: Sequence[TrustedIssuer],
    claims: Mapping[str, Any] | None,
    token: str | None,
) -> list[Explained]:
    """What trusts say of a claim set, or of a token with its signature; the oldest that passes takes it.

    Args:
        identities: who decides.
        trusts: that are asked, oldest first.
        claims: a claim set; its signature is taken for right.
        token: an identity token; it is not kept, not shown again, and not used up.

    Raises:
        Invalid: neither or both are given, or the token cannot be read.
    """
    if (claims is None) == (not token):
        raise Invalid("Validation failed: Give either a token or claims", code="nothing_to_explain")
    if token:
        if not looks_like_identity(token):
            raise Invalid(
                "Validation failed: The token is no signed JSON Web Token of at most 16 KiB",
                code=IdentityReason.MALFORMED.value,
            )
        try:
            claims = read_identity(token).claims
        except IdentityRefused as error:
            raise Invalid(f"Validation failed: {error.message}", code=error.code) from None
    now, given = identities.context.clock.now(), claims or {}
    found = []
    for trust in trusts:
        first = [_issuer(trust, given)]
        if token and first[0].reason is None:
            first.append(await _signature(identities, token, trust))
        found.append(Explained(trust, (*first, *judge(trust.terms, given, now))))
    return found


def _issuer(trust: TrustedIssuer, claims: Mapping[str, Any]) -> Finding:
    if claims.get("iss") == trust.issuer:
        return Finding("issuer", None, "The issuer is trusted.", trust.issuer)
    return Finding(
        "issuer", IdentityReason.ISSUER_UNKNOWN, "The issuer is another one, to the letter.", trust.issuer
    )


async def _signature(identities: Identities, token: str, trust: TrustedIssuer) -> Finding:
    try:
        await identities.genuine(token, [trust])
    except IdentityRefused as error:
        return Finding("signature", IdentityReason(error.code), error.message)
    except Unavailable as error:
        return Finding("signature", IdentityReason.KEY_UNKNOWN, error.message)
    return Finding("signature", None, "The signature is right.")
