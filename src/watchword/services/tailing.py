"""Tailing: a job's log from a position on, such that what was read once never changes."""

from collections.abc import AsyncGenerator, Sequence

from watchword.domain.pipelines import Chunk, Job
from watchword.services.context import Context
from watchword.services.logs import read_log, text_of
from watchword.store.base import Transaction

# Chunks of one look: agents make them of 100 KiB, and other requests come in between.
_CHUNKS = 16


async def read_tail(context: Context, job: Job, position: int) -> bytes:
    """The log from a position on.

    Chunks arrive in any order. While the job is in an agent's hands the log therefore ends before the
    first hole, which a chunk under way may still fill; after its end holes are left out. What a reader
    has seen stays where it was.
    """
    if job.state.ended:
        return (await read_log(context, job))[position:]

    async def work(tx: Transaction) -> Sequence[Chunk]:
        return await tx.logs.chunks_after(job.organization_id, job.id, position)

    parts: list[bytes] = []
    end = position
    for chunk in await context.store.read(work):
        if chunk.offset > end:
            break
        parts.append(text_of(chunk)[end - chunk.offset :])
        end = max(end, chunk.offset + chunk.size)
    return b"".join(parts)


async def read_parts(context: Context, job: Job, position: int) -> AsyncGenerator[tuple[int, bytes], None]:
    """The log from a position on, part by part, each with its own position; holes are as in `read_tail`.

    Only as much is read as is asked for; close it when done.
    """
    while True:
        start = position

        async def work(tx: Transaction) -> Sequence[Chunk]:
            return await tx.logs.some_chunks_after(job.organization_id, job.id, start, _CHUNKS)  # noqa: B023

        chunks = await context.store.read(work)
        for chunk in chunks:
            if chunk.offset > position and not job.state.ended:
                return
            end = chunk.offset + chunk.size
            if end > position:
                begin = max(chunk.offset, position)
                position = end
                yield begin, text_of(chunk)[begin - chunk.offset :]
        if len(chunks) < _CHUNKS:
            return
