"""Builds (contract rest-graphql §3.5): what clients read of them; create, cancel, rebuild."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from watchword.domain import pipelines
from watchword.domain.errors import NotFound
from watchword.domain.formats import read_time
from watchword.domain.ids import BuildId, PipelineId, is_uuid
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, nothing, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import listed, windowed
from watchword.graphql.finding import maybe, node, thing_of
from watchword.graphql.resolvers.organizations import owned
from watchword.graphql.resolvers.pipelines import show_pipeline
from watchword.graphql.resolvers.users import person
from watchword.services.builds import BuildRequest
from watchword.services.lookups import EVERYTHING, build_by_id, pipeline_by_id
from watchword.services.queries import (
    Access,
    Page,
    Unit,
    annotations_of,
    builds_of,
    find_build,
    find_pipeline,
    meta_data_of,
    rebuilt_from,
)
from watchword.services.scheduling import Moved
from watchword.services.steps import document_of_pipeline

MISSING = "No build found"
_SOURCES = {
    "api": ("BuildSourceAPI", "API"),
    "ui": ("BuildSourceFrontend", "Frontend"),
    "trigger_job": ("BuildSourceTriggerJob", "Trigger Job"),
    "schedule": ("BuildSourceSchedule", "Schedule"),
    "webhook": ("BuildSourceWebhook", "Webhook"),
}


def show_build(build: pipelines.Build) -> Thing:
    """A build as an object."""
    kind, name = _SOURCES.get(build.source, _SOURCES["api"])
    values = {
        "id": ids.encode("Build", build.id),
        "uuid": build.id,
        "number": build.number,
        "state": build.state.value.upper(),
        "blockedState": build.blocked_state.upper() or None,
        "branch": build.branch,
        "commit": build.commit,
        "message": build.message or None,
        "env": [f"{key}={value}" for key, value in build.env.items()],
        "source": Thing(kind, None, None, {"name": name}),
        "createdAt": build.created_at,
        "scheduledAt": build.created_at,
        "startedAt": build.started_at or None,
        "finishedAt": build.finished_at or None,
        "canceledAt": build.canceled_at or None,
        "cancelReason": build.cancel_reason or None,
        "pullRequest": {"id": build.pull_request["id"]} if build.pull_request.get("id") else None,
        "triggeredFrom": None,
    }
    return Thing("Build", build.organization_id, build, values)


owned("Build")
nothing("Build", "canceledBy")


@field("Build", "createdBy")
async def creator(call: Call, build: pipelines.Build, _arguments: Arguments) -> Thing | None:
    """The person who made it; else who a caller says wrote the commit."""
    found = await person(call, build.created_by)
    if found is not None or not build.author:
        return found
    values = {"name": build.author.get("name"), "email": build.author.get("email"), "avatar": {"url": ""}}
    return Thing("UnregisteredUser", None, None, values)


async def pipeline_of(call: Call, build: pipelines.Build) -> pipelines.Pipeline | None:
    """The pipeline of a build, read once for all builds of it."""

    async def read() -> pipelines.Pipeline | None:
        return await call.read(lambda tx: pipeline_by_id(tx, build.organization_id, build.pipeline_id))

    return await call.once(("pipeline", build.pipeline_id), read)


@field("Build", "pipeline", "pipeline.read")
async def pipeline_of_build(call: Call, build: pipelines.Build, _arguments: Arguments) -> Thing | None:
    """What it is a run of."""
    found = await pipeline_of(call, build)
    return show_pipeline(found) if found is not None else None


async def page_of(call: Call, build: pipelines.Build) -> str:
    """The build's page for people."""
    pipeline = await pipeline_of(call, build)
    slug = (await call.access(build.organization_id)).organization.slug
    return call.site.web(slug, pipeline.slug if pipeline is not None else "", "builds", build.number)


@field("Build", "url")
async def url_of_build(call: Call, build: pipelines.Build, _arguments: Arguments) -> str:
    """Its page for people."""
    return await page_of(call, build)


@field("Pipeline", "url")
async def url_of_pipeline(call: Call, pipeline: pipelines.Pipeline, _arguments: Arguments) -> str:
    """Its page for people."""
    return call.site.web((await call.access(pipeline.organization_id)).organization.slug, pipeline.slug)


@field("Build", "rebuiltFrom", "build.read")
async def source_of_build(call: Call, build: pipelines.Build, _arguments: Arguments) -> Thing | None:
    """The build that it repeats."""
    found = await call.read(lambda tx: rebuilt_from(tx, build))
    return show_build(found) if found is not None else None


@field("Build", "metaData", "build.read")
async def meta_data(call: Call, build: pipelines.Build, arguments: Arguments) -> object:
    """Keys and their values."""
    rows = list((await call.read(lambda tx: meta_data_of(tx, build))).items())

    def show(row: tuple[str, str]) -> Thing:
        return Thing("BuildMetaData", None, row, {"key": row[0], "value": row[1]})

    return listed(rows, arguments, show, lambda row: row[0])


@field("Build", "annotations", "build.read")
async def annotations(call: Call, build: pipelines.Build, arguments: Arguments) -> object:
    """Notes, highest priority first."""
    rows = await call.read(lambda tx: annotations_of(tx, build))
    styles = arguments.get("style")
    scopes = arguments.get("scope")
    kept = [
        row
        for row in rows
        if (styles is None or (row.style or "default").upper() in styles)
        and (scopes is None or row.scope.upper() in scopes)
    ]
    return listed(kept, arguments, _annotation, lambda row: row.id)


