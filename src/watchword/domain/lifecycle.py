"""How access is taken from a token: the modes, what a change would break, what was done and when."""

from dataclasses import dataclass, replace
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import JobId, OrganizationId, RevocationId, TokenId, UserId
from watchword.domain.tokens import MINUTE_US
from watchword.domain.use import Use

MAX_REASON = 255
MAX_DEADLINE_MINUTES = 7 * 24 * 60


class Mode(StrEnum):
    """What becomes of the agents that joined with a token, from the mildest to the strongest."""

    STOP_JOINING = "stop_joining"  # they stay
    DRAIN = "drain"  # each finishes its job, then leaves
    CUT = "cut"  # their sessions and job tokens die at once

    @property
    def strength(self) -> int:
        """Its place in the order; a repeated revocation never goes down in it."""
        return tuple(Mode).index(self)


class Change(StrEnum):
    """How access was taken away."""

    REVOKE = "revoke"
    NARROW = "narrow"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """How a caller wants access taken away.

    Attributes:
        deadline: microseconds from now after which a drain cuts what is left; 0 sets none.
    """

    mode: Mode = Mode.STOP_JOINING
    deadline: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """That access was taken from a token, and how far that has come. Times are microseconds; 0 means not yet.

    Attributes:
        networks: of a narrowing: the blocks that the token was narrowed to, as its restrictions have them.
        deadline: when a drain cuts what is left; 0 for never.
        committed_at: since when nobody joins (anew) against it; that of the last escalation.
        effective_at: since when no cache of this node lets anything pass.
        finished_at: since when no agent is left that was to leave.
        agents: agents that were told to leave or were cut.
        agents_cut: those of them whose session was ended.
        jobs_lost: running jobs that this ended.
        jobs_returned: jobs that had not started and wait again.
    """

    organization_id: OrganizationId
    id: RevocationId
    token_id: TokenId
    change: Change
    mode: Mode
    networks: str
    deadline: int
    committed_at: int
    effective_at: int
    finished_at: int
    by: UserId | None
    reason: str
    agents: int = 0
    agents_cut: int = 0
    jobs_lost: int = 0
    jobs_returned: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A revocation as its caller sees it: `remaining` agents are still to leave; `nodes` know of it."""

    revocation: Revocation
    remaining: int
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class UsedBy:
    """Who presented a token itself in the last day: one address and client."""

    address: str
    client: str
    count: int
    last_at: int


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What taking access away from a token touches.

    Attributes:
        connected: connected agents that joined with it; of a narrowing those outside of the blocks.
        joining: agents that have registered and not connected yet.
        busy: agents that hold a job.
        running: jobs that have started and not ended.
        callers: who presented the token in the last 24 hours; of a narrowing those outside of the blocks.
        children: live session tokens that came of it.
        last_use: its latest use; None if it was never used.
    """

    connected: int
    joining: int
    busy: int
    running: tuple[JobId, ...]
    callers: tuple[UsedBy, ...]
    children: int
    last_use: Use | None


def read_mode(text: str) -> Mode:
    """The mode that a caller names; `stop-joining` is `stop_joining`.

    Raises:
        Invalid: there is no such mode.
    """
    try:
        return Mode(text.strip().lower().replace("-", "_"))
    except ValueError:
        names = ", ".join(mode.value for mode in Mode)
        raise Invalid(f"Validation failed: Mode is one of {names}", code="invalid_mode") from None


def check_withdrawal(mode: Mode, deadline_minutes: int | None, reason: str) -> Withdrawal:
    """How access is to be taken away, checked.

    Raises:
        Invalid: the reason is too long, or the deadline not one of a drain or out of range.
    """
    if len(reason) > MAX_REASON:
        raise Invalid(f"A reason takes at most {MAX_REASON} characters.", code="reason_too_long")
    if deadline_minutes is None:
        return Withdrawal(mode, 0, reason)
    if mode is not Mode.DRAIN:
        raise Invalid("Validation failed: A deadline belongs to the mode drain", code="invalid_deadline")
    if not 0 < deadline_minutes <= MAX_DEADLINE_MINUTES:
        raise Invalid(
            f"Validation failed: Deadline in minutes is 1 to {MAX_DEADLINE_MINUTES}", code="invalid_deadline"
        )
    return Withdrawal(mode, deadline_minutes * MINUTE_US, reason)


def escalated(known: Revocation, asked: Withdrawal, now: int, by: UserId | None) -> Revocation | None:
    """What a repeated revocation makes of the first; None where it asks for nothing more.

    It may become stronger and its deadline come sooner, never the other way round.
    """
    deadline = now + asked.deadline if asked.deadline else 0
    if asked.mode.strength > known.mode.strength:
        return replace(
            known,
            mode=asked.mode,
            deadline=deadline,
            committed_at=now,
            effective_at=0,
            finished_at=0,
            by=by or known.by,
            reason=asked.reason or known.reason,
        )
    sooner = deadline and (not known.deadline or deadline < known.deadline)
    if asked.mode is known.mode is Mode.DRAIN and sooner and not known.finished_at:
        return replace(known, deadline=deadline)
    return None
