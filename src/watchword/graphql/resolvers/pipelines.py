"""Pipelines (contract rest-graphql §3.5): what clients read of them, and the simple changes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from watchword.domain import accounts, pipelines
from watchword.domain.ids import ClusterId, PipelineId, is_uuid
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, nothing, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import empty, encode, listed
from watchword.graphql.failures import unsupported
from watchword.graphql.finding import denied, maybe, node, organization_id, permission, thing_of
from watchword.graphql.resolvers.clusters import cluster_of
from watchword.graphql.resolvers.organizations import owned, show_organization
from watchword.graphql.resolvers.users import by
from watchword.services.builds import create_pipeline, update_pipeline
from watchword.services.lookups import EVERYTHING, pipeline_by_id
from watchword.services.pipelines import archive_pipeline, delete_pipeline, unarchive_pipeline
from watchword.services.queries import Access, Page, Unit, builds_of, find_pipeline, pipelines_of
from watchword.services.steps import Configuration, read_configuration

MISSING = "No pipeline found"
# What this server does not keep of a pipeline; a client that asks for it is told.
_NOT_KEPT = (
    "branchConfiguration",
    "cancelIntermediateBuildsBranchFilter",
    "cloneMirrorUrl",
    "color",
    "emoji",
    "skipIntermediateBuildsBranchFilter",
    # up to here they are fields of a pipeline too, always null
    "nextBuildNumber",
    "pipelineTemplateId",
    "teams",
)
_SHOWN = 6


def show_pipeline(pipeline: pipelines.Pipeline) -> Thing:
    """A pipeline as an object."""
    provider = Thing(
        "RepositoryProviderUnknown",
        None,
        None,
        {"name": "Unknown", "settings": None, "url": None, "webhookUrl": None},
    )
    values = {
        "id": ids.encode("Pipeline", pipeline.id),
        "uuid": pipeline.id,
        "slug": pipeline.slug,
        "name": pipeline.name,
        "description": pipeline.description or None,
        "repository": {"url": pipeline.repository, "provider": provider},
        "defaultBranch": pipeline.default_branch,
        "steps": {"yaml": pipeline.configuration},
        "createdAt": pipeline.created_at,
        "archived": bool(pipeline.archived_at),
        "archivedAt": pipeline.archived_at or None,
        "defaultTimeoutInMinutes": pipeline.default_timeout_minutes or None,
        "maximumTimeoutInMinutes": pipeline.maximum_timeout_minutes or None,
        "tags": [{"label": label} for label in pipeline.tags],
        "visibility": "PRIVATE",
        "allowRebuilds": True,
        "favorite": False,
        "cancelIntermediateBuilds": False,
        "skipIntermediateBuilds": False,
        "badgeURL": "",
        "webhookURL": None,
        **dict.fromkeys(_NOT_KEPT[:_SHOWN]),
        "pipelineTemplate": None,
        "archivedBy": None,
    }
    return Thing("Pipeline", pipeline.organization_id, pipeline, values)


by("Pipeline", "createdBy", "created_by")
owned("Pipeline")
cluster_of("Pipeline")


@node("Pipeline", "pipeline.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A pipeline of an organization."""
    found = await pipeline_by_id(tx, access.id, PipelineId(uuid))
    return show_pipeline(found) if found is not None else None


