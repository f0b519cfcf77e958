"""Jobs of a build and their logs (contract rest-graphql §2.17)."""

from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from watchword.domain import pipelines
from watchword.rest.call import CURSORED, Call, RestRequest, needs
from watchword.rest.jobshapes import Job, Place, jobs_and_waits, show_job
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
    steps_of,
)

BUILD = PIPELINE + "/builds/{number:str}"
JOBS = BUILD + "/jobs"
# Every job route exists below its build and below the organization.
_FILTERS = ("state", "step_key", "group_key", "include_retried_jobs")
JOB = [JOBS + "/{job:str}", "/v2/organizations/{org:str}/jobs/{job:str}"]


class Cursors(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Addresses of this part of a list and of its neighbours."""

    self: str
    next: str | None = None
    prev: str | None = None


class JobList(msgspec.Struct, kw_only=True):
    """Part of a build's jobs."""

    items: list[Job]
    links: Cursors


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


@get(JOBS, opt=needs("build.read", query=(*_FILTERS, *CURSORED)), summary="List jobs of a build")
async def list_jobs(request: RestRequest) -> Response[JobList]:
    """Jobs of a build in order, a part at a time."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Place, JobList, str, str]:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        place = Place(call.site, access.organization, pipeline, build)
        states, keys = call.query("state"), call.query("step_key")
        groups = call.query("group_key")
        retried = call.query("include_retried_jobs") == ["true"]
        rows = [
            job
            for job in await jobs_and_waits(place, tx, retried=retried)
            if (not states or job.state in states)
            and (not keys or job.step_key in keys)
            and (not groups or job.group_key in groups)
        ]
        items, back, on = CursorRequest.read(request.query_params).cut(rows, [job.id for job in rows])
        return place, JobList(items=items, links=Cursors(self=place.url("jobs"))), back, on

    place, shown, back, on = await call.read(work)
    kept = [(f"{name}[]", value) for name in _FILTERS for value in call.query(name)]
    size = CursorRequest.read(request.query_params).size

    def neighbour(name: str, cursor: str) -> str | None:
        query = urlencode([(name, cursor), *kept, ("per_page", size)])
        return f"{place.url('jobs')}?{query}" if cursor else None

    shown.links.next, shown.links.prev = neighbour("after", on), neighbour("before", back)
    named = {"next": shown.links.next, "prev": shown.links.prev}
    link = ", ".join(f'<{url}>; rel="{name}"' for name, url in named.items() if url)
    return Response(shown, headers={"link": link} if link else {}, media_type="application/json")


@get(JOB, opt=needs("build.read"), summary="Get a job")
async def get_job(request: RestRequest) -> Job:
    """One job by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Job:
        place, job = await locate(call, tx, access)
        steps = {row.id: row for row in await steps_of(tx, place.build)}
        return show_job(place, job, await agents_by_id(tx, access.id, [job.agent_id]), steps)

    return await call.read(work)


HANDLERS = (list_jobs, get_job)
