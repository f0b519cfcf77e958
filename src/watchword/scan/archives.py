"""Opens archives, compressed files and container images, nested ones too, within hard limits."""

import io
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from watchword.domain.kinds import DEFAULT_BRAND
from watchword.scan.content import HEAD, Reader
from watchword.scan.findings import Finding
from watchword.scan.limits import Budget, Counted, Damaged, Exhausted, Limits, Notes, unpacked
from watchword.scan.looking import Decoder, Look
from watchword.scan.packings import CLOSED, COMPRESSED, ERRORS, Form, decompressor, form_of, stem
from watchword.scan.tars import Member, deb_members, tar_members

_IN_MEMORY = 8 << 20
_ENCRYPTED = 1
_END_OF_DIRECTORY = b"PK\5\6"
_LONGEST_COMMENT = 1 << 16
_ELSEWHERE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Where:
    """The way to a content: file, members, and how many archives are around it."""

    path: str
    members: tuple[str, ...] = ()
    depth: int = 0

    @property
    def name(self) -> str:
        return self.members[-1] if self.members else self.path

    def member(self, name: str) -> "_Where":
        return replace(self, members=(*self.members, name))


class Archives:
    """Looks into archives by what they hold, not by their names; a `looking.Opener`.

    Opened are zip (jar, wheel, apk, office documents), tar (container images and their layers too), Debian
    packages, gzip, bzip2, xz, and zstd where its library is installed.

    Args:
        brands: brands whose values are looked for.
        decoders: further looks at each member.
        limits: how far to go.
        notes: is told what could not be read to its end.
    """

    def __init__(
        self,
        brands: Sequence[str] = (DEFAULT_BRAND,),
        decoders: Sequence[Decoder] = (),
        *,
        limits: Limits | None = None,
        notes: Notes | None = None,
    ) -> None:
        self._reader = Reader(Look(tuple(brands), tuple(decoders)))
        self._limits = limits or Limits()
        self.notes = notes or Notes()

    def wants(self, name: str, head: bytes) -> bool:
        """Whether it is an archive, by its first 512 bytes."""
        del name
        return form_of(head) is not None

    def findings(self, name: str, content: BinaryIO) -> Iterator[Finding]:
        """What is in its members, in their order."""
        where = _Where(name)
        stream = content if isinstance(content, io.BytesIO | io.BufferedReader) else _buffered(content)
        try:
            with self._told(where):
                head = stream.peek(HEAD) if isinstance(stream, io.BufferedReader) else stream.getvalue()
                form = form_of(head[:HEAD])
                yield from self._opened(form, cast(BinaryIO, stream), where, Budget(self._limits))
        except Exhausted as error:
            self.notes.add(name, (), str(error))

    @contextmanager
    def _told(self, where: _Where) -> Iterator[None]:
        """Note what ends the reading of one archive, and go on after it."""
        try:
            yield
        except Damaged as error:
            self.notes.add(where.path, where.members, str(error))
        except (*ERRORS, zipfile.BadZipFile, struct.error) as error:
            self.notes.add(where.path, where.members, f"is damaged ({type(error).__name__})")

    def _opened(
        self, form: Form | None, stream: BinaryIO, where: _Where, budget: Budget
    ) -> Iterator[Finding]:
        inside = replace(where, depth=where.depth + 1)
        if form in CLOSED:
            raise Damaged(f"archives of {form} are not opened")
        if form in COMPRESSED:
            yield from self._decompressed(form, stream, inside, budget)
        elif form is Form.ZIP:
            yield from self._zipped(stream, inside, budget)
        else:
            members = deb_members if form is Form.DEB else tar_members
            for member in members(stream, budget):
                yield from self._member(member, inside, budget)

    def _member(self, member: Member, around: _Where, budget: Budget) -> Iterator[Finding]:
        yield from self._content(cast(io.BufferedReader, member.content), around.member(member.name), budget)

    def _content(self, stream: io.BufferedReader, where: _Where, budget: Budget) -> Iterator[Finding]:
        """What a member holds, opened where it is an archive itself."""
        form = form_of(stream.peek(HEAD)[:HEAD])
        if form is not None and where.depth >= budget.limits.depth:
            self.notes.add(where.path, where.members, f"stands in {where.depth} archives; no more are opened")
            form = None
        if form is None:
            yield from self._reader.in_stream(stream, where.path, where.members)
            return
        with self._told(where):
            yield from self._opened(form, stream, where, budget)

    def _decompressed(self, form: Form, stream: BinaryIO, where: _Where, budget: Budget) -> Iterator[Finding]:
        packed = Counted(stream)
        inner = unpacked(decompressor(form, packed, budget.limits), packed, budget)
        if form_of(inner.peek(HEAD)[:HEAD]) is Form.TAR:
            for member in tar_members(inner, budget):
                yield from self._member(member, where, budget)
            return
        yield from self._content(inner, where.member(stem(where.name)), budget)

    def _zipped(self, stream: BinaryIO, where: _Where, budget: Budget) -> Iterator[Finding]:
        with _seekable(stream, budget) as file:
            if _directory_size(file) > budget.limits.directory:
                raise Damaged(f"its directory is larger than {budget.limits.directory >> 20} MiB")
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if not member.is_dir():
                        budget.member()
                        yield from self._zip_member(archive, member, where.member(member.filename), budget)

    def _zip_member(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: _Where, budget: Budget
    ) -> Iterator[Finding]:
        if member.flag_bits & _ENCRYPTED:
            self.notes.add(where.path, where.members, "is encrypted")
            return
        with self._told(where), archive.open(member) as content:
            packed = Counted(content)
            packed.count = member.compress_size
            yield from self._content(unpacked(content, packed, budget), where, budget)


def _buffered(content: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(cast(io.RawIOBase, content))


@contextmanager
def _seekable(stream: BinaryIO, budget: Budget) -> Iterator[BinaryIO]:
    """The stream if it can be sought; else a copy of it, on disk where it is large."""
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        size = 0
        while data := stream.read(1 << 20):
            size += len(data)
            if size > budget.limits.spool:
                raise Damaged(f"is larger than {budget.limits.spool >> 20} MiB inside another archive")
            spool.write(data)
        spool.seek(0)
        yield cast(BinaryIO, spool)


def _directory_size(file: BinaryIO) -> int:
    """Bytes of a zip's directory, as its end says; the library reads all of it at once."""
    size = file.seek(0, io.SEEK_END)
    tail_at = max(0, size - _LONGEST_COMMENT - 22)
    file.seek(tail_at)
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 16:
        raise Damaged("is damaged: a zip without a directory")
    found = int.from_bytes(tail[at + 12 : at + 16], "little")
    # The larger format: the directory ends where its own end record begins.
    zip64 = tail.rfind(b"PK\6\6", 0, at)
    if found == _ELSEWHERE and zip64 >= 0:
        found = int.from_bytes(tail[zip64 + 40 : zip64 + 48], "little")
    return found
