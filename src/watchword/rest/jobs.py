"""Jobs of a build and their logs (contract rest-graphql §2.17)."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from watchword.domain import accounts, fleet, pipelines
from watchword.domain.ids import AgentId
from watchword.domain.pipelines import JobState
from watchword.rest.call import CURSORED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.pages import CursorRequest
from watchword.rest.pipelines import PIPELINE
from watchword.services.queries import (
    Access,
    Unit,
    agents_by_id,
    build_of,
    find_build,
    find_job,
    find_pipeline,
    jobs_of,
)

BUILD = PIPELINE + "/builds/{number:str}"
JOBS = BUILD + "/jobs"
# Every job route exists below its build and below the organization.
JOB = [JOBS + "/{job:str}", "/v2/organizations/{org:str}/jobs/{job:str}"]


class JobAgent(msgspec.Struct, kw_only=True):
    """The agent that has or had a job; the whole of it stands at its `url`."""

    id: str
    graphql_id: str
    url: str
    name: str


class Priority(msgspec.Struct, kw_only=True):
    """A job's priority."""

    number: int


class Job(msgspec.Struct, kw_only=True):
    """One command of a build."""

    id: str
    graphql_id: str
    type: str
    name: str | None
    step_key: str | None
    agent_query_rules: list[str]
    state: str
    build_url: str
    web_url: str
    log_url: str
    raw_log_url: str
    command: str
    soft_failed: bool
    exit_status: int | None
    signal: str | None
    signal_reason: str | None
    agent: JobAgent | None
    created_at: str
    scheduled_at: str
    runnable_at: str | None
    started_at: str | None
    finished_at: str | None
    retried: bool
    retries_count: int
    cluster_id: str | None
    cluster_queue_id: str | None
    priority: Priority


class Cursors(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Addresses of this part of a list and of its neighbours."""

    self: str
    next: str | None = None
    prev: str | None = None


class JobList(msgspec.Struct, kw_only=True):
    """Part of a build's jobs."""

    items: list[Job]
    links: Cursors


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

    @property
    def page(self) -> str:
        """The build's page for people."""
        return self.site.web(self.organization.slug, self.pipeline.slug, "builds", self.build.number)


def _state(job: pipelines.Job) -> str:
    if job.state is JobState.FINISHED:
        return "passed" if job.passed else "failed"
    return job.state.value


def _exit_status(job: pipelines.Job) -> int | None:
    try:
        return int(job.exit_status)
    except ValueError:
        return None


def show_job(place: Place, job: pipelines.Job, agents: Mapping[AgentId, fleet.Agent]) -> Job:
    """A job as JSON."""
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
        command=job.command,
        soft_failed=False,
        exit_status=_exit_status(job),
        signal=job.signal or None,
        signal_reason=job.signal_reason or None,
        agent=shown,
        created_at=instant(job.created_at),
        scheduled_at=instant(job.created_at),
        runnable_at=maybe_instant(job.runnable_at),
        started_at=maybe_instant(job.started_at),
        finished_at=maybe_instant(job.finished_at),
        retried=False,
        retries_count=0,
        cluster_id=job.cluster_id,
        cluster_queue_id=job.queue_id,
        priority=Priority(number=job.priority),
    )


async def locate(call: Call, tx: Unit, access: Access) -> tuple[Place, pipelines.Job]:
    """The job of the path, whichever of the two paths it is."""
    if "pipeline" in call.request.path_params:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        job = await find_job(tx, access.id, call.path("job"), build)
    else:
        job = await find_job(tx, access.id, call.path("job"))
        pipeline, build = await build_of(tx, job)
    return Place(call.site, access.organization, pipeline, build), job


@get(JOBS, opt=needs("read_builds", query=("state", "step_key", *CURSORED)), summary="List jobs of a build")
async def list_jobs(request: RestRequest) -> Response[JobList]:
    """Jobs of a build in order, a part at a time."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Place, JobList, str, str]:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        place = Place(call.site, access.organization, pipeline, build)
        states, keys = call.query("state"), call.query("step_key")
        rows = [
            job
            for job in await jobs_of(tx, build)
            if (not states or _state(job) in states) and (not keys or job.step_key in keys)
        ]
        part, back, on = CursorRequest.read(request.query_params).cut(rows, [job.id for job in rows])
        agents = await agents_by_id(tx, access.id, [job.agent_id for job in part])
        items = [show_job(place, job, agents) for job in part]
        return place, JobList(items=items, links=Cursors(self=place.url("jobs"))), back, on

    place, shown, back, on = await call.read(work)
    kept = [(f"{name}[]", value) for name in ("state", "step_key") for value in call.query(name)]
    size = CursorRequest.read(request.query_params).size

    def neighbour(name: str, cursor: str) -> str | None:
        query = urlencode([(name, cursor), *kept, ("per_page", size)])
        return f"{place.url('jobs')}?{query}" if cursor else None

    shown.links.next, shown.links.prev = neighbour("after", on), neighbour("before", back)
    named = {"next": shown.links.next, "prev": shown.links.prev}
    link = ", ".join(f'<{url}>; rel="{name}"' for name, url in named.items() if url)
    return Response(shown, headers={"link": link} if link else {}, media_type="application/json")


@get(JOB, opt=needs("read_builds"), summary="Get a job")
async def get_job(request: RestRequest) -> Job:
    """One job by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Job:
        place, job = await locate(call, tx, access)
        return show_job(place, job, await agents_by_id(tx, access.id, [job.agent_id]))

    return await call.read(work)


HANDLERS = (list_jobs, get_job)
