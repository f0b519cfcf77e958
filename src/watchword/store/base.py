"""The store's contract: what any backend must do. One conformance suite runs on every backend.

A unit of work is a coroutine function that takes a `Transaction` and awaits nothing but its methods.
It is committed whole or not at all; it may be run again where the database asks for it, so it has no
effect besides. Conditional writes answer whether they took place: the row count decides, not a read.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from watchword.domain.accounts import Cluster, Member, Organization, Queue, User
from watchword.domain.events import Event, Notice
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import (
    AgentId,
    BuildId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    TokenId,
    UserId,
)
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Annotation, Build, BuildState, Chunk, Job, JobState, Pipeline
from watchword.domain.tokens import State, Token
from watchword.domain.use import Refusals, Use

T = TypeVar("T")


class Duplicate(Exception):
    """A unique value is taken already."""


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a list: at most `limit` rows after the first `offset`."""

    limit: int = 100
    offset: int = 0


class Tokens(Protocol):
    """Tokens of all kinds, and the directory of their digests."""

    async def add(self, token: Token) -> None:
        """Insert. Raises `Duplicate` where the digest is known."""

    async def find(self, organization_id: OrganizationId, token_id: TokenId) -> Token | None:
        """One token of an organization."""

    async def by_digest(self, digest: bytes) -> Token | None:
        """The token of a value's digest, in whatever state."""

    async def list(
        self, organization_id: OrganizationId, kind: Kind, cluster_id: ClusterId | None, page: Page
    ) -> Sequence[Token]:
        """Tokens that are not revoked, oldest first; expired ones are listed."""

    async def edit(
        self, organization_id: OrganizationId, token_id: TokenId, description: str, restrictions: str
    ) -> bool:
        """Change what may be changed of an active token."""

    async def end(
        self,
        organization_id: OrganizationId,
        token_id: TokenId,
        state: State,
        at: int,
        by: UserId | None,
        reason: str,
    ) -> bool:
        """Revoke or supersede an active token; False if it had ended before."""

    async def take_use(self, organization_id: OrganizationId, token_id: TokenId, now: int) -> bool:
        """Count one use if the token is active at `now` and has one left: one conditional UPDATE."""

    async def return_use(self, organization_id: OrganizationId, token_id: TokenId) -> None:
        """Give back a use that came to nothing."""


class Accounts(Protocol):
    """Organizations, users, members, clusters and queues."""

    async def add_organization(self, organization: Organization) -> None:
        """Insert. Raises `Duplicate` where the slug is taken."""

    async def set_default_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Name the cluster of pipelines that name none."""

    async def organization(self, organization_id: OrganizationId) -> Organization | None:
        """By id."""

    async def organization_by_slug(self, slug: str) -> Organization | None:
        """By slug."""

    async def organizations(self) -> Sequence[Organization]:
        """All, oldest first."""

    async def add_user(self, user: User) -> None:
        """Insert. Raises `Duplicate` where the address is taken."""

    async def user(self, user_id: UserId) -> User | None:
        """By id."""

    async def add_member(self, member: Member) -> None:
        """Insert. Raises `Duplicate` where the person is a member already."""

    async def member(self, organization_id: OrganizationId, user_id: UserId) -> Member | None:
        """A person's membership."""

    async def add_cluster(self, cluster: Cluster) -> None:
        """Insert."""

    async def cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> Cluster | None:
        """By id."""

    async def clusters(self, organization_id: OrganizationId, page: Page) -> Sequence[Cluster]:
        """Oldest first."""

    async def save_cluster(self, cluster: Cluster) -> None:
        """Write name, description, emoji, color and default queue."""

    async def delete_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        """Delete the cluster and its queues."""

    async def add_queue(self, queue: Queue) -> None:
        """Insert. Raises `Duplicate` where the cluster has the key."""

    async def queue(self, organization_id: OrganizationId, queue_id: QueueId) -> Queue | None:
        """By id."""

    async def queue_by_key(
        self, organization_id: OrganizationId, cluster_id: ClusterId, key: str
    ) -> Queue | None:
        """By key."""

    async def queues(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[Queue]:
        """Oldest first."""


class Fleet(Protocol):
    """Agents."""

    async def add(self, agent: Agent) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, agent_id: AgentId) -> Agent | None:
        """By id."""

    async def list(
        self,
        organization_id: OrganizationId,
        cluster_id: ClusterId | None,
        states: Sequence[AgentState],
        page: Page,
    ) -> Sequence[Agent]:
        """Agents in any of the states, oldest first; of one cluster where one is named."""

    async def live(self) -> Sequence[Agent]:
        """Registered and connected agents of all organizations, for a start."""

    async def never_connected(
        self, organization_id: OrganizationId, token_id: TokenId, name: str, hostname: str
    ) -> Agent | None:
        """The agent that asked for this name, registered from this host and has not connected yet."""

    async def connect(self, organization_id: OrganizationId, agent_id: AgentId, at: int) -> bool:
        """Registered → connected; False from any other state."""

    async def end(
        self, organization_id: OrganizationId, agent_id: AgentId, state: AgentState, at: int
    ) -> bool:
        """Registered or connected → an ended state; False if it had ended before."""

    async def give_job(
        self, organization_id: OrganizationId, agent_id: AgentId, job_id: JobId | None
    ) -> None:
        """Note which job the agent holds."""

    async def ignore(self, organization_id: OrganizationId, agent_id: AgentId) -> None:
        """Never dispatch to the agent again."""

    async def touch(self, seen: Sequence[tuple[OrganizationId, AgentId, int]]) -> None:
        """Note when agents were last heard of, in one batch."""