@query("pipeline", "pipeline.read")
async def pipeline_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/pipeline-slug`, or by UUID."""
    slug, uuid = str(arguments.get("slug") or ""), str(arguments.get("uuid") or "")
    if not slug:
        return await thing_of(call, "Pipeline", uuid.lower() if is_uuid(uuid) else "")
    where, _, name = slug.strip().partition("/")
    access = await maybe(call.access_of(where))
    if access is None:
        return None
    access.require("pipeline.read")
    found = await call.read(lambda tx: maybe(find_pipeline(tx, access.id, name)))
    return show_pipeline(found) if found is not None else None


def _filter(arguments: Arguments) -> Callable[[pipelines.Pipeline], bool]:
    searched = str(arguments.get("search") or "").lower()
    repository = (arguments.get("repository") or {}).get("url")
    cluster = str(arguments.get("cluster") or "")
    wanted = ids.uuid_of(cluster, "Cluster") or cluster.lower()
    archived, clustered = arguments.get("archived"), arguments.get("clustered")
    tags = set(arguments.get("tags") or ())
    return lambda one: (
        searched in one.name.lower()
        and repository in (None, one.repository)
        and (not wanted or one.cluster_id == wanted)
        and archived in (None, bool(one.archived_at))
        and clustered in (None, one.cluster_id is not None)
        and tags <= set(one.tags)
    )


@field("Organization", "pipelines", "pipeline.read")
async def pipelines_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """All that fit; oldest first unless ordered."""
    rows = await call.read(lambda tx: pipelines_of(tx, organization.id, EVERYTHING, _filter(arguments)))
    order = str(arguments.get("order") or "")
    if order.startswith("NAME"):
        rows.sort(key=lambda one: (one.name.lower(), one.id))
    elif order == "RECENTLY_CREATED":
        rows.reverse()
    return listed(rows, arguments, show_pipeline, lambda one: one.id)


@field("Pipeline", "permissions")
async def permissions_of_pipeline(call: Call, pipeline: pipelines.Pipeline, _arguments: Arguments) -> object:
    """What the person may do with it."""
    access = await call.access(pipeline.organization_id)
    return {
        "buildCreate": permission(access, "build.create"),
        "pipelineDelete": permission(access, "pipeline.delete"),
        "pipelineUpdate": permission(access, "pipeline.update"),
        "pipelineFavorite": denied("Not supported by this server", "unsupported"),
        "pipelineScheduleCreate": denied("Not supported by this server", "unsupported"),
    }


@field("Pipeline", "teams")
async def teams_of_pipeline(_call: Call, _pipeline: pipelines.Pipeline, _arguments: Arguments) -> object:
    """Every member sees every pipeline: teams hold none."""
    return empty()


@field("Pipeline", "nextBuildNumber", "build.read")
async def next_build_number(call: Call, pipeline: pipelines.Pipeline, _arguments: Arguments) -> int:
    """One more than that of the newest build."""
    newest = await call.read(lambda tx: builds_of(tx, pipeline.organization_id, pipeline, Page(1), None))
    return newest[0].number + 1 if newest else 1


nothing("Pipeline", "schedules")


def _refuse_unkept(order: Order) -> None:
    """Refuse what this server would silently forget; emptiness asks for nothing.

    Raises:
        Unsupported: the input holds some of it.
    """
    for name in _NOT_KEPT:
        if order.input.get(name):
            raise unsupported(name)
    for name in ("cancelIntermediateBuilds", "skipIntermediateBuilds"):
        if order.input.get(name) is True:
            raise unsupported(name)
    if order.input.get("allowRebuilds") is False:
        raise unsupported("A pipeline that refuses rebuilds")
    if order.input.get("visibility") == "PUBLIC":
        raise unsupported("A public pipeline")


async def _changes(order: Order) -> dict[str, Any]:
    """Fields of a pipeline that the input names."""
    _refuse_unkept(order)
    texts = {"name": "name", "description": "description", "default_branch": "defaultBranch"}
    given: dict[str, Any] = {ours: order.text(name) for ours, name in texts.items() if name in order.input}
    numbers = {
        "default_timeout_minutes": "defaultTimeoutInMinutes",
        "maximum_timeout_minutes": "maximumTimeoutInMinutes",
    }
    given |= {ours: order.input[name] or 0 for ours, name in numbers.items() if name in order.input}
    if "clusterId" in order.input:
        wanted = order.text("clusterId")
        given["cluster_id"] = ClusterId(ids.uuid_of(wanted, "Cluster")) if wanted else None
    if order.input.get("repository"):
        given["repository"] = str(order.input["repository"]["url"])
    if order.input.get("tags") is not None:
        given["tags"] = tuple(str(one["label"]) for one in order.input["tags"])
    if order.input.get("steps"):
        # Read before the unit of work, because it may take long.
        kept: Configuration = (await read_configuration(str(order.input["steps"]["yaml"]))).checked()
        given |= {"configuration": kept.text, "document": kept.document}
    return given


@mutation("pipelineCreate", "pipeline.create")
async def create(order: Order) -> Mapping[str, object]:
    """Create a pipeline; without a cluster it goes to the organization's default one."""
    given = await _changes(order)
    name = given.pop("name")

    async def work(tx: Unit, access: Access) -> tuple[pipelines.Pipeline, accounts.Organization]:
        given.setdefault("cluster_id", access.organization.default_cluster_id)
        if not given.get("default_branch"):
            given["default_branch"] = "main"
        made = await create_pipeline(
            order.context, tx, access.caller, access.id, name, created_by=access.user.id, **given
        )
        return made, access.organization

    pipeline, organization = await order.write(organization_id(order), work)
    shown = show_pipeline(pipeline)
    return {
        "pipeline": shown,
        "pipelineEdge": {"cursor": encode(pipeline.id), "node": shown},
        "organization": show_organization(organization),
        "cluster": None
        if pipeline.cluster_id is None
        else await thing_of(order.call, "Cluster", pipeline.cluster_id),
        "pipelineTemplate": None,
    }


Change = Callable[[Unit, Access, pipelines.Pipeline], Awaitable[pipelines.Pipeline]]


async def _change(order: Order, change: Change) -> pipelines.Pipeline:
    """Change the pipeline that the input names."""
    uuid = ids.uuid_of(str(order.input["id"]), "Pipeline")

    async def look(tx: Unit, access: Access) -> pipelines.Pipeline | None:
        return await pipeline_by_id(tx, access.id, PipelineId(uuid))

    return await order.write_found(look, MISSING, change)


@mutation("pipelineUpdate", "pipeline.update")
async def update(order: Order) -> Mapping[str, object]:
    """Change what the input names; the slug stays."""
    given = await _changes(order)
    archived = order.input.get("archived")

    async def change(tx: Unit, access: Access, pipeline: pipelines.Pipeline) -> pipelines.Pipeline:
        if archived is False and pipeline.archived_at:
            pipeline = await unarchive_pipeline(order.context, tx, access.caller, pipeline)
        if given:
            pipeline = await update_pipeline(order.context, tx, access.caller, replace(pipeline, **given))
        if archived is True and not pipeline.archived_at:
            pipeline = await archive_pipeline(order.context, tx, access.caller, pipeline)
        return pipeline

    return {"pipeline": show_pipeline(await _change(order, change))}


@mutation("pipelineArchive", "pipeline.archive")
async def archive(order: Order) -> Mapping[str, object]:
    """Archive a pipeline: it takes no builds."""

    async def change(tx: Unit, access: Access, pipeline: pipelines.Pipeline) -> pipelines.Pipeline:
        return await archive_pipeline(order.context, tx, access.caller, pipeline)

    return {"pipeline": show_pipeline(await _change(order, change))}


@mutation("pipelineUnarchive", "pipeline.archive")
async def unarchive(order: Order) -> Mapping[str, object]:
    """Take a pipeline back from the archive."""

    async def change(tx: Unit, access: Access, pipeline: pipelines.Pipeline) -> pipelines.Pipeline:
        return await unarchive_pipeline(order.context, tx, access.caller, pipeline)

    return {"pipeline": show_pipeline(await _change(order, change))}


@mutation("pipelineDelete", "pipeline.delete")
async def delete(order: Order) -> Mapping[str, object]:
    """Delete a pipeline with its builds."""

    async def change(tx: Unit, access: Access, pipeline: pipelines.Pipeline) -> pipelines.Pipeline:
        await delete_pipeline(order.context, tx, access.caller, pipeline)
        return pipeline

    pipeline = await _change(order, change)
    owner = await order.call.access(pipeline.organization_id)
    return {
        "deletedPipelineID": ids.encode("Pipeline", pipeline.id),
        "organization": show_organization(owner.organization),
    }
