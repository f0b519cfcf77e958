r"""Runs of encoded characters: base64 in lines, UTF-16, escapes such as `%3A` or `\u003d`."""

import base64
import re
from bisect import bisect_left
from itertools import accumulate

from watchword.scan.findings import Encoding

_BREAK = rb"[ \t]*(?:\r?\n|\r|\\r\\n|\\n|\\r)[ \t]*"
_BREAKS = re.compile(_BREAK)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]*")
_BASE64_LINES = re.compile(rb"[A-Za-z0-9+/_-]*(?:" + _BREAK + rb"[A-Za-z0-9+/_-]+)*")
_ALPHABET = bytes.maketrans(b"-_", b"+/")
_UTF16 = re.compile(rb"(?:[\x20-\x7e]\0)*[\x20-\x7e]")
_ASCII = 0x7F
_FAR = 1 << 14
_PERCENT = rb"%([0-7][0-9A-Fa-f])"
_BACKSLASH = rb"\\(?:u00|x)([0-7][0-9A-Fa-f])"
_ESCAPE = re.compile(_PERCENT + rb"|" + _BACKSLASH)
_ESCAPED = re.compile(rb"(?:[A-Za-z0-9_.:=-]|" + _PERCENT + rb"|" + _BACKSLASH + rb")*")


class Run:
    """Characters that belong together, without what is written between them.

    Args:
        start, end: where the run is written.
        text: its characters, one byte each.
        wider: which characters take more than one byte, and how many more.
    """

    def __init__(self, start: int, end: int, text: bytes, wider: list[tuple[int, int]]) -> None:
        self.start, self.end, self.text = start, end, text
        self._wider = [index for index, _ in wider]
        self._more = [0, *accumulate(more for _, more in wider)]

    def place(self, index: int) -> int:
        """Where a character is written."""
        return self.start + index + self._more[bisect_left(self._wider, index)]

    def index(self, place: int) -> int:
        """The character that is written at a place."""
        low, high = 0, len(self.text)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.place(middle) < place else (low, middle)
        return low


def base64_line(data: bytes, start: int) -> Run:
    """The run of base64 characters that begins there."""
    text = _matched(_BASE64, data, start)
    return Run(start, start + len(text), text, [])


def base64_lines(data: bytes, start: int) -> Run:
    """The same over line ends, with the indentation after them; also over those that a string escapes."""
    raw = _matched(_BASE64_LINES, data, start)
    wider = []
    left_out = 0
    for found in _BREAKS.finditer(raw):
        length = found.end() - found.start()
        wider.append((found.start() - left_out - 1, length))
        left_out += length
    return Run(start, start + len(raw), _BREAKS.sub(b"", raw) if wider else raw, wider)


def decoded(text: bytes) -> bytes:
    """The bytes that base64 characters of either alphabet stand for, from the first of a group on."""
    # Characters of an incomplete group decode to NUL bytes behind what they say.
    return base64.b64decode(text.translate(_ALPHABET) + b"A" * (-len(text) % 4))


def utf16(data: bytes, start: int) -> tuple[Run, Encoding]:
    """The run of ASCII characters as UTF-16 whose first stands there; its characters take two bytes each."""
    raw = _matched(_UTF16, data, start)
    big = _is_big_endian(data, start)
    text = raw[::2]
    run = Run(start - big, start - big + 2 * len(text), text, [(index, 1) for index in range(len(text))])
    return run, Encoding.UTF16_BE if big else Encoding.UTF16_LE


def _is_big_endian(data: bytes, start: int) -> bool:
    """Which of its character's two bytes the NUL before it is: told by where the text begins."""
    back = data[max(0, start - _FAR) : start][::-1]
    highs, lows = back[::2], back[1::2]
    pairs = len(highs) - len(highs.lstrip(b"\0"))
    if pairs == _FAR // 2:
        return start % 2 == 1
    characters = lows.find(b"\0", 0, pairs)
    if characters >= 0:
        head = data[max(0, start - 2 * characters - _FAR) : start - 2 * characters]
        return (len(head) - len(head.rstrip(b"\0"))) % 2 == 1
    first = start - 2 * pairs
    return first < 0 or data[first] > _ASCII


def escaped(data: bytes, start: int) -> tuple[Run, Encoding]:
    """The run of characters of values there, some of which may be escaped."""
    raw = _matched(_ESCAPED, data, start)
    wider = []
    left_out = 0
    for found in _ESCAPE.finditer(raw):
        more = found.end() - found.start() - 1
        wider.append((found.start() - left_out, more))
        left_out += more
    text = _ESCAPE.sub(_character, raw) if wider else raw
    return Run(start, start + len(raw), text, wider), Encoding.PERCENT if b"%" in raw else Encoding.ESCAPED


def _character(found: re.Match[bytes]) -> bytes:
    return bytes((int(found.group(found.lastindex or 0), 16),))


def _matched(pattern: re.Pattern[bytes], data: bytes, start: int) -> bytes:
    found = pattern.match(data, start)
    return found.group() if found else b""
