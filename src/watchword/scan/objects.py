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
_IN_MEMORY = 32 << 20


def work(git: Git, look: Look, spool: Spool) -> Callable[[tuple[int, int]], tuple[Any, ...]]:
    """What a process does with a piece: objects and bytes read, findings by object, troubles.

    Findings are told as (object, kind, packed findings); an object's name stands for the path, and offsets in
    a commit or a tag are those in its message.
    """

    def read(task: tuple[int, int]) -> tuple[Any, ...]:
        lines = spool.piece(*task)
        troubles: list[tuple[str, str]] = []
        reader = Reader(look)
        closer = lines if look.openers else _suspects(git, reader, lines)
        found = [
            (name, kind, list(map(packed, findings)))
            for name, kind, findings in looked_at(
                git, reader, [line.split()[0] for line in closer], lambda *told: troubles.append(told)
            )
            if findings
        ]
        size = sum(int(line.split()[2]) for line in lines)
        return len(lines), size, found, troubles

    return read


def _suspects(git: Git, reader: Reader, lines: list[bytes]) -> list[bytes]:
    """The objects that are worth a close look; all of them where git does not write what it listed.

    The stream is not taken apart: where an object stands in it is known from the list.
    """
    ends = list(accumulate(len(line) + int(line.rpartition(b" ")[2]) + 2 for line in lines))
    found: dict[int, None] = {}
    read = 0
    with names_file(line.split()[0] for line in lines) as names:
        process = git.start("cat-file", f"--batch={LINE}", "--buffer", stdin=names.fileno())
        try:
            for base, data in _windows(out(process)):
                read = base + len(data)
                if read > ends[-1]:
                    return lines
                for at in reader.candidates(data):
                    found[bisect_right(ends, base + at)] = None
        finally:
            status = end(process)
    return lines if status or read != ends[-1] else [lines[number] for number in found]


def _windows(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Pieces of a stream that overlap, each with its offset."""
    pipe = stream.fileno()
    data = b""
    base = 0
    while True:
        kept = data[-OVERLAP:]
        parts = [kept]
        got = 0
        while got < _CHUNK and (part := os.read(pipe, WINDOW)):
            parts.append(part)
            got += len(part)
        if not got:
            return
        base += len(data) - len(kept)
        data = b"".join(parts)
        yield base, data


def looked_at(
    git: Git, reader: Reader, names: Sequence[bytes], trouble: Trouble
) -> Iterator[tuple[str, str, list[Finding]]]:
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
                        findings = list(_findings(reader, out(process), name.decode(), kind, size))
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


def _findings(reader: Reader, stream: IO[bytes], name: str, kind: str, size: int) -> Iterator[Finding]:
    if size > _IN_MEMORY:
        rest = _Part(stream, size)
        yield from reader.in_stream(cast("BinaryIO", rest), name)
        rest.drain()
        return
    data = stream.read(size)
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
