"""Whole pipelines: archived, brought back, deleted. Making and changing them is `services.builds`'."""

from dataclasses import replace

from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, PipelineId
from watchword.domain.pipelines import Pipeline, PipelineWork
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction


async def archive_pipeline(context: Context, tx: Transaction, caller: Caller, pipeline: Pipeline) -> Pipeline:
    """Let a pipeline take no new builds, inside a unit of work; what runs goes on.

    Raises:
        Conflict: it is archived already.
    """
    if pipeline.archived_at:
        raise Conflict("Pipeline could not be archived.", code="pipeline_archived")
    changed = replace(pipeline, archived_at=context.clock.now())
    await _save(context, tx, caller, changed, Action.PIPELINE_ARCHIVED)
    return changed


async def unarchive_pipeline(
    context: Context, tx: Transaction, caller: Caller, pipeline: Pipeline
) -> Pipeline:
    """Let an archived pipeline take builds again, inside a unit of work.

    Raises:
        Conflict: it is not archived.
    """
    if not pipeline.archived_at:
        raise Conflict("Pipeline could not be unarchived.", code="pipeline_not_archived")
    changed = replace(pipeline, archived_at=0)
    await _save(context, tx, caller, changed, Action.PIPELINE_UNARCHIVED)
    return changed


async def _save(
    context: Context, tx: Transaction, caller: Caller, pipeline: Pipeline, action: Action
) -> None:
    await tx.builds.save_pipeline(pipeline)
    await context.record(
        tx, caller, action, pipeline.organization_id, ("pipeline", pipeline.id), {"name": pipeline.name}
    )


async def delete_pipeline(context: Context, tx: Transaction, caller: Caller, pipeline: Pipeline) -> None:
    """Delete a pipeline, inside a unit of work: it and its builds are found no more from now on.

    What they hold, files and logs above all, is dropped in pieces by `services.house`.

    Raises:
        Conflict: builds of it have not ended.
        NotFound: it is gone already.
    """
    work = await work_of(tx, pipeline.organization_id, pipeline.id)
    unfinished = sum(one.scheduled_builds + one.running_builds for one in work.values())
    if unfinished:
        builds = "1 unfinished build" if unfinished == 1 else f"{unfinished} unfinished builds"
        raise Conflict(f"Pipeline has {builds}; cancel first.", code="pipeline_has_builds")
    if not await tx.pipelines.mark_deleted(pipeline, context.clock.now()):
        raise NotFound("No pipeline found")
    await context.record(
        tx,
        caller,
        Action.PIPELINE_DELETED,
        pipeline.organization_id,
        ("pipeline", pipeline.id),
        {"name": pipeline.name, "slug": pipeline.slug},
    )


async def work_of(
    tx: Transaction, organization_id: OrganizationId, pipeline_id: PipelineId | None = None
) -> dict[PipelineId, PipelineWork]:
    """What has not ended, by pipeline; of one where one is named. Idle pipelines are left out."""
    return {one.pipeline_id: one for one in await tx.pipelines.work(organization_id, pipeline_id)}
