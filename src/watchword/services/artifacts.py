"""What becomes of artifacts: announced, finished or failed, found, deleted (contract agent-api §2.5)."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from watchword.domain.artifacts import (
    MAX_BATCH,
    Artifact,
    ArtifactState,
    check_artifact,
    matches,
    newest_by_path,
    parts_of,
)
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ArtifactId, BuildId, JobId, OrganizationId, is_uuid
from watchword.domain.pipelines import Job
from watchword.services.context import Caller, Context
from watchword.services.crossjobs import Writer, require_writer
from watchword.services.links import UPLOAD_SECONDS, Batch, form_fields, part_link, receipt_holds
from watchword.store.base import Transaction

T = TypeVar("T")

# No limit, in what a database counts.
_ENDLESS = 2**62
# Looks into an object store at the same time; an agent waits 5 s for its answer.
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class File:
    """An artifact as its job announces it."""

    path: str
    size: int
    absolute_path: str = ""
    glob_path: str = ""
    content_type: str = ""
    sha1: str = ""
    sha256: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One call's artifacts; `batch_id` makes a repeated call the same one."""

    batch_id: str
    files: Sequence[File]
    upload_destination: str = ""
    multipart: bool = False


@dataclass(frozen=True, slots=True)
class Announced:
    """What was announced, and where its bytes go.

    Attributes:
        artifacts: in the order of the announcement.
        form: fields of a form that any of them may be sent by.
        addresses: by artifact, where its parts are put, in order; for the others there is the form.
    """

    artifacts: Sequence[Artifact]
    form: Mapping[str, str]
    addresses: Mapping[ArtifactId, Sequence[str]]


async def announce(
    context: Context, job: Job, asked: Announcement, site: str, writer: Writer | None = None
) -> Announced:
    """Take note of artifacts of a job, and say where their bytes go.

    Args:
        context: the ground.
        job: whose they are.
        asked: what they are.
        site: the address that the agent reaches this server by.
        writer: the job that announces them, where it is another.

    Raises:
        Invalid: the batch or a file in it is not acceptable.
        Forbidden: a quota is used up.
        NotFound: the job ended meanwhile.
    """
    if not is_uuid(asked.batch_id):
        raise Invalid("The id of a batch is a UUID.", code="invalid_batch")
    asked = replace(asked, batch_id=asked.batch_id.lower())
    if not 1 <= len(asked.files) <= MAX_BATCH:
        raise Invalid(f"A batch has 1 to {MAX_BATCH} artifacts.", code="batch_too_long")
    made = [check_artifact(_record(context, job, asked, place)) for place in range(len(asked.files))]
    direct = asked.multipart and made[0].ours and await _direct(context, made[0]) is not None
    if direct or not asked.multipart:
        made = [replace(artifact, parts=1) for artifact in made]

    async def work(tx: Transaction) -> Sequence[Artifact]:
        await require_writer(context, tx, job, writer, "artifacts")
        known = await tx.artifacts.of_batch(job.organization_id, job.id, asked.batch_id)
        if known:
            if [artifact.path for artifact in known] != [file.path for file in asked.files]:
                raise Invalid("This batch was announced with other artifacts.", code="batch_differs")
            return known
        await _take_room(context, tx, job, made)
        for artifact in made:
            await tx.artifacts.add(artifact)
        return made

    artifacts = await context.store.write(work)
    batch = Batch(job.organization_id, job.id, job.build_id, asked.batch_id)
    addresses = await _addresses(context, artifacts, site, direct=direct) if asked.multipart else {}
    return Announced(artifacts, form_fields(context, batch), addresses)


