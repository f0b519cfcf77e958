"""What a job leaves behind: log chunks, annotations, meta-data (contract agent-api §2.4, 2.6, 2.7)."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.domain.errors import Invalid, Malformed, NotFound, TooLarge
from watchword.domain.ids import AnnotationId, BuildId, JobId, OrganizationId
from watchword.domain.pipelines import (
    MAX_ANNOTATION_BYTES,
    MAX_CONTEXT,
    MAX_META_DATA_BYTES,
    MAX_META_DATA_KEY,
    STYLES,
    Annotation,
    Chunk,
    Job,
)
from watchword.services.context import Context
from watchword.services.crossjobs import Writer, require_held, require_writer
from watchword.store.base import Transaction

CHUNK_BYTES = 100 * 1024
# Agents may have been given a larger size by an earlier version; more than this is no chunk.
MAX_CHUNK_BYTES = 4 * 1024 * 1024
# No limit, in what a database and every client count.
ENDLESS = 2**53
_GZIP = 31
DEFAULT_CONTEXT = "default"
_PRIORITIES = range(1, 11)
# No agent counts its chunks so.
_MARK_SEQUENCE = -1


def inflate(data: bytes) -> bytes:
    """Unpack a gzip chunk, never into more than the size limit.

    Raises:
        Malformed: it is no whole gzip stream.
        TooLarge: it unpacks to more than 4 MiB.
    """
    machine = zlib.decompressobj(_GZIP)
    try:
        plain = machine.decompress(data, MAX_CHUNK_BYTES + 1)
    except zlib.error:
        raise Malformed("The log chunk is not valid gzip.", code="bad_gzip") from None
    if len(plain) > MAX_CHUNK_BYTES:
        raise TooLarge(f"A log chunk holds at most {MAX_CHUNK_BYTES} bytes.", code="chunk_too_large")
    if not machine.eof:
        raise Malformed("The log chunk is cut off: its gzip stream does not end.", code="bad_gzip")
    return plain


def text_of(chunk: Chunk) -> bytes:
    """The bytes of the log that a chunk holds; what was kept was checked when it came."""
    return inflate(chunk.data) if chunk.packed else chunk.data


async def add_chunk(
    context: Context,
    job: Job,
    sequence: int,
    offset: int,
    data: bytes,
    *,
    packed: bool = False,
    size: int | None = None,
) -> None:
    """Keep one chunk of a job's log; a repeated one changes nothing. Chunks come in any order.

    What goes beyond the quota is left out, and the log ends with a mark that says so: a refusal would only
    make the agent warn and go on (contract agent-api §2.4).

    Args:
        context: what the services stand on.
        job: the job, as its token was checked against.
        sequence: number of the chunk.
        offset: where it stands in the log, in uncompressed bytes.
        data: what was sent.
        packed: whether that is gzip; kept as it is where that is shorter.
        size: uncompressed bytes as the agent counts them, where it says so.

    Raises:
        Malformed: it is no whole gzip stream, or has another size than it says.
        TooLarge: the chunk is over its limit.
    """
    plain = inflate(data) if packed else data
    if size is not None and size != len(plain):
        raise Malformed("The chunk has another size than it says.", code="size_mismatch")
    if len(plain) > MAX_CHUNK_BYTES:
        raise TooLarge(f"A log chunk holds at most {MAX_CHUNK_BYTES} bytes.", code="chunk_too_large")
    kept = data if len(data) < len(plain) else plain
    chunks = [Chunk(job.organization_id, job.id, sequence, offset, len(plain), kept)]
    limit = log_limit(context)
    if max(job.log_size, offset) + len(plain) > limit:
        chunks = _cut(chunks[0], plain, limit - job.log_size, limit)

    async def work(tx: Transaction) -> None:
        await require_held(tx, job)
        for chunk in chunks:
            if not await tx.logs.add_chunk(chunk):
                return
            if chunk.sequence != _MARK_SEQUENCE:  # our words are no part of the quota
                await tx.logs.grow_log(job.organization_id, job.id, chunk.size)

    await context.store.write(work)


def log_limit(context: Context) -> int:
    """Bytes of one job's log."""
    return context.installation.quotas.job_log_bytes or ENDLESS


def _cut(chunk: Chunk, plain: bytes, room: int, limit: int) -> list[Chunk]:
    """What is kept of a chunk that goes beyond the limit, and the mark at the log's end."""
    mark = f"\r\n[The log is cut off here: it reached its limit of {limit} bytes.]\r\n".encode()
    end = Chunk(chunk.organization_id, chunk.job_id, _MARK_SEQUENCE, limit, len(mark), mark)
    kept = plain[: max(0, min(room, limit - chunk.offset))]
    if chunk.offset >= limit:
        return [end]
    # Also where nothing of it is kept: a repeated chunk is known by its number, and is no reason for a mark.
    return [replace(chunk, size=len(kept), data=kept), end]


