"""Notification services: who wants to hear of what, and the deliveries that tell them (contract §2.15 f.)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from watchword.domain.conditions import branch_matches
from watchword.domain.events import Actor
from watchword.domain.ids import DeliveryId, OrganizationId, ServiceId, UserId

HOUR_US = 3_600_000_000
# A delivery is tried for a day; a service that takes nothing for three is given up (decision 0034).
GIVEN_UP_AFTER_US = 24 * HOUR_US
BROKEN_AFTER_US = 72 * HOUR_US
KEPT_DELIVERIES = 20  # contract §2.16
MAX_WAITING = 10_000
_FIRST_PAUSE_US = 10_000_000
_LONGEST_PAUSE_US = HOUR_US
# A receiver that cannot be reached holds all of its deliveries back, so that their order stays, but no
# longer than this: one delivery that it chokes on must not stop the others for good.
_LONGEST_HOLD_US = 300_000_000
# Answers of something in front of the receiver: it is not there, or has no time, for any delivery.
_NOT_THERE = (429, 502, 503, 504)


class Scope(StrEnum):
    """Which pipelines' events a service wants; events of agents and tokens are the organization's."""

    ALL = "all"
    PIPELINES = "some_projects"
    TEAMS = "some_teams"
    CLUSTERS = "some_clusters"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BuildStates:
    """Outcomes that a service wants to hear of; one that is off silences its event."""

    build_passed: bool = True
    build_fixed: bool = True
    build_failed: bool = True
    build_blocked: bool = True
    build_canceled: bool = True
    build_failing: bool = True
    job_activated: bool = True

    def hold(self, outcomes: Iterable[str]) -> bool:
        """Whether any of the outcomes is wanted; where there is none, nothing is silenced."""
        words = tuple(outcomes)
        return not words or any(getattr(self, word) for word in words)


BUILD_STATES = tuple(field.name for field in fields(BuildStates))


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What a webhook is; its token is kept sealed beside it.

    Attributes:
        version: of the payload.
        token_mode: `token` sends the token itself, `signature` proves it.
        events: words of the events that it wants.
        tls_verify: whether the receiver's certificate is checked.
    """

    url: str
    version: int
    token_mode: str
    events: tuple[str, ...]
    tls_verify: bool


@dataclass(frozen=True, slots=True)
class NotificationService:
    """Somebody who wants to be told.

    Attributes:
        scope_uuids: pipelines, teams or clusters of `scope`.
        branch_configuration: patterns of branches; empty takes all.
        secret: the webhook's token, sealed.
        broken_at: when it was given up; 0 while it was not.
        failing_since: since when nothing could be delivered; 0 where the last delivery could.
        failures: how often in a row.
        retry_at: before this moment nothing is tried.
        dropped: events that were not kept for it, because too many waited.
    """

    organization_id: OrganizationId
    id: ServiceId
    provider: str
    description: str
    enabled: bool
    scope: Scope
    scope_uuids: tuple[str, ...]
    branch_configuration: str
    build_states: BuildStates
    settings: WebhookSettings
    secret: bytes
    created_at: int
    created_by: UserId | None
    updated_at: int
    broken_at: int = 0
    failing_since: int = 0
    failures: int = 0
    retry_at: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event of a pipeline happened.

    Attributes:
        outcomes: names of `BuildStates` that speak of it.
    """

    pipeline_id: str
    cluster_id: str | None
    branch: str
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened, inside the unit of work that made it so.

    Attributes:
        words: names of the events that it makes.
        subject_kind: what it happened to: agent, token, build, job, step, and others.
        data: details; never a value.
    """

    organization_id: OrganizationId
    at: int
    words: tuple[str, ...]
    subject_kind: str
    subject_id: str
    actor: Actor
    address: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one service, and what came of its last attempt.

    Attributes:
        body: the request's, as it was when the event happened.
        queued_at: since when it is tried.
        next_at: when it is tried next.
        attempted_at: when it was tried last; 0 before.
        duration: how long the last attempt took, microseconds.
        request: headers of the last attempt; the token is left out.
        status: of the last answer; 0 where none came.
        answer: headers of the last answer.
        answer_body: what it said, cut off.
        error: why the last attempt failed; empty if it did not.
    """

    organization_id: OrganizationId
    service_id: ServiceId
    id: DeliveryId
    event: str
    body: str
    state: DeliveryState
    created_at: int
    queued_at: int
    next_at: int
    attempts: int = 0
    attempted_at: int = 0
    duration: int = 0
    url: str = ""
    request: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    answer: Mapping[str, str] = field(default_factory=dict)
    answer_body: bytes = b""
    error: str = ""


def wants(service: NotificationService, event: str, place: Place | None) -> bool:
    """Whether a service wants an event; those of no pipeline heed neither scope nor branches (§2.16)."""
    if not service.enabled or event not in service.settings.events:
        return False
    if place is None:
        return True
    named = {Scope.PIPELINES: place.pipeline_id, Scope.CLUSTERS: place.cluster_id}
    if service.scope is not Scope.ALL and named.get(service.scope) not in service.scope_uuids:
        return False
    if not branch_matches(service.branch_configuration, place.branch):
        return False
    return service.build_states.hold(place.outcomes)


def pause_after(attempts: int, chance: float) -> int:
    """Microseconds until the next attempt: twice as long each time, from 10 seconds up to an hour.

    Args:
        attempts: how many there were.
        chance: from 0 up to 1; spreads attempts of many over a fifth of the pause.
    """
    whole = min(_FIRST_PAUSE_US << min(attempts - 1, 20), _LONGEST_PAUSE_US)
    return round(whole * (0.8 + 0.2 * chance))


def hold_after(pause: int, status: int) -> int:
    """Microseconds for which a failed attempt holds the whole service back.

    A receiver that answers a delivery with an error is there: the next one may go ahead.
    """
    if status and status not in _NOT_THERE:
        return 0
    return min(pause, _LONGEST_HOLD_US)
