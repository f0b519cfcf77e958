"""Trusted issuers as REST takes and shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from watchword.domain import accounts, workloads
from watchword.domain.errors import Invalid
from watchword.domain.ids import UserId
from watchword.domain.restrictions import load
from watchword.domain.tokens import Token
from watchword.domain.workloadpresets import PRESETS
from watchword.rest.bodies import Body
from watchword.rest.formats import Site, instant
from watchword.rest.users import User, show_person
from watchword.services.identityexplaining import Explained
from watchword.services.trustedissuers import TrustRequest


class Rule(Body):
    """A rule over a claim: `match` is `exact`, `glob` or `one_of`; one value or several."""

    claim: str
    match: str = "exact"
    value: str | None = None
    values: list[str] | None = None


class NewTrustedIssuer(Body):
    """What a new trust is. Without audiences it takes the organization's own address."""

    name: str | None = None
    issuer: str | None = None
    preset: str | None = None
    audiences: list[str] | None = None
    rules: list[Rule] | None = None
    queue: str | None = None
    tags: list[str] | None = None
    allowed_ip_addresses: str | None = None
    maximum_age_in_seconds: int | None = None
    registrations_per_token: int | None = None
    registration_window_in_seconds: int | None = None
    jwks_url: str | None = None
    jwks: str | dict[str, Any] | None = None


class TrustedIssuerChange(Body):
    """What changes of a trust: an absent key leaves it as it is, null clears it."""

    name: str | UnsetType = UNSET
    audiences: list[str] | UnsetType = UNSET
    rules: list[Rule] | UnsetType = UNSET
    queue: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType | None = UNSET
    allowed_ip_addresses: str | UnsetType | None = UNSET
    maximum_age_in_seconds: int | UnsetType = UNSET
    registrations_per_token: int | UnsetType = UNSET
    registration_window_in_seconds: int | UnsetType = UNSET
    jwks_url: str | UnsetType | None = UNSET
    jwks: str | dict[str, Any] | UnsetType | None = UNSET


class ShownRule(msgspec.Struct, kw_only=True):
    """A rule over a claim."""

    claim: str
    match: str
    values: list[str]


class TrustedIssuer(msgspec.Struct, kw_only=True):
    """An issuer whose identity tokens let agents join a cluster."""

    id: str
    name: str
    issuer: str
    preset: str | None
    audiences: list[str]
    rules: list[ShownRule]
    queue: str | None
    tags: list[str]
    allowed_ip_addresses: str
    maximum_age_in_seconds: int
    registrations_per_token: int
    registration_window_in_seconds: int
    jwks_url: str | None
    jwks_pinned: bool
    agent_token_id: str
    url: str
    web_url: str
    cluster_url: str
    created_at: str
    created_by: User | None
    updated_at: str


class Explain(Body):
    """What is to be explained: an identity token, or a claim set that is taken for genuine."""

    token: str | None = None
    claims: dict[str, Any] | None = None


class Finding(msgspec.Struct, kw_only=True):
    """What one check found; `wanted` says what would pass."""

    check: str
    passes: bool
    code: str | None
    message: str
    wanted: str | None


class Explanation(msgspec.Struct, kw_only=True):
    """What one trust says."""

    id: str
    name: str
    passes: bool
    findings: list[Finding]


class Explanations(msgspec.Struct, kw_only=True):
    """What the cluster's trusts say, oldest first; `admitted_by` is the first that passes."""

    admitted_by: str | None
    trusted_issuers: list[Explanation]


