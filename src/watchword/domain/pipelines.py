"""Pipelines, builds and jobs: records, states and the transitions between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from watchword.domain.ids import (
    AgentId,
    AnnotationId,
    BuildId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    StackId,
    StepId,
    UserId,
)
from watchword.domain.jobrights import common_rights
from watchword.domain.tokens import DAY_US, MINUTE_US


class JobState(StrEnum):
    """Where a job stands (contract agent-api §5.6).

    Waiting: for steps it depends on. Limited: for a place in its concurrency group. Reserved: a stack starts
    an agent for it, and no other is offered it. Broken: its `if` or `branches` left it out. Waiting failed:
    a step it depends on failed.
    """

    WAITING = "waiting"
    LIMITED = "limited"
    SCHEDULED = "scheduled"
    RESERVED = "reserved"
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
    FAILING = "failing"
    BLOCKED = "blocked"
    PASSED = "passed"
    FAILED = "failed"
    CANCELING = "canceling"
    CANCELED = "canceled"
    NOT_RUN = "not_run"

    @property
    def ended(self) -> bool:
        """Whether nothing moves the build but a retry or a person."""
        return self in (BuildState.PASSED, BuildState.FAILED, BuildState.CANCELED, BuildState.NOT_RUN)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A named sequence of steps for one repository.

    Attributes:
        configuration: its pipeline document as text, YAML or JSON.
        document: the same decoded, as JSON.
        archived_at: since when it takes no new builds; 0 where it takes them.
        tags: words of its own, for people.
        env: variables of every job.
        default_timeout_minutes: of jobs whose step says none; 0 where there is none.
        maximum_timeout_minutes: what no job's time-out exceeds; 0 where there is none.
    """

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
    description: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    default_timeout_minutes: int = 0
    maximum_timeout_minutes: int = 0
    document: str = ""
    archived_at: int = 0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineWork:
    """How much of a pipeline has not ended: builds by whether they began, jobs by where they stand."""

    pipeline_id: PipelineId
    scheduled_builds: int = 0
    running_builds: int = 0
    scheduled_jobs: int = 0
    running_jobs: int = 0
    waiting_jobs: int = 0


@dataclass(frozen=True, slots=True)
class Build:
    """One run of a pipeline.

    Attributes:
        blocked_state: what a blocked build shows; empty while it is not blocked.
        author: `name` and `email` of who wrote the commit, where a caller says so.
        pull_request: `id`, `base` and `repository`; empty for none.
        rebuilt_from: the build that this one repeats.
        canceled_at: when a person or a job cancelled it; 0 where none did.
    """

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
    blocked_state: str = ""
    tag: str = ""
    author: Mapping[str, str] = field(default_factory=dict)
    pull_request: Mapping[str, str] = field(default_factory=dict)
    rebuilt_from: BuildId | None = None
    canceled_at: int = 0
    cancel_reason: str = ""


def branch_fits(asked: str, branch: str) -> bool:
    """Whether a branch is the one that is asked for; a `*` stands for any text."""
    if "*" not in asked:
        return asked == branch
    return fnmatchcase(branch, asked.replace("[", "[[]").replace("?", "[?]"))