def _annotation(row: pipelines.Annotation) -> Thing:
    values = {
        "id": ids.encode("Annotation", row.id),
        "uuid": row.id,
        "context": row.context,
        "style": (row.style or "default").upper(),
        "scope": row.scope.upper(),
        "priority": row.priority,
        "body": {"text": row.body, "html": None},
        "createdAt": row.created_at,
        "updatedAt": row.updated_at or None,
    }
    return Thing("Annotation", row.organization_id, row, values)


@node("Build", "build.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A build of an organization."""
    found = await build_by_id(tx, access.id, BuildId(uuid))
    return show_build(found) if found is not None else None


@query("build", "build.read")
async def build_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/pipeline-slug/number`, or by UUID."""
    slug, uuid = str(arguments.get("slug") or ""), str(arguments.get("uuid") or "")
    if not slug:
        return await thing_of(call, "Build", uuid.lower() if is_uuid(uuid) else "")
    where, _, rest = slug.strip().partition("/")
    name, _, number = rest.partition("/")
    access = await maybe(call.access_of(where))
    if access is None:
        return None
    access.require("build.read")

    async def read(tx: Unit) -> pipelines.Build:
        return await find_build(tx, await find_pipeline(tx, access.id, name), number)

    found = await call.read(lambda tx: maybe(read(tx)))
    return show_build(found) if found is not None else None


def _filter(arguments: Arguments) -> Callable[[pipelines.Build], bool] | None:
    states, branches, commits = (arguments.get(name) for name in ("state", "branch", "commit"))
    since = read_time("createdAtFrom", arguments.get("createdAtFrom"))
    until = read_time("createdAtTo", arguments.get("createdAtTo"))
    if states is None and branches is None and commits is None and not since and not until:
        return None
    return lambda build: (
        (states is None or build.state.value.upper() in states)
        and (branches is None or build.branch in branches)
        and (commits is None or build.commit in commits)
        and build.created_at >= since
        and (not until or build.created_at < until)
    )


@field("Pipeline", "builds", "build.read")
async def builds_of_pipeline(call: Call, pipeline: pipelines.Pipeline, arguments: Arguments) -> object:
    """Builds that fit, newest first."""
    fits = _filter(arguments)

    async def fetch(page: Page) -> Sequence[pipelines.Build]:
        return await call.read(lambda tx: builds_of(tx, pipeline.organization_id, pipeline, page, fits))

    async def count() -> int:
        return len(await fetch(EVERYTHING))

    return await windowed(fetch, count, arguments, show_build)


@mutation("buildCreate", "build.create")
async def create(order: Order) -> Mapping[str, object]:
    """Run a pipeline's steps."""
    builder = order.call.authority.builder
    uuid = ids.uuid_of(str(order.input["pipelineID"]), "Pipeline")
    variables = (str(one).partition("=") for one in order.input.get("env") or ())
    author = order.input.get("author") or {}
    wanted = BuildRequest(
        commit=order.text("commit") or "HEAD",
        branch=order.text("branch"),
        message=order.text("message"),
        env={name: value for name, _, value in variables},
        author={key: str(value) for key, value in author.items()},
        meta_data={str(one["key"]): str(one["value"]) for one in order.input.get("metaData") or ()},
    )

    async def look(tx: Unit, access: Access) -> pipelines.Pipeline | None:
        return await pipeline_by_id(tx, access.id, PipelineId(uuid))

    async def work(
        tx: Unit, access: Access, pipeline: pipelines.Pipeline
    ) -> tuple[pipelines.Build, list[pipelines.Job]]:
        steps = document_of_pipeline(pipeline)
        return await builder.create_in(tx, access.caller, pipeline, steps, wanted, access.user.id)

    build, jobs = await order.write_found(look, "No pipeline found", work)
    builder.announce(jobs)
    return {"build": show_build(build)}


def _finder(order: Order) -> Callable[[Unit, Access], Awaitable[pipelines.Build | None]]:
    uuid = ids.uuid_of(str(order.input["id"]), "Build")

    async def look(tx: Unit, access: Access) -> pipelines.Build | None:
        return await build_by_id(tx, access.id, BuildId(uuid))

    return look


@mutation("buildCancel", "build.cancel")
async def cancel(order: Order) -> Mapping[str, object]:
    """Cancel a build: waiting jobs end at once, running ones are told by their agents."""
    builder = order.call.authority.builder

    async def work(tx: Unit, access: Access, build: pipelines.Build) -> tuple[pipelines.Build, Moved]:
        return await builder.cancel_in(tx, access.caller, build)

    build, moved = await order.write_found(_finder(order), MISSING, work)
    builder.scheduler.settle(moved)
    return {"build": show_build(build)}


@mutation("buildRebuild", "build.create")
async def rebuild(order: Order) -> Mapping[str, object]:
    """Run the steps that a build began with once more."""
    builder = order.call.authority.builder

    async def work(
        tx: Unit, access: Access, build: pipelines.Build
    ) -> tuple[pipelines.Build, pipelines.Build, list[pipelines.Job]]:
        pipeline = await pipeline_by_id(tx, access.id, build.pipeline_id)
        if pipeline is None:
            raise NotFound(MISSING)
        again, jobs = await builder.rebuild_in(tx, access.caller, pipeline, build, access.user.id)
        return build, again, jobs

    build, again, jobs = await order.write_found(_finder(order), MISSING, work)
    builder.announce(jobs)
    return {"build": show_build(build), "rebuild": show_build(again)}
