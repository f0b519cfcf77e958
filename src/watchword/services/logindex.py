"""Where lines of a job's log begin: a mark in each of its parts, kept in memory and made again at need.

A log only grows, so what was found stays true; each look goes on where the last one stopped.
"""

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from watchword.domain.ansistyles import PLAIN, Style, style_after
from watchword.domain.ids import JobId, OrganizationId
from watchword.domain.loglines import MAX_LINE, pass_over, split_lines
from watchword.domain.pipelines import Job
from watchword.services.context import Context
from watchword.services.tailing import read_parts

# Lines between two marks, at least: where parts are small, not each has one.
STRIDE = 250
# About 200 bytes each.
_MAX_MARKS = 200_000
_MAX_LOGS = 512


class Mark(NamedTuple):
    """The beginning of a line.

    Attributes:
        line: how many lines go before it.
        position: its first byte.
        style: what it begins with.
    """

    line: int
    position: int
    style: Style


_START = Mark(0, 0, PLAIN)


@dataclass(slots=True)
class LogIndex:
    """What is known of one log.

    Attributes:
        marks: beginnings of lines, in order.
        end: the beginning of the line under way.
        rest: that line's bytes so far.
        read: up to which position the log was looked at.
    """

    marks: list[Mark] = field(default_factory=lambda: [_START])
    end: Mark = _START
    rest: bytes = b""
    read: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def lines(self) -> int:
        """How many lines there are, the one under way among them."""
        return self.end.line + bool(self.rest)

    def before(self, line: int) -> Mark:
        """The nearest mark from which one gets to a line, counted from 0."""
        if line >= self.end.line:
            return self.end
        return self.marks[bisect_right(self.marks, line, key=lambda mark: mark.line) - 1]

    def extend(self, position: int, text: bytes) -> None:
        """Take the next part of the log in."""
        # The line under way may have begun before a hole that this part follows.
        at = position - len(self.rest)
        text = self.rest + text
        if max(map(len, text.split(b"\n"))) <= MAX_LINE:
            size = text.rfind(b"\n") + 1
            whole, self.rest = text[:size], text[size:]
            self._pass(whole.count(b"\n"), at + size, style_after(self.end.style, whole))
        else:
            lines, self.rest = split_lines(text)
            size = sum(map(len, lines))
            self._pass(len(lines), at + size, pass_over(self.end.style, lines))
        self.read = at + len(text)

    def _pass(self, lines: int, position: int, style: Style) -> None:
        """Note where the next line begins."""
        self.end = Mark(self.end.line + lines, position, style)
        if self.end.line - self.marks[-1].line >= STRIDE:
            self.marks.append(self.end)


class LogIndexes:
    """The indexes of the logs that were looked at lately."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: OrderedDict[tuple[OrganizationId, JobId], LogIndex] = OrderedDict()

    async def of(self, job: Job) -> LogIndex:
        """The index of a job's log as it is now."""
        key = (job.organization_id, job.id)
        index = self._known.setdefault(key, LogIndex())
        self._known.move_to_end(key)
        async with index.lock:
            async for position, text in read_parts(self._context, job, index.read):
                index.extend(position, text)
                await asyncio.sleep(0)  # a long log is read beside other requests
        self._forget()
        return index

    def _forget(self) -> None:
        """Let go of what was not looked at for longest."""
        marks = sum(len(index.marks) for index in self._known.values())
        while len(self._known) > 1 and (marks > _MAX_MARKS or len(self._known) > _MAX_LOGS):
            _, index = self._known.popitem(last=False)
            marks -= len(index.marks)
