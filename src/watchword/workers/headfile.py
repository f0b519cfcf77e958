"""Signed heads of audit trails in a file that only grows, one JSON object a line."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from watchword.domain.audittrail import Head
from watchword.domain.errors import Malformed
from watchword.services.trailexport import PublishedHead, published


@dataclass(slots=True)
class HeadFile:
    """`services.sealing.Publisher` that appends to a file and waits for the disk, and reads it again."""

    path: Path

    async def publish(self, heads: Sequence[tuple[Head, bytes]]) -> None:
        """Append heads; returns after they are on the disk.

        Raises:
            OSError: they could not be written.
        """
        lines = b"".join(msgspec.json.encode(published(head, key)) + b"\n" for head, key in heads)
        await asyncio.to_thread(self._append, lines)

    async def heads(self) -> Sequence[Head]:
        """Every head of the file; none where nothing was published yet.

        Raises:
            Malformed: the file holds something else.
            OSError: it cannot be read.
        """
        return await asyncio.to_thread(self._heads)

    def _heads(self) -> list[Head]:
        return [line.head() for line in read_heads(self.path)] if self.path.exists() else []

    def _append(self, lines: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            if file.tell() and not _ends_with_line(self.path):
                file.write(b"\n")  # a crash or a full disk left a part of a line
            file.write(lines)
            os.fsync(file.fileno())


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_heads(path: Path) -> list[PublishedHead]:
    """Heads of a file; what a crash left half written at its end, or before a later line, is passed over.

    Raises:
        Malformed: the file holds something else.
        OSError: it cannot be read.
    """
    found, broken = [], 0
    for line in path.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=PublishedHead))
        except msgspec.MsgspecError:
            broken += 1
    if broken and not found:
        raise Malformed(f"{path} holds no heads of audit trails")
    return found
