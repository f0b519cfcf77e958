"""Jobs as the REST API shows them (contract rest-graphql §2.17), waits and blocks among them."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from watchword.domain import accounts, fleet, pipelines
from watchword.domain.buildsteps import GATES, BuildStep
from watchword.domain.ids import AgentId, ClusterId, StepId, UserId
from watchword.domain.pipelines import JobState
from watchword.domain.steps import StepType
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.users import User, show_person
from watchword.services.queries import Unit, agents_by_id, jobs_of, people, steps_of


class JobAgent(msgspec.Struct, kw_only=True):
    """The agent that has or had a job; the whole of it stands at its `url`."""

    id: str
    graphql_id: str
    url: str
    name: str


class Priority(msgspec.Struct, kw_only=True):
    """A job's priority."""

    number: int


class StepRef(msgspec.Struct, kw_only=True):
    """The step of a job."""

    id: str
    signature: None = None


class RetrySource(msgspec.Struct, kw_only=True):
    """The job that another attempt replaces."""

    job_id: str
    retry_type: str


class Job(msgspec.Struct, kw_only=True):
    """One command of a build, or a step that waits: for others, or for a person."""

    id: str
    graphql_id: str
    type: str
    name: str | None
    step_key: str | None
    agent_query_rules: list[str]
    state: str
    build_url: str
    web_url: str
    log_url: str | None
    raw_log_url: str | None
    artifacts_url: str | None
    command: str | None
    soft_failed: bool
    exit_status: int | None
    promised_exit_status: int | None
    promised_exit_status_at: str | None
    signal: str | None
    signal_reason: str | None
    agent: JobAgent | None
    created_at: str
    scheduled_at: str
    runnable_at: str | None
    started_at: str | None
    finished_at: str | None
    expired_at: None
    retried: bool
    retries_count: int
    cluster_id: str | None
    cluster_url: str | None
    cluster_queue_id: str | None
    cluster_queue_url: str | None
    priority: Priority | None
    step: StepRef | None
    group_key: str | None
    artifact_paths: str | None
    retried_in_job_id: str | None
    retry_source: RetrySource | None
    retry_type: str | None
    parallel_group_index: int | None
    parallel_group_total: int | None
    matrix: dict[str, str] | None
    unblocked_at: str | None
    unblocked_by: User | None
    unblockable: bool | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands: what its addresses are made of."""

    site: Site
    organization: accounts.Organization
    pipeline: pipelines.Pipeline
    build: pipelines.Build

    def url(self, *parts: object) -> str:
        """Address of the build, or of something below it."""
        at = ("organizations", self.organization.slug, "pipelines", self.pipeline.slug)
        return self.site.rest(*at, "builds", self.build.number, *parts)

    def cluster(self, cluster_id: ClusterId | None, *parts: object) -> str | None:
        """Address of a cluster, or of something below it; None where there is no cluster."""
        at = ("organizations", self.organization.slug, "clusters", cluster_id)
        return self.site.rest(*at, *parts) if cluster_id is not None else None

    @property
    def page(self) -> str:
        """The build's page for people."""
        return self.site.web(self.organization.slug, self.pipeline.slug, "builds", self.build.number)


def _state(job: pipelines.Job) -> str:
    if job.state is JobState.FINISHED:
        return "passed" if job.passed else "failed"
    return job.state.value


def _status(text: str) -> int | None:
    """An exit status as a number; None where there is none."""
    try:
        return int(text)
    except ValueError:
        return None


