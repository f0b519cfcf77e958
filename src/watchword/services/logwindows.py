"""Windows: a part of a job's log as lines, however long the log is; what to find in it, and what follows."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from watchword.domain.ansi import Line, finder, render_line
from watchword.domain.errors import Invalid
from watchword.domain.loglines import pass_over, split_lines
from watchword.domain.pipelines import Job, JobState
from watchword.services.context import Context
from watchword.services.house import require_log
from watchword.services.logindex import LogIndex, LogIndexes
from watchword.services.tailing import read_parts

MAX_LINES = 2000
# Where lines are long there are fewer of them in a window.
MAX_BYTES = 1024 * 1024
MAX_FOUND = 1000
MAX_NEEDLE = 200
LOOK_SECONDS = 0.5
# Searches at a time: each reads a whole log.
_SEARCHES = 2
_PATIENCE = 30
# Lines that are made before other requests come in between.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class LogWindow:
    """Lines of a log that stand next to each other.

    Attributes:
        first: number of the first of them, from 1.
        lines: the lines; fewer than were asked for where they are long.
        total: how many lines the log has, the one under way among them.
        growing: whether the log's last line is still being written.
        job: the job as it was then; where it has ended no line follows.
    """

    first: int
    lines: tuple[Line, ...]
    total: int
    growing: bool
    job: Job

    @property
    def ended(self) -> bool:
        """Whether no line follows."""
        return self.job.state.ended

    @property
    def after(self) -> int:
        """Number of the line that follows."""
        return self.first + len(self.lines)

    @property
    def settled(self) -> int:
        """How many of the log's lines, up to the window's end, change no more."""
        return self.after - 1 - (self.growing and self.after > self.total)


@dataclass(frozen=True, slots=True)
class Found:
    """Lines that show a text: each one's number, from 1, and what it shows; `more`: there are others."""

    lines: tuple[tuple[int, str], ...]
    more: bool


@dataclass(slots=True)
class LogWindows:
    """Reads logs by line.

    Attributes:
        pause: seconds between two looks at a log that is followed.
        stopped: whether the server is ending.
    """

    context: Context
    pause: float = LOOK_SECONDS
    indexes: LogIndexes = field(init=False)
    stopped: bool = False
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_SEARCHES))

    def __post_init__(self) -> None:
        self.indexes = LogIndexes(self.context)

    async def view(self, job: Job, first: int = 1, count: int = MAX_LINES) -> LogWindow:
        """Lines from a number on; a number beyond the end gives none.

        Raises:
            NotFound: the log was deleted (410).
        """
        await require_log(self.context, job)
        index = await self.indexes.of(job)
        return await self._cut(job, index, max(1, first), count)

    async def tail(self, job: Job, count: int = MAX_LINES) -> LogWindow:
        """The last lines.

        Raises:
            NotFound: the log was deleted (410).
        """
        await require_log(self.context, job)
        index = await self.indexes.of(job)
        while True:
            window = await self._cut(job, index, max(1, index.lines - count + 1), count)
            if window.after > window.total or count <= 1:
                return window
            count //= 2  # its lines are long

    async def _cut(self, job: Job, index: LogIndex, first: int, count: int) -> LogWindow:
        count = max(0, min(count, MAX_LINES, index.lines - first + 1))
        growing = bool(index.rest) and not job.state.ended
        lines = await self._lines(job, index, first - 1, count) if count else ()
        return LogWindow(first, lines, index.lines, growing, job)

    async def _lines(self, job: Job, index: LogIndex, skip: int, count: int) -> tuple[Line, ...]:
        """Lines after the first `skip` ones."""
        number, position, style = index.before(skip)
        raw: list[bytes] = []
        rest, size = b"", 0
        async with aclosing(read_parts(self.context, job, position)) as parts:
            async for _, text in parts:
                some, rest = split_lines(rest + text)
                passed = min(skip - number, len(some))
                style = pass_over(style, some[:passed])
                number += passed
                raw += some[passed:]
                size += sum(map(len, some[passed:]))
                if len(raw) >= count or size > MAX_BYTES:
                    break
            else:
                raw += [rest] if rest else []
        lines: list[Line] = []
        size = 0
        for one in raw[:count]:
            size += len(one)
            if lines and size > MAX_BYTES:
                break
            line, style = render_line(one, style)
            lines.append(line)
            if len(lines) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return tuple(lines)

    async def search(self, job: Job, needle: str, first: int = 1, most: int = MAX_FOUND) -> Found:
        """Lines from a number on that show a text, whatever its case; at most so many.

        Raises:
            Invalid: the text is empty or too long.
            NotFound: the log was deleted (410).
        """
        wanted = needle.casefold()
        if not wanted.strip() or len(needle) > MAX_NEEDLE:
            raise Invalid(f"Search for 1 to {MAX_NEEDLE} characters.", code="invalid_search")
        await require_log(self.context, job)
        async with self._turns:
            return await self._search(job, wanted, first, most)

    async def _search(self, job: Job, wanted: str, first: int, most: int) -> Found:
        index = await self.indexes.of(job)
        number, position, _ = index.before(max(0, first - 1))
        rest = b""
        number += 1
        found: list[tuple[int, str]] = []
        async with aclosing(read_parts(self.context, job, position)) as parts:
            async for _, text in parts:
                lines, rest = split_lines(rest + text)
                found += [
                    (number + at, shown) for at, shown in _showing(lines, wanted) if number + at >= first
                ]
                number += len(lines)
                if len(found) > most:
                    break
                await asyncio.sleep(0)
            else:
                found += [
                    (number + at, shown) for at, shown in _showing([rest], wanted) if number + at >= first
                ]
        return Found(tuple(found[:most]), len(found) > most)

    async def follow(self, job: Job, first: int) -> AsyncGenerator[LogWindow | None, None]:
        """What comes from a line on, as it comes, until the job has ended; None where nothing does for long.

        Each window begins with the line that was still being written in the one before. Close it when done.

        Raises:
            NotFound: the log was deleted (410).
        """
        seen: tuple[JobState, int] | None = None
        idle = 0
        current: Job | None = job
        while current is not None and not self.stopped:
            now = (current.state, current.log_size)
            if now != seen:
                window = await self.view(current, first)
                first, idle = window.settled + 1, 0
                yield window
                if window.after <= window.total:
                    continue
                seen = now
                if window.ended:
                    return
            elif idle >= _PATIENCE:
                idle = 0
                yield None
            await asyncio.sleep(self.pause)
            idle += 1
            current = await self.context.store.read(lambda tx: tx.builds.job(job.organization_id, job.id))

    def stop(self) -> None:
        """Let followers go: a server that stops waits for its open answers."""
        self.stopped = True


def _showing(lines: list[bytes], wanted: str) -> Iterator[tuple[int, str]]:
    """Which lines show a text, and what each shows; a line that only holds it among its controls does not."""
    text = b"\n".join(line.removesuffix(b"\n") for line in lines).decode(errors="replace").casefold()
    at = counted = 0
    seen = -1
    for found in finder(wanted).finditer(text):
        at += text.count("\n", counted, found.start())
        counted = found.start()
        if at == seen:
            continue
        seen = at
        shown = render_line(lines[at])[0].text
        if wanted in shown.casefold():
            yield at, shown
