"""What people do to whole pipelines (contract rest-graphql §2.17): archive, unarchive, delete, webhook."""

from collections.abc import Awaitable, Callable

from litestar import delete, post

from watchword.domain import pipelines
from watchword.domain.errors import Invalid
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.pipelines import PIPELINE, show_whole
from watchword.rest.pipelineshapes import Pipeline
from watchword.services.pipelines import archive_pipeline, delete_pipeline, unarchive_pipeline
from watchword.services.queries import Access, Unit, find_pipeline


async def _change(
    call: Call, change: Callable[[Unit, Access, pipelines.Pipeline], Awaitable[pipelines.Pipeline]]
) -> Pipeline:
    async def work(tx: Unit, access: Access) -> Pipeline:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        return await show_whole(call, tx, access, await change(tx, access, pipeline))

    return await call.write(work)


@post(PIPELINE + "/archive", opt=needs("pipeline.archive"), status_code=200, summary="Archive a pipeline")
async def archive(request: RestRequest) -> Pipeline:
    """Let a pipeline take no new builds."""
    call = Call.of(request)

    async def change(tx: Unit, access: Access, pipeline: pipelines.Pipeline) -> pipelines.Pipeline:
        return await archive_pipeline(call.context, tx, access.caller, pipeline)

    return await _change(call, change)


@post(
    PIPELINE + "/unarchive",
    opt=needs("pipeline.archive"),
    status_code=200,
    summary="Unarchive a pipeline",
)
async def unarchive(request: RestRequest) -> Pipeline:
    """Let an archived pipeline take builds again."""
    call = Call.of(request)

    async def change(tx: Unit, access: Access, pipeline: pipelines.Pipeline) -> pipelines.Pipeline:
        return await unarchive_pipeline(call.context, tx, access.caller, pipeline)

    return await _change(call, change)


@delete(PIPELINE, opt=needs("pipeline.delete"), status_code=204, summary="Delete a pipeline")
async def remove_pipeline(request: RestRequest) -> None:
    """Delete a pipeline whose builds have all ended, with everything in it."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        pipeline = await find_pipeline(tx, access.id, call.path("pipeline"))
        await delete_pipeline(call.context, tx, access.caller, pipeline)

    await call.write(work)


@post(PIPELINE + "/webhook", opt=needs("pipeline.update"), summary="Add a webhook to the repository")
async def add_webhook(request: RestRequest) -> None:
    """Refused, in the vendor's words: repositories are not connected here, so that no push is heard of."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await find_pipeline(tx, access.id, call.path("pipeline"))
        raise Invalid(
            "Auto-creating webhooks is not supported for your repository.", code="webhooks_unsupported"
        )

    await call.read(work)


HANDLERS = (archive, unarchive, remove_pipeline, add_webhook)