def show_trust(
    site: Site,
    organization: accounts.Organization,
    trust: workloads.TrustedIssuer,
    token: Token,
    known: Mapping[UserId, accounts.User],
) -> TrustedIssuer:
    """A trust as JSON."""
    at = ("organizations", organization.slug, "clusters", trust.cluster_id)
    restrictions, terms = load(token.restrictions), trust.terms
    return TrustedIssuer(
        id=trust.id,
        name=trust.name,
        issuer=trust.issuer,
        preset=trust.preset or None,
        audiences=list(terms.audiences),
        rules=[
            ShownRule(claim=rule.claim, match=rule.match.value, values=list(rule.values))
            for rule in terms.rules
        ],
        queue=restrictions.queue or None,
        tags=list(terms.tags),
        allowed_ip_addresses=" ".join(block.text for block in restrictions.networks),
        maximum_age_in_seconds=terms.max_age,
        registrations_per_token=terms.registrations,
        registration_window_in_seconds=terms.window,
        jwks_url=terms.jwks_url or None,
        jwks_pinned=bool(terms.jwks),
        agent_token_id=trust.token_id,
        url=site.rest(*at, "trusted-issuers", trust.id),
        web_url=site.web(*at, "trusted-issuers", trust.id),
        cluster_url=site.rest(*at),
        created_at=instant(trust.created_at),
        created_by=show_person(known, trust.created_by),
        updated_at=instant(trust.updated_at),
    )


def _rules(given: Sequence[Rule]) -> tuple[workloads.ClaimRule, ...]:
    return tuple(
        workloads.ClaimRule(rule.claim, _match(rule.match), (*_one(rule.value), *(rule.values or ())))
        for rule in given
    )


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _match(text: str) -> workloads.Match:
    try:
        return workloads.Match(text)
    except ValueError:
        raise Invalid(
            f"Validation failed: Match is one of {', '.join(workloads.Match)}", code="invalid_rules"
        ) from None


def _jwks(given: str | dict[str, Any] | None) -> str:
    return given if isinstance(given, str) else msgspec.json.encode(given).decode() if given else ""


def read_new(asked: NewTrustedIssuer, audience: str) -> TrustRequest:
    """A new trust as it is asked for; `audience` is for where none is named.

    Raises:
        Invalid: a rule cannot be read.
    """
    preset = PRESETS.get(asked.preset or "")
    usual, window = workloads.Terms((), ()), asked.registration_window_in_seconds
    terms = workloads.Terms(
        tuple(asked.audiences) if asked.audiences else (audience,),
        _rules(asked.rules or ()),
        tuple(asked.tags or ()),
        usual.max_age if asked.maximum_age_in_seconds is None else asked.maximum_age_in_seconds,
        usual.registrations if asked.registrations_per_token is None else asked.registrations_per_token,
        usual.window if window is None else window,
        asked.jwks_url or "",
        _jwks(asked.jwks),
    )
    return TrustRequest(
        name=asked.name or "",
        issuer=asked.issuer or (preset.issuer if preset is not None else ""),
        terms=terms,
        preset=asked.preset or "",
        queue=asked.queue or "",
        networks=asked.allowed_ip_addresses or "",
    )


def read_change(asked: TrustedIssuerChange, known: TrustRequest) -> TrustRequest:
    """A trust with what is asked for.

    Raises:
        Invalid: a rule cannot be read.
    """
    terms: dict[str, Any] = {}
    for name, given in (
        ("audiences", asked.audiences),
        ("tags", asked.tags),
        ("max_age", asked.maximum_age_in_seconds),
        ("registrations", asked.registrations_per_token),
        ("window", asked.registration_window_in_seconds),
    ):
        if given is not UNSET:
            terms[name] = given if isinstance(given, int) else tuple(given or ())
    if asked.rules is not UNSET:
        terms["rules"] = _rules(asked.rules)
    if asked.jwks is not UNSET:
        terms["jwks"] = _jwks(asked.jwks)
    if asked.jwks_url is not UNSET:
        terms["jwks_url"] = asked.jwks_url or ""
    fields: dict[str, Any] = {}
    if asked.name is not UNSET:
        fields["name"] = asked.name
    if asked.queue is not UNSET:
        fields["queue"] = asked.queue or ""
    if asked.allowed_ip_addresses is not UNSET:
        fields["networks"] = asked.allowed_ip_addresses or ""
    return replace(known, terms=replace(known.terms, **terms), **fields)


def show_explained(one: Explained) -> Explanation:
    """What a trust says, as JSON."""
    return Explanation(
        id=one.trust.id,
        name=one.trust.name,
        passes=one.passes,
        findings=[
            Finding(
                check=each.check,
                passes=each.reason is None,
                code=each.reason.value if each.reason is not None else None,
                message=each.message,
                wanted=each.wanted or None,
            )
            for each in one.findings
        ],
    )
