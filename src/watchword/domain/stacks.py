"""Stacks: controllers that watch a queue and start one agent for each job (contract agent-api §10.3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from watchword.domain.errors import Invalid, Malformed
from watchword.domain.ids import (
    BuildId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    StackId,
)
from watchword.domain.tokens import DAY_US, MINUTE_US

# How clients spell "the cluster's default queue": documentation, client library and controller differ.
DEFAULT_QUEUES = frozenset({"__default__", "_default", "~", "-"})
STACK_ERROR = "stack_error"
MAX_JOBS = 1000
MAX_NOTIFICATIONS = 1000
MAX_NOTIFICATIONS_OF_JOB = 100
MAX_NOTIFICATION = 256
MAX_FINISH_DETAIL = 4 * 1024
# What a job ends with where its stack says nothing: the client library leaves out 0 (contract §10.3).
UNKNOWN_EXIT_STATUS = -1
USUAL_RESERVATION_SECONDS = 900
MAX_RESERVATION_SECONDS = 3600
NOTIFIED_UNTIL_US = 5 * MINUTE_US
# Clocks differ a little: this much ahead is not the future yet.
CLOCK_SKEW_US = 5_000_000

SILENT_AFTER_US = 5 * MINUTE_US
LOST_AFTER_US = DAY_US
FORGOTTEN_AFTER_US = DAY_US

_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MAX_METADATA, _MAX_NAME, _MAX_VALUE = 100, 64, 256


class StackType(StrEnum):
    """What a stack says it is."""

    KUBERNETES = "kubernetes"
    ELASTIC = "elastic"
    CUSTOM = "custom"


class StackState(StrEnum):
    """Whether a stack is heard of; lost is one that has been silent for a day."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Stack:
    """A controller, named by its key within a cluster.

    Attributes:
        queue_id: the queue that it says it serves; it may list others of its cluster.
        registered_at: when its key came first.
        updated_at: when it registered last.
        polled_at: when it last asked for jobs; 0 where it never has.
        deregistered_at: when it left; 0 while it is registered.
    """

    organization_id: OrganizationId
    id: StackId
    cluster_id: ClusterId
    key: str
    type: StackType
    queue_id: QueueId
    metadata: Mapping[str, str] = field(default_factory=dict)
    registered_at: int = 0
    updated_at: int = 0
    polled_at: int = 0
    deregistered_at: int = 0

    def state(self, now: int) -> StackState:
        """Whether it is heard of; to register counts as much as to ask for jobs."""
        silence = now - max(self.polled_at, self.updated_at)
        if self.deregistered_at or SILENT_AFTER_US <= silence < LOST_AFTER_US:
            return StackState.DISCONNECTED
        return StackState.CONNECTED if silence < SILENT_AFTER_US else StackState.LOST


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A scheduled job as stacks are shown it."""

    id: JobId
    priority: int
    rules: tuple[str, ...]
    runnable_at: int
    step_key: str
    pipeline_id: PipelineId
    pipeline_slug: str
    build_id: BuildId
    build_number: int
    branch: str


@dataclass(frozen=True, slots=True)
class StackNotification:
    """What a stack says of a job, for people.

    Attributes:
        number: counts from 1 within the job.
        at: when it happened, as the stack says.
    """

    organization_id: OrganizationId
    job_id: JobId
    number: int
    stack_id: StackId
    detail: str
    at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """After which job a list goes on."""

    runnable_at: int = -1
    id: str = ""

    def __str__(self) -> str:
        return f"{self.runnable_at:x}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor that an answer gave.

        Raises:
            Malformed: none did.
        """
        at, dot, job_id = text.partition(".")
        if not dot or not re.fullmatch(r"[0-9a-f]{1,15}", at):
            raise Malformed("The cursor `after` is none that an answer gave.", code="invalid_cursor")
        return cls(int(at, 16), job_id)


def check_stack_key(text: str) -> str:
    """Require a key that a stack can have.

    Raises:
        Invalid: it has another form.
    """
    if not _KEY.fullmatch(text):
        raise Invalid("key takes 1 to 80 letters, digits, _ and -", code="invalid_stack_key")
    return text


def check_stack_type(text: str) -> StackType:
    """Require a known type.

    Raises:
        Invalid: it is none.
    """
    try:
        return StackType(text)
    except ValueError:
        names = ", ".join(each.value for each in StackType)
        raise Invalid(f"type is one of {names}", code="invalid_stack_type") from None


def check_metadata(given: Mapping[str, str]) -> Mapping[str, str]:
    """Require metadata within its bounds.

    Raises:
        Invalid: it is not.
    """
    if len(given) > _MAX_METADATA:
        raise Invalid(f"metadata takes at most {_MAX_METADATA} keys", code="invalid_metadata")
    for name, value in given.items():
        if not 0 < len(name) <= _MAX_NAME or len(value) > _MAX_VALUE:
            raise Invalid(
                f"metadata takes keys of 1 to {_MAX_NAME} and values of at most {_MAX_VALUE} characters",
                code="invalid_metadata",
            )
    return dict(given)


def reservation_seconds(asked: int | None) -> int:
    """How long a reservation lasts; 15 minutes unless asked otherwise.

    Raises:
        Invalid: it is no time within an hour.
    """
    seconds = USUAL_RESERVATION_SECONDS if asked is None else asked
    if not 0 < seconds <= MAX_RESERVATION_SECONDS:
        raise Invalid(
            f"reservation_expiry_seconds is 1 to {MAX_RESERVATION_SECONDS}", code="invalid_reservation"
        )
    return seconds
