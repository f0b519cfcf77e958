"""Builds (contract rest-graphql §2.17): list and get; `rest.buildactions` makes and moves them."""

from collections.abc import Mapping

import msgspec
from litestar import Response, get

from watchword.domain import accounts, pipelines
from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.ids import PipelineId
from watchword.domain.pipelines import BuildState
from watchword.rest.buildfilters import FILTERS, build_filter, require_near
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import graphql_id, instant, maybe_instant
from watchword.rest.jobs import BUILD
from watchword.rest.jobshapes import Job, Place, jobs_and_waits
from watchword.rest.pipelines import PIPELINE
from watchword.rest.pipelineshapes import Pipeline, show_pipeline
from watchword.rest.users import User, show_person
from watchword.services.access import enter_by_id
from watchword.services.queries import (
    Access,
    Page,
    Unit,
    builds_of,
    find_build,
    find_pipeline,
    meta_data_of,
    people,
    pipelines_by_id,
    reachable,
    rebuilt_from,
)

BUILDS = PIPELINE + "/builds"
_QUERY = (*FILTERS, "exclude_jobs", "exclude_pipeline", "include_retried_jobs", *PAGED)


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
    pipeline: Pipeline | None
    cluster_id: str | None
    cluster_url: str | None


async def show_build(
    call: Call,
    tx: Unit,
    organization: accounts.Organization,
    pipeline: pipelines.Pipeline,
    build: pipelines.Build,
) -> Build:
    """A build as JSON, with what the query leaves in."""
    place = Place(call.site, organization, pipeline, build)
    retried = call.query("include_retried_jobs") == ["true"]
    excluded = call.query("exclude_jobs") == ["true"]
    bare = call.query("exclude_pipeline") == ["true"]
    jobs = [] if excluded else await jobs_and_waits(place, tx, retried=retried)
    return await shape_build(place, tx, jobs, bare=bare)


async def shape_build(place: Place, tx: Unit, jobs: list[Job], *, bare: bool = False) -> Build:
    """A build as JSON with the jobs that are given; a bare one without its pipeline."""
    organization, pipeline, build = place.organization, place.pipeline, place.build
    found = await people(tx, [build.created_by, pipeline.created_by])
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
        jobs=jobs,
        created_at=instant(build.created_at),
        scheduled_at=instant(build.created_at),
        started_at=maybe_instant(build.started_at),
        finished_at=maybe_instant(build.finished_at),
        meta_data=await meta_data_of(tx, build),
        pull_request=_pull_request(build),
        rebuilt_from=_rebuilt_from(place, source) if source is not None else None,
        tag=build.tag or None,
        cancel_reason=build.cancel_reason or None,
        pipeline=None if bare else show_pipeline(place.site, organization, pipeline, found),
        cluster_id=pipeline.cluster_id,
        cluster_url=place.site.rest("organizations", organization.slug, "clusters", pipeline.cluster_id)
        if pipeline.cluster_id is not None
        else None,
    )


def _rebuilt_from(place: Place, source: pipelines.Build) -> RebuiltFrom:
    at = ("organizations", place.organization.slug, "pipelines", place.pipeline.slug, "builds")
    return RebuiltFrom(id=source.id, number=source.number, url=place.site.rest(*at, source.number))


def _pull_request(build: pipelines.Build) -> PullRequest | None:
    given = build.pull_request
    if not given:
        return None
    return PullRequest(id=given["id"], base=given.get("base"), repository=given.get("repository"))


@get(
    ["/v2/organizations/{org:str}/builds", BUILDS],
    opt=needs("build.read", query=_QUERY),
    summary="List builds",
)
async def list_builds(request: RestRequest) -> Response[list[Build]]:
    """Builds of the organization or of one pipeline, newest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[pipelines.Build], list[Build]]:
        named = "pipeline" in request.path_params
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline")) if named else None
        require_near(call)
        fits = await build_filter(call, tx, access)
        rows = await builds_of(tx, access.id, pipeline, call.page.window, fits)
        page = call.page.cut(rows)
        found = await _pipelines(tx, page)
        return rows, [
            await show_build(call, tx, access.organization, found[build.pipeline_id], build)
            for build in page
            if build.pipeline_id in found
        ]

    rows, items = await call.read(work)
    return call.listed(items, rows)


async def _pipelines(tx: Unit, builds: list[pipelines.Build]) -> Mapping[PipelineId, pipelines.Pipeline]:
    """The pipelines of builds."""
    found: dict[PipelineId, pipelines.Pipeline] = {}
    for owner in sorted({build.organization_id for build in builds}):
        ids = [build.pipeline_id for build in builds if build.organization_id == owner]
        found |= await pipelines_by_id(tx, owner, ids)
    return found


@get("/v2/builds", opt=needs("build.read", query=_QUERY), summary="List builds of all organizations")
async def list_all_builds(request: RestRequest) -> Response[list[Build]]:
    """Builds of all organizations that the token reaches, newest first."""
    call = Call.of(request)
    window = call.page.window

    async def work(tx: Unit) -> tuple[list[pipelines.Build], list[Build]]:
        require_near(call)
        owners: dict[str, accounts.Organization] = {}
        rows: list[pipelines.Build] = []
        for access in await _entered(call, tx):
            owners[access.id] = access.organization
            fits = await build_filter(call, tx, access)
            rows += await builds_of(tx, access.id, None, Page(window.offset + window.limit), fits)
        # Ids are ordered by time.
        rows.sort(key=lambda build: build.id, reverse=True)
        rows = rows[window.offset : window.offset + window.limit]
        page = call.page.cut(rows)
        found = await _pipelines(tx, page)
        return rows, [
            await show_build(call, tx, owners[build.organization_id], found[build.pipeline_id], build)
            for build in page
            if build.pipeline_id in found
        ]

    rows, items = await call.context.store.read(work)
    return call.listed(items, rows)


async def _entered(call: Call, tx: Unit) -> list[Access]:
    """The organizations that the token reaches from here, whose builds its owner may see."""
    found = []
    for organization in await reachable(tx, call.presented):
        try:
            access = await enter_by_id(tx, call.presented, organization.id, call.address, call.request_id)
            access.require(call.operation)
        except (Forbidden, NotFound):  # one that cannot be entered now is passed over
            continue
        found.append(access)
    return found


@get(BUILD, opt=needs("build.read", query=_QUERY[len(FILTERS) : -len(PAGED)]), summary="Get a build")
async def get_build(request: RestRequest) -> Build:
    """One build by its number or id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Build:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        return await show_build(call, tx, access.organization, pipeline, build)

    return await call.read(work)


HANDLERS = (list_builds, list_all_builds, get_build)
