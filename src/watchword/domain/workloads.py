"""Trusted issuers: whose identity tokens let an agent join without an agent token, and which of them.

A trust names an issuer, the audiences that are ours, and rules over claims; all of them must hold. A claim's
path is the names from the outside in, `/` between them; inside a name `~1` is a slash and `~0` a tilde, as in
JSON Pointer (RFC 6901 §3).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchword.domain.globs import glob_matches
from watchword.domain.ids import AgentId, ClusterId, OrganizationId, ResourceId, TokenId, UserId

LEEWAY_S = 60
DEFAULT_AGE_S = 3600
MAX_AGE_S = 24 * 3600
MAX_REGISTRATIONS = 100
DEFAULT_WINDOW_S = 120
MAX_SUBJECT = 512
# Whatever a token says of its end, its use is not remembered for ever.
_LATEST_S = 10 * 365 * 24 * 3600
_MOST_VALUES = 100
_SHOWN = 120
_BIGGEST = 2.0**53


class IdentityReason(StrEnum):
    """Why an identity token does not pass. Stable: programs and dashboards read these words."""

    MALFORMED = "identity_malformed"
    ISSUER_UNKNOWN = "identity_issuer_unknown"
    KEY_UNKNOWN = "identity_key_unknown"
    SIGNATURE = "identity_signature_wrong"
    ALGORITHM = "identity_algorithm_refused"
    AUDIENCE = "identity_audience_refused"
    CLAIM_MISSING = "identity_claim_missing"
    EXPIRED = "identity_expired"
    NOT_YET_VALID = "identity_not_yet_valid"
    TOO_OLD = "identity_too_old"
    CLAIM_REFUSED = "identity_claim_refused"
    TAG_REFUSED = "identity_tag_refused"
    REPLAYED = "identity_replayed"


class Match(StrEnum):
    """How a claim is compared."""

    EXACT = "exact"
    GLOB = "glob"
    ONE_OF = "one_of"


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """A claim and what it must be; of a claim that is a list one entry must be that.

    Attributes:
        claim: its path.
        match: how it is compared: with the one value as it is, as a glob, or with each of several.
    """

    claim: str
    match: Match
    values: tuple[str, ...]

    def holds(self, claims: Mapping[str, Any]) -> bool:
        """Whether a claim set satisfies it; a claim that is not there does not."""
        found = texts_at(claims, self.claim)
        if self.match is Match.GLOB:
            return any(glob_matches(pattern, text) for pattern in self.values for text in found)
        return any(text in self.values for text in found)


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an issuer is trusted. Times are seconds.

    Attributes:
        audiences: of these a token must be for one.
        rules: all of these must hold.
        tags: globs of the tags that an agent may take; empty lets it take any.
        max_age: how long ago a token may have been issued.
        registrations: how many agents one token may register, on one machine.
        window: within which they must do so, counted from the first.
        jwks_url: where the keys are; empty has them found by discovery.
        jwks: the keys themselves; nothing is fetched then.
    """

    audiences: tuple[str, ...]
    rules: tuple[ClaimRule, ...]
    tags: tuple[str, ...] = ()
    max_age: int = DEFAULT_AGE_S
    registrations: int = 1
    window: int = DEFAULT_WINDOW_S
    jwks_url: str = ""
    jwks: str = ""

    def refuse_tags(self, tags: Sequence[str]) -> str:
        """The first tag that an agent may not take, queues aside; empty where it may take them all."""
        for tag in tags:
            if (
                self.tags
                and not tag.startswith("queue=")
                and not any(glob_matches(one, tag) for one in self.tags)
            ):
                return tag
        return ""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer that an organization trusts for a cluster. Times are microseconds.

    Attributes:
        token_id: the record of kind `trusted_issuer` that stands for it among tokens: agents join by it, its
            restrictions narrow them, and its end is the trust's. It has no value.
        issuer: its `iss`, as tokens carry it.
        preset: name of the platform that it was made for; empty for none.
    """

    organization_id: OrganizationId
    id: ResourceId
    cluster_id: ClusterId
    token_id: TokenId
    name: str
    issuer: str
    preset: str
    terms: Terms
    created_at: int
    created_by: UserId | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class IdentityUse:
    """That an identity token was used. Times are microseconds.

    Attributes:
        digest: of its `jti`, or of what is signed where it has none.
        holder: digest of the machine that used it.
        uses: agents that it registered.
    """

    organization_id: OrganizationId
    digest: str
    holder: str
    uses: int
    first_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """With which identity an agent joined. Times are microseconds."""

    organization_id: OrganizationId
    agent_id: AgentId
    issuer_id: ResourceId
    issuer: str
    subject: str
    digest: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of a claim set found.

    Attributes:
        check: `audience`, `expiry`, `not_before`, `age`, `subject`, or `claim` and its path.
        reason: why it does not pass; None where it does.
        message: for the holder of the token: names what the token says, not what would be taken.
        wanted: for administrators: what would be taken.
    """

    check: str
    reason: IdentityReason | None
    message: str
    wanted: str = ""


