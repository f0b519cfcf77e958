"""Leaks: a case for each token that was seen where it must not be, where it was seen, and who said so."""

from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import LeakId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind

MAX_URL = 2048
MAX_PLACE = 64
MAX_NOTE = 1000
# Further places are counted, not kept: whoever reports a token may name any number of them.
MAX_SIGHTINGS = 200


class Visibility(StrEnum):
    """Who could see the place where a value was found, from the fewest to the most."""

    INTERNAL = "internal"  # people of the organization
    PRIVATE = "private"  # members of one private repository, a channel, a ticket
    PUBLIC = "public"

    @property
    def reach(self) -> int:
        """Its place in the order."""
        return tuple(Visibility).index(self)


class Evidence(StrEnum):
    """What a report showed of the value, from the least to the most."""

    ID = "id"  # it named the token: nothing shows that the value is known to anybody
    DIGEST = "digest"  # SHA-256 of the value
    VALUE = "value"  # the whole value

    @property
    def weight(self) -> int:
        """Its place in the order."""
        return tuple(Evidence).index(self)


class Response(StrEnum):
    """What is done with a live token that leaked, from the mildest to the strongest."""

    NOTIFY = "notify"
    QUARANTINE = "quarantine"  # refused until somebody decides; agents that are connected stay
    ROTATE = "rotate"  # a successor; the leaked value works until its grace is over
    REVOKE = "revoke"

    @property
    def acts(self) -> bool:
        """Whether it takes access away; the circuit breaker counts these."""
        return self is not Response.NOTIFY


class LeakState(StrEnum):
    """What is asked of people."""

    OPEN = "open"
    HELD = "held"  # the circuit breaker waits for a person, and not for long
    CLOSED = "closed"


class Outcome(StrEnum):
    """How it stands with the token, as far as this leak is concerned."""

    NONE = "none"  # nothing was done yet
    NOTIFIED = "notified"
    HELD = "held"
    QUARANTINED = "quarantined"
    RELEASED = "released"  # somebody lifted the quarantine
    ROTATING = "rotating"
    REVOKED = "revoked"
    DEAD = "dead"  # it had ended before it was reported
    WOULD = "would"  # a dry run: `response` says what would have been done
    FAILED = "failed"  # `failure` says why


class Label(StrEnum):
    """What a partner is told of an item (GitHub's secret scanning partner programme)."""

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"


@dataclass(frozen=True, slots=True)
class Leak:
    """The case of one token; there is one for each that ever leaked. Times are microseconds, 0 means none.

    Attributes:
        token_id: the token; of a job token its job.
        visibility: of the most public place so far.
        evidence: the strongest so far.
        response: what the policy asks for, or a person chose.
        outcome: what came of it.
        failure: stable code of what stood in the way of the response.
        reporter: name of who reported it first.
        count: how often it was seen, repeats included.
        exposed_at: since when the value is known to have been readable.
        held_until: when the circuit breaker lets the response go on by itself.
        acted_at: when the response was carried out.
        telling: whether people are still to be told what changed.
        drill: whether it is an exercise.
        handover: the successor's value, sealed, until somebody takes it or the rotation ends.
        revision: grows with each change; a change of an older one is refused.
    """

    organization_id: OrganizationId
    id: LeakId
    token_id: TokenId
    kind: Kind
    state: LeakState
    visibility: Visibility
    evidence: Evidence
    response: Response
    outcome: Outcome
    reporter: str
    exposed_at: int
    first_at: int
    last_at: int
    count: int = 0
    failure: str = ""
    held_until: int = 0
    acted_at: int = 0
    acted_by: UserId | None = None
    closed_at: int = 0
    closed_by: UserId | None = None
    note: str = ""
    telling: bool = True
    drill: bool = False
    handover: bytes = b""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where a value was seen, as one reporter told it.

    Attributes:
        key: hex digest of reporter, address and place: the same place told again is counted.
        url: where; values in it are masked before it gets here.
        place: the part of it in the reporter's words: `commit`, `issue_comment`, `npm`.
        report: digest of the report that told it first, in hex; empty where a person did.
    """

    organization_id: OrganizationId
    leak_id: LeakId
    key: str
    reporter: str
    url: str
    place: str
    visibility: Visibility
    evidence: Evidence
    report: str
    exposed_at: int
    first_at: int
    last_at: int
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was answered. The same again changes nothing.

    Attributes:
        digest: SHA-256 of reporter and body.
        reporter: its name in the settings; `possession`, `person`, `drill` are ours.
        key_id: the key that signed it.
        items, known: how many items it had, and how many of them were values of ours.
    """

    digest: bytes
    reporter: str
    key_id: str
    received_at: int
    items: int
    known: int
    address: str


def check_url(url: str) -> str:
    """The address of a place, cut to what is kept; control characters are no part of one."""
    return "".join(each for each in url if each.isprintable())[:MAX_URL]


def check_place(place: str) -> str:
    """The word of a place, in lower case with underscores: partners write them either way."""
    word = "_".join(place.strip().lower().split())
    return "".join(each for each in word if each.isalnum() or each in "_-.")[:MAX_PLACE]


def check_note(note: str) -> str:
    """A note on a case.

    Raises:
        Invalid: it is too long.
    """
    if len(note) > MAX_NOTE:
        raise Invalid(f"Validation failed: Note takes at most {MAX_NOTE} characters", code="note_too_long")
    return note.strip()
