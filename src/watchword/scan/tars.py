"""Reads tar archives as streams, in bounded memory, however their headers lie."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from watchword.scan.limits import Budget, Damaged, part
from watchword.scan.packings import is_tar

_BLOCK = 512
_LONGEST_NAME = 64 << 10
_CHUNK = 1 << 20
_PAX_PATH = re.compile(rb"\d+ path=([^\n]*)\n")
_PAX_SIZE = re.compile(rb"\d+ size=(\d{1,18})\n")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive; its content is to be read before the next one is asked for."""

    name: str
    content: BinaryIO


class _Ahead:
    """What headers of their own said of the next member."""

    name: bytes | None = None
    size: int | None = None


def tar_members(stream: BinaryIO, budget: Budget) -> Iterator[Member]:
    """The files of a tar archive.

    Raises:
        Damaged: it ends too early, or a header is none.
        Exhausted: the budget is used up.
    """
    ahead = _Ahead()
    while header := stream.read(_BLOCK):
        if not header.strip(b"\0"):
            return
        if not is_tar(header):
            raise Damaged("is damaged: a header of tar is none")
        sort = header[156:157]
        size = _number(header[124:136])
        if sort in (b"L", b"x", b"X"):
            _look_ahead(ahead, sort, _text(stream, size))
        elif sort in (b"K", b"g"):
            _skip(stream, size + -size % _BLOCK)
        else:
            budget.member()
            size = size if ahead.size is None else ahead.size
            size = 0 if sort in (b"1", b"2", b"3", b"4", b"5", b"6") else size
            name = _name(header) if ahead.name is None else ahead.name
            ahead = _Ahead()
            content = part(stream, size, budget)
            if size:
                yield Member(name.decode("utf-8", "replace"), content)
            while content.read(_CHUNK):
                pass
            _skip(stream, -size % _BLOCK)


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or binary behind a set bit."""
    if field[0] & 0x80:
        number = int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:])
    else:
        digits = field.split(b"\0")[0].strip()
        if digits.translate(None, b"01234567"):
            raise Damaged("is damaged: a size in tar is none")
        number = int(digits or b"0", 8)
    return number


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _text(stream: BinaryIO, size: int) -> bytes:
    text = stream.read(min(size, _LONGEST_NAME))
    _skip(stream, size + -size % _BLOCK - len(text))
    return text


def _look_ahead(ahead: _Ahead, sort: bytes, text: bytes) -> None:
    if sort == b"L":
        ahead.name = text.split(b"\0")[0]
        return
    if found := _PAX_PATH.search(text):
        ahead.name = found.group(1)
    if found := _PAX_SIZE.search(text):
        ahead.size = int(found.group(1))


def _skip(stream: BinaryIO, size: int) -> None:
    while size > 0:
        passed = len(stream.read(min(size, _CHUNK)))
        if not passed:
            raise Damaged("ends too early")
        size -= passed


def deb_members(stream: BinaryIO, budget: Budget) -> Iterator[Member]:
    """The files of a Debian package: an `ar` archive with two tar archives in it.

    Raises:
        Damaged: it ends too early, or a header is none.
        Exhausted: the budget is used up.
    """
    stream.read(len(b"!<arch>\n"))
    while len(header := stream.read(60)) == 60:  # noqa: PLR2004 - ar(5)
        digits = header[48:58].strip()
        if header[58:] != b"`\n" or not digits.isdigit():
            raise Damaged("is damaged: a header of ar is none")
        budget.member()
        content = part(stream, int(digits), budget)
        yield Member(header[:16].strip().rstrip(b"/").decode("utf-8", "replace"), content)
        while content.read(_CHUNK):
            pass
        _skip(stream, int(digits) % 2)