def judge(terms: Terms, claims: Mapping[str, Any], now: int) -> list[Finding]:
    """Check a claim set against terms; it passes where no finding has a reason.

    Args:
        terms: of a trust.
        claims: whose signature and issuer were checked.
        now: microseconds.
    """
    seconds = now / 1_000_000
    return [
        _audience(terms, claims),
        _subject(claims),
        _expiry(claims, seconds),
        _not_before(claims, seconds),
        _age(terms, claims, seconds),
        *(_claim(rule, claims) for rule in terms.rules),
    ]


def refused(findings: Sequence[Finding]) -> Finding | None:
    """The first finding that does not pass."""
    return next((one for one in findings if one.reason is not None), None)


def audiences_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """For whom a token is (RFC 7519 §4.1.3); what is no text is left out."""
    given = claims.get("aud")
    listed = given if isinstance(given, list) else [given]
    return tuple(one for one in listed[:_MOST_VALUES] if isinstance(one, str) and one)


def subject_of(claims: Mapping[str, Any]) -> str:
    """Whose token it is; empty where it does not say so."""
    found = claims.get("sub")
    return found if isinstance(found, str) and len(found) <= MAX_SUBJECT else ""


def remembered_until(claims: Mapping[str, Any], now: int) -> int:
    """How long a token's use is remembered, in microseconds: as long as it could pass."""
    expiry = _number(claims.get("exp")) or 0.0
    return min(math.ceil(expiry) + LEEWAY_S, now // 1_000_000 + _LATEST_S) * 1_000_000


def texts_at(claims: Mapping[str, Any], path: str) -> list[str]:
    """A claim as texts: one of a text, number or truth value, several of a list, none of anything else."""
    value: Any = claims
    for name in names_of(path):
        if not isinstance(value, Mapping) or name not in value:
            return []
        value = value[name]
    listed = value[:_MOST_VALUES] if isinstance(value, list) else [value]
    return list(_texts(listed))


def names_of(path: str) -> list[str]:
    """The names that a claim's path goes through."""
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]


def _texts(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, int):
            yield str(value)


def _audience(terms: Terms, claims: Mapping[str, Any]) -> Finding:
    found, wanted = audiences_of(claims), " or ".join(terms.audiences)
    if any(one in terms.audiences for one in found):
        return Finding("audience", None, "The token is for us.", wanted)
    named = ", ".join(_short(one) for one in found[:3])
    said = f"for {named}" if named else "for nobody"
    return Finding(
        "audience", IdentityReason.AUDIENCE, f"The identity token is {said}, not for this trust.", wanted
    )


def _subject(claims: Mapping[str, Any]) -> Finding:
    if subject_of(claims):
        return Finding("subject", None, "The token has a subject.")
    return Finding("subject", IdentityReason.CLAIM_MISSING, "The identity token has no subject (sub).")


def _expiry(claims: Mapping[str, Any], seconds: float) -> Finding:
    expiry = _number(claims.get("exp"))
    if expiry is None:
        return Finding("expiry", IdentityReason.CLAIM_MISSING, "The identity token has no expiry (exp).")
    if seconds >= expiry + LEEWAY_S:
        ago = round(seconds - expiry)
        return Finding("expiry", IdentityReason.EXPIRED, f"The identity token expired {ago} s ago.")
    return Finding("expiry", None, "The token has not expired.")


def _not_before(claims: Mapping[str, Any], seconds: float) -> Finding:
    for name in ("nbf", "iat"):
        if name not in claims and name == "nbf":
            continue
        start = _number(claims.get(name))
        if start is None:
            return Finding(
                "not_before",
                IdentityReason.CLAIM_MISSING,
                f"The identity token's {name} is no time, or missing.",
            )
        if start > seconds + LEEWAY_S:
            ahead = round(start - seconds)
            return Finding(
                "not_before",
                IdentityReason.NOT_YET_VALID,
                f"The identity token is valid from {ahead} s ahead ({name}); look at the clocks.",
            )
    return Finding("not_before", None, "The token is valid already.")


def _age(terms: Terms, claims: Mapping[str, Any], seconds: float) -> Finding:
    issued, wanted = _number(claims.get("iat")), f"at most {terms.max_age} s"
    if issued is None:
        return Finding(
            "age", IdentityReason.CLAIM_MISSING, "The identity token does not say when it was issued."
        )
    if seconds > issued + terms.max_age + LEEWAY_S:
        age = round(seconds - issued)
        return Finding(
            "age",
            IdentityReason.TOO_OLD,
            f"The identity token was issued {age} s ago; ask for a new one.",
            wanted,
        )
    return Finding("age", None, "The token is young enough.", wanted)


def _claim(rule: ClaimRule, claims: Mapping[str, Any]) -> Finding:
    check, wanted = f"claim {rule.claim}", f"{rule.match.value} {', '.join(rule.values)}"
    if rule.holds(claims):
        return Finding(check, None, "The claim is as it must be.", wanted)
    found = texts_at(claims, rule.claim)
    said = f"is {_short(', '.join(found))}, which this trust does not admit" if found else "is missing"
    return Finding(
        check, IdentityReason.CLAIM_REFUSED, f"The identity token's claim {rule.claim} {said}.", wanted
    )


def _number(value: object) -> float | None:
    """A NumericDate (RFC 7519 §2); None for anything else, and for what no clock will ever show."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _BIGGEST else None


def _short(text: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return repr(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…")
