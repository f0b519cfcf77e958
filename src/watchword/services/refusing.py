"""Refusing: the error of each reason for which a presented value does not pass."""

from collections.abc import Collection

from watchword.domain.errors import Refused
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.tokens import Reason, State, Token

MESSAGES = {
    Reason.MISSING: "Authentication required: send the token in the Authorization header.",
    Reason.MALFORMED: "This is not a token of this installation: its shape or checksum is wrong.",
    Reason.UNKNOWN: "This token is not known here.",
    Reason.REVOKED: "This token was revoked.",
    Reason.EXPIRED: "This token has expired.",
    Reason.NOT_YET_VALID: "This token is not valid yet.",
    Reason.USED_UP: "This token has been used as often as it may be.",
    Reason.NETWORK_BLOCKED: "This token may not be used from this address.",
    Reason.RESTRICTION_UNKNOWN: "This token carries a restriction that this version does not know.",
    Reason.SESSION_ENDED: "The session of this agent has ended; register again with an agent token.",
    Reason.JOB_FINISHED: "The job of this token has finished.",
    Reason.OTHER_JOB: "This token belongs to another job.",
    Reason.SUPERSEDED: "This token was rotated: another value has taken its place.",
    Reason.QUARANTINED: (
        "This token is held back: its former value was used again. An administrator must close the incident."
    ),
}
_FORBIDDEN = (Reason.NETWORK_BLOCKED, Reason.SCOPE_MISSING, Reason.OTHER_JOB, Reason.QUARANTINED)


def refusal(reason: Reason, message: str = "") -> Refused:
    """The error of a reason: 403 where the token is good and may not do this here, else 401."""
    status = 403 if reason in _FORBIDDEN else 401
    return Refused(message or MESSAGES[reason], code=reason.value, status=status)


def ended_reason(token: Token) -> Reason:
    """Why a token that is not active does not pass."""
    if token.kind is Kind.AGENT_SESSION:
        return Reason.SESSION_ENDED
    return Reason.SUPERSEDED if token.state is State.SUPERSEDED else Reason.REVOKED


def ended_message(token: Token) -> str:
    """What the holder of a token that is not active is told; of a session also why it ended."""
    if token.kind is Kind.AGENT_SESSION and token.ended_reason:
        return (
            f"The session of this agent has ended: {token.ended_reason}; register again with an agent token."
        )
    return MESSAGES[ended_reason(token)]


def wrong_kind(found: str, kinds: Collection[Kind]) -> Refused:
    """The error of a value of another kind than those that a call takes."""
    wanted = " or ".join(sorted({KINDS[kind].title for kind in kinds}))
    return refusal(Reason.WRONG_KIND, f"This call takes a value of the kind {wanted}, not {found}.")