def _record(context: Context, job: Job, asked: Announcement, place: int) -> Artifact:
    file = asked.files[place]
    return Artifact(
        organization_id=job.organization_id,
        id=ArtifactId(context.new_id()),
        build_id=job.build_id,
        job_id=job.id,
        batch_id=asked.batch_id,
        place=place,
        path=file.path,
        absolute_path=file.absolute_path,
        glob_path=file.glob_path,
        content_type=file.content_type[:255],
        size=file.size,
        sha1=file.sha1,
        sha256=file.sha256,
        upload_destination=asked.upload_destination,
        url=file.url if asked.upload_destination else "",
        parts=1 if asked.upload_destination else parts_of(file.size),
        state=ArtifactState.NEW,
        created_at=context.clock.now(),
        ended_at=0,
    )


async def _direct(context: Context, artifact: Artifact) -> str | None:
    """Where an agent puts an artifact's bytes into the object store itself, if that can be."""
    return await context.objects.sign("PUT", artifact.object_key(1), UPLOAD_SECONDS)


async def _addresses(
    context: Context, artifacts: Sequence[Artifact], site: str, *, direct: bool
) -> dict[ArtifactId, Sequence[str]]:
    found: dict[ArtifactId, Sequence[str]] = {}
    for artifact in artifacts:
        if artifact.parts > 1:
            numbers = range(1, artifact.parts + 1)
            found[artifact.id] = [part_link(context, site, artifact, number) for number in numbers]
        elif direct and artifact.ours:
            address = await _direct(context, artifact)
            if address is not None:
                found[artifact.id] = [address]
    return found


async def _take_room(context: Context, tx: Transaction, job: Job, made: Sequence[Artifact]) -> None:
    """Count what is to come against the quotas.

    Raises:
        Forbidden: it is too much.
    """
    size = sum(artifact.size for artifact in made if artifact.ours)
    quotas = context.installation.quotas
    count, held = await tx.artifacts.room_of_build(job.organization_id, job.build_id)
    if quotas.build_artifacts and count + len(made) > quotas.build_artifacts:
        raise _full(f"This build has {count} artifacts; {quotas.build_artifacts} is the most.")
    if quotas.build_artifact_bytes and held + size > quotas.build_artifact_bytes:
        raise _full(f"Artifacts of a build take at most {quotas.build_artifact_bytes} bytes.")
    limit = quotas.organization_artifact_bytes or _ENDLESS
    if not await tx.artifacts.take_room(job.organization_id, size, limit):
        raise _full(f"Artifacts of your organization take at most {limit} bytes; delete some.")


