"""Words about a leak: what was done with the token, and what is left to do for whom."""

from datetime import UTC, datetime, timedelta

from watchword.domain.kinds import Kind
from watchword.domain.leaks import Evidence, Leak, Outcome, Response
from watchword.services.leakaudience import Case, Listener, Part

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Outcomes that leave the value working.
WORKING = frozenset(
    {Outcome.NONE, Outcome.NOTIFIED, Outcome.WOULD, Outcome.FAILED, Outcome.RELEASED, Outcome.HELD}
)
# What the rules ask for, as something that is still to be done.
_WOULD = {
    Response.REVOKE: "be revoked",
    Response.ROTATE: "be rotated",
    Response.QUARANTINE: "be quarantined",
    Response.NOTIFY: "be told of",
}

# Their agents stay connected when the token ends, unless they are told to leave.
_JOINING = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
_NOBODY = "nobody can use it any more."
_ENDED = dict.fromkeys(_JOINING, "no agent can join with it any more.")


def when(microseconds: int) -> str:
    """A time as letters have it."""
    return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M:%S} UTC"


def done(case: Case) -> str:
    """What was done, and whether the value works."""
    leak = case.leak
    if not case.live and leak.outcome in WORKING:
        return f"it has ended; {_ENDED.get(leak.kind, _NOBODY)}"
    until = f" until {when(case.deadline)} at the latest" if case.deadline else ""
    said = {
        Outcome.REVOKED: f"revoked at {when(leak.acted_at)}; {_ENDED.get(leak.kind, _NOBODY)}",
        Outcome.DEAD: "nothing: it had ended before.",
        Outcome.ROTATING: f"it has a successor; the leaked value works{until}.",
        Outcome.QUARANTINED: (
            "quarantined: it is refused until somebody decides. Agents that are connected stay."
        ),
        Outcome.HELD: (
            f"held for a decision until {when(leak.held_until)}, because many tokens were reported at once;"
            f" then it will {_WOULD[leak.response]}. Until then it works."
        ),
        Outcome.FAILED: f"it should {_WOULD[leak.response]}, which failed ({leak.failure}). It still works.",
        Outcome.WOULD: f"nothing, because the rules are on trial; else it would {_WOULD[leak.response]}."
        " It still works.",
        Outcome.RELEASED: "its quarantine was lifted. It works again.",
    }
    return said.get(leak.outcome) or _told_only(leak)


def _told_only(leak: Leak) -> str:
    if leak.evidence is Evidence.ID:
        return "nothing: the report named its id alone, which does not show that anybody has the value."
    return "nothing: the rules ask to tell people. It still works."


def to_do(case: Case, listener: Listener) -> str:
    """What is left to do for somebody."""
    if case.leak.drill:
        return "nothing."
    if listener.part is Part.REACHED:
        name = listener.organization.name
        return f"look at what it did in {name}; while it works, {name} can be removed from it."
    if not case.live or case.leak.outcome in (Outcome.REVOKED, Outcome.DEAD):
        return _afterwards(case)
    if case.leak.outcome in (Outcome.ROTATING, Outcome.HELD, Outcome.QUARANTINED):
        return _decide(case, listener)
    return _act(case)


def _afterwards(case: Case) -> str:
    """What remains once a value works no more."""
    if case.leak.kind in (Kind.JOB, Kind.AGENT_SESSION):
        return "look at what it did."
    imported = case.token is not None and case.token.imported
    issuer = " Its value was issued elsewhere: have it revoked there too." if imported else ""
    user = "whatever used it has stopped: give that another token"
    if case.leak.kind in _JOINING:
        user = "give its agents another token before they start again"
    return f"{user}, and look at what it did.{issuer}"


def sees_case(case: Case, listener: Listener) -> bool:
    """Whether somebody may open the case and answer it: administrators, and maintainers of its cluster."""
    maintains = listener.part is Part.MAINTAINER and case.token is not None
    return listener.part is Part.ADMIN or maintains


def _decide(case: Case, listener: Listener) -> str:
    decides = sees_case(case, listener)
    if case.leak.outcome is not Outcome.ROTATING:
        return "decide on the page of the case." if decides else "ask an administrator to decide."
    personal = case.token is not None and case.token.user_id is not None
    if personal and not listener.own:
        return "its owner is to take the successor's value, once, and to give it to whatever uses the token."
    if personal or decides:
        return "take the successor's value, once, on the case's page; give it to whatever uses the token."
    return "ask an administrator for the successor's value, and give it to whatever uses the token."


def _act(case: Case) -> str:
    """What stops a value that works."""
    if case.leak.kind is Kind.JOB:
        return "cancel the job if it still runs: its token ends with it."
    if case.leak.kind is Kind.AGENT_SESSION:
        return "stop the agent: its session ends with it, and a new one has another token."
    if case.leak.evidence is Evidence.ID:
        return "look whether the value was exposed; rotate or revoke the token if it may have been."
    return "rotate or revoke it now: what somebody has read stays known, and only its end helps."
