"""Looks at one content of any size in bounded memory, and says where its hits stand."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BytesIO
from typing import BinaryIO

from watchword.scan.engine import Engine
from watchword.scan.findings import Encoding, Finding, Hit, Place
from watchword.scan.looking import Look

HEAD = 512  # what openers are shown
ALLOW = b"watchword:allow"
_LONGEST_LINE = 1024  # on either side of a value
_TEXT_HEAD = 8000  # what git looks at to tell text from binary
WINDOW = 1 << 20  # what stays in a core's own cache
OVERLAP = 1 << 14  # what two windows share: longer than any value, however it is encoded


class Reader:
    """Looks at contents; one for each process and scan.

    Args:
        look: what is looked for, and how.

    Attributes:
        opens: whether contents are opened too.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._engine = Engine(look.brands)
        self.opens = bool(look.openers)

    def maybe(self, data: bytes) -> bool:
        """Whether a close look is worth while; where it is not, there are no hits."""
        if self._engine.maybe(data):
            return True
        return any(True for decoder in self._look.decoders for _ in decoder(data))

    def candidates(self, data: bytes) -> Iterator[int]:
        """Places that are worth a close look, in no order."""
        yield from self._engine.candidates(data)
        for decoder in self._look.decoders:
            for hit in decoder(data):
                yield hit.start

    def hits(self, data: bytes) -> list[Hit]:
        """All hits in a piece of bytes, by place: the engine's and the decoders'."""
        found = list(self._engine.hits(data))
        for decoder in self._look.decoders:
            found += decoder(data)
        if self._look.decoders:
            found.sort(key=lambda hit: (hit.start, hit.encoding is not Encoding.PLAIN, hit.end))
        return found

    def in_bytes(self, data: bytes, path: str, members: tuple[str, ...] = ()) -> Iterator[Finding]:
        """The findings in a content that is in memory, and in what openers find in it."""
        places = Places(path, members, binary=is_binary(data))
        for hit in self.hits(data):
            yield places.of(data, 0, hit)
        yield from self.opened(path, data[:HEAD], lambda: BytesIO(data))

    def in_stream(self, stream: BinaryIO, path: str, members: tuple[str, ...] = ()) -> Iterator[Finding]:
        """The findings in a content of any length, in windows that overlap; openers do not look at it."""
        data = _filled(stream, WINDOW)
        recount = partial(_lines, stream) if stream.seekable() else None
        places = Places(path, members, binary=is_binary(data), recount=recount)
        base = seen = 0
        while data:
            more = _filled(stream, WINDOW - OVERLAP) if len(data) > OVERLAP else b""
            # What starts in the overlap is seen whole in the next window.
            safe = len(data) - OVERLAP if more else len(data)
            for hit in self.hits(data):
                if hit.start < safe and base + hit.start >= seen:
                    seen = base + hit.end if hit.encoding is Encoding.PLAIN else seen
                    yield places.of(data, base, hit)
            if recount is None:
                places.passed(data, base, safe)
            data = data[safe:] + more if more else b""
            base += safe

    def opened(self, path: str, head: bytes, content: Callable[[], BinaryIO]) -> Iterable[Finding]:
        """What the first opener that wants the content finds in it."""
        for opener in self._look.openers:
            if opener.wants(path, head):
                with content() as stream:
                    yield from opener.findings(path, stream)
                return


class Places:
    """Turns offsets into lines and columns, going forward only.

    Args:
        path, members: where the content is.
        binary: whether it has no lines.
        recount: says how many lines begin between two offsets that lie behind, and where the last of
            them does; where it is missing, `passed` must be told all of the content.
    """

    def __init__(
        self,
        path: str,
        members: tuple[str, ...] = (),
        *,
        binary: bool,
        recount: Callable[[int, int], tuple[int, int]] | None = None,
    ) -> None:
        self._path, self._members, self._binary, self._recount = path, members, binary, recount
        self._line = 1
        self._line_start = 0
        self._counted = 0

    def of(self, data: bytes, base: int, hit: Hit) -> Finding:
        """A hit in a window that begins at the offset `base` of the content."""
        offset = base + hit.start
        if self._binary:
            place = Place(self._path, 0, offset + 1, offset, self._members)
            return Finding(hit, place, is_allowed(data, hit))
        if self._recount is not None and self._counted < base:
            lines, last = self._recount(self._counted, base)
            self._add(lines, last, base)
        self.passed(data, base, hit.start)
        column = offset - self._line_start + 1
        place = Place(self._path, self._line, column, offset, self._members)
        return Finding(hit, place, is_allowed(data, hit))

    def passed(self, data: bytes, base: int, end: int) -> None:
        """Count the lines up to an offset in the window, once."""
        start = self._counted - base
        if self._binary or end <= start:
            return
        lines = data.count(b"\n", start, end)
        self._add(lines, base + data.rfind(b"\n", start, end) + 1, base + end)

    def _add(self, lines: int, last: int, counted: int) -> None:
        if lines:
            self._line += lines
            self._line_start = last
        self._counted = counted


def is_allowed(data: bytes, hit: Hit) -> bool:
    """Whether the line on which a value ends says `watchword:allow`."""
    start = data.rfind(b"\n", max(0, hit.start - _LONGEST_LINE), hit.start) + 1
    end = data.find(b"\n", hit.end, hit.end + _LONGEST_LINE)
    line = data[max(start, hit.start - _LONGEST_LINE) : end if end >= 0 else hit.end + _LONGEST_LINE]
    return ALLOW in line


def _lines(stream: BinaryIO, start: int, end: int) -> tuple[int, int]:
    """Lines that begin after one offset and up to another, and where the last one does."""
    before = stream.tell()
    stream.seek(start)
    lines = last = 0
    while start < end and (data := stream.read(min(WINDOW, end - start))):
        lines += data.count(b"\n")
        if (found := data.rfind(b"\n")) >= 0:
            last = start + found + 1
        start += len(data)
    stream.seek(before)
    return lines, last


def _filled(stream: BinaryIO, size: int) -> bytes:
    """So many bytes, fewer only at the end: unbuffered streams may give less at a time."""
    data = stream.read(size)
    if not data or len(data) == size:
        return data or b""
    parts = [data]
    missing = size - len(data)
    while missing and (data := stream.read(missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def is_binary(head: bytes) -> bool:
    """Whether content that begins so has no lines: a NUL byte stands in its first 8,000 bytes."""
    return head.find(b"\0", 0, _TEXT_HEAD) >= 0