@dataclass(frozen=True, slots=True)
class Job:
    """One command to run on one agent. `fence` rises each time the job changes hands.

    What it is comes first; what has no default here is what makes a job that nobody has held yet.

    Attributes:
        canceling_at: since when it is being cancelled or timed out.
        initial_timeout_minutes: its time-out before the job changed it; 0 if it never did.
        promised_status: the failure that the job said it will end with; empty if it said none.
        promised_at: when it said so.
        step_id: the step it belongs to.
        parallel_index: its number among the jobs of a parallel step, from 0.
        parallel_total: how many they are; 0 where the step has no parallelism.
        matrix: its permutation, from dimension to value; empty where the step has no matrix.
        retries: how many attempts went before it.
        retried_in: the job that replaces it; the latest attempt of each has none.
        retry_source: the job that it replaces.
        retry_type: `automatic` or `manual`, for a job that replaces another.
        soft_failed: whether its failure does not count.
        concurrency_group: group whose limit holds for it; empty for none.
        concurrency_limit: jobs of the group at a time.
        concurrency_ordered: whether it waits for older jobs of the group.
        avoided_agent_id: agent that it goes to only where no other takes it: the former attempt's.
        rights: what its step lets its token do, as `domain.jobrights` keeps it; empty for everything.
        agent_rights: the same as the agent that accepted it asked.
        reserved_by: the stack that reserved it last, for people; what counts is its state.
        reserved_until: when it waits again for anybody, while it is reserved.
        stack_error: why a stack ended it without an agent; empty for every other end.
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
    fence: int = 0
    agent_id: AgentId | None = None
    token_key: int = 0
    token_issued_at: int = 0
    token_expires_at: int = 0
    exit_status: str = ""
    signal: str = ""
    signal_reason: str = ""
    chunks_failed: int = 0
    log_size: int = 0
    created_at: int = 0
    runnable_at: int = 0
    accepted_at: int = 0
    started_at: int = 0
    canceling_at: int = 0
    finished_at: int = 0
    initial_timeout_minutes: int = 0
    promised_status: str = ""
    promised_reason: str = ""
    step_id: StepId | None = None
    parallel_index: int = 0
    parallel_total: int = 0
    matrix: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0
    retried_in: JobId | None = None
    retry_source: JobId | None = None
    retry_type: str = ""
    soft_failed: bool = False
    concurrency_group: str = ""
    concurrency_limit: int = 0
    concurrency_ordered: bool = True
    avoided_agent_id: AgentId | None = None
    promised_at: int = 0
    rights: str = ""
    agent_rights: str = ""
    reserved_by: StackId | None = None
    reserved_until: int = 0
    stack_error: str = ""

    def again(self, job_id: JobId, at: int, retry_type: str) -> "Job":
        """The next attempt of an ended job: the same work, held by nobody yet, waiting for its build.

        Args:
            job_id: id of the new one.
            at: now, in µs.
            retry_type: `automatic` or `manual`.
        """
        return Job(
            organization_id=self.organization_id,
            id=job_id,
            build_id=self.build_id,
            cluster_id=self.cluster_id,
            queue_id=self.queue_id,
            label=self.label,
            step_key=self.step_key,
            command=self.command,
            env=self.env,
            rules=self.rules,
            state=JobState.WAITING,
            priority=self.priority,
            timeout_minutes=self.initial_timeout_minutes or self.timeout_minutes,
            created_at=at,
            step_id=self.step_id,
            parallel_index=self.parallel_index,
            parallel_total=self.parallel_total,
            matrix=self.matrix,
            retries=self.retries + 1,
            retry_source=self.id,
            retry_type=retry_type,
            concurrency_group=self.concurrency_group,
            concurrency_limit=self.concurrency_limit,
            concurrency_ordered=self.concurrency_ordered,
            rights=self.rights,
        )

    @property
    def token_rights(self) -> str:
        """What its token may do: what its step and its agent both let it."""
        return common_rights(self.rights, self.agent_rights)

    @property
    def times_out_at(self) -> int:
        """When a running job is over its time; 0 if never."""
        return self.started_at + self.timeout_minutes * MINUTE_US if self.timeout_minutes else 0

    @property
    def passed(self) -> bool:
        """Whether it ran to a successful end."""
        return self.state is JobState.FINISHED and self.exit_status == "0"


@dataclass(frozen=True, slots=True)
class Standing:
    """As much of a job as the scheduling of its build looks at: a build may have thousands."""

    id: JobId
    step_id: StepId | None
    state: JobState
    exit_status: str
    soft_failed: bool
    retried_in: JobId | None

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
