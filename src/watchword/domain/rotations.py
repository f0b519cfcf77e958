"""Rotations: a token and the one that takes its place; both work until the first is provably unused.

A kind with one holder commits at the successor's first use. A shared kind commits when no live holder is
left on the predecessor and the successor was used. Either commits when somebody says so, or at the deadline.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from watchword.domain.errors import Conflict, Invalid
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.tokens import DAY_US, MIN_LIFETIME_US, MINUTE_US, State, Token

DEFAULT_US = 7 * DAY_US
MIN_US = MIN_LIFETIME_US
MAX_US = 90 * DAY_US
# A repeated start, by the same caller, gives the same value within this time.
REPEAT_US = 5 * MINUTE_US

# What lives shorter than a rotation, or is exchanged from something else, is not rotated.
_FIXED = (
    Kind.AGENT_SESSION,
    Kind.JOB,
    Kind.TEMPORARY_PACKAGE,
    Kind.PORTAL_EPHEMERAL,
    Kind.PORTAL_USER,
    Kind.TOKEN_EXCHANGE,
    Kind.OAUTH_REFRESH,
    Kind.TRUSTED_ISSUER,
)


class RotationState(StrEnum):
    """Where a rotation stands."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


class Cause(StrEnum):
    """What ended a rotation."""

    NONE = ""
    FIRST_USE = "first_use"
    MOVED = "moved"
    FINISHED = "finished"
    DEADLINE = "deadline"
    REVOKED = "revoked"  # the predecessor was revoked meanwhile
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation. Times are microseconds; 0 means not yet.

    Attributes:
        kind: kind of both tokens.
        started_by: the person who asked.
        asker: id of the token that asked; it alone gets the value again.
        deadline: when it commits at the latest.
        first_used_at: when the successor was first used.
        ended_at: when it was committed or aborted.
        cause: what ended it.
    """

    organization_id: OrganizationId
    successor_id: TokenId
    predecessor_id: TokenId
    kind: Kind
    state: RotationState
    cause: Cause
    started_at: int
    started_by: UserId | None
    asker: str
    deadline: int
    first_used_at: int = 0
    ended_at: int = 0
    ended_by: UserId | None = None

    @property
    def open(self) -> bool:
        """Whether both values work."""
        return self.state is RotationState.OPEN

    @property
    def shared(self) -> bool:
        """Whether several holders may use one value at once."""
        return KINDS[self.kind].shared


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rotation is.

    Attributes:
        moved: holders of the successor.
        left: live holders of the predecessor.
    """

    moved: int
    left: int

    @property
    def total(self) -> int:
        """All live holders."""
        return self.moved + self.left


def progress(rotation: Rotation, on_predecessor: int, on_successor: int) -> Progress:
    """How far a rotation is; a kind with one holder has moved at the successor's first use.

    Args:
        rotation: the rotation.
        on_predecessor: live agents that joined with the predecessor.
        on_successor: live agents that joined with the successor.
    """
    if rotation.shared:
        return Progress(on_successor, on_predecessor)
    moved = int(rotation.first_used_at > 0)
    return Progress(moved, 1 - moved)


def due(rotation: Rotation, on_predecessor: int, now: int) -> Cause:
    """What commits a rotation now; `Cause.NONE` while it goes on.

    Args:
        rotation: the rotation.
        on_predecessor: live agents that joined with the predecessor.
        now: microseconds.
    """
    if not rotation.open:
        return Cause.NONE
    if rotation.first_used_at and not rotation.shared:
        return Cause.FIRST_USE
    if rotation.first_used_at and not on_predecessor:
        return Cause.MOVED
    return Cause.DEADLINE if now >= rotation.deadline else Cause.NONE


def check_deadline(deadline: int, now: int) -> int:
    """Require a deadline 10 minutes to 90 days ahead; 0 means seven days.

    Raises:
        Invalid: it is not.
    """
    if not deadline:
        return now + DEFAULT_US
    if not now + MIN_US <= deadline <= now + MAX_US:
        raise Invalid(
            "Validation failed: Deadline must lie 10 minutes to 90 days from now", code="invalid_deadline"
        )
    return deadline


def require_rotatable(token: Token, now: int) -> None:
    """Require that a token can be rotated.

    Raises:
        Conflict: it is not active, its uses are used up, or its kind is not rotated.
    """
    if token.kind in _FIXED:
        raise Conflict(f"The kind {KINDS[token.kind].title} is not rotated.", code="kind_not_rotated")
    if token.of_grant:
        raise Conflict("The application renews this token by itself.", code="kind_not_rotated")
    state = token.state_at(now)
    if state is not State.ACTIVE:
        raise Conflict(
            f"This token is {state.value}; only an active one can be rotated. Create another.",
            code="token_not_active",
        )
    if token.max_uses and token.uses >= token.max_uses:
        raise Conflict(
            "This token has been used as often as it may be; create another.", code="token_used_up"
        )


def succeed(
    token: Token, successor_id: TokenId, digest: bytes, now: int, by: UserId | None, longest: int
) -> Token:
    """The record of a successor: all that the predecessor may, and no more.

    It has the uses that are left. It lives as long, from now, as the predecessor was made to live.

    Args:
        token: the predecessor.
        successor_id: id of the successor.
        digest: of its value.
        now: microseconds.
        by: who asked.
        longest: longest life that the organization allows, microseconds; 0 sets no limit.
    """
    life = token.expires_at - token.created_at if token.expires_at else 0
    if longest and (not life or life > longest):
        life = longest
    return replace(
        token,
        id=successor_id,
        digest=digest,
        expires_at=now + max(life, MIN_LIFETIME_US) if life else 0,
        max_uses=token.max_uses - token.uses if token.max_uses else 0,
        uses=0,
        created_at=now,
        created_by=by,
        imported=False,
    )
