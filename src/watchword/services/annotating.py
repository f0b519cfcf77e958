"""Annotations of builds and jobs by people; those of jobs themselves are `services.logs`'."""

from watchword.domain.errors import NotFound
from watchword.domain.events import Action
from watchword.domain.ids import JobId, is_uuid
from watchword.domain.pipelines import Annotation, Build
from watchword.services.context import Caller, Context
from watchword.services.logs import Note, annotate_in, check_note
from watchword.store.base import Transaction


async def add_annotation(
    context: Context, tx: Transaction, caller: Caller, build: Build, job_id: JobId | None, note: Note
) -> Annotation:
    """Insert or change the annotation of a context, inside a unit of work.

    Args:
        context: the ground.
        tx: the unit of work.
        caller: who asks.
        build: the build.
        job_id: the job that is annotated; None where the whole build is.
        note: the annotation; its scope is the job's where there is one.

    Raises:
        Invalid: a part is not acceptable, or there is no body and nothing to change.
        TooLarge: the body gets over 1 MiB.
    """
    made = await annotate_in(context, tx, build.organization_id, build.id, job_id, check_note(note))
    await _record(context, tx, caller, Action.ANNOTATION_CREATED, made)
    return made


async def find_annotation(tx: Transaction, build: Build, job_id: JobId | None, text: str) -> Annotation:
    """An annotation of a build, or of one of its jobs, by the id in a path.

    Raises:
        NotFound: there is none, or not here.
    """
    found = await tx.logs.annotations(build.organization_id, build.id) if is_uuid(text) else ()
    wanted = text.lower()
    for one in found:
        if one.id == wanted and (job_id is None or one.scope_id == job_id):
            return one
    raise NotFound("No annotation found")


async def delete_annotation(
    context: Context, tx: Transaction, caller: Caller, annotation: Annotation
) -> None:
    """Delete an annotation, inside a unit of work."""
    await tx.logs.delete_annotation(
        annotation.organization_id,
        annotation.build_id,
        annotation.scope,
        annotation.scope_id,
        annotation.context,
    )
    await _record(context, tx, caller, Action.ANNOTATION_DELETED, annotation)


async def _record(
    context: Context, tx: Transaction, caller: Caller, action: Action, annotation: Annotation
) -> None:
    data = {"build_id": annotation.build_id, "context": annotation.context, "style": annotation.style}
    await context.record(tx, caller, action, annotation.organization_id, ("annotation", annotation.id), data)
