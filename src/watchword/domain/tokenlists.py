"""Lists of tokens: by what they are filtered and ordered, and what people are told of each one's state."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.hygiene import reminder_due
from watchword.domain.tokens import DAY_US, State, Token

MAX_TEXT = 255
# Longer ones than any name of a description are not ours.
_MAX_CURSOR = 4096
_MAX_KEY = 2**63 - 1
# What people paste beside the value: `Token x`, `export NAME=x`, `name: "x"`, quotes and trailing commas.
_SCHEME = re.compile(r"(?:authorization\s*:\s*)?(?:token|bearer|basic)\s+(\S+)", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?:export\s+|set\s+)?[\"']?[\w.-]+[\"']?\s*(?:=|:=|:)\s*(\S.*)", re.IGNORECASE)
_WRAPPING = " \t\r\n\"'`,;<>()[]{}"
_MAX_CANDIDATES = 8


class Condition(StrEnum):
    """What a list of tokens may be narrowed to, and what stands beside each token. Stable words."""

    ANY = "any"
    CURRENT = "current"  # neither revoked nor superseded
    ACTIVE = "active"
    EXPIRING = "expires_soon"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    ROTATING = "rotating"
    QUARANTINED = "quarantined"
    LEAKED = "leaked"
    NEVER_USED = "never_used"
    DRAINING = "draining"
    NOT_YET_VALID = "not_yet_valid"
    USED_UP = "used_up"


class Order(StrEnum):
    """By what a list of tokens is ordered."""

    CREATED = "created"
    NAME = "name"
    LAST_USED = "last_used"
    EXPIRES = "expires"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an ordered list: just beyond one row of it, on either side.

    Attributes:
        key: what the row is ordered by: lower-case name, or microseconds.
        id: id of the row.
        back: whether the rows before it are meant.
    """

    key: str | int
    id: str
    back: bool = False

    def text(self) -> str:
        """As it stands in an address; nobody is to read anything from it."""
        parts = json.dumps([self.key, self.id, int(self.back)], separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(parts.encode()).rstrip(b"=").decode()


def read_cursor(text: str, order: Order) -> Cursor:
    """Read a cursor of a list in an order.

    Raises:
        Invalid: it is none, or one of a list that is ordered otherwise.
    """
    try:
        return _decode(text, str if order is Order.NAME else int)
    except (
        ValueError,
        TypeError,
        RecursionError,
    ):  # a text that is not base64, JSON or UTF-8 is a ValueError
        raise Invalid(
            "This page of the list cannot be found; begin at its first page.", code="invalid_cursor"
        ) from None


def _decode(text: str, kind: type[str | int]) -> Cursor:
    if len(text) > _MAX_CURSOR:
        raise ValueError("too long")
    decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    key, row, back = json.loads(decoded)
    if type(key) is not kind or type(row) is not str:
        raise TypeError("a key and an id")
    if isinstance(key, int) and abs(key) > _MAX_KEY:
        raise ValueError("out of range")
    f"{key}{row}".encode()
    return Cursor(key, row, bool(back))


def conditions(
    token: Token,
    now: int,
    *,
    used: bool,
    rotating: bool = False,
    quarantined: bool = False,
    leaked: bool = False,
    draining: bool = False,
) -> tuple[Condition, ...]:
    """What people are told of a token's state, the gravest first; the last one is how it stands as such.

    Args:
        token: of any kind.
        now: microseconds.
        used: whether it was ever used.
        rotating: whether it is part of an open rotation.
        quarantined: whether an open incident names it.
        leaked: whether the case of its leak is not closed.
        draining: whether agents that joined with it are leaving.
    """
    state = token.state_at(now)
    alive = state is State.ACTIVE
    found = {
        Condition.LEAKED: leaked,
        Condition.QUARANTINED: quarantined,
        Condition.DRAINING: draining,
        Condition.ROTATING: rotating,
        Condition.USED_UP: alive and 0 < token.max_uses <= token.uses,
        Condition.NOT_YET_VALID: alive and token.not_before > now,
        Condition.EXPIRING: alive and reminder_due(token, now) > 0,
        Condition.NEVER_USED: alive and not used,
    }
    return (*(each for each, holds in found.items() if holds), Condition(state.value))


def days_left(token: Token, now: int) -> int:
    """Whole days until a token expires, begun ones counted; 0 where it does not expire or has expired."""
    return max(0, -((now - token.expires_at) // DAY_US)) if token.expires_at else 0


def check_text(text: str) -> str:
    """Trim what is searched for.

    Raises:
        Invalid: it is longer than any description.
    """
    trimmed = text.strip()
    if len(trimmed) > MAX_TEXT:
        raise Invalid(
            f"Search takes at most {MAX_TEXT} characters; look values up in their own field.",
            code="search_too_long",
        )
    return trimmed


def values_in(pasted: str) -> tuple[str, ...]:
    """What may be meant by a pasted text: as it is, then without what stands around a value.

    People paste `Authorization: Token x`, `export NAME="x"`, a line of YAML or JSON.
    """
    found: list[str] = []
    for text in _unwrapped(pasted):
        if text and text not in found:
            found.append(text)
    return tuple(found[:_MAX_CANDIDATES])


def _unwrapped(pasted: str) -> Iterator[str]:
    text = pasted
    for _ in range(_MAX_CANDIDATES):
        yield text
        bare = text.strip(_WRAPPING)
        yield bare
        match = _SCHEME.fullmatch(bare) or _ASSIGNED.fullmatch(bare)
        if match is None:
            return
        text = match[1]
