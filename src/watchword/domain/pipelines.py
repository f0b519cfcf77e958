"""Pipelines, builds and jobs: records, states and the transitions between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.ids import (
    AgentId,
    AnnotationId,
    BuildId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    UserId,
)
from watchword.domain.tokens import DAY_US, MINUTE_US


class JobState(StrEnum):
    """Where a job stands (contract agent-api §5.6).

    Waiting: for steps it depends on. Limited: for a place in its concurrency group. Broken: its `if` or
    `branches` left it out. Waiting failed: a step it depends on failed.
    """

    WAITING = "waiting"
    LIMITED = "limited"
    SCHEDULED = "scheduled"
    ACCEPTED = "accepted"
    RUNNING = "running"
    CANCELING = "canceling"
    TIMING_OUT = "timing_out"
    FINISHED = "finished"
    CANCELED = "canceled"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    BROKEN = "broken"
    WAITING_FAILED = "waiting_failed"

    @property
    def held(self) -> bool:
        """Whether an agent holds the job, and its token is alive."""
        return self in (JobState.ACCEPTED, JobState.RUNNING, JobState.CANCELING, JobState.TIMING_OUT)

    @property
    def ended(self) -> bool:
        """Whether nothing moves the job any more."""
        return self in (
            JobState.FINISHED,
            JobState.CANCELED,
            JobState.TIMED_OUT,
            JobState.SKIPPED,
            JobState.BROKEN,
            JobState.WAITING_FAILED,
        )


class BuildState(StrEnum):
    """Where a build stands (contract rest-graphql §2.17)."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    CANCELING = "canceling"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A named sequence of steps for one repository."""

    organization_id: OrganizationId
    id: PipelineId
    cluster_id: ClusterId | None
    slug: str
    name: str
    repository: str
    default_branch: str
    configuration: str
    created_at: int
    created_by: UserId | None


@dataclass(frozen=True, slots=True)
class Build:
    """One run of a pipeline."""

    organization_id: OrganizationId
    id: BuildId
    pipeline_id: PipelineId
    number: int
    state: BuildState
    branch: str
    commit: str
    message: str
    env: Mapping[str, str]
    source: str
    created_at: int
    created_by: UserId | None
    started_at: int
    finished_at: int


@dataclass(frozen=True, slots=True)
class Job:
    """One command to run on one agent. `fence` rises each time the job changes hands.

    Attributes:
        canceling_at: since when it is being cancelled or timed out.
        initial_timeout_minutes: its time-out before the job changed it; 0 if it never did.
        promised_status: the failure that the job said it will end with; empty if it said none.
    """

    organization_id: OrganizationId
    id: JobId
    build_id: BuildId
    cluster_id: ClusterId | None
    queue_id: QueueId | None
    label: str
    step_key: str
    command: str
    env: Mapping[str, str]
    rules: tuple[str, ...]
    state: JobState
    priority: int
    timeout_minutes: int
    fence: int
    agent_id: AgentId | None
    token_key: int
    token_issued_at: int
    token_expires_at: int
    exit_status: str
    signal: str
    signal_reason: str
    chunks_failed: int
    log_size: int
    created_at: int
    runnable_at: int
    accepted_at: int
    started_at: int
    canceling_at: int
    finished_at: int
    initial_timeout_minutes: int = 0
    promised_status: str = ""
    promised_reason: str = ""

    @property
    def times_out_at(self) -> int:
        """When a running job is over its time; 0 if never."""
        return self.started_at + self.timeout_minutes * MINUTE_US if self.timeout_minutes else 0

    @property
    def passed(self) -> bool:
        """Whether it ran to a successful end."""
        return self.state is JobState.FINISHED and self.exit_status == "0"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a job's log: `offset` and `size` count uncompressed bytes.

    `data` is kept as it was sent, gzip, where that is shorter than the text.
    """

    organization_id: OrganizationId
    job_id: JobId
    sequence: int
    offset: int
    size: int
    data: bytes

    @property
    def packed(self) -> bool:
        """Whether `data` is gzip."""
        return len(self.data) < self.size


@dataclass(frozen=True, slots=True)
class Annotation:
    """A note on a build's page: one per context, and per build or job (`scope_id`) by `scope`."""

    organization_id: OrganizationId
    id: AnnotationId
    build_id: BuildId
    job_id: JobId
    scope: str
    scope_id: str
    context: str
    style: str
    body: str
    priority: int
    created_at: int
    updated_at: int


STYLES = ("success", "info", "warning", "error")
MAX_ANNOTATION_BYTES = 1024 * 1024
MAX_CONTEXT = 100
MAX_META_DATA_BYTES = 100 * 1024
MAX_META_DATA_KEY = 255

START_DEADLINE_US = 5 * MINUTE_US
CANCEL_GRACE_US = 2 * MINUTE_US
_TOKEN_MARGIN_US = 15 * MINUTE_US
_TOKEN_WITHOUT_TIMEOUT_US = 30 * DAY_US
# A running job's time-out can be raised by this much (contract agent-api §2.3).
TIMEOUT_EXTENSION_MINUTES = 60
_TIMEOUT_EXTENSION_US = TIMEOUT_EXTENSION_MINUTES * MINUTE_US
MAX_TIMEOUT_MINUTES = _TOKEN_WITHOUT_TIMEOUT_US // MINUTE_US
MAX_PROMISE_REASON = 255


def token_lifetime(timeout_minutes: int, maximum_minutes: int) -> int:
    """Microseconds until `exp`, so that it never ends a healthy job (design §1).

    Start deadline, longest time-out, grace and a margin; 30 days without a time-out.
    """
    if not timeout_minutes:
        return _TOKEN_WITHOUT_TIMEOUT_US
    longest = max(timeout_minutes, maximum_minutes) * MINUTE_US + _TIMEOUT_EXTENSION_US
    return START_DEADLINE_US + longest + CANCEL_GRACE_US + _TOKEN_MARGIN_US


def build_state(jobs: list[Job], current: BuildState) -> BuildState:
    """Derive a build's state from its jobs."""
    if any(not job.state.ended for job in jobs):
        if current is BuildState.CANCELING:
            return current
        begun = any(job.state is not JobState.SCHEDULED for job in jobs)
        return BuildState.RUNNING if begun else BuildState.SCHEDULED
    if current is BuildState.CANCELING or any(job.state is JobState.CANCELED for job in jobs):
        return BuildState.CANCELED
    return BuildState.PASSED if all(job.passed for job in jobs) else BuildState.FAILED