class Builds(Protocol):
    """Pipelines, builds and jobs."""

    async def add_pipeline(self, pipeline: Pipeline) -> None:
        """Insert. Raises `Duplicate` where the slug is taken."""

    async def pipeline(self, organization_id: OrganizationId, pipeline_id: PipelineId) -> Pipeline | None:
        """By id."""

    async def pipeline_by_slug(self, organization_id: OrganizationId, slug: str) -> Pipeline | None:
        """By slug."""

    async def pipelines(self, organization_id: OrganizationId, page: Page) -> Sequence[Pipeline]:
        """Oldest first."""

    async def next_build_number(self, organization_id: OrganizationId, pipeline_id: PipelineId) -> int:
        """Count up and return."""

    async def add_build(self, build: Build) -> None:
        """Insert."""

    async def build(self, organization_id: OrganizationId, build_id: BuildId) -> Build | None:
        """By id."""

    async def build_by_number(
        self, organization_id: OrganizationId, pipeline_id: PipelineId, number: int
    ) -> Build | None:
        """By number."""

    async def builds(
        self, organization_id: OrganizationId, pipeline_id: PipelineId | None, page: Page
    ) -> Sequence[Build]:
        """Newest first."""

    async def set_build_state(
        self, organization_id: OrganizationId, build_id: BuildId, state: BuildState, at: int
    ) -> None:
        """Write a state; the first running and the first ended one leave their times."""

    async def add_job(self, job: Job) -> None:
        """Insert."""

    async def job(self, organization_id: OrganizationId, job_id: JobId) -> Job | None:
        """By id."""

    async def jobs(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Job]:
        """Jobs of a build, in order."""

    async def open_jobs(self) -> Sequence[Job]:
        """Jobs of all organizations that have not ended, for a start."""

    async def accept(
        self, job: Job, agent_id: AgentId, at: int, token_key: int, token_expires_at: int
    ) -> bool:
        """Scheduled → accepted, one fence higher; False if the job changed hands meanwhile."""

    async def start(self, job: Job, at: int) -> bool:
        """Accepted → running under the same fence."""

    async def finish(self, job: Job, state: JobState) -> bool:
        """Held → ended under the same fence, with the outcome that `job` carries."""

    async def release(self, job: Job) -> bool:
        """Accepted → scheduled, one fence higher, so that the former holder's token is dead."""

    async def cancel(self, job: Job, at: int) -> JobState | None:
        """Scheduled → canceled, held → canceling; the new state, or None if it had ended."""


