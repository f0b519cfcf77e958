"""Incidents: a retired value that somebody presents, a session that two hold; and what they hold back.

An incident never ends a session: what agents are connected stay so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from watchword.domain.addresses import parse_address
from watchword.domain.errors import Invalid
from watchword.domain.ids import AgentId, IncidentId, OrganizationId, TokenId, UserId
from watchword.domain.securitypolicy import ReuseResponse
from watchword.domain.tokens import MINUTE_US

MAX_ADDRESSES = 20
MAX_NOTE = 255
# Answers get lost: after a commit, a holder that was not seen to move is refused, and no thief yet.
GRACE_US = 5 * MINUTE_US
# Of one that was: requests under way, and other processes of the same client.
IN_FLIGHT_US = MINUTE_US
_SWAYS = 3
_SWAY_US = MINUTE_US


class IncidentKind(StrEnum):
    """What was seen."""

    REUSE = "reuse"
    CLONE = "clone"


class IncidentState(StrEnum):
    """Whether somebody has looked at it."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. Times are microseconds.

    Attributes:
        token_id: the retired token, or the token of the session.
        agent_id: the agent of the session; None for a retired token.
        response: what the organization's policy asked for when it was opened.
        shared: whether the token's kind has several holders.
        held: tokens that are held back while it is open: as a whole, or, where the kind is shared, for
            new joins from `addresses`.
        addresses: from where it was seen, the first ones.
        count: how often it was seen.
    """

    organization_id: OrganizationId
    id: IncidentId
    kind: IncidentKind
    state: IncidentState
    token_id: TokenId
    agent_id: AgentId | None
    response: ReuseResponse
    shared: bool
    held: tuple[str, ...]
    addresses: tuple[str, ...]
    count: int
    first_at: int
    last_at: int
    closed_at: int = 0
    closed_by: UserId | None = None
    note: str = ""


def in_grace(committed_at: int, now: int, *, known: bool, moved: bool) -> bool:
    """Whether a late use of a retired value is no incident yet.

    Args:
        committed_at: when the rotation was committed.
        now: microseconds.
        known: whether its address used the value before that, or its successor since.
        moved: whether its address has used the successor.
    """
    return known and now - committed_at < (IN_FLIGHT_US if moved else GRACE_US)


def with_address(addresses: Sequence[str], address: str) -> tuple[str, ...]:
    """Addresses and one more, within their number."""
    if not address or address in addresses or len(addresses) >= MAX_ADDRESSES:
        return tuple(addresses)
    return (*addresses, address)


def check_note(note: str) -> str:
    """A note on a closed incident.

    Raises:
        Invalid: it is too long.
    """
    if len(note) > MAX_NOTE:
        raise Invalid(f"Validation failed: Note takes at most {MAX_NOTE} characters", code="note_too_long")
    return note


@dataclass(slots=True)
class Sway:
    """How a session's address goes to and fro between two.

    One move is a laptop's; a host with IPv4 and IPv6 uses both at will. Two holders of one session
    show as addresses of one family that alternate.
    """

    pair: frozenset[str]
    times: list[int] = field(default_factory=list)

    def alternates(self, now: int, weight: int = 1) -> bool:
        """Note one change between the two; whether there were three within a minute."""
        self.times = [at for at in self.times if now - at < _SWAY_US] + [now] * weight
        return len(self.times) >= _SWAYS


def same_family(first: str, second: str) -> bool:
    """Whether two addresses are of one family, so that one host would not use both at will."""
    one, other = parse_address(first), parse_address(second)
    return one is not None and other is not None and one.version == other.version
