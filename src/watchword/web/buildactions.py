"""What people do to a build and its jobs: cancel, rebuild, retry."""

from collections.abc import Awaitable, Callable

from litestar import post

from watchword.domain.errors import WatchwordError
from watchword.domain.pipelines import Job
from watchword.services.attempts import FAILURES
from watchword.services.queries import Access, Unit
from watchword.services.scheduling import Moved
from watchword.web.needs import page
from watchword.web.places import BUILD, JOB, BuildPlace, find_build_place, find_job_place
from watchword.web.visit import Page, Visit, WebRequest

Change = Callable[[Unit, Access], Awaitable[tuple[str, Moved]]]


async def _change(visit: Visit, change: Change, done: str) -> Page:
    """Do it, and go to where it shows; what does not fit the build's state is said on a page of its own."""
    try:
        path, moved = await visit.write(change)
    except WatchwordError as error:
        return await _not_done(visit, error)
    visit.authority.attempts.scheduler.settle(moved)
    return visit.go(path, done=done)


async def _not_done(visit: Visit, error: WatchwordError) -> Page:
    async def find(tx: Unit, access: Access) -> BuildPlace:
        return await find_build_place(visit, tx, access)

    return visit.show_again("builds/not_done.html", error, place=await visit.read(find))


@post(BUILD + "/cancel", opt=page("build.cancel"), status_code=200)
async def cancel_build(request: WebRequest) -> Page:
    """Cancel the build."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access) -> tuple[str, Moved]:
        place = await find_build_place(visit, tx, access)
        _, moved = await visit.authority.builder.cancel_in(tx, access.caller, place.build)
        return place.of_build(), moved

    return await _change(visit, change, "build-canceled")


@post(BUILD + "/rebuild", opt=page("build.create"), status_code=200)
async def rebuild(request: WebRequest) -> Page:
    """Run what the build began with once more, as a new build."""
    visit = Visit.of(request)
    builder = visit.authority.builder

    async def work(tx: Unit, access: Access) -> tuple[BuildPlace, list[Job]]:
        place = await find_build_place(visit, tx, access)
        again, jobs = await builder.rebuild_in(tx, access.caller, place.pipeline, place.build, access.user.id)
        return BuildPlace(place.organization, place.pipeline, again), jobs

    try:
        place, jobs = await visit.write(work)
    except WatchwordError as error:
        return await _not_done(visit, error)
    builder.announce(jobs)
    return visit.go(place.of_build(), done="build-rebuilt")


@post(BUILD + "/retry-failed", opt=page("job.retry"), status_code=200)
async def retry_failed(request: WebRequest) -> Page:
    """Make another attempt of every job that failed and may be retried."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access) -> tuple[str, Moved]:
        place = await find_build_place(visit, tx, access)
        attempts = visit.authority.attempts
        _, moved = await attempts.retry_failed_in(tx, access.caller, place.build, frozenset(FAILURES))
        return place.of_build(), moved

    return await _change(visit, change, "jobs-retried")


@post(JOB + "/retry", opt=page("job.retry"), status_code=200)
async def retry_job(request: WebRequest) -> Page:
    """Make another attempt of the job, and show it."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access) -> tuple[str, Moved]:
        place, job = await find_job_place(visit, tx, access)
        made, moved = await visit.authority.attempts.retry_in(tx, access.caller, job)
        return place.of_job(made), moved

    return await _change(visit, change, "job-retried")


@post(JOB + "/cancel", opt=page("job.cancel"), status_code=200)
async def cancel_job(request: WebRequest) -> Page:
    """Cancel the job."""
    visit = Visit.of(request)

    async def change(tx: Unit, access: Access) -> tuple[str, Moved]:
        place, job = await find_job_place(visit, tx, access)
        _, moved = await visit.authority.attempts.cancel_in(tx, access.caller, job)
        return place.of_job(job), moved

    return await _change(visit, change, "job-canceled")


HANDLERS = (cancel_build, rebuild, retry_failed, retry_job, cancel_job)
