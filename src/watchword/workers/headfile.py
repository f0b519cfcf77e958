"""Signed heads of audit trails in a file that only grows, one JSON object a line."""

import asyncio
import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from watchword.domain.audittrail import Head
from watchword.domain.errors import Malformed
from watchword.domain.ids import OrganizationId


class PublishedHead(msgspec.Struct, kw_only=True):
    """A head as it is published; bytes are hexadecimal, times microseconds."""

    organization_id: str
    sequence: int
    link: str
    through: int
    sealed_at: int
    key: int
    public_key: str
    signature: str

    def head(self) -> Head:
        """The head.

        Raises:
            ValueError: a part is not hexadecimal.
        """
        return Head(
            OrganizationId(self.organization_id),
            self.sequence,
            bytes.fromhex(self.link),
            self.through,
            self.sealed_at,
            self.key,
            base64.b16decode(self.signature, casefold=True),
        )


def published(head: Head, public_key: bytes) -> PublishedHead:
    """A head in its published form."""
    return PublishedHead(
        organization_id=head.organization_id,
        sequence=head.sequence,
        link=head.link.hex(),
        through=head.through,
        sealed_at=head.sealed_at,
        key=head.key,
        public_key=public_key.hex(),
        signature=head.signature.hex(),
    )


@dataclass(slots=True)
class HeadFile:
    """`services.sealing.Publisher` that appends to a file and waits for the disk."""

    path: Path

    async def publish(self, heads: Sequence[tuple[Head, bytes]]) -> None:
        """Append heads; returns after they are on the disk.

        Raises:
            OSError: they could not be written.
        """
        lines = b"".join(msgspec.json.encode(published(head, key)) + b"\n" for head, key in heads)
        await asyncio.to_thread(self._append, lines)

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
