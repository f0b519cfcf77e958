"""Builds (contract rest-graphql §2.17): list, get, create, cancel."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post, put
from msgspec import Meta

from watchword.domain import accounts, pipelines
from watchword.domain.errors import Invalid
from watchword.domain.pipelines import BuildState
from watchword.domain.stepreading import read_document
from watchword.domain.steps import Document
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import graphql_id, instant, maybe_instant
from watchword.rest.jobs import BUILD
from watchword.rest.jobshapes import Job, Place, jobs_and_waits
from watchword.rest.pipelines import PIPELINE, Pipeline, show_pipeline
from watchword.rest.users import User, show_person
from watchword.services.builds import BuildRequest, CommandStep, document_of
from watchword.services.queries import (
    Access,
    Unit,
    builds_of,
    find_build,
    find_pipeline,
    meta_data_of,
    people,
    pipelines_by_id,
    rebuilt_from,
)
from watchword.services.steps import document_of_pipeline

BUILDS = PIPELINE + "/builds"
FILTERS = ("branch", "commit", "state")
_FINISHED = tuple(state.value for state in BuildState if state.ended or state is BuildState.BLOCKED)


class Author(msgspec.Struct, kw_only=True):
    """Who wrote the commit."""

    name: str | None = None
    email: str | None = None


class PullRequest(msgspec.Struct, kw_only=True):
    """The pull request that a build is of."""

    id: str
    base: str | None
    repository: str | None


class RebuiltFrom(msgspec.Struct, kw_only=True):
    """The build that another one repeats."""

    id: str
    number: int
    url: str


class Build(msgspec.Struct, kw_only=True):
    """One run of a pipeline."""

    id: str
    graphql_id: str
    url: str
    web_url: str
    number: int
    state: str
    blocked: bool
    blocked_state: str | None
    message: str
    commit: str
    branch: str
    env: dict[str, str]
    source: str
    creator: User | None
    author: Author | None
    jobs: list[Job]
    created_at: str
    scheduled_at: str
    started_at: str | None
    finished_at: str | None
    meta_data: dict[str, str]
    pull_request: PullRequest | None
    rebuilt_from: RebuiltFrom | None
    tag: str | None
    cancel_reason: str | None
    pipeline: Pipeline
    cluster_id: str | None


Name = Annotated[str, Meta(max_length=255)]
Text = Annotated[str, Meta(max_length=1024)]
Message = Annotated[str, Meta(max_length=65_536)]


class NewBuild(Body):
    """What a new build runs; `steps` and `command`, for work of the moment, are Watchword's own."""

    commit: Name | None = None
    branch: Name | None = None
    message: Message | None = None
    env: dict[str, str] | None = None
    steps: Any = None
    command: str | None = None
    author: Author | None = None
    tag: Name | None = None
    meta_data: dict[str, str] | None = None
    pull_request_id: int | str | None = None
    pull_request_base_branch: Name | None = None
    pull_request_repository: Text | None = None


async def _show(
    call: Call,
    tx: Unit,
    organization: accounts.Organization,
    pipeline: pipelines.Pipeline,
    build: pipelines.Build,
) -> Build:
    place = Place(call.site, organization, pipeline, build)
    found = await people(tx, [build.created_by, pipeline.created_by])
    retried = call.query("include_retried_jobs") == ["true"]
    excluded = call.query("exclude_jobs") == ["true"]
    source = await rebuilt_from(tx, build)
    return Build(
        id=build.id,
        graphql_id=graphql_id("Build", build.id),
        url=place.url(),
        web_url=place.page,
        number=build.number,
        state=build.blocked_state or build.state.value,
        blocked=build.state is BuildState.BLOCKED,
        blocked_state=build.blocked_state or None,
        message=build.message,
        commit=build.commit,
        branch=build.branch,
        env=dict(build.env),
        source=build.source,
        creator=show_person(found, build.created_by),
        author=Author(name=build.author.get("name"), email=build.author.get("email"))
        if build.author
        else None,
        jobs=[] if excluded else await jobs_and_waits(place, tx, retried=retried),
        created_at=instant(build.created_at),
        scheduled_at=instant(build.created_at),
        started_at=maybe_instant(build.started_at),
        finished_at=maybe_instant(build.finished_at),
        meta_data=await meta_data_of(tx, build),
        pull_request=_pull_request(build),
        rebuilt_from=_rebuilt_from(place, source) if source is not None else None,
        tag=build.tag or None,
        cancel_reason=build.cancel_reason or None,
        pipeline=show_pipeline(call.site, organization, pipeline, found),
        cluster_id=pipeline.cluster_id,
    )


