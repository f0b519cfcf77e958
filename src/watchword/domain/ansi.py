"""Terminal output as data: one line of bytes becomes spans of text, each with a style.

What a job prints is anybody's text. Nothing here makes markup: spans hold plain text without control
characters, and whoever shows them escapes it. Work is linear in the line's length.

Carriage returns, backspaces, erasing and moving within the line are carried out; what would move
between lines or change the screen is left out. A new escape character and a line's end break off an
unfinished sequence, so that each line can be read by itself but for the style that it begins with.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from watchword.domain.ansistyles import PLAIN, Style, restyle

# Where a sequence that moves to the right may move to at most, and up to where tabs have stops.
MAX_MOVE = 400
_SGR_PARAMETERS = "0123456789;:"
_TAB = 8
_MAX_LINK = 2048
_MAX_TIME_DIGITS = 15
# Controls, and what reorders text or ends lines.
_UNSHOWN = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_SPECIAL = re.compile(f"[{_UNSHOWN}]")
_TOKEN = re.compile(
    f"(?P<text>[^{_UNSHOWN}]+)"
    r"|\x1b\[(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])?"
    r"|\x1b(?P<opener>[\]PX^_])(?P<string>[^\x07\x1b]*)(?P<end>\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<control>.)",
    re.DOTALL,
)
_GOES_BACK = re.compile(r"[\r\b]|\x1b\[[0-?]*[CDGK]")
_MARKS = frozenset("-+~^")
_HEADING = re.compile(r"(---|\+\+\+|~~~)\s+\S")
_COUNT = re.compile("[1-9][0-9]{0,7}")
_LINK = re.compile(r"https?://[!-~]+")
# What shows nothing: some sequences and controls. No part of it is given back for another try.
_SILENT = (
    r"(?>\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
    "|[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]){0,64}+"
)


class Heading(StrEnum):
    """What a line says of the lines after it: a section that is closed, open or muted.

    Reopen: the section that is under way is to be open, whatever its heading said.
    """

    NONE = ""
    CLOSED = "---"
    OPEN = "+++"
    MUTED = "~~~"
    REOPEN = "^^^"


class Span(NamedTuple):
    """A piece of text in one style; `link` is an http or https address, or empty."""

    text: str
    style: Style = PLAIN
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as a terminal shows it.

    Attributes:
        spans: its text; none for an empty line.
        at: when it was begun, in Unix milliseconds; 0 where the agent did not say.
    """

    spans: tuple[Span, ...]
    at: int = 0

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(span.text for span in self.spans)

    @property
    def heading(self) -> Heading:
        """Whether it begins a section."""
        if not self.spans or self.spans[0].text[0] not in _MARKS:
            return Heading.NONE
        text = self.text[:_MAX_LINK]
        if text.startswith("^^^ +++"):
            return Heading.REOPEN
        found = _HEADING.match(text)
        return Heading(found[1]) if found else Heading.NONE


def title_of(line: Line) -> Line:
    """A heading without its mark."""
    found = _HEADING.match(line.text)
    left = found.end() - 1 if found else 0
    spans: list[Span] = []
    for span in line.spans:
        text = span.text[left:]
        left = max(0, left - len(span.text))
        spans += [span._replace(text=text)] if text else []
    return Line(tuple(spans), line.at)


Pen = tuple[Style, str]
_NO_PEN: Pen = (PLAIN, "")
_PEN_OF: Callable[[tuple[str, Pen]], Pen] = itemgetter(1)


