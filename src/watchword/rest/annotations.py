"""Annotations of builds and jobs (contract rest-graphql §2.17): list, create, delete."""

import html

import msgspec
from litestar import Response, delete, get, post

from watchword.domain import pipelines
from watchword.domain.errors import Invalid, Malformed
from watchword.domain.ids import JobId
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.rest.jobs import BUILD, JOB, locate
from watchword.services.annotating import add_annotation, delete_annotation, find_annotation
from watchword.services.logs import DEFAULT_CONTEXT, Note
from watchword.services.queries import Access, Unit, annotations_of, find_build, find_pipeline

ANNOTATIONS = [path + "/annotations" for path in (BUILD, *JOB)]
ANNOTATION = [path + "/{annotation:str}" for path in ANNOTATIONS]
FILTERS = ("scope", "omit_body")
_SCOPES = ("build", "job", "all")


class Annotation(msgspec.Struct, kw_only=True):
    """A note on a build or job; `body`, the text as it was written, is Watchword's own."""

    id: str
    context: str
    style: str | None
    scope: str
    job_id: str | None
    priority: int
    body: str | None
    body_html: str | None
    created_at: str
    updated_at: str


class NewAnnotation(Body):
    """What is noted; `append` goes on below what the context holds."""

    body: str | None = None
    style: str | None = None
    context: str | None = None
    append: bool | None = None
    priority: int | None = None


def show_annotation(annotation: pipelines.Annotation, *, bare: bool = False) -> Annotation:
    """An annotation as JSON; its HTML is the text with nothing in it that acts.

    Args:
        annotation: what to show.
        bare: whether to leave the text out.
    """
    return Annotation(
        id=annotation.id,
        context=annotation.context,
        style=annotation.style or None,
        scope=annotation.scope,
        job_id=annotation.job_id if annotation.scope == "job" else None,
        priority=annotation.priority,
        body=None if bare else annotation.body,
        body_html=None if bare else html.escape(annotation.body),
        created_at=instant(annotation.created_at),
        updated_at=instant(annotation.updated_at),
    )


async def _place(call: Call, tx: Unit, access: Access) -> tuple[pipelines.Build, JobId | None]:
    """The build of the path, and the job where it names one."""
    if "job" in call.request.path_params:
        place, job = await locate(call, tx, access)
        return place.build, job.id
    pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
    return await find_build(tx, pipeline, call.path("number")), None


@get(ANNOTATIONS, opt=needs("build.read", query=(*FILTERS, *PAGED)), summary="List annotations")
async def list_annotations(request: RestRequest) -> Response[list[Annotation]]:
    """Annotations of a job, or of a build itself unless `scope` says otherwise; highest priority first."""
    call = Call.of(request)
    scope = (call.query("scope") or ["build"])[0]
    bare = call.query("omit_body") == ["true"]

    async def work(tx: Unit, access: Access) -> list[pipelines.Annotation]:
        build, job_id = await _place(call, tx, access)
        if scope not in _SCOPES:
            raise Malformed(f"scope is one of {', '.join(_SCOPES)}.", code="invalid_scope")
        fitting = [
            one
            for one in await annotations_of(tx, build)
            if (one.scope_id == job_id if job_id is not None else scope in (one.scope, "all"))
        ]
        window = call.page.window
        return fitting[window.offset : window.offset + window.limit]

    rows = await call.read(work)
    return call.listed([show_annotation(one, bare=bare) for one in call.page.cut(rows)], rows)


@post(ANNOTATIONS, opt=needs("annotation.create", body=NewAnnotation), summary="Create an annotation")
async def create_annotation(request: RestRequest) -> Response[Annotation]:
    """Note something on a build or job; what the context held gives way or is gone on with."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Annotation:
        build, job_id = await _place(call, tx, access)
        asked = call.decode(NewAnnotation)
        if not asked.body or not asked.body.strip():
            raise Invalid("Validation failed: Body can't be blank", code="body_missing")
        note = Note(
            body=asked.body,
            context=asked.context or DEFAULT_CONTEXT,
            style=asked.style,
            append=bool(asked.append),
            priority=asked.priority,
            scope="build" if job_id is None else "job",
        )
        return show_annotation(await add_annotation(call.context, tx, access.caller, build, job_id, note))

    return await call.create(work)


@delete(ANNOTATION, opt=needs("annotation.delete"), status_code=204, summary="Delete an annotation")
async def remove_annotation(request: RestRequest) -> None:
    """Delete an annotation by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        build, job_id = await _place(call, tx, access)
        found = await find_annotation(tx, build, job_id, call.path("annotation"))
        await delete_annotation(call.context, tx, access.caller, found)

    await call.write(work)


HANDLERS = (list_annotations, create_annotation, remove_annotation)
