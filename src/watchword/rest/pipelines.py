"""Pipelines (contract rest-graphql §2.17): list, get, create."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from litestar import Response, get, patch, post
from msgspec import Meta

from watchword.domain import accounts, pipelines
from watchword.domain.errors import Invalid
from watchword.domain.ids import ClusterId, UserId, is_uuid
from watchword.domain.steps import Step as DocumentStep
from watchword.domain.steps import StepType
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant
from watchword.rest.users import User, show_person
from watchword.services.builds import create_pipeline, update_pipeline
from watchword.services.queries import Access, Unit, find_pipeline, people, pipelines_of
from watchword.services.steps import (
    Configuration,
    configuration_of,
    document_of_pipeline,
    read_configuration,
)

PIPELINES = "/v2/organizations/{org:str}/pipelines"
PIPELINE = PIPELINES + "/{pipeline:str}"
FILTERS = ("name", "repository")


class Step(msgspec.Struct, kw_only=True):
    """A step as a pipeline shows it; of a group, the steps it holds follow."""

    type: str
    name: str | None
    key: str | None
    command: str | None
    env: dict[str, str]
    agent_query_rules: list[str]
    priority: int
    artifact_paths: str | None
    branch_configuration: str | None
    timeout_in_minutes: int | None
    concurrency: int | None
    parallelism: int | None


class Provider(msgspec.Struct, kw_only=True):
    """Where the repository lives; this version does not look."""

    id: str
    settings: dict[str, str]


class Pipeline(msgspec.Struct, kw_only=True):
    """A named sequence of steps."""

    id: str
    graphql_id: str
    url: str
    web_url: str
    name: str
    slug: str
    description: str | None
    repository: str
    cluster_id: str | None
    default_branch: str
    branch_configuration: str | None
    configuration: str
    steps: list[Step]
    env: dict[str, str]
    provider: Provider
    builds_url: str
    created_at: str
    created_by: User | None
    archived_at: str | None
    visibility: str
    tags: list[str]
    default_timeout_in_minutes: int | None
    maximum_timeout_in_minutes: int | None


Text = Annotated[str, Meta(max_length=1024)]
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
    default_timeout_in_minutes: int | None = None
    maximum_timeout_in_minutes: int | None = None


TYPES = {
    StepType.COMMAND: "script",
    StepType.WAIT: "waiter",
    StepType.BLOCK: "manual",
    StepType.INPUT: "manual",
    StepType.GROUP: "group",
    StepType.TRIGGER: "trigger",
}


def show_step(step: DocumentStep) -> Step:
    """A step as JSON."""
    return Step(
        type=TYPES[step.type],
        name=step.label or None,
        key=step.key or None,
        command=step.command if step.type is StepType.COMMAND else None,
        env=dict(step.env),
        agent_query_rules=list(step.rules),
        priority=step.priority,
        artifact_paths=step.artifact_paths or None,
        branch_configuration=step.branches or None,
        timeout_in_minutes=step.timeout_minutes or None,
        concurrency=step.concurrency or None,
        parallelism=step.parallelism or None,
    )


def show_pipeline(
    site: Site,
    organization: accounts.Organization,
    pipeline: pipelines.Pipeline,
    people: Mapping[UserId, accounts.User],
) -> Pipeline:
    """A pipeline as JSON."""
    at = ("organizations", organization.slug, "pipelines", pipeline.slug)
    steps: tuple[DocumentStep, ...] = ()
    # A configuration of another version is shown as text alone.
    with suppress(Invalid):
        steps = document_of_pipeline(pipeline).steps
    return Pipeline(
        id=pipeline.id,
        graphql_id=graphql_id("Pipeline", pipeline.id),
        url=site.rest(*at),
        web_url=site.web(organization.slug, pipeline.slug),
        name=pipeline.name,
        slug=pipeline.slug,
        description=pipeline.description or None,
        repository=pipeline.repository,
        cluster_id=pipeline.cluster_id,
        default_branch=pipeline.default_branch,
        branch_configuration=None,
        configuration=pipeline.configuration,
        steps=[show_step(step) for step in steps],
        env=dict(pipeline.env),
        provider=Provider(id="unknown", settings={}),
        builds_url=site.rest(*at, "builds"),
        created_at=instant(pipeline.created_at),
        created_by=show_person(people, pipeline.created_by),
        archived_at=None,
        visibility="private",
        tags=[],
        default_timeout_in_minutes=pipeline.default_timeout_minutes or None,
        maximum_timeout_in_minutes=pipeline.maximum_timeout_minutes or None,
    )


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
        page = call.page.cut(rows)
        return rows, [show_pipeline(call.site, access.organization, pipeline, found) for pipeline in page]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(PIPELINE, opt=needs("pipeline.read"), summary="Get a pipeline")
async def get_pipeline(request: RestRequest) -> Pipeline:
    """One pipeline by its slug."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Pipeline:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        found = await people(tx, [pipeline.created_by])
        return show_pipeline(call.site, access.organization, pipeline, found)

    return await call.read(work)


@post(PIPELINES, opt=needs("pipeline.create", body=NewPipeline, keyed=True), summary="Create a pipeline")
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
        )
        return show_pipeline(call.site, access.organization, pipeline, {access.user.id: access.user})

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


@patch(PIPELINE, opt=needs("pipeline.update", body=NewPipeline), summary="Update a pipeline")
async def update_one(request: RestRequest) -> Pipeline:
    """Change what the body names; the slug stays."""
    call = await Call.with_body(request)
    written = await _written(call)

    async def work(tx: Unit, access: Access) -> Pipeline:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        asked = call.decode(NewPipeline)
        changed = replace(pipeline, **_changes(asked, written))
        changed = await update_pipeline(call.context, tx, access.caller, changed)
        found = await people(tx, [pipeline.created_by])
        return show_pipeline(call.site, access.organization, changed, found)

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
    }
    if asked.cluster_id is not None:
        given["cluster_id"] = ClusterId(asked.cluster_id.lower() if is_uuid(asked.cluster_id) else "")
    if asked.steps is not None or asked.configuration is not None:
        kept = _configuration(asked, written)
        given |= {"configuration": kept.text, "document": kept.document}
    return {name: value for name, value in given.items() if value is not None}


HANDLERS = (list_pipelines, get_pipeline, create_one, update_one)
