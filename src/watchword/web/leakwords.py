"""Leaks in words: states, outcomes and places as badges, answers and what they do."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from watchword.domain.kinds import KINDS, Kind
from watchword.domain.leakpolicy import Rule
from watchword.domain.leaks import Evidence, Leak, LeakState, Outcome, Response, Sighting, Visibility
from watchword.domain.lifecycle import Mode
from watchword.domain.tokens import Token
from watchword.services.leakcases import Case
from watchword.services.tokensearch import SEARCHED
from watchword.web.rendering import capital
from watchword.web.tokenrows import NO_NAME, token_path

Words = tuple[str, str]
_MOST_OF_LINK = 80

_STATES: dict[LeakState, Words] = {
    LeakState.HELD: ("Waits for you", "bad"),
    LeakState.OPEN: ("Open", "warn"),
    LeakState.CLOSED: ("Closed", "plain"),
}
_OUTCOMES: dict[Outcome, Words] = {
    Outcome.NONE: ("Nothing done", "bad"),
    Outcome.NOTIFIED: ("Nothing done: still works", "bad"),
    Outcome.HELD: ("Held: still works", "bad"),
    Outcome.QUARANTINED: ("In quarantine", "warn"),
    Outcome.RELEASED: ("Released: works again", "bad"),
    Outcome.ROTATING: ("Rotating", "busy"),
    Outcome.REVOKED: ("Revoked", "good"),
    Outcome.DEAD: ("Had ended before", "good"),
    Outcome.WOULD: ("Dry run: still works", "bad"),
    Outcome.FAILED: ("The answer failed", "bad"),
}
# What is bad as long as the token lives, and over once it has ended.
_LOOSE = (
    Outcome.NONE,
    Outcome.NOTIFIED,
    Outcome.RELEASED,
    Outcome.WOULD,
    Outcome.FAILED,
    Outcome.QUARANTINED,
)
VISIBILITIES: dict[Visibility, Words] = {
    Visibility.PUBLIC: ("Public", "bad"),
    Visibility.PRIVATE: ("Private", "warn"),
    Visibility.INTERNAL: ("Internal", "plain"),
}
WHO_SEES: dict[Visibility, str] = {
    Visibility.PUBLIC: "Everybody: a public repository, a paste, a package, a web page",
    Visibility.PRIVATE: "Some people outside of the team: a private repository, a ticket, a channel",
    Visibility.INTERNAL: "People of this organization alone",
}
EVIDENCE: dict[Evidence, str] = {
    Evidence.VALUE: "the whole value was shown to us",
    Evidence.DIGEST: "the reporter showed the value's SHA-256",
    Evidence.ID: "the report named the token alone; nothing shows that anybody has the value",
}
REPORTERS = {"person": "a person", "possession": "somebody who had the value", "drill": "an exercise"}
MODES: dict[Mode, str] = {
    Mode.STOP_JOINING: "connected agents stay",
    Mode.DRAIN: "connected agents finish their job, then leave",
    Mode.CUT: "connected agents are cut off at once",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place as a page shows it; `link` is empty where the address must not be followed."""

    sighting: Sighting
    text: str
    link: str
    badge: Words


@dataclass(frozen=True, slots=True)
class ShownCase:
    """A case in a list.

    Attributes:
        token_at: the token's page; empty where it has none.
        name: what people know the token by.
    """

    case: Case
    kind: str
    name: str
    token_at: str
    state: Words
    outcome: Words
    visibility: Words
    reporter: str


def show_case(slug: str, case: Case, now: int) -> ShownCase:
    """A case with its words."""
    leak = case.leak
    return ShownCase(
        case=case,
        kind=kind_name(leak.kind),
        name=name_of(case),
        token_at=_page_of(slug, case.token),
        state=_STATES[leak.state],
        outcome=outcome_words(leak, live=case.live(now)),
        visibility=VISIBILITIES[leak.visibility],
        reporter=REPORTERS.get(leak.reporter, leak.reporter),
    )


def kind_name(kind: Kind) -> str:
    """What people call a kind, as a title."""
    return capital(KINDS[kind].title)


def name_of(case: Case) -> str:
    """What people know a case's token by."""
    if case.token is not None and case.token.description.strip():
        return case.token.description.strip()
    nameless = {Kind.JOB: "a job's token", Kind.AGENT_SESSION: "an agent's session"}
    return nameless.get(case.leak.kind, NO_NAME)


def _page_of(slug: str, token: Token | None) -> str:
    if token is None:
        return ""
    if token.kind is Kind.AGENT_SESSION:
        return f"/organizations/{slug}/agents/{token.agent_id}"
    if token.kind in SEARCHED:
        return token_path(slug, token)
    return ""


def outcome_words(leak: Leak, *, live: bool) -> Words:
    """How it stands with the token; one that has ended meanwhile does no more harm."""
    if not live and leak.outcome in _LOOSE:
        return "Has ended", "good"
    if not live and leak.outcome is Outcome.ROTATING:
        return "Rotated", "good"
    return _OUTCOMES[leak.outcome]


def show_place(sighting: Sighting) -> Place:
    """A place; only addresses of the web become links, and nothing of them is trusted."""
    url = sighting.url
    link = url if _followable(url) else ""
    text = url if len(url) <= _MOST_OF_LINK else url[: _MOST_OF_LINK - 1] + "…"
    return Place(sighting, text or "no address given", link, VISIBILITIES[sighting.visibility])


def _followable(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.username is None


def rule_words(rule: Rule) -> str:
    """A rule as a phrase."""
    if rule.response is Response.REVOKE:
        return f"revoke; {MODES[rule.mode]}"
    if rule.response is Response.ROTATE:
        return f"rotate; the leaked value works {minutes(rule.grace_minutes)} more"
    if rule.response is Response.QUARANTINE:
        return "refuse it until somebody decides"
    return "tell people; nothing is done"


def minutes(count: int) -> str:
    """A number of minutes in its largest whole unit."""
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if count % size == 0:
            number = count // size
            return f"{number} {unit}{'s' if number != 1 else ''}"
    return f"{count} minutes"
