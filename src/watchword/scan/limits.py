"""How far archives are unpacked, and what is told of those that were not read to their end."""

import io
import json
import os
import weakref
from typing import BinaryIO, NamedTuple, Protocol

MIB = 1 << 20
GIB = 1 << 30


class Limits(NamedTuple):
    """What one file may become; where it is more, the rest is told as not read.

    Attributes:
        total: bytes, of all that is unpacked from it.
        ratio: times the packed size; looked at beyond `ratio_from` bytes.
        ratio_from: bytes.
        members: files in all archives of it.
        depth: archives inside archives.
        directory: bytes of a zip's directory, which is held in memory.
        spool: bytes of a zip inside another archive, which is held on disk.
        memory: bytes that a decompressor may ask for.
    """

    total: int = 10 * GIB
    ratio: int = 200
    ratio_from: int = 64 * MIB
    members: int = 1_000_000
    depth: int = 8
    directory: int = 32 * MIB
    spool: int = 2 * GIB
    memory: int = 256 * MIB


class Unread(NamedTuple):
    """Something that was not read to its end, and why, in a sentence for people."""

    path: str
    members: tuple[str, ...]
    why: str


class Notes:
    """Keeps what was not fully read, over all processes of a scan: a file that each appends to."""

    def __init__(self) -> None:
        self._file = _shared_file()
        weakref.finalize(self, self._file.close)

    def add(self, path: str, members: tuple[str, ...], why: str) -> None:
        """Note it; other processes may do so at the same time."""
        self._file.write(json.dumps([path, members, why]).encode() + b"\n")

    def all(self) -> list[Unread]:
        """What was noted until now, each once, by path."""
        self._file.seek(0)
        lines = dict.fromkeys(self._file.read().splitlines())
        found = (json.loads(line) for line in lines)
        return sorted(
            (Unread(path, tuple(members), why) for path, members, why in found),
            key=lambda unread: (unread.path, unread.members),
        )


def _shared_file() -> BinaryIO:
    """A file without a name that this process and those that it forks append to."""
    if hasattr(os, "memfd_create"):
        import fcntl  # noqa: PLC0415 - not on every system

        number = os.memfd_create("watchword-scan")
        fcntl.fcntl(number, fcntl.F_SETFL, os.O_APPEND)
        return open(number, "a+b", buffering=0)
    import tempfile  # noqa: PLC0415 - slow to load

    return tempfile.TemporaryFile("a+b", buffering=0)


class Damaged(Exception):
    """An archive cannot be read any further; what holds it can."""


class Exhausted(Exception):
    """The limits of the whole file are reached."""


class Budget:
    """What may still be unpacked from one file.

    Args:
        limits: of the file.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._left = limits.total
        self._members = limits.members

    def take(self, size: int) -> None:
        """Count bytes.

        Raises:
            Exhausted: they are too many.
        """
        self._left -= size
        if self._left < 0:
            raise Exhausted(f"unpacks to more than {self.limits.total // MIB} MiB")

    def member(self) -> None:
        """Count a member.

        Raises:
            Exhausted: they are too many.
        """
        self._members -= 1
        if self._members < 0:
            raise Exhausted(f"holds more than {self.limits.members} files")


class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes:
        """At most so many; none at the end."""


class Counted:
    """Counts what is read.

    Args:
        source: gives it.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes."""
        data = self._source.read(size if size >= 0 else MIB)
        self.count += len(data)
        return data


class _Unpacked(io.RawIOBase):
    def __init__(self, source: Readable, packed: Counted, budget: Budget) -> None:
        super().__init__()
        self._source, self._packed, self._budget = source, packed, budget
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        self._size += len(data)
        self._budget.take(len(data))
        limits = self._budget.limits
        if self._size > limits.ratio_from and self._size > limits.ratio * self._packed.count:
            raise Damaged(f"unpacks to more than {limits.ratio} times its size")
        return len(data)


def unpacked(source: Readable, packed: Counted, budget: Budget) -> io.BufferedReader:
    """A stream of what a decompressor gives, within the budget.

    Args:
        source: the decompressor.
        packed: what it reads from.
        budget: of the whole file.
    """
    return io.BufferedReader(_Unpacked(source, packed, budget))


class _Part(io.RawIOBase):
    def __init__(self, source: BinaryIO, size: int, budget: Budget) -> None:
        super().__init__()
        self._source, self._left, self._budget = source, size, budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._source.read(min(len(buffer), self._left))
        if not data and self._left and len(buffer):
            raise Damaged("ends too early")
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def part(source: BinaryIO, size: int, budget: Budget) -> io.BufferedReader:
    """The next bytes of a stream as a stream of its own."""
    return io.BufferedReader(_Part(source, size, budget))
