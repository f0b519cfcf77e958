"""Carries a job's log to the server: redacted, cut into chunks, compressed, several at a time."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from structlog.typing import FilteringBoundLogger

from watchword.agent.errors import ApiError
from watchword.agent.redaction import Redactor
from watchword.agent.retry import Policy, retry
from watchword.agent.stop import drop
from watchword.agent.timemarks import TimeMarks

DEFAULT_CHUNK = 100 * 1024
DEFAULT_INTERVAL = 1.0
DEFAULT_LIMIT = 1024**3
PARALLEL = 3
WAITING = 64

Upload = Callable[[int, int, int, bytes], Awaitable[None]]
"""Sends sequence, offset and size in bytes, and the gzip stream; raises `ApiError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a job says about its log: bytes in a chunk, seconds between chunks, bytes in all."""

    chunk: int = DEFAULT_CHUNK
    interval: float = DEFAULT_INTERVAL
    total: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class _Chunk:
    sequence: int
    offset: int
    data: bytes


class LogStreamer:
    """One job's log (contract section 2.4). Use it as `async with`: leaving sends what is left.

    A chunk that the server refuses, or that fails 12 times, is dropped and counted; the log goes on.
    When the server is slower than the job, `write` waits: the job feels it, and memory stays bounded.

    Args:
        upload: sends one chunk.
        redactor: masks secrets, before anything else is done.
        limits: what the job says about its log.
        policy: the clock and the attempts.
        log: the agent's own log.
        marks: whether lines begin with a time mark.

    Attributes:
        failed: chunks given up so far.
    """

    def __init__(
        self,
        upload: Upload,
        redactor: Redactor,
        limits: Limits,
        policy: Policy,
        log: FilteringBoundLogger,
        *,
        marks: bool = False,
    ) -> None:
        self._upload = upload
        self._redactor = redactor
        self._limits = limits
        self._policy = policy
        self._log = log
        self._mark = TimeMarks(policy.now).feed if marks else _as_it_is
        self._copies: list[Callable[[bytes], object]] = []
        self._pending = bytearray()
        self._queue: asyncio.Queue[_Chunk] = asyncio.Queue(WAITING)
        self._sequence = 0
        self._offset = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.failed = 0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._flush_often())]
        self._tasks += [asyncio.create_task(self._send_chunks()) for _ in range(PARALLEL)]
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def write(self, data: bytes) -> None:
        """Add output; full chunks leave at once, the rest with the next flush."""
        self._take(self._redactor.feed(data))
        await self._cut(self._limits.chunk)

    async def say(self, line: str) -> None:
        """Add a line of the agent's own."""
        await self.write(f"{line}\n".encode())

    async def close(self) -> None:
        """Send what is left and wait until every chunk is sent or given up. It may be repeated."""
        if not self._tasks:
            return
        self._take(self._redactor.flush())
        await self._cut(1)
        await self._queue.join()
        await drop(*self._tasks)
        self._tasks = []

    def copy_to(self, write: Callable[[bytes], object]) -> None:
        """Give what is added from now on to a function too: redacted, and without time marks."""
        self._copies.append(write)

    def _take(self, clean: bytes) -> None:
        for write in self._copies:
            write(clean)
        self._pending += self._mark(clean)

    async def _flush_often(self) -> None:
        while True:
            await self._policy.sleep(self._limits.interval)
            await self._cut(1)

    async def _cut(self, least: int) -> None:
        """Queue chunks as long as `least` bytes are there."""
        while len(self._pending) >= max(least, 1):
            data = bytes(self._pending[: self._limits.chunk])
            del self._pending[: self._limits.chunk]
            self._sequence += 1
            chunk = _Chunk(self._sequence, self._offset, data)
            self._count(len(data))
            await self._queue.put(chunk)

    def _count(self, size: int) -> None:
        if self._offset <= self._limits.total < self._offset + size:
            self._log.warning("the job's log is over the server's limit", bytes=self._limits.total)
        self._offset += size

    async def _send_chunks(self) -> None:
        while True:
            chunk = await self._queue.get()
            try:
                await self._send(chunk)
            finally:
                self._queue.task_done()

    async def _send(self, chunk: _Chunk) -> None:
        zipped = gzip.compress(chunk.data, mtime=0)

        async def attempt() -> None:
            await self._upload(chunk.sequence, chunk.offset, len(chunk.data), zipped)

        try:
            await retry(attempt, self._policy.chunk, self._policy)
        except ApiError as error:
            self.failed += 1
            self._log.warning("a piece of the job's log is lost", sequence=chunk.sequence, error=str(error))


def _as_it_is(data: bytes) -> bytes:
    return data