class Logs(Protocol):
    """What jobs leave behind: logs, annotations, meta-data."""

    async def add_chunk(self, chunk: Chunk) -> bool:
        """Insert; False if this sequence is known."""

    async def grow_log(self, organization_id: OrganizationId, job_id: JobId, size: int) -> None:
        """Add to a job's log size."""

    async def chunks(self, organization_id: OrganizationId, job_id: JobId) -> Sequence[Chunk]:
        """By offset, then sequence."""

    async def chunks_after(
        self, organization_id: OrganizationId, job_id: JobId, position: int
    ) -> Sequence[Chunk]:
        """Those that hold a byte at or after a position of the log, by offset, then sequence."""

    async def annotation(
        self, organization_id: OrganizationId, build_id: BuildId, scope: str, scope_id: str, context: str
    ) -> Annotation | None:
        """One annotation; `scope_id` is the build's or the job's id by `scope`."""

    async def save_annotation(self, annotation: Annotation) -> None:
        """Insert or replace."""

    async def delete_annotation(
        self, organization_id: OrganizationId, build_id: BuildId, scope: str, scope_id: str, context: str
    ) -> bool:
        """Delete; False if there was none."""

    async def annotations(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Annotation]:
        """Highest priority first, then oldest."""

    async def set_meta_data(
        self, organization_id: OrganizationId, build_id: BuildId, key: str, value: str
    ) -> None:
        """Insert or overwrite."""

    async def meta_data(self, organization_id: OrganizationId, build_id: BuildId, key: str) -> str | None:
        """A value, or None where the key is unset."""

    async def all_meta_data(
        self, organization_id: OrganizationId, build_id: BuildId
    ) -> Sequence[tuple[str, str]]:
        """Keys and values, by key."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A remembered answer: `request` is a digest of what was asked, `answer` is sealed."""

    organization_id: OrganizationId
    caller: str
    key: str
    operation: str
    request: bytes
    answer: bytes
    created_at: int
    expires_at: int


class Audit(Protocol):
    """Audit trail, outbox, remembered answers and the use ledger."""

    async def next_sequence(self, organization_id: OrganizationId) -> int:
        """The next number of the organization's trail; gap-free because it is part of the unit."""

    async def add(self, event: Event) -> None:
        """Append."""

    async def events(self, organization_id: OrganizationId, after: int, limit: int) -> Sequence[Event]:
        """Events with a higher sequence, in order."""

    async def post(self, organization_id: OrganizationId, topic: str, payload: str, at: int) -> None:
        """Append to the outbox; whoever follows it hears of it once the unit is committed."""

    async def notices(self, after: int, limit: int) -> Sequence[Notice]:
        """Outbox rows in order."""

    async def replay(self, organization_id: OrganizationId, caller: str, key: str, now: int) -> Replay | None:
        """A remembered answer that has not expired."""

    async def remember(self, replay: Replay) -> None:
        """Keep an answer; replaces an expired one."""

    async def forget(self, now: int) -> int:
        """Delete expired answers; how many."""

    async def add_uses(self, uses: Sequence[Use]) -> None:
        """Add counts to the ledger."""

    async def add_refusals(self, refusals: Sequence[Refusals]) -> None:
        """Add counts of refusals."""

    async def uses(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[Use]:
        """A token's use, latest first."""


class Transaction(Protocol):
    """Everything a unit of work can reach."""

    @property
    def tokens(self) -> Tokens:
        """Tokens."""

    @property
    def accounts(self) -> Accounts:
        """Accounts."""

    @property
    def fleet(self) -> Fleet:
        """Agents."""

    @property
    def builds(self) -> Builds:
        """Builds."""

    @property
    def logs(self) -> Logs:
        """Logs."""

    @property
    def audit(self) -> Audit:
        """Audit."""


Work = Callable[[Transaction], Awaitable[T]]


class Store(Protocol):
    """A database."""

    async def write(self, work: Work[T]) -> T:
        """Run a unit of work; returns after it is durable and its notices are published.

        Raises:
            Unavailable: the database cannot take it now.
        """

    async def read(self, work: Work[T]) -> T:
        """Run a read-only unit on the newest committed state."""

    async def close(self) -> None:
        """Finish what is queued and let go of the database."""
