"""Hygiene: which tokens need attention, and why; when to remind people of an expiry. Pure rules."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from watchword.domain.kinds import Kind
from watchword.domain.operations import OPERATIONS, Right
from watchword.domain.policy import opens
from watchword.domain.restrictions import load
from watchword.domain.scopes import PRESETS
from watchword.domain.tokens import DAY_US, State, Token

# Days ahead of an expiry at which people are reminded, the latest first.
REMINDER_DAYS = (1, 7, 30)
LONG_UNUSED_DAYS, UNUSED_DAYS = 90, 30
# What only administrators may change.
_RULING = [
    operation
    for operation in OPERATIONS.values()
    if operation.right is Right.ADMIN and operation.scope.startswith("write_")
]
# A token younger than this may well wait for its first use.
_SETTLED_US = DAY_US
_NEARLY = 10
_BY_PEOPLE = (Kind.AGENT, Kind.UNCLUSTERED_AGENT, Kind.API_ACCESS)


class Flag(StrEnum):
    """Why a token needs attention. Stable: programs read these words."""

    NEVER_USED = "never_used"
    UNUSED_LONG = "unused_for_90_days"
    UNUSED = "unused_for_30_days"
    ALL_SCOPES = "all_scopes"
    DELETING = "delete_scopes"
    NO_EXPIRY = "no_expiry"
    ADMIN_ANYWHERE = "administrator_without_networks"
    EXPIRING = "expiring"
    NO_DESCRIPTION = "no_description"
    OWNER_LEFT = "owner_left"
    OWNER_DISABLED = "owner_disabled"
    IMPORTED = "imported"
    NEARLY_USED_UP = "nearly_used_up"


REASONS: dict[Flag, str] = {
    Flag.NEVER_USED: "It was made more than a day ago and never used: revoke it, or put it to use.",
    Flag.UNUSED_LONG: "It was not used for 90 days: nobody would miss it; revoke it.",
    Flag.UNUSED: "It was not used for 30 days: ask its owner whether it is still needed.",
    Flag.ALL_SCOPES: "It has every scope: who finds it may do all that its owner may; make a narrower one.",
    Flag.DELETING: "It may delete what cannot be brought back: leave the delete scopes out where you can.",
    Flag.NO_EXPIRY: "It never expires: a lost copy stays good for ever; make one that does.",
    Flag.ADMIN_ANYWHERE: "It has an administrator's rights and works from anywhere: limit its networks.",
    Flag.EXPIRING: "It expires soon: make its successor, or rotate it, before what uses it stops.",
    Flag.NO_DESCRIPTION: "It has no description: nobody can tell what breaks without it; give it one.",
    Flag.OWNER_LEFT: "Its owner is no member of the organization any more; it opens nothing here; revoke it.",
    Flag.OWNER_DISABLED: "Its owner's account is disabled; it opens nothing; revoke it.",
    Flag.IMPORTED: "Its value was made elsewhere, where copies of it may remain; rotate it.",
    Flag.NEARLY_USED_UP: "It may register few more agents or none: make another one in time.",
}


class Owner(StrEnum):
    """How the person behind a token stands in the organization."""

    NOBODY = "nobody"  # the token belongs to no person
    MEMBER = "member"
    ADMIN = "admin"
    LEFT = "left"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Inspected:
    """A token as hygiene looks at it.

    Attributes:
        last_used_at: microseconds; 0 where it was never used.
        imported: whether its value was issued elsewhere.
    """

    token: Token
    last_used_at: int = 0
    owner: Owner = Owner.NOBODY
    imported: bool = False


def inspect(subject: Inspected, now: int) -> tuple[Flag, ...]:
    """Why a token needs attention, in the order of `Flag`; nothing where it has ended or has expired."""
    token = subject.token
    if token.state_at(now) is not State.ACTIVE:
        return ()
    found = {
        **_unused(subject, now),
        **(_too_broad(subject) if token.kind is Kind.API_ACCESS else {}),
        Flag.EXPIRING: reminder_due(token, now) > 0,
        Flag.NO_DESCRIPTION: not token.description.strip(),
        Flag.OWNER_LEFT: subject.owner is Owner.LEFT,
        Flag.OWNER_DISABLED: subject.owner is Owner.DISABLED,
        Flag.IMPORTED: subject.imported,
        Flag.NEARLY_USED_UP: token.max_uses > 1 and (token.max_uses - token.uses) * _NEARLY <= token.max_uses,
    }
    return tuple(flag for flag in Flag if found.get(flag))


def _unused(subject: Inspected, now: int) -> dict[Flag, bool]:
    token = subject.token
    if not subject.last_used_at:
        return {Flag.NEVER_USED: now - max(token.created_at, token.not_before) >= _SETTLED_US}
    idle = now - subject.last_used_at
    long = idle >= LONG_UNUSED_DAYS * DAY_US
    return {Flag.UNUSED_LONG: long, Flag.UNUSED: not long and idle >= UNUSED_DAYS * DAY_US}


def _too_broad(subject: Inspected) -> dict[Flag, bool]:
    """Which scopes a token uses is not kept; too broad is what no single task is likely to need."""
    token = subject.token
    everything, deleting, ruling = _breadth(token.scopes)
    admin = subject.owner is Owner.ADMIN and ruling
    return {
        Flag.ALL_SCOPES: everything,
        Flag.DELETING: not everything and deleting,
        Flag.NO_EXPIRY: not token.expires_at,
        Flag.ADMIN_ANYWHERE: admin and not load(token.restrictions).networks,
    }


@lru_cache(maxsize=1024)
def _breadth(words: str) -> tuple[bool, bool, bool]:
    """Whether scopes are all there are, delete something, let an administrator rule; many are alike."""
    scopes = frozenset(words.split())
    return (
        scopes >= PRESETS["full"],
        any(scope.startswith("delete_") for scope in scopes),
        any(opens(scopes, operation) for operation in _RULING),
    )


def reminder_due(token: Token, now: int) -> int:
    """Which reminder of an expiry is due: 30, 7 or 1 days ahead; 0 for none.

    A token whose whole life is shorter than that is not announced at its birth: one that lives for seven
    days is due a day before its end.
    """
    if token.kind not in _BY_PEOPLE or not token.expires_at or now >= token.expires_at:
        return 0
    for days in REMINDER_DAYS:
        ahead = days * DAY_US
        if now >= token.expires_at - ahead:
            return days if token.expires_at - token.created_at > ahead else 0
    return 0


def idle_since(token: Token, granted_at: int, last_used_at: int) -> int:
    """Since when an API access token is idle: its last use, else since it reached the organization."""
    return max(token.created_at, granted_at, last_used_at)