def show_job(
    place: Place,
    job: pipelines.Job,
    agents: Mapping[AgentId, fleet.Agent],
    steps: Mapping[StepId, BuildStep] | None = None,
) -> Job:
    """A job as JSON."""
    row = steps.get(job.step_id) if steps and job.step_id is not None else None
    group = steps.get(row.group_id) if steps and row is not None and row.group_id is not None else None
    agent = agents.get(job.agent_id) if job.agent_id is not None else None
    shown = None
    if agent is not None:
        url = place.site.rest("organizations", place.organization.slug, "agents", agent.id)
        shown = JobAgent(id=agent.id, graphql_id=graphql_id("Agent", agent.id), url=url, name=agent.name)
    return Job(
        id=job.id,
        graphql_id=graphql_id("Job", job.id),
        type="script",
        name=job.label or None,
        step_key=job.step_key or None,
        agent_query_rules=list(job.rules),
        state=_state(job),
        build_url=place.url(),
        web_url=f"{place.page}#{job.id}",
        log_url=place.url("jobs", job.id, "log"),
        raw_log_url=place.url("jobs", job.id, "log.txt"),
        artifacts_url=place.url("jobs", job.id, "artifacts"),
        command=job.command,
        soft_failed=job.soft_failed,
        exit_status=_status(job.exit_status),
        promised_exit_status=_status(job.promised_status),
        promised_exit_status_at=maybe_instant(job.promised_at),
        signal=job.signal or None,
        signal_reason=job.signal_reason or None,
        agent=shown,
        created_at=instant(job.created_at),
        scheduled_at=instant(job.created_at),
        runnable_at=maybe_instant(job.runnable_at),
        started_at=maybe_instant(job.started_at),
        finished_at=maybe_instant(job.finished_at),
        expired_at=None,
        retried=job.retried_in is not None,
        retries_count=job.retries,
        cluster_id=job.cluster_id,
        cluster_url=place.cluster(job.cluster_id),
        cluster_queue_id=job.queue_id,
        cluster_queue_url=place.cluster(job.cluster_id, "queues", job.queue_id) if job.queue_id else None,
        priority=Priority(number=job.priority),
        step=StepRef(id=job.step_id) if job.step_id is not None else None,
        group_key=(group.step.key or None) if group is not None else None,
        artifact_paths=(row.step.artifact_paths or None) if row is not None else None,
        retried_in_job_id=job.retried_in,
        retry_source=RetrySource(job_id=job.retry_source, retry_type=job.retry_type)
        if job.retry_source is not None
        else None,
        retry_type=job.retry_type or None,
        parallel_group_index=job.parallel_index if job.parallel_total else None,
        parallel_group_total=job.parallel_total or None,
        matrix=dict(job.matrix) or None,
        unblocked_at=None,
        unblocked_by=None,
        unblockable=None,
    )


def show_waiting(place: Place, row: BuildStep, people: Mapping[UserId, accounts.User]) -> Job:
    """A wait, block or input as JSON: clients find them among the jobs, by the step's id."""
    gate = row.step.type in GATES
    return Job(
        id=row.id,
        graphql_id=graphql_id("Job", row.id),
        type="manual" if gate else "waiter",
        name=row.step.label or None,
        step_key=row.step.key or None,
        agent_query_rules=[],
        state=row.shown_state,
        build_url=place.url(),
        web_url=f"{place.page}#{row.id}",
        log_url=None,
        raw_log_url=None,
        artifacts_url=None,
        command=None,
        soft_failed=False,
        exit_status=None,
        promised_exit_status=None,
        promised_exit_status_at=None,
        signal=None,
        signal_reason=None,
        agent=None,
        created_at=instant(row.created_at),
        scheduled_at=instant(row.created_at),
        runnable_at=None,
        started_at=None,
        finished_at=None,
        expired_at=None,
        retried=False,
        retries_count=0,
        cluster_id=None,
        cluster_url=None,
        cluster_queue_id=None,
        cluster_queue_url=None,
        priority=None,
        step=StepRef(id=row.id),
        group_key=None,
        artifact_paths=None,
        retried_in_job_id=None,
        retry_source=None,
        retry_type=None,
        parallel_group_index=None,
        parallel_group_total=None,
        matrix=None,
        unblocked_at=maybe_instant(row.unblocked_at),
        unblocked_by=show_person(people, row.unblocked_by),
        unblockable=row.blocked if gate else None,
    )


async def jobs_and_waits(place: Place, tx: Unit, *, retried: bool = True) -> list[Job]:
    """Jobs of a build with its waits and blocks among them, in the order of the steps."""
    build = place.build
    rows = await steps_of(tx, build)
    steps = {row.id: row for row in rows}
    jobs = [job for job in await jobs_of(tx, build) if retried or job.retried_in is None]
    agents = await agents_by_id(tx, build.organization_id, [job.agent_id for job in jobs])
    found = await people(tx, [row.unblocked_by for row in rows])
    by_step: dict[StepId | None, list[Job]] = {}
    for job in jobs:
        by_step.setdefault(job.step_id, []).append(show_job(place, job, agents, steps))
    shown = by_step.get(None, [])
    for row in rows:
        if row.step.type in (*GATES, StepType.WAIT):
            shown.append(show_waiting(place, row, found))
        else:
            shown += by_step.get(row.id, [])
    return shown