def _rebuilt_from(place: Place, source: pipelines.Build) -> RebuiltFrom:
    at = ("organizations", place.organization.slug, "pipelines", place.pipeline.slug, "builds")
    return RebuiltFrom(id=source.id, number=source.number, url=place.site.rest(*at, source.number))


def _pull_request(build: pipelines.Build) -> PullRequest | None:
    given = build.pull_request
    if not given:
        return None
    return PullRequest(id=given["id"], base=given.get("base"), repository=given.get("repository"))


def _author(asked: NewBuild) -> dict[str, str]:
    if asked.author is None:
        return {}
    given = {"name": asked.author.name, "email": asked.author.email}
    return {name: value for name, value in given.items() if value}


def _asked_pull_request(asked: NewBuild) -> dict[str, str]:
    if asked.pull_request_id is None:
        return {}
    given = {"base": asked.pull_request_base_branch, "repository": asked.pull_request_repository}
    return {"id": str(asked.pull_request_id), **{name: value for name, value in given.items() if value}}


def _filter(call: Call) -> Callable[[pipelines.Build], bool] | None:
    branches, commits, states = (call.query(name) for name in FILTERS)
    if not branches and not commits and not states:
        return None
    wanted = {one for state in states for one in (_FINISHED if state == "finished" else (state,))}
    return lambda build: (
        (not branches or build.branch in branches)
        and (not commits or build.commit in commits)
        and (not wanted or build.state.value in wanted)
    )


@get(
    ["/v2/organizations/{org:str}/builds", BUILDS],
    opt=needs("build.read", query=(*FILTERS, "exclude_jobs", "include_retried_jobs", *PAGED)),
    summary="List builds",
)
async def list_builds(request: RestRequest) -> Response[list[Build]]:
    """Builds of the organization or of one pipeline, newest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[pipelines.Build], list[Build]]:
        named = "pipeline" in request.path_params
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline")) if named else None
        rows = await builds_of(tx, access.id, pipeline, call.page.window, _filter(call))
        page = call.page.cut(rows)
        found = await pipelines_by_id(tx, access.id, [build.pipeline_id for build in page])
        owners = [(found[build.pipeline_id], build) for build in page if build.pipeline_id in found]
        return rows, [await _show(call, tx, access.organization, *owner) for owner in owners]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(BUILD, opt=needs("build.read"), summary="Get a build")
async def get_build(request: RestRequest) -> Build:
    """One build by its number or id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Build:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        return await _show(call, tx, access.organization, pipeline, build)

    return await call.read(work)


@post(BUILDS, opt=needs("build.create", body=NewBuild, keyed=True), summary="Create a build")
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
            env=asked.env or {},
            tag=asked.tag or "",
            author=_author(asked),
            pull_request=_asked_pull_request(asked),
            meta_data=asked.meta_data or {},
        )
        steps = _steps(pipeline, asked)
        build, jobs = await builder.create_in(tx, access.caller, pipeline, steps, wanted, access.user.id)
        made[:] = jobs
        return await _show(call, tx, access.organization, pipeline, build)

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
        return await _show(call, tx, again.organization, pipeline, canceled)

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
        return await _show(call, tx, access.organization, pipeline, again), jobs

    shown, jobs = await call.write(work)
    builder.announce(jobs)
    return shown


HANDLERS = (list_builds, get_build, create_build, cancel_build, rebuild)