async def read_log(context: Context, job: Job) -> bytes:
    """A job's log, put together by offset; a hole is left out, an overlap is written once."""

    async def work(tx: Transaction) -> Sequence[Chunk]:
        return await tx.logs.chunks(job.organization_id, job.id)

    parts: list[bytes] = []
    end = 0
    for chunk in await context.store.read(work):
        parts.append(text_of(chunk)[max(0, end - chunk.offset) :])
        end = max(end, chunk.offset + chunk.size)
    return b"".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An annotation as it is asked for; None leaves what is there."""

    body: str | None = None
    context: str = DEFAULT_CONTEXT
    style: str | None = None
    append: bool = False
    priority: int | None = None
    scope: str = "build"


def check_note(note: Note) -> Note:
    """Require a known style and scope, a priority from 1 to 10 and a body within its limit.

    Raises:
        Invalid: one of them is not acceptable.
        TooLarge: the body is over 1 MiB.
    """
    if note.style is not None and note.style not in STYLES:
        raise Invalid(f"The style is one of {', '.join(STYLES)}.", code="invalid_style")
    if note.scope not in ("build", "job"):
        raise Invalid("The scope is build or job.", code="invalid_scope")
    if len(note.context) > MAX_CONTEXT:
        raise Invalid(f"A context takes at most {MAX_CONTEXT} characters.", code="invalid_context")
    if note.priority is not None and note.priority not in _PRIORITIES:
        raise Invalid("The priority is a number from 1 to 10.", code="invalid_priority")
    if note.body is not None and len(note.body.encode()) > MAX_ANNOTATION_BYTES:
        raise TooLarge("An annotation takes at most 1 MiB.", code="annotation_too_large")
    return note


async def annotate(context: Context, job: Job, note: Note, writer: Writer | None = None) -> None:
    """Insert or change the annotation of a context; appending goes on below what is there.

    `writer` is the job that does it, where that is another.

    Raises:
        Invalid: a part is not acceptable, or there is no body and nothing to change.
        TooLarge: the body gets over 1 MiB.
    """
    check_note(note)

    async def work(tx: Transaction) -> None:
        await require_writer(context, tx, job, writer, "annotation")
        await annotate_in(context, tx, job.organization_id, job.build_id, job.id, note)

    await context.store.write(work)


async def annotate_in(
    context: Context,
    tx: Transaction,
    organization_id: OrganizationId,
    build_id: BuildId,
    job_id: JobId | None,
    note: Note,
) -> Annotation:
    """`annotate` as part of a unit of work; `job_id` is None where a person annotates a whole build.

    Raises:
        Invalid: there is no body and nothing to change.
        TooLarge: the body gets over 1 MiB.
    """
    scope_id = job_id if note.scope == "job" and job_id is not None else build_id
    now = context.clock.now()
    found = await tx.logs.annotation(organization_id, build_id, note.scope, scope_id, note.context)
    if found is None:
        if note.body is None:
            raise Invalid("An annotation needs a body.", code="body_missing")
        found = Annotation(
            organization_id=organization_id,
            id=AnnotationId(context.new_id()),
            build_id=build_id,
            job_id=job_id or JobId(""),
            scope=note.scope,
            scope_id=scope_id,
            context=note.context,
            style="",
            body="",
            priority=3,
            created_at=now,
            updated_at=now,
        )
    body = found.body if note.body is None else note.body
    if note.append and note.body is not None:
        body = found.body + note.body
    if len(body.encode()) > MAX_ANNOTATION_BYTES:
        raise TooLarge("An annotation takes at most 1 MiB.", code="annotation_too_large")
    changed = replace(
        found,
        body=body,
        style=found.style if note.style is None else note.style,
        priority=found.priority if note.priority is None else note.priority,
        updated_at=now,
    )
    await tx.logs.save_annotation(changed)
    return changed


async def remove_annotation(
    context: Context, job: Job, note_context: str, scope: str, writer: Writer | None = None
) -> None:
    """Delete an annotation; deleting what is not there is no error. `writer` as `annotate` takes it."""
    scope_id = job.id if scope == "job" else job.build_id

    async def work(tx: Transaction) -> None:
        await require_writer(context, tx, job, writer, "annotation")
        await tx.logs.delete_annotation(job.organization_id, job.build_id, scope, scope_id, note_context)

    await context.store.write(work)


def check_meta_data(key: str, value: str) -> None:
    """Require a key and a value that are not blank and within their limits.

    Raises:
        Invalid: one is blank or too long.
        TooLarge: the value is over 100 KB.
    """
    if not key.strip() or len(key) > MAX_META_DATA_KEY:
        raise Invalid(f"A meta-data key has 1 to {MAX_META_DATA_KEY} characters.", code="invalid_key")
    if not value.strip():
        raise Invalid("A meta-data value can't be blank.", code="invalid_value")
    if len(value.encode()) > MAX_META_DATA_BYTES:
        raise TooLarge("A meta-data value takes at most 100 KB.", code="value_too_large")


async def set_meta_data(
    context: Context, job: Job, items: Sequence[tuple[str, str]], writer: Writer | None = None
) -> None:
    """Set values of a job's build, all or none. `writer` as `annotate` takes it.

    Raises:
        Invalid: a key or value is not acceptable.
        TooLarge: a value is over its limit.
    """
    for key, value in items:
        check_meta_data(key, value)

    async def work(tx: Transaction) -> None:
        await require_writer(context, tx, job, writer, "meta_data")
        for key, value in items:
            await tx.logs.set_meta_data(job.organization_id, job.build_id, key, value)

    await context.store.write(work)


async def read_meta_data(
    context: Context, organization_id: OrganizationId, build_id: BuildId
) -> dict[str, str]:
    """All values of a build."""

    async def work(tx: Transaction) -> dict[str, str]:
        return dict(await tx.logs.all_meta_data(organization_id, build_id))

    return await context.store.read(work)


async def build_for_job(context: Context, job: Job, build_id: BuildId) -> tuple[OrganizationId, BuildId]:
    """A build that a job may read: one whose jobs run in the job's cluster.

    Raises:
        NotFound: there is none, or it is another cluster's or organization's.
    """

    async def work(tx: Transaction) -> bool:
        build = await tx.builds.build(job.organization_id, build_id)
        if build is None:
            return False
        pipeline = await tx.builds.pipeline(job.organization_id, build.pipeline_id)
        return pipeline is not None and pipeline.cluster_id == job.cluster_id

    if not await context.store.read(work):
        raise NotFound("No build found")
    return job.organization_id, build_id