class _Runs:
    """A line in which nothing is written over: pieces of text, each with its pen."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.link = ""
        self.at = 0
        self._column = 0
        self._runs: list[tuple[str, Pen]] = []

    def put(self, text: str, link: str = "") -> None:
        """Write at the cursor."""
        self._runs.append((text, (self.style, link or self.link)))
        self._column += len(text)

    def control(self, character: str) -> None:
        """Carry out a control character; all others leave no trace."""
        if character == "\t":
            self.put(" " * (_TAB - self._column % _TAB if self._column < MAX_MOVE else 1))

    def sequence(self, parameters: str, final: str) -> None:
        """Carry out a control sequence."""
        if final == "m" and not parameters.strip(_SGR_PARAMETERS):
            self.style = restyle(self.style, parameters)

    def string(self, opener: str, text: str) -> None:
        """Carry out a string sequence: a time mark, a link, an image; all others leave no trace."""
        kind, _, rest = text.partition(";")
        if opener == "_" and kind == "bk" and rest.startswith("t="):
            digits = rest[2:]
            if not self.at and digits.isascii() and digits.isdigit() and len(digits) <= _MAX_TIME_DIGITS:
                self.at = int(digits)
        elif opener == "]" and kind == "8":
            self.link = _safe_link(rest.partition(";")[2])
        elif opener == "]" and kind in ("1337", "1338", "1339"):
            self._inline(kind, rest)

    def _inline(self, kind: str, said: str) -> None:
        """An image as a word of its own, or a link; nothing is loaded for it."""
        if kind == "1337":
            if said.startswith("File="):
                self.put("[image]")
            return
        fields = dict(_field(part) for part in said.split(";", 8))
        url = fields.get("url", "")
        word = fields.get("alt" if kind == "1338" else "content", "") or url
        word = _SPECIAL.sub("", word)
        if word:
            self.put(f"[image: {word}]" if kind == "1338" else word, _safe_link(url))

    def line(self) -> Line:
        """What stands there."""
        spans: list[Span] = []
        for pen, run in groupby(self._runs, _PEN_OF):
            spans.append(Span("".join([text for text, _ in run]), *pen))
        return Line(tuple(spans), self.at)


class _Cells(_Runs):
    """A line in which the cursor goes back: one character and one pen for each column."""

    def __init__(self, style: Style) -> None:
        super().__init__(style)
        self._characters: list[str] = []
        self._pens: list[Pen] = []

    def put(self, text: str, link: str = "") -> None:
        """Write over what stands at the cursor."""
        start, end = self._column, self._column + len(text)
        if start > len(self._pens):
            gap = start - len(self._pens)
            self._characters += " " * gap
            self._pens += [_NO_PEN] * gap
        self._characters[start:end] = text
        self._pens[start:end] = [(self.style, link or self.link)] * len(text)
        self._column = end

    def control(self, character: str) -> None:
        """Carry out a control character."""
        if character == "\r":
            self._column = 0
        elif character == "\b":
            self._column = max(0, self._column - 1)
        else:
            super().control(character)

    def sequence(self, parameters: str, final: str) -> None:
        """Carry out a control sequence."""
        if final == "K":
            self._erase(parameters)
        elif final in "CDG":
            count = int(parameters) if _COUNT.fullmatch(parameters) else 1
            to = {"C": self._column + count, "D": self._column - count, "G": count - 1}[final]
            # What was written may be longer than what one may move over.
            self._column = max(0, min(to, max(MAX_MOVE, self._column)))
        else:
            super().sequence(parameters, final)

    def _erase(self, which: str) -> None:
        if which in ("", "0"):
            del self._characters[self._column :], self._pens[self._column :]
        elif which == "1":
            count = min(self._column + 1, len(self._pens))
            self._characters[:count] = " " * count
            self._pens[:count] = [_NO_PEN] * count
        elif which == "2":
            self._characters.clear()
            self._pens.clear()

    def line(self) -> Line:
        """What stands there."""
        self._runs = list(zip(self._characters, self._pens, strict=True))
        return super().line()


def _field(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip().strip("'\"")


def _safe_link(url: str) -> str:
    """An address that a page may link to, or nothing."""
    return url if len(url) <= _MAX_LINK and _LINK.fullmatch(url) else ""


def render_line(raw: bytes, style: Style = PLAIN) -> tuple[Line, Style]:
    """A line, with or without its end, and the style that the next one begins with."""
    text = raw.rstrip(b"\r\n").decode(errors="replace")
    if not _SPECIAL.search(text):
        return Line((Span(text, style),) if text else ()), style
    writer = _Cells(style) if _GOES_BACK.search(text) else _Runs(style)
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "text":
            writer.put(token[0])
        elif kind == "final":
            _, parameters, between, final, *_ = token.groups()
            if not between:
                writer.sequence(parameters, final)
        elif kind == "end":
            writer.string(token["opener"], token["string"])
        elif kind == "control":
            writer.control(token[0])
    return writer.line(), writer.style


def finder(needle: str) -> re.Pattern[str]:
    """Finds where raw lines may show a text, both casefolded, whatever stands between its letters.

    What is found is to be looked at: it may be written over, or stand inside a sequence.
    """
    return re.compile(_SILENT.join(map(re.escape, needle)))


def sections(lines: Sequence[Line]) -> list[tuple[int, bool]]:
    """Where sections begin among lines, and whether each is to be open: a closed one may be reopened."""
    found: list[tuple[int, bool]] = []
    for at, line in enumerate(lines):
        heading = line.heading
        if heading is Heading.REOPEN and found:
            found[-1] = (found[-1][0], True)
        elif heading in (Heading.CLOSED, Heading.OPEN, Heading.MUTED):
            found.append((at, heading is Heading.OPEN))
    return found
