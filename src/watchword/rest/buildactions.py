"""What people do to builds (contract rest-graphql §2.17): create, cancel, rebuild, retry what failed."""

from typing import Annotated, Any

import msgspec
from litestar import Response, post, put
from msgspec import Meta

from watchword.domain import pipelines
from watchword.domain.errors import Invalid, Malformed
from watchword.domain.stepreading import read_document
from watchword.domain.steps import Document
from watchword.rest.bodies import Body
from watchword.rest.builds import BUILDS, Author, Build, show_build
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.jobs import BUILD
from watchword.services.attempts import FAILURES
from watchword.services.builds import BuildRequest, CommandStep, document_of
from watchword.services.queries import Access, Unit, find_build, find_pipeline
from watchword.services.scheduling import Moved
from watchword.services.steps import document_of_pipeline

Name = Annotated[str, Meta(max_length=255)]
Text = Annotated[str, Meta(max_length=1024)]
Message = Annotated[str, Meta(max_length=65_536)]


class NewBuild(Body):
    """What a new build runs; `steps` and `command`, for work of the moment, are Watchword's own."""

    commit: Name | None = None
    branch: Name | None = None
    message: Message | None = None
    env: dict[str, str] | None = None
    clean_checkout: bool | None = None
    steps: Any = None
    command: str | None = None
    author: Author | None = None
    tag: Name | None = None
    meta_data: dict[str, str] | None = None
    pull_request_id: int | str | None = None
    pull_request_base_branch: Name | None = None
    pull_request_repository: Text | None = None


def _author(asked: NewBuild) -> dict[str, str]:
    if asked.author is None:
        return {}
    given = {"name": asked.author.name, "email": asked.author.email}
    return {name: value for name, value in given.items() if value}


def _env(asked: NewBuild) -> dict[str, str]:
    """Variables of all jobs; agents heed one of them where a clean checkout is asked for."""
    return {**(asked.env or {}), **({"BUILDKITE_CLEAN_CHECKOUT": "true"} if asked.clean_checkout else {})}


def _asked_pull_request(asked: NewBuild) -> dict[str, str]:
    if asked.pull_request_id is None:
        return {}
    given = {"base": asked.pull_request_base_branch, "repository": asked.pull_request_repository}
    return {"id": str(asked.pull_request_id), **{name: value for name, value in given.items() if value}}


@post(BUILDS, opt=needs("build.create", body=NewBuild, keyed=True, listed=True), summary="Create a build")
async def create_build(request: RestRequest) -> Response[Build]:
    """Run the pipeline's steps, or those of the request."""
    call = await Call.with_body(request)
    builder = call.authority.builder
    made: list[pipelines.Job] = []

    async def work(tx: Unit, access: Access) -> Build:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        asked = call.decode(NewBuild)
        wanted = BuildRequest(
            commit=asked.commit or "HEAD",
            branch=asked.branch or "",
            message=asked.message or "",
            env=_env(asked),
            tag=asked.tag or "",
            author=_author(asked),
            pull_request=_asked_pull_request(asked),
            meta_data=asked.meta_data or {},
        )
        steps = _steps(pipeline, asked)
        build, jobs = await builder.create_in(tx, access.caller, pipeline, steps, wanted, access.user.id)
        made[:] = jobs
        return await show_build(call, tx, access.organization, pipeline, build)

    answer = await call.create(work)
    # A repeated answer made no jobs; what it made the first time is before the agents already.
    builder.announce(made)
    return answer


def _steps(pipeline: pipelines.Pipeline, asked: NewBuild) -> Document:
    """Steps of the request, else those that the pipeline keeps.

    Raises:
        Invalid: a step is not acceptable, or steps and a command are both given.
    """
    if asked.steps is None and asked.command is None:
        return document_of_pipeline(pipeline)
    if asked.steps is not None and asked.command is not None:
        raise Invalid("Validation failed: give steps or command, not both", code="two_configurations")
    if asked.command is not None:
        return document_of((CommandStep(command=asked.command),))
    return read_document(asked.steps)


@put(BUILD + "/cancel", opt=needs("build.cancel"), summary="Cancel a build")
async def cancel_build(request: RestRequest) -> Build:
    """Cancel a build: waiting jobs end at once, running ones are told by their agents."""
    call = Call.of(request)

    async def find(tx: Unit, access: Access) -> tuple[Access, pipelines.Pipeline, pipelines.Build]:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        return access, pipeline, await find_build(tx, pipeline, call.path("number"))

    access, pipeline, build = await call.read(find)
    canceled = await call.authority.builder.cancel(access.caller, build)

    async def show(tx: Unit, again: Access) -> Build:
        return await show_build(call, tx, again.organization, pipeline, canceled)

    return await call.read(show)


@put(BUILD + "/rebuild", opt=needs("build.create"), summary="Rebuild a build")
async def rebuild(request: RestRequest) -> Build:
    """Run the steps that a build began with once more."""
    call = Call.of(request)
    builder = call.authority.builder

    async def work(tx: Unit, access: Access) -> tuple[Build, list[pipelines.Job]]:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        again, jobs = await builder.rebuild_in(tx, access.caller, pipeline, build, access.user.id)
        return await show_build(call, tx, access.organization, pipeline, again), jobs

    shown, jobs = await call.write(work)
    builder.announce(jobs)
    return shown


class RetriedBuild(Build, kw_only=True):
    """A build of which jobs were retried, and how many."""

    retried_jobs_count: int


class RetryFailed(Body):
    """Which failures are retried, as a list or as one text with commas; all of them unless said."""

    states: str | list[str] | None = None


@put(
    BUILD + "/retry_failed_jobs",
    opt=needs("job.retry", body=RetryFailed),
    status_code=202,
    summary="Retry the failed jobs of a build",
)
async def retry_failed_jobs(request: RestRequest) -> RetriedBuild:
    """Make another attempt of every job that failed and may be retried."""
    call = await Call.with_body(request)
    attempts = call.authority.attempts

    async def work(tx: Unit, access: Access) -> tuple[RetriedBuild, Moved]:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        states = _states(call.decode(RetryFailed).states)
        count, moved = await attempts.retry_failed_in(tx, access.caller, build, states)
        build = await find_build(tx, pipeline, build.id)
        shown = await show_build(call, tx, access.organization, pipeline, build)
        return RetriedBuild(**msgspec.structs.asdict(shown), retried_jobs_count=count), moved

    shown, moved = await call.write(work)
    attempts.scheduler.settle(moved)
    return shown


def _states(asked: str | list[str] | None) -> frozenset[str]:
    """The failures that are meant.

    Raises:
        Malformed: one of them is none.
    """
    given = asked.split(",") if isinstance(asked, str) else asked or []
    words = [word.strip() for word in given if word.strip()]
    unknown = [word for word in words if word not in FAILURES]
    if unknown:
        raise Malformed(
            f"Invalid states: {', '.join(unknown)}. Valid states are {', '.join(FAILURES)}.",
            code="invalid_states",
        )
    return frozenset(words or FAILURES)


HANDLERS = (create_build, cancel_build, rebuild, retry_failed_jobs)
