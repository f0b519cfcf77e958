"""What to do now about a leak, in a few sentences: it depends on kind, outcome and what happened since."""

from dataclasses import dataclass

from watchword.domain.kinds import Kind
from watchword.domain.leaks import Leak, LeakState, Outcome, Visibility

_AGENTS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
_LOOSE = (Outcome.NONE, Outcome.NOTIFIED, Outcome.RELEASED, Outcome.WOULD, Outcome.FAILED)
_ENDED = (Outcome.REVOKED, Outcome.DEAD)


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do: a stable word, and a sentence or two for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is known beside the case.

    Attributes:
        live: whether the token has not ended.
        used: whether it was used since it could be read.
        strange: whether that was from addresses that it was never used from before.
        joined: how many agents registered with it since.
        waiting: whether the successor's value waits for somebody to take it.
        rotating: whether the rotation that was begun for it is open.
    """

    live: bool
    used: bool = False
    strange: bool = False
    joined: int = 0
    waiting: bool = False
    rotating: bool = False


def advise(leak: Leak, after: Aftermath) -> tuple[Advice, ...]:
    """What to do now, the most urgent first."""
    return (*_about_the_token(leak, after), *_about_its_use(leak, after), *_about_the_place(leak, after))


def _about_the_token(leak: Leak, after: Aftermath) -> list[Advice]:
    found = []
    if leak.outcome is Outcome.HELD:
        found.append(
            Advice(
                "decide",
                "Decide now: many tokens were reported at once, so this answer waits for you. Nobody decides:"
                " then the rules are followed when the hold is over.",
            )
        )
    if leak.outcome is Outcome.FAILED:
        found.append(
            Advice("answer_failed", "What the rules asked for could not be done. Answer the leak yourself.")
        )
    if leak.outcome is Outcome.WOULD:
        found.append(
            Advice(
                "dry_run", "Nothing was done: the rules are tried out. Answer the leak yourself, or let them."
            )
        )
    if leak.outcome is Outcome.QUARANTINED and after.live:
        found.append(
            Advice(
                "leave_quarantine",
                "Rotate or revoke the token, then whoever uses it can go on; release it only if the report is"
                " wrong: it is refused everywhere until then.",
            )
        )
    if after.live and leak.outcome in _LOOSE:
        found.append(_end_it(leak))
    if after.waiting:
        found.append(
            Advice(
                "take_value", "Take the new value: it waits here, is shown once, and to nobody after that."
            )
        )
    if after.rotating:
        found.append(
            Advice(
                "move_holders",
                "Give the new value to everything that uses the token. The leaked one works until the"
                " rotation ends; finish it as soon as nothing needs the old value.",
            )
        )
    return found


def _end_it(leak: Leak) -> Advice:
    if leak.kind is Kind.JOB:
        return Advice("end_job", "Cancel the job, or wait until it ends: its token ends with it.")
    if leak.kind is Kind.AGENT_SESSION:
        return Advice("end_session", "Revoke the session: its agent leaves, and registers anew.")
    return Advice(
        "end_token",
        "Revoke the token, or rotate it where something needs it: whoever has the value may use it now.",
    )


def _about_its_use(leak: Leak, after: Aftermath) -> list[Advice]:
    found = []
    if after.strange:
        found.append(
            Advice(
                "look_at_addresses",
                "It was used from addresses that it had never been used from. Find out whose they are; until"
                " you know, count what it could reach as read.",
            )
        )
    if after.joined and leak.kind in _AGENTS:
        found.append(
            Advice(
                "look_at_agents",
                "Agents registered with it since. Stop those that you do not know, and look at the jobs that"
                " they ran.",
            )
        )
    if after.used:
        found.append(Advice("rotate_reached", _reached(leak.kind)))
    return found


def _reached(kind: Kind) -> str:
    if kind in (*_AGENTS, Kind.AGENT_SESSION, Kind.JOB):
        return (
            "Rotate what jobs could read where it leads: secrets, environment, artifacts. Its end does not"
            " take back what was read."
        )
    return "Rotate what it could read: its end does not take back what was read."


def _about_the_place(leak: Leak, after: Aftermath) -> list[Advice]:
    found = []
    if leak.visibility is Visibility.PUBLIC:
        found.append(
            Advice(
                "history_stays",
                "Do not spend time on deleting it: history, forks, caches and mails keep what was public."
                " Only the token's end helps.",
            )
        )
    if leak.state is LeakState.OPEN and (not after.live or leak.outcome in _ENDED):
        found.append(Advice("close", "When you know what happened, close the case with a note."))
    found.append(
        Advice(
            "prevent", "So that it does not happen again: let `watchword scan --staged` look at each commit."
        )
    )
    return found
