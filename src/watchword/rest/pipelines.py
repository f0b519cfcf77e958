"""Pipelines (contract rest-graphql §2.17): list, get, create, update."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from litestar import Response, get, post, route
from msgspec import Meta

from watchword.domain import pipelines
from watchword.domain.errors import Invalid
from watchword.domain.ids import ClusterId, is_uuid
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.pipelineshapes import Pipeline, show_pipeline
from watchword.services.builds import create_pipeline, update_pipeline
from watchword.services.pipelines import work_of
from watchword.services.queries import Access, Unit, find_pipeline, people, pipelines_of
from watchword.services.steps import (
    Configuration,
    configuration_of,
    read_configuration,
)

PIPELINES = "/v2/organizations/{org:str}/pipelines"
PIPELINE = PIPELINES + "/{pipeline:str}"
FILTERS = ("name", "repository")


Text = Annotated[str, Meta(max_length=1024)]
Tags = Annotated[list[Annotated[str, Meta(max_length=255)]], Meta(max_length=100)]
LongText = Annotated[str, Meta(max_length=512 * 1024)]


class NewPipeline(Body):
    """What a new pipeline is; its steps stand in `steps`, or as JSON text in `configuration`."""

    name: str | None = None
    repository: Text | None = None
    cluster_id: Text | None = None
    default_branch: Text | None = None
    configuration: LongText | None = None
    steps: Any = None
    description: Text | None = None
    env: dict[str, str] | None = None
    tags: Tags | None = None
    default_timeout_in_minutes: int | None = None
    maximum_timeout_in_minutes: int | None = None


async def show_whole(call: Call, tx: Unit, access: Access, pipeline: pipelines.Pipeline) -> Pipeline:
    """A pipeline as JSON, with who made it and what of it has not ended."""
    found = await people(tx, [pipeline.created_by])
    work = await work_of(tx, access.id, pipeline.id)
    idle = pipelines.PipelineWork(pipeline.id)
    return show_pipeline(call.site, access.organization, pipeline, found, work.get(pipeline.id, idle))


def _filter(call: Call) -> Callable[[pipelines.Pipeline], bool] | None:
    asked = {name: values[0] for name in FILTERS if (values := call.query(name))}
    if not asked:
        return None
    return lambda pipeline: (
        asked.get("name", "").lower() in pipeline.name.lower()
        and asked.get("repository", pipeline.repository) == pipeline.repository
    )


@get(PIPELINES, opt=needs("pipeline.read", query=(*FILTERS, *PAGED)), summary="List pipelines")
async def list_pipelines(request: RestRequest) -> Response[list[Pipeline]]:
    """Pipelines of the organization, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[pipelines.Pipeline], list[Pipeline]]:
        rows = await pipelines_of(tx, access.id, call.page.window, _filter(call))
        found = await people(tx, [pipeline.created_by for pipeline in rows])
        work = await work_of(tx, access.id)
        return rows, [
            show_pipeline(
                call.site,
                access.organization,
                pipeline,
                found,
                work.get(pipeline.id, pipelines.PipelineWork(pipeline.id)),
            )
            for pipeline in call.page.cut(rows)
        ]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(PIPELINE, opt=needs("pipeline.read"), summary="Get a pipeline")
async def get_pipeline(request: RestRequest) -> Pipeline:
    """One pipeline by its slug."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Pipeline:
        return await show_whole(call, tx, access, await find_pipeline(tx, access.id, call.path("pipeline")))

    return await call.read(work)


@post(
    PIPELINES,
    opt=needs("pipeline.create", body=NewPipeline, keyed=True, listed=True),
    summary="Create a pipeline",
)
async def create_one(request: RestRequest) -> Response[Pipeline]:
    """Create a pipeline; without a cluster it goes to the organization's default one."""
    call = await Call.with_body(request)
    written = await _written(call)

    async def work(tx: Unit, access: Access) -> Pipeline:
        asked = call.decode(NewPipeline)
        configuration = _configuration(asked, written)
        cluster_id = access.organization.default_cluster_id
        if asked.cluster_id:
            cluster_id = ClusterId(asked.cluster_id.lower() if is_uuid(asked.cluster_id) else "")
        pipeline = await create_pipeline(
            call.context,
            tx,
            access.caller,
            access.id,
            asked.name or "",
            cluster_id=cluster_id,
            repository=asked.repository or "",
            configuration=configuration.text,
            document=configuration.document,
            default_branch=asked.default_branch or "main",
            created_by=access.user.id,
            description=asked.description or "",
            env=asked.env,
            default_timeout_minutes=asked.default_timeout_in_minutes or 0,
            maximum_timeout_minutes=asked.maximum_timeout_in_minutes or 0,
            tags=tuple(asked.tags or ()),
        )
        return await show_whole(call, tx, access, pipeline)

    return await call.create(work)


async def _written(call: Call) -> Configuration:
    """The configuration text of the body, read before the unit of work because it may take long."""
    try:
        asked = call.decode(NewPipeline)
    except Invalid:  # the unit of work says so, after the checks that come first
        return Configuration()
    return await read_configuration(asked.configuration or "")


def _configuration(asked: NewPipeline, written: Configuration) -> Configuration:
    """What the pipeline is to keep.

    Raises:
        Invalid: a step is not acceptable, or steps and configuration are both given.
    """
    if asked.steps is None:
        return written.checked()
    if asked.configuration:
        raise Invalid("Validation failed: give steps or configuration, not both", code="two_configurations")
    return configuration_of(asked.steps)


@route(
    PIPELINE,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("pipeline.update", body=NewPipeline, listed=True),
    summary="Update a pipeline",
)
async def update_one(request: RestRequest) -> Pipeline:
    """Change what the body names; the slug stays."""
    call = await Call.with_body(request)
    written = await _written(call)

    async def work(tx: Unit, access: Access) -> Pipeline:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        asked = call.decode(NewPipeline)
        changed = replace(pipeline, **_changes(asked, written))
        changed = await update_pipeline(call.context, tx, access.caller, changed)
        return await show_whole(call, tx, access, changed)

    return await call.write(work)


def _changes(asked: NewPipeline, written: Configuration) -> dict[str, Any]:
    """Fields that the body names; those that it leaves out stay."""
    given: dict[str, Any] = {
        "name": asked.name,
        "repository": asked.repository,
        "default_branch": asked.default_branch,
        "description": asked.description,
        "env": asked.env,
        "default_timeout_minutes": asked.default_timeout_in_minutes,
        "maximum_timeout_minutes": asked.maximum_timeout_in_minutes,
        "tags": tuple(asked.tags) if asked.tags is not None else None,
    }
    if asked.cluster_id is not None:
        given["cluster_id"] = ClusterId(asked.cluster_id.lower() if is_uuid(asked.cluster_id) else "")
    if asked.steps is not None or asked.configuration is not None:
        kept = _configuration(asked, written)
        given |= {"configuration": kept.text, "document": kept.document}
    return {name: value for name, value in given.items() if value is not None}


HANDLERS = (list_pipelines, get_pipeline, create_one, update_one)
