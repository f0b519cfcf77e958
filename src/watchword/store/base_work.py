"""The store's contract for work: pipelines, builds, jobs, and what jobs leave behind."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from watchword.domain.ids import (
    AgentId,
    BuildId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
)
from watchword.domain.pipelines import Annotation, Build, BuildState, Chunk, Job, JobState, Pipeline, Standing
from watchword.store.page import Page


class HeldBack(NamedTuple):
    """Jobs of one queue and one set of rules that cannot be dispatched yet."""

    cluster_id: ClusterId | None
    queue_id: QueueId | None
    rules: tuple[str, ...]
    jobs: int


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

    async def save_pipeline(self, pipeline: Pipeline) -> None:
        """Write all of a pipeline but what it is found by and who made it."""

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

    async def enter_build(self, organization_id: OrganizationId, build_id: BuildId) -> Build | None:
        """A build, held by this unit alone until its end: others that enter wait for it."""

    async def begin_build(self, organization_id: OrganizationId, build_id: BuildId, at: int) -> None:
        """Scheduled → running; nothing from another state."""

    async def set_build_state(
        self,
        organization_id: OrganizationId,
        build_id: BuildId,
        state: BuildState,
        at: int,
        blocked_state: str = "",
    ) -> None:
        """Write a state; the first running and the first ended one leave their times.

        A state that is no end takes the time of the end away: the build was retried.
        """

    async def cancel_build(
        self, organization_id: OrganizationId, build_id: BuildId, at: int, reason: str
    ) -> bool:
        """Note that the whole build is cancelled; False if it was before."""

    async def reopen_build(self, organization_id: OrganizationId, build_id: BuildId) -> None:
        """Forget that the build was cancelled, so that a job of it can be retried."""

    async def add_job(self, job: Job) -> None:
        """Insert."""

    async def job(self, organization_id: OrganizationId, job_id: JobId) -> Job | None:
        """By id."""

    async def jobs(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Job]:
        """Jobs of a build, in order."""

    async def standings(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Standing]:
        """Where the jobs of a build stand, in order."""

    async def open_jobs(self) -> Sequence[Job]:
        """Jobs of all organizations that have not ended, for a start."""

    async def accept(
        self, job: Job, agent_id: AgentId, at: int, token_key: int, token_expires_at: int, rights: str = ""
    ) -> bool:
        """Scheduled or reserved → accepted, one fence higher; False if it changed hands meanwhile.

        `rights` are those that the agent asks for, as `domain.jobrights` keeps them.
        """

    async def claim_next(
        self,
        organization_id: OrganizationId,
        queue_id: QueueId | None,
        rules: tuple[str, ...],
        agent_id: AgentId,
        at: int,
        token_key: int,
        token_expires_at: int,
    ) -> Job | None:
        """Accept the first scheduled job of a queue with exactly these rules: higher priority, then older.

        Several who reach for the same queue at once get different jobs, and none waits for another.
        """

    async def start(self, job: Job, at: int) -> bool:
        """Accepted → running under the same fence."""

    async def finish(self, job: Job, state: JobState) -> bool:
        """Held → ended under the same fence, with the outcome that `job` carries."""

    async def release(self, job: Job) -> bool:
        """Accepted → scheduled, one fence higher, so that the former holder's token is dead."""

    async def cancel(self, job: Job, at: int) -> JobState | None:
        """Not held yet → canceled, held → canceling; the new state, or None if it had ended."""

    async def move_job(self, job: Job, state: JobState, at: int) -> bool:
        """From the state that `job` shows to another that no agent has a part in; False if it moved.

        Scheduled ones get the time as `runnable_at`, ended ones as `finished_at`.
        """

    async def edit_job(self, job: Job) -> bool:
        """Write label and priority of a job that has not ended."""

    async def replace_job(self, job: Job, by: JobId) -> bool:
        """Note the job that a retry made of an ended one; False if there is one."""

    async def drop_job(self, job: Job) -> bool:
        """Delete a job that no agent has had; False if one has."""

    async def enter_group(self, organization_id: OrganizationId, group: str) -> None:
        """Hold a concurrency group for this unit alone until its end."""

    async def group_jobs(self, organization_id: OrganizationId, group: str) -> Sequence[Job]:
        """Jobs of a concurrency group that have not ended, oldest first."""

    async def time_out(self, job: Job, at: int) -> bool:
        """Running → timing out under the same fence, if it is over its time at `at` as the row has it."""

    async def set_timeout(self, job: Job, minutes: int, initial: int) -> bool:
        """Change the time-out of an accepted or running job under the same fence."""

    async def promise_failure(self, job: Job, status: str, reason: str, at: int) -> bool:
        """Note the failure a running job will end with, under the same fence; False if one is noted."""

    async def count_held_back(self, organization_id: OrganizationId) -> Sequence[HeldBack]:
        """How many jobs wait for others or for a place in their concurrency group, by queue and rules."""


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

    async def some_chunks_after(
        self, organization_id: OrganizationId, job_id: JobId, position: int, count: int
    ) -> Sequence[Chunk]:
        """The first ones of `chunks_after`."""

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