def _full(sentence: str) -> Forbidden:
    return Forbidden(sentence, code="artifact_quota")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the sending of an artifact ended; `receipts` by part."""

    id: str
    finished: bool
    receipts: Mapping[int, str]


async def settle(
    context: Context, job: Job, outcomes: Sequence[Outcome], writer: Writer | None = None
) -> None:
    """Note how artifacts of a job ended; repeating it changes nothing. `writer` as `announce` takes it.

    Raises:
        NotFound: one is not the job's, or the job ended meanwhile.
        Conflict: bytes of a finished one have not arrived.
    """

    async def look(tx: Transaction) -> list[Artifact | None]:
        organization_id = job.organization_id
        return [await tx.artifacts.find(organization_id, ArtifactId(one.id.lower())) for one in outcomes]

    pairs: list[tuple[Artifact, Outcome]] = []
    for artifact, outcome in zip(await context.store.read(look), outcomes, strict=True):
        if artifact is None or artifact.job_id != job.id:
            raise NotFound("No artifact found", code="no_such_artifact")
        if artifact.state is ArtifactState.NEW:
            pairs.append((artifact, outcome))
    arriving = [_require_bytes(context, artifact, outcome) for artifact, outcome in pairs if outcome.finished]
    await _gather(arriving)
    now = context.clock.now()

    async def work(tx: Transaction) -> None:
        await require_writer(context, tx, job, writer, "artifacts")
        for artifact, outcome in pairs:
            state = ArtifactState.FINISHED if outcome.finished else ArtifactState.ERROR
            await end(tx, artifact, state, now)

    await context.store.write(work)
    for artifact, outcome in pairs:
        if artifact.ours and not outcome.finished:
            await context.objects.delete(artifact.folder)


async def end(tx: Transaction, artifact: Artifact, state: ArtifactState, now: int) -> bool:
    """Move an artifact to another state inside a unit; its room is free once nothing is kept."""
    if artifact.state is state:
        return False
    moved = await tx.artifacts.move(artifact, state, now)
    if moved and artifact.ours and artifact.state.kept and not state.kept:
        await tx.artifacts.give_room(artifact.organization_id, artifact.size)
    return moved


async def _require_bytes(context: Context, artifact: Artifact, outcome: Outcome) -> None:
    if not artifact.ours:
        return
    for number, size in enumerate(artifact.part_sizes, 1):
        given = outcome.receipts.get(number, "")
        proven = artifact.parts == 1 or receipt_holds(context, artifact, number, given)
        if not proven or await context.objects.size(artifact.object_key(number)) != size:
            name = f"part {number} of {artifact.path[:100]!r}"
            raise Conflict(f"The bytes of {name} have not arrived.", code="artifact_incomplete")


async def _gather(work: Sequence[Awaitable[T]]) -> list[T]:
    """Await all, some at a time."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Awaitable[T]) -> T:
        async with turn:
            return await each

    return await asyncio.gather(*(one(each) for each in work))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for: `scope` is a step's key or label, or a job's id; empty for the whole build."""

    pattern: str
    scope: str = ""
    state: str = ArtifactState.FINISHED.value
    retried: bool = False
    duplicates: bool = False


async def search(
    context: Context, organization_id: OrganizationId, build_id: BuildId, wanted: Search
) -> Sequence[Artifact]:
    """Artifacts of a build that fit, oldest first; without duplicates the newest of each path."""

    async def work(tx: Transaction) -> tuple[Sequence[Artifact], Sequence[Job]]:
        artifacts = await tx.artifacts.of_build(organization_id, build_id)
        return artifacts, await tx.builds.jobs(organization_id, build_id)

    artifacts, jobs = await context.store.read(work)
    scope = wanted.scope
    names = {job.id: (job.step_key, job.label, job.id) for job in jobs if wanted.retried or not retried(job)}
    found = [
        artifact
        for artifact in artifacts
        if artifact.state == wanted.state
        and artifact.job_id in names
        and (not scope or scope in names[artifact.job_id] or scope.lower() == artifact.job_id)
        and matches(wanted.pattern, artifact.path)
    ]
    return found if wanted.duplicates else newest_by_path(found)


def retried(job: Job) -> bool:
    """Whether another job took this one's place."""
    return job.retried_in is not None


async def delete(context: Context, caller: Caller, artifact: Artifact) -> None:
    """Delete an artifact's bytes and say so in its record, which stays; a repeated call goes on with it."""
    if artifact.ours:
        await context.objects.delete(artifact.folder)
    now = context.clock.now()

    async def work(tx: Transaction) -> None:
        if await end(tx, artifact, ArtifactState.DELETED, now):
            data = {"path": artifact.path, "build_id": artifact.build_id, "job_id": artifact.job_id}
            subject = ("artifact", artifact.id)
            action = Action.ARTIFACT_DELETED
            await context.record(tx, caller, action, artifact.organization_id, subject, data)

    await context.store.write(work)


async def find(
    tx: Transaction, organization_id: OrganizationId, text: str, job_id: JobId | None = None
) -> Artifact:
    """An artifact by the id in a path; of a job where one is named.

    Raises:
        NotFound: there is none, or not here.
    """
    artifact_id = ArtifactId(text.lower())
    artifact = await tx.artifacts.find(organization_id, artifact_id) if is_uuid(text) else None
    if artifact is None or (job_id is not None and artifact.job_id != job_id):
        raise NotFound("No artifact found")
    return artifact
