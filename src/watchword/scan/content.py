"""Looks at one content of any size in bounded memory, and says where its hits stand."""

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import BinaryIO

from watchword.scan.engine import Engine
from watchword.scan.findings import Encoding, Finding, Hit, Place
from watchword.scan.looking import Look

HEAD = 512  # what openers are shown
_TEXT_HEAD = 8000  # what git looks at to tell text from binary
WINDOW = 8 << 20
OVERLAP = 1 << 16  # what two windows share: longer than any value, however it is encoded


class Reader:
    """Looks at contents; one for each process and scan.

    Args:
        look: what is looked for, and how.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._engine = Engine(look.brands)

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
        data = stream.read(WINDOW)
        places = Places(path, members, binary=is_binary(data))
        base = seen = 0
        while data:
            more = stream.read(WINDOW - OVERLAP) if len(data) > OVERLAP else b""
            # What starts in the overlap is seen whole in the next window.
            safe = len(data) - OVERLAP if more else len(data)
            for hit in self.hits(data):
                if hit.start < safe and base + hit.start >= seen:
                    seen = base + hit.end if hit.encoding is Encoding.PLAIN else seen
                    yield places.of(data, base, hit)
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
    """

    def __init__(self, path: str, members: tuple[str, ...] = (), *, binary: bool) -> None:
        self._path, self._members, self._binary = path, members, binary
        self._line = 1
        self._line_start = 0
        self._counted = 0

    def of(self, data: bytes, base: int, hit: Hit) -> Finding:
        """A hit in a window that begins at the offset `base` of the content."""
        self.passed(data, base, hit.start)
        offset = base + hit.start
        line, column = (0, offset + 1) if self._binary else (self._line, offset - self._line_start + 1)
        return Finding(hit, Place(self._path, line, column, offset, self._members))

    def passed(self, data: bytes, base: int, end: int) -> None:
        """Count the lines up to an offset in the window, once."""
        start = self._counted - base
        if self._binary or end <= start:
            return
        lines = data.count(b"\n", start, end)
        if lines:
            self._line += lines
            self._line_start = base + data.rindex(b"\n", start, end) + 1
        self._counted = base + end


def is_binary(head: bytes) -> bool:
    """Whether content that begins so has no lines: a NUL byte stands in its first 8,000 bytes."""
    return head.find(b"\0", 0, _TEXT_HEAD) >= 0
