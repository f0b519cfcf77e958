"""Logs as lines: where each begins, and lines that come piece by piece.

A line ends at its newline, or where it has become too long to be one. Neither depends on how the log was
cut into pieces.
"""

from collections.abc import Sequence

from watchword.domain.ansi import Line, render_line
from watchword.domain.ansistyles import PLAIN, Style, style_after

# Bytes; what is longer is shown as several lines.
MAX_LINE = 64 * 1024
_CONTINUES = range(0x80, 0xC0)


def split_lines(text: bytes) -> tuple[list[bytes], bytes]:
    """Whole lines, with their newlines where they have one, and the unfinished rest."""
    parts = text.split(b"\n")
    rest = parts.pop()
    if max(map(len, parts), default=0) <= MAX_LINE:
        lines = [part + b"\n" for part in parts]
    else:
        lines = []
        for part in parts:
            pieces, last = _cut(part)
            lines += [*pieces, last + b"\n"]
    pieces, rest = _cut(rest)
    return lines + pieces, rest


def _cut(part: bytes) -> tuple[list[bytes], bytes]:
    """Pieces of a line that is too long, and what is left of it; no character is cut in two."""
    pieces: list[bytes] = []
    start = 0
    while len(part) - start > MAX_LINE:
        end = start + MAX_LINE
        for _ in range(3):
            end -= part[end] in _CONTINUES
        pieces.append(part[start:end])
        start = end
    return pieces, part[start:]


def pass_over(style: Style, lines: Sequence[bytes]) -> Style:
    """The style after whole lines that are not shown."""
    text = b"".join(lines)
    if b"\x1b[" not in text:
        return style
    if text.count(b"\n") == len(lines):
        return style_after(style, text)
    for line in lines:  # a sequence that the end of a piece has cut is none
        style = style_after(style, line)
    return style


class LineReader:
    """Makes lines of a log that comes piece by piece; wherever it is cut, the lines are the same.

    Attributes:
        style: what the line under way begins with.
        rest: its bytes so far. With `style` this is all that is carried on.
    """

    def __init__(self, style: Style = PLAIN, rest: bytes = b"") -> None:
        self.style = style
        self.rest = rest

    def feed(self, text: bytes) -> list[Line]:
        """The lines that the next piece of the log completes."""
        raw, self.rest = split_lines(self.rest + text)
        lines: list[Line] = []
        for one in raw:
            line, self.style = render_line(one, self.style)
            lines.append(line)
        return lines

    @property
    def unfinished(self) -> Line | None:
        """The line under way as it looks so far; None where the log ends with a newline."""
        return render_line(self.rest, self.style)[0] if self.rest else None
