"""Tokens of all kinds as pages show them: where each one's page is, its badges, and how far it reaches."""

from dataclasses import dataclass

from watchword.domain.kinds import KINDS, Kind
from watchword.domain.portals import PORTAL_KINDS
from watchword.domain.restrictions import load
from watchword.domain.scopes import PRESETS
from watchword.domain.tokenlists import Condition
from watchword.domain.tokens import Token
from watchword.services.tokensearch import TokenRow

NO_NAME = "(no description)"
_SHOWN_SCOPES = 3
_PRESET_NAMES = {"full": "full access", "read_write": "read and write", "read_only": "read only"}
_WORDS: dict[Condition, tuple[str, str]] = {
    Condition.ACTIVE: ("Active", "good"),
    Condition.EXPIRED: ("Expired", "plain"),
    Condition.REVOKED: ("Revoked", "plain"),
    Condition.SUPERSEDED: ("Superseded", "plain"),
    Condition.LEAKED: ("Leaked", "bad"),
    Condition.QUARANTINED: ("Incident open", "bad"),
    Condition.NEVER_USED: ("Never used", "plain"),
    Condition.NOT_YET_VALID: ("Not yet valid", "plain"),
    Condition.USED_UP: ("Used up", "plain"),
}


@dataclass(frozen=True, slots=True)
class Badge:
    """One word on a token's state; `kind` is one of the badge macro's."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class ShownToken:
    """One row of a list of tokens.

    Attributes:
        path: its page.
        name: its description.
        kind: what people call its kind.
        reach: how far it reaches, in a few words.
        limits: what narrows it: networks, queue, tags, uses.
    """

    row: TokenRow
    path: str
    name: str
    kind: str
    badges: tuple[Badge, ...]
    reach: str
    limits: tuple[str, ...]


_PAGES = {
    Kind.AGENT: "clusters/{cluster}/tokens/{id}",
    Kind.UNCLUSTERED_AGENT: "unclustered/tokens/{id}",
    Kind.DAGSTER_AGENT: "dagster/tokens/agent/{id}",
    Kind.DAGSTER_USER: "dagster/tokens/user/{id}",
    Kind.REGISTRY: "registries/{resource}/tokens/{id}",
    Kind.TEMPORARY_PACKAGE: "registries/{resource}",
    **dict.fromkeys(PORTAL_KINDS, "portal-tokens/{id}"),
}


def token_path(slug: str, token: Token) -> str:
    """Where the page of a token is; of a temporary package token the one of its registry."""
    page = _PAGES.get(token.kind, "tokens/api/{id}")
    at = page.format(cluster=token.cluster_id, resource=token.resource_id, id=token.id)
    return f"/organizations/{slug}/{at}"


def show_token(slug: str, row: TokenRow) -> ShownToken:
    """A row of the token search as a page shows it."""
    token = row.token
    return ShownToken(
        row=row,
        path=token_path(slug, token),
        name=token.description.strip() or NO_NAME,
        kind=_first_upper(KINDS[token.kind].title),
        badges=badges_of(row),
        reach=_reach(row),
        limits=limits_of(token),
    )


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def badges_of(row: TokenRow) -> tuple[Badge, ...]:
    """The gravest first; one that expires soon or goes on expiring is not called active beside that."""
    badges = []
    for each in row.conditions:
        if each is Condition.EXPIRING:
            badges.append(Badge(f"Expires in {_days(row.days_left)}", "warn"))
        elif each is Condition.ROTATING:
            badges.append(Badge(_rotating(row), "busy"))
        elif each is Condition.DRAINING:
            badges.append(Badge(f"Draining: {row.agents} left", "busy"))
        elif each is not Condition.ACTIVE or len(row.conditions) == 1:
            badges.append(Badge(*_WORDS[each]))
    return tuple(badges)


def _days(days: int) -> str:
    return f"{days} day{'s' if days != 1 else ''}"


def _rotating(row: TokenRow) -> str:
    rotation = row.rotation
    if rotation is None or rotation.successor_id == row.token.id:
        return "Rotating: the new value"
    if not rotation.shared or rotation.kind in (Kind.DAGSTER_AGENT, Kind.REGISTRY):
        return "Rotating: the old value"
    return f"Rotating: still used by {row.agents}"


_REACHES = {
    Kind.UNCLUSTERED_AGENT: "outside clusters",
    Kind.DAGSTER_AGENT: "Dagster+ deployments",
    Kind.DAGSTER_USER: "Dagster+, as its owner",
    Kind.REGISTRY: "packages of a registry",
    Kind.TEMPORARY_PACKAGE: "packages of a registry",
    **dict.fromkeys(PORTAL_KINDS, "one portal"),
}


def _reach(row: TokenRow) -> str:
    """The cluster of an agent token; what the scopes of an API access token amount to; of others a word."""
    token = row.token
    if token.kind is Kind.AGENT:
        return row.cluster_name or "a deleted cluster"
    return _REACHES.get(token.kind) or scope_summary(token.scopes)


def scope_summary(words: str) -> str:
    """Scopes in a few words: a preset's name, or the first ones."""
    scopes = frozenset(words.split())
    for name, preset in PRESETS.items():
        if scopes & PRESETS["full"] == preset:
            rest = sorted(scopes - preset)
            return ", ".join([_PRESET_NAMES[name], *rest])
    shown = sorted(scopes)
    text = ", ".join(shown[:_SHOWN_SCOPES])
    return (
        f"{text} and {len(shown) - _SHOWN_SCOPES} more" if len(shown) > _SHOWN_SCOPES else text or "no scopes"
    )


def limits_of(token: Token) -> tuple[str, ...]:
    """What narrows a token beyond its kind and scopes."""
    restrictions = load(token.restrictions)
    limits = []
    if restrictions.unknown:
        limits.append("a restriction that this version does not know")
    if restrictions.networks:
        limits.append("from " + ", ".join(block.text for block in restrictions.networks))
    if restrictions.queue:
        limits.append(f"queue {restrictions.queue}")
    if restrictions.tags:
        limits.append("tags " + ", ".join(restrictions.tags))
    if token.max_uses:
        limits.append(f"{token.uses} of {token.max_uses} uses")
    return tuple(limits)
