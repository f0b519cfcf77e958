"""Recognises archives and compressed files by their first bytes, and decompresses streams."""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from watchword.scan.limits import Damaged, Limits, Readable


class Form(StrEnum):
    """What a content is packed as."""

    ZIP = "zip"
    TAR = "tar"
    DEB = "deb"
    GZIP = "gz"
    BZIP2 = "bz2"
    XZ = "xz"
    ZSTD = "zst"
    SEVEN_ZIP = "7z"
    RAR = "rar"


COMPRESSED = frozenset({Form.GZIP, Form.BZIP2, Form.XZ, Form.ZSTD})
CLOSED = frozenset({Form.SEVEN_ZIP, Form.RAR})
# What decompressors and readers say of content that is not what it seems to be.
ERRORS = (OSError, EOFError, ValueError, ArithmeticError, LookupError, NotImplementedError, RuntimeError)
ERRORS += (zlib.error, lzma.LZMAError, gzip.BadGzipFile)  # type: ignore[assignment]

_BLOCK = 512
_CHECKSUM = slice(148, 156)
_OCTAL = re.compile(rb" *[0-7]{1,7}[ \0]")
_BEGINNINGS = (
    (b"PK\3\4", Form.ZIP),
    (b"PK\5\6", Form.ZIP),
    (b"\x1f\x8b\x08", Form.GZIP),
    (b"BZh", Form.BZIP2),
    (b"\xfd7zXZ\0", Form.XZ),
    (b"\x28\xb5\x2f\xfd", Form.ZSTD),
    (b"!<arch>\ndebian-binary", Form.DEB),
    (b"7z\xbc\xaf\x27\x1c", Form.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Form.RAR),
)
_FIRST = frozenset(begin[0] for begin, _ in _BEGINNINGS)
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".tgz", ".tbz2", ".txz", ".tzst", ".z")
_MAX_WINDOW = 128 << 20


def form_of(head: bytes) -> Form | None:
    """What content that begins so is packed as; 512 bytes are enough."""
    if not head:
        return None
    if head[0] in _FIRST:
        for begin, form in _BEGINNINGS:
            if head.startswith(begin):
                return form
    if head.startswith(b"#!") and b"\nPK\3\4" in head:
        return Form.ZIP  # a Python zip application
    return Form.TAR if is_tar(head) else None


def is_tar(block: bytes) -> bool:
    """Whether a block is a header of tar, of any dialect: its checksum holds."""
    stored = block[_CHECKSUM]
    number = _OCTAL.match(stored)
    if len(block) < _BLOCK or number is None:
        return False
    found = sum(block[:_BLOCK]) - sum(stored) + len(stored) * ord(" ")
    return int(number.group().strip(b" \0"), 8) == found


def decompressor(form: Form, packed: Readable, limits: Limits) -> Readable:
    """Decompresses a stream, a few bytes at a time.

    Raises:
        Damaged: it cannot be done here.
    """
    source: Any = packed
    match form:
        case Form.GZIP:
            return gzip.GzipFile(fileobj=source)
        case Form.BZIP2:
            return _Stepwise(source, bz2.BZ2Decompressor)
        case Form.XZ:
            return _Stepwise(source, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limits.memory))
        case _:
            return _zstd(source)


def _zstd(source: Any) -> Readable:  # noqa: ANN401 - the library takes what has a read method
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ImportError:
        raise Damaged("zstd needs the extra watchword[zstd]") from None
    reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(
        source, read_across_frames=True
    )
    return _Zstd(reader, zstandard.ZstdError)


class _Zstd:
    def __init__(self, reader: Any, error: type[Exception]) -> None:  # noqa: ANN401 - untyped
        self._reader, self._error = reader, error

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._reader.read(size)
        except self._error:
            raise Damaged("is damaged") from None
        return data


class _Stepwise:
    """Reads streams of bzip2 or xz, one after the other, without taking more at once than asked for."""

    def __init__(self, source: Readable, begin: Callable[[], Any]) -> None:
        self._source, self._begin = source, begin
        self._current = begin()
        self._left = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._current.eof:
                self._left = self._current.unused_data.lstrip(b"\0") or self._source.read(1 << 16)
                if not self._left.strip(b"\0"):
                    return b""
                self._current = self._begin()
            elif self._current.needs_input and not self._left:
                self._left = self._source.read(1 << 16)
                if not self._left:
                    raise EOFError
            given, self._left = self._left, b""
            data: bytes = self._current.decompress(given, size)
            if data:
                return data


def stem(name: str) -> str:
    """Name of what a compressed file holds."""
    last = name.rpartition("/")[2]
    for suffix in _SUFFIXES:
        if last.lower().endswith(suffix) and len(last) > len(suffix):
            return last[: -len(suffix)]
    return "content"
