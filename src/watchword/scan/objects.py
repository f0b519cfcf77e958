"""Reads git's objects, every one once; a close look only where one is worth while."""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import IO, Any, BinaryIO, cast

from watchword.scan.content import OVERLAP, WINDOW, Reader
from watchword.scan.findings import Finding
from watchword.scan.gitting import Git, end
from watchword.scan.listing import LINE, LINE_WORDS, MISSING, Spool, names_file, out
from watchword.scan.looking import Look
from watchword.scan.passing import packed
from watchword.scan.walking import Trouble

_CHUNK = 256 << 10
_LARGE = 4 << 20
_IN_MEMORY = 32 << 20
Looked = tuple[str, str, list[Finding]]  # an object's name, its kind, and what it holds


def work(git: Git, look: Look, spool: Spool) -> Callable[[tuple[int, int]], tuple[Any, ...]]:
    """What a process does with a piece: objects and bytes read, findings by object, troubles.

    Findings are told as (object, kind, packed findings); an object's name stands for the path, and offsets in
    a commit or a tag are those in its message.
    """
    reader = Reader(look)

    def read(task: tuple[int, int]) -> tuple[Any, ...]:
        lines = spool.piece(*task)
        troubles: list[tuple[str, str]] = []
        found, closer = ([], lines) if look.openers else streamed(git, reader, lines)
        names = [line.split()[0] for line in closer]
        found += looked_at(git, reader, names, lambda *told: troubles.append(told))
        plain = [(name, kind, list(map(packed, findings))) for name, kind, findings in found if findings]
        return len(lines), sum(int(line.rpartition(b" ")[2]) for line in lines), plain, troubles

    return read


def streamed(git: Git, reader: Reader, lines: list[bytes]) -> tuple[list[Looked], list[bytes]]:
    """Look at objects in one stream, which is not taken apart: where an object stands is known from the list.

    Returns:
        What was found, and the lines of objects that need a look of their own: large ones with candidates;
        all of them where git does not write what it listed.
    """
    ends = list(accumulate(len(line) + int(line.rpartition(b" ")[2]) + 2 for line in lines))
    found: list[Looked] = []
    large: dict[int, None] = {}
    with names_file(line.split()[0] for line in lines) as names:
        process = git.start("cat-file", f"--batch={LINE}", "--buffer", stdin=names.fileno())
        try:
            read = 0
            for base, data in _windows(out(process).fileno(), ends):
                read = base + len(data)
                whole = bisect_right(ends, read)
                if whole == len(ends) and read != ends[-1]:
                    return [], lines
                for number in dict.fromkeys(bisect_right(ends, base + at) for at in reader.candidates(data)):
                    start = _start(ends, number) - base
                    if start < 0 or (number >= whole and _is_large(ends, number)):
                        large[number] = None
                    elif number < whole:
                        head = lines[number] + b"\n"
                        if not data.startswith(head, start):
                            return [], lines
                        content = data[start + len(head) : ends[number] - base - 1]
                        name, kind, _ = lines[number].decode().split(" ")
                        found.append((name, kind, list(_findings(reader, content, name, kind))))
        finally:
            status = end(process)
    return ([], lines) if status or read != ends[-1] else (found, [lines[number] for number in large])


def _windows(pipe: int, ends: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Pieces of a stream of objects, each with its offset; one of them has an object whole, if not large."""
    data = b""
    base, wanted = 0, _CHUNK
    while True:
        parts = [data]
        while wanted > 0 and (part := os.read(pipe, WINDOW)):
            parts.append(part)
            wanted -= len(part)
        if len(parts) == 1:
            return
        data = b"".join(parts)
        yield base, data
        read = base + len(data)
        cut = bisect_right(ends, read)  # the object that this piece ends in
        kept = _start(ends, cut)
        wanted = _CHUNK
        if cut < len(ends) and _is_large(ends, cut):
            kept = max(kept, read - OVERLAP)
        elif cut < len(ends):
            wanted = max(_CHUNK, ends[cut] - read)
        data = data[max(kept - base, 0) :]
        base = read - len(data)


def _start(ends: Sequence[int], number: int) -> int:
    return ends[number - 1] if number else 0


def _is_large(ends: Sequence[int], number: int) -> bool:
    return ends[number] - _start(ends, number) > _LARGE


def looked_at(git: Git, reader: Reader, names: Sequence[bytes], trouble: Trouble) -> Iterator[Looked]:
    """Findings in objects that are read one by one: each object's name, its kind, and what it holds.

    An object that git cannot read is told as trouble, and the others are read all the same.
    """
    first = 0
    while first < len(names):
        with names_file(names[first:]) as listed:
            process = git.start("cat-file", f"--batch={LINE}", "--buffer", stdin=listed.fileno())
            try:
                for name in names[first:]:
                    header = out(process).readline().split()
                    if len(header) == LINE_WORDS:
                        kind, size = header[1].decode(), int(header[2])
                        findings = list(_read(reader, out(process), name.decode(), kind, size))
                        yield name.decode(), kind, findings
                        if not out(process).read(1):  # cut off: git found the object broken
                            break
                    elif header[1:] == [b"missing"]:
                        trouble(name.decode(), MISSING)
                    else:
                        break
                    first += 1
            finally:
                end(process)
        if first < len(names):
            trouble(names[first].decode(), "Git cannot read this object.")
            first += 1


def _read(reader: Reader, stream: IO[bytes], name: str, kind: str, size: int) -> Iterator[Finding]:
    if size > _IN_MEMORY:
        rest = _Part(stream, size)
        yield from reader.in_stream(cast("BinaryIO", rest), name)
        rest.drain()
    else:
        yield from _findings(reader, stream.read(size), name, kind)


def _findings(reader: Reader, data: bytes, name: str, kind: str) -> Iterator[Finding]:
    if kind == "blob":
        yield from reader.in_bytes(data, name)
    else:
        # Headers hold names and addresses; lines are counted in what people wrote.
        head, _, message = data.partition(b"\n\n")
        yield from reader.in_bytes(head, name)
        yield from reader.in_bytes(message, name)


class _Part:
    """The next bytes of a stream, as a stream that cannot go back."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._left = stream, size

    def seekable(self) -> bool:
        return False

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data

    def drain(self) -> None:
        while self._left and self.read(WINDOW):
            pass
