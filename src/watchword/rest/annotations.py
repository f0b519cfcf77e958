"""Annotations of a build (contract rest-graphql §2.17): list."""

import html

import msgspec
from litestar import Response, get

from watchword.domain import pipelines
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.rest.jobs import BUILD
from watchword.services.queries import Access, Unit, annotations_of, find_build, find_pipeline


class Annotation(msgspec.Struct, kw_only=True):
    """A note on a build; `body`, the text as it was written, is Watchword's own."""

    id: str
    context: str
    style: str | None
    scope: str
    job_id: str | None
    priority: int
    body: str
    body_html: str
    created_at: str
    updated_at: str


def show_annotation(annotation: pipelines.Annotation) -> Annotation:
    """An annotation as JSON; its HTML is the text with nothing in it that acts."""
    return Annotation(
        id=annotation.id,
        context=annotation.context,
        style=annotation.style or None,
        scope=annotation.scope,
        job_id=annotation.job_id if annotation.scope == "job" else None,
        priority=annotation.priority,
        body=annotation.body,
        body_html=html.escape(annotation.body),
        created_at=instant(annotation.created_at),
        updated_at=instant(annotation.updated_at),
    )


@get(BUILD + "/annotations", opt=needs("build.read", query=PAGED), summary="List annotations of a build")
async def list_annotations(request: RestRequest) -> Response[list[Annotation]]:
    """Annotations of a build, highest priority first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[pipelines.Annotation]:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        build = await find_build(tx, pipeline, call.path("number"))
        window = call.page.window
        return (await annotations_of(tx, build))[window.offset : window.offset + window.limit]

    rows = await call.read(work)
    return call.listed([show_annotation(one) for one in call.page.cut(rows)], rows)


HANDLERS = (list_annotations,)
