"""What needs attention, in words: of how many tokens, why, and what to do about it."""

from dataclasses import dataclass

from watchword.domain.hygiene import Flag
from watchword.services.hygiene import Finding
from watchword.services.overview import EXPIRIES, Concern
from watchword.web.tokenrows import NO_NAME, token_path

# Headline for one token, for several, and what to do.
WORDS: dict[str, tuple[str, str, str]] = {
    "expires_in_1_day": (
        "1 token expires within a day",
        "{} tokens expire within a day",
        "Rotate them now: what uses them stops when they end.",
    ),
    "expires_in_7_days": (
        "1 token expires within 7 days",
        "{} tokens expire within 7 days",
        "Rotate them, or make their successors, this week.",
    ),
    "expires_in_30_days": (
        "1 token expires within 30 days",
        "{} tokens expire within 30 days",
        "Plan who takes over.",
    ),
    "owner_gone": (
        "The owner of 1 token is gone",
        "The owners of {} tokens are gone",
        "They left, or their accounts are disabled: the tokens open nothing here; revoke them.",
    ),
    "over_broad": (
        "1 token is broader than it needs to be",
        "{} tokens are broader than they need to be",
        "Fewer scopes, an expiry, or networks: who finds a copy may then do less.",
    ),
    "unused": (
        "1 token was not used for 30 days or more",
        "{} tokens were not used for 30 days or more",
        "Ask their owners, then revoke them.",
    ),
    "never_used": (
        "1 token was never used",
        "{} tokens were never used",
        "Revoke them, or put them to use.",
    ),
    "nearly_used_up": (
        "1 token is nearly used up",
        "{} tokens are nearly used up",
        "They may register few more agents: make others in time.",
    ),
    "no_description": (
        "1 token has no description",
        "{} tokens have no description",
        "Nobody can tell what breaks without them; say which environment they are for.",
    ),
    "imported": (
        "1 token was made elsewhere",
        "{} tokens were made elsewhere",
        "Copies may remain where they came from; rotate them.",
    ),
}
# Of the names of `services.overview`, those that do not wait.
PRESSING = frozenset({"expires_in_1_day", "expires_in_7_days", "owner_gone"})
FLAGS: dict[Flag, str] = {
    Flag.NEVER_USED: "never used",
    Flag.UNUSED_LONG: "unused for 90 days",
    Flag.UNUSED: "unused for 30 days",
    Flag.ALL_SCOPES: "every scope",
    Flag.DELETING: "may delete",
    Flag.NO_EXPIRY: "never expires",
    Flag.ADMIN_ANYWHERE: "an administrator's, from anywhere",
    Flag.EXPIRING: "expires soon",
    Flag.NO_DESCRIPTION: "no description",
    Flag.OWNER_LEFT: "owner left",
    Flag.OWNER_DISABLED: "owner disabled",
    Flag.IMPORTED: "made elsewhere",
    Flag.NEARLY_USED_UP: "nearly used up",
}


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A token that needs attention, with its page and its name."""

    found: Finding
    path: str
    name: str


@dataclass(frozen=True, slots=True)
class ShownConcern:
    """One card of the overview.

    Attributes:
        path: where all of them are listed.
        headline: how many, and what of them.
        advice: what to do.
        pressing: whether it does not wait.
        expiring: whether it is about when they end.
        tokens: some of them.
        more: how many others there are.
    """

    path: str
    headline: str
    advice: str
    pressing: bool
    expiring: bool
    tokens: tuple[ShownFinding, ...]
    more: int


def show_finding(slug: str, found: Finding) -> ShownFinding:
    """A finding with its page and name."""
    name = found.token.description.strip() or NO_NAME
    return ShownFinding(found, token_path(slug, found.token), name)


def headline(name: str, count: int) -> str:
    """How many tokens a concern is about, in words."""
    one, many, _ = WORDS[name]
    return one if count == 1 else many.format(count)


def show_concern(slug: str, concern: Concern) -> ShownConcern:
    """A concern as a card."""
    return ShownConcern(
        path=f"/organizations/{slug}/hygiene?reason={concern.name}",
        headline=headline(concern.name, concern.count),
        advice=WORDS[concern.name][2],
        pressing=concern.name in PRESSING,
        expiring=concern.name in EXPIRIES,
        tokens=tuple(show_finding(slug, found) for found in concern.first),
        more=concern.count - len(concern.first),
    )
