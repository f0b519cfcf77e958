"""What people do to jobs (contract rest-graphql §2.17): retry, unblock, reprioritize."""

from typing import Any

from litestar import put

from watchword.domain.buildsteps import BuildStep
from watchword.domain.errors import Malformed, NotFound
from watchword.rest.bodies import Body
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.jobs import JOB, locate
from watchword.rest.jobshapes import Job, Place, show_job, show_waiting
from watchword.services.queries import Access, Unit, build_of, find_build, find_pipeline, find_step
from watchword.services.scheduling import Moved

_MAX_PRIORITY = 2**31 - 1


@put([f"{path}/retry" for path in JOB], opt=needs("job.retry"), summary="Retry a job")
async def retry_job(request: RestRequest) -> Job:
    """Make another attempt of a job that ended."""
    call = Call.of(request)
    attempts = call.authority.attempts

    async def work(tx: Unit, access: Access) -> tuple[Job, Moved]:
        place, job = await locate(call, tx, access)
        made, moved = await attempts.retry_in(tx, access.caller, job)
        return show_job(place, made, {}), moved

    shown, moved = await call.write(work)
    attempts.scheduler.settle(moved)
    return shown


class Unblock(Body):
    """What a person fills in."""

    fields: dict[str, str] | None = None


@put([f"{path}/unblock" for path in JOB], opt=needs("job.unblock", body=Unblock), summary="Unblock a step")
async def unblock_job(request: RestRequest) -> Job:
    """Let a build go on behind a block or input step; the id is that of its manual job."""
    call = await Call.with_body(request)
    attempts = call.authority.attempts

    async def work(tx: Unit, access: Access) -> tuple[Job, Moved]:
        place, row = await _locate_step(call, tx, access)
        asked = call.decode(Unblock)
        row, moved = await attempts.unblock_in(tx, access.caller, row, asked.fields or {}, access.user.id)
        return show_waiting(place, row, {access.user.id: access.user}), moved

    shown, moved = await call.write(work)
    attempts.scheduler.settle(moved)
    return shown


async def _locate_step(call: Call, tx: Unit, access: Access) -> tuple[Place, BuildStep]:
    """The block or input step of the path.

    Raises:
        Malformed: a job of another type stands there.
        NotFound: there is none.
    """
    row = await find_step(tx, access.id, call.path("job"))
    if row is None:
        await locate(call, tx, access)
        raise Malformed("This job type cannot be unblocked", code="not_unblockable")
    pipeline, build = await build_of(tx, row)
    if "pipeline" in call.request.path_params:
        named = await find_pipeline(tx, access.id, call.path("pipeline"))
        if (await find_build(tx, named, call.path("number"))).id != build.id:
            raise NotFound("No job found")
    return Place(call.site, access.organization, pipeline, build), row


class NewPriority(Body):
    """The new priority."""

    priority: Any = None


@put(
    [f"{path}/reprioritize" for path in JOB],
    opt=needs("job.reprioritize", body=NewPriority),
    summary="Reprioritize a job",
)
async def reprioritize_job(request: RestRequest) -> Job:
    """Change the priority of a job that no agent has taken."""
    call = await Call.with_body(request)
    attempts = call.authority.attempts

    async def work(tx: Unit, access: Access) -> tuple[Job, Moved]:
        place, job = await locate(call, tx, access)
        changed, moved = await attempts.prioritize_in(tx, access.caller, job, _priority(call))
        return show_job(place, changed, {}), moved

    shown, moved = await call.write(work)
    attempts.scheduler.settle(moved)
    return shown


def _priority(call: Call) -> int:
    priority = call.decode(NewPriority).priority
    if not isinstance(priority, int) or isinstance(priority, bool) or abs(priority) > _MAX_PRIORITY:
        raise Malformed("Priority must be an integer", code="invalid_priority")
    return priority


HANDLERS = (retry_job, unblock_job, reprioritize_job)
