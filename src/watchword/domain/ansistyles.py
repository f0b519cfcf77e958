"""Styles of terminal text: what ECMA-48 "select graphic rendition" sequences say, as a small palette.

Colours of 256 and true colours become the nearest of the sixteen that pages have classes for: pages may not
carry styles of their own, and those sixteen are legible in the light and in the dark.
"""

import re
from functools import lru_cache
from typing import NamedTuple

BOLD, DIM, ITALIC, UNDERLINE, INVERSE, STRIKE = (1 << bit for bit in range(6))
_NAMES = ((BOLD, "bold"), (DIM, "dim"), (ITALIC, "italic"), (UNDERLINE, "underline"), (STRIKE, "strike"))
_ON = {1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 9: STRIKE, 21: UNDERLINE}
_OFF = {22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 29: STRIKE}
# The page's own colours.
_OWN = {39: {"foreground": -1}, 49: {"background": -1}}
_EXTENDED = (38, 48, 58)  # text, background, underline
_MAX_PARAMETERS = 32
_MAX_DIGITS = 5
# xterm's: eight colours, then eight bright ones.
_PALETTE = (
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
)
_BRIGHT = 8
_CUBE = 16
_GREYS = 232
_SHADES = 256
_SGR = re.compile(rb"\x1b\[([0-9;:]*)m")


class Style(NamedTuple):
    """How text looks.

    Attributes:
        foreground: number of its colour, 0 to 15; -1 for the page's own.
        background: the same.
        marks: bold, dim and so on, as bits.
    """

    foreground: int = -1
    background: int = -1
    marks: int = 0

    @property
    def classes(self) -> str:
        """Classes of the page's style sheet, parted by blanks; empty for plain text."""
        return _classes(self)


PLAIN = Style()


@lru_cache(maxsize=4096)
def _classes(style: Style) -> str:
    front = f"t-fg-{style.foreground}" if style.foreground >= 0 else ""
    back = f"t-bg-{style.background}" if style.background >= 0 else ""
    if style.marks & INVERSE:
        front = f"t-fg-{style.background}" if back else "t-fg-page"
        back = f"t-bg-{style.foreground}" if style.foreground >= 0 else "t-bg-text"
    marks = [f"t-{name}" for bit, name in _NAMES if style.marks & bit]
    return " ".join(word for word in (front, back, *marks) if word)


@lru_cache(maxsize=4096)
def restyle(style: Style, parameters: str) -> Style:
    """The style after a sequence with these parameters; what is unknown changes nothing."""
    words = parameters.split(";", _MAX_PARAMETERS)[:_MAX_PARAMETERS]
    at = 0
    while at < len(words):
        parts = words[at].split(":", _MAX_PARAMETERS)
        code = _number(parts[0])
        at += 1
        if code in _EXTENDED:
            # With colons one word holds all of it; with semicolons it takes up the following words.
            rest, taken = (parts[1:], 0) if len(parts) > 1 else _following(words[at:])
            at += taken
            style = _coloured(style, code, _extended(rest))
        elif code == 4 and parts[1:2] == ["0"]:  # noqa: PLR2004 - underline, of style none
            style = style._replace(marks=style.marks & ~UNDERLINE)
        else:
            style = _simple(style, code)
    return style


def _simple(style: Style, code: int) -> Style:
    """A code that stands alone."""
    if code == 0:
        return PLAIN
    if code in _ON:
        return style._replace(marks=style.marks | _ON[code])
    if code in _OFF:
        return style._replace(marks=style.marks & ~_OFF[code])
    for first, extra in ((30, 0), (90, _BRIGHT)):
        if first <= code < first + _BRIGHT:
            return style._replace(foreground=code - first + extra)
        if first + 10 <= code < first + 10 + _BRIGHT:
            return style._replace(background=code - first - 10 + extra)
    return style._replace(**_OWN[code]) if code in _OWN else style


def _following(words: list[str]) -> tuple[list[str], int]:
    """The words that belong to an extended colour, and how many they are."""
    count = {"5": 2, "2": 4}.get(words[0] if words else "", 1)
    return words[:count], count


def _extended(words: list[str]) -> int:
    """The palette's number of an extended colour, `5, N` or `2, (space,) R, G, B`; -1 for none."""
    numbers = [_number(word or "0") for word in words]
    if len(numbers) >= 2 and numbers[0] == 5:  # noqa: PLR2004 - its own number in the standard
        return _of_256(numbers[1])
    if len(numbers) >= 4 and numbers[0] == 2:  # noqa: PLR2004 - the same
        red, green, blue = numbers[-3:]
        return _nearest(red, green, blue)
    return -1


def _coloured(style: Style, code: int, colour: int) -> Style:
    if colour < 0 or code == _EXTENDED[2]:
        return style
    return style._replace(foreground=colour) if code == _EXTENDED[0] else style._replace(background=colour)


def _of_256(number: int) -> int:
    """The nearest colour of one of 256: the palette, a cube of 6 x 6 x 6, then greys."""
    if number < _CUBE:
        return max(number, -1)
    if number >= _SHADES:
        return -1
    if number >= _GREYS:
        grey = 8 + 10 * (number - _GREYS)
        return _nearest(grey, grey, grey)
    place = number - _CUBE
    steps = (place // 36, place // 6 % 6, place % 6)
    return _nearest(*(step and 55 + 40 * step for step in steps))


@lru_cache(maxsize=4096)
def _nearest(red: int, green: int, blue: int) -> int:
    return min(
        range(len(_PALETTE)),
        key=lambda number: sum(
            (ours - theirs) ** 2 for ours, theirs in zip(_PALETTE[number], (red, green, blue), strict=True)
        ),
    )


def _number(word: str) -> int:
    """A parameter; nothing is 0, and what is no number is none of the codes."""
    if not word:
        return 0
    return int(word) if len(word) <= _MAX_DIGITS and word.isascii() and word.isdigit() else -1


def style_after(style: Style, text: bytes) -> Style:
    """The style at the end of whole lines; what stands before the last reset is not looked at."""
    start = max(text.rfind(b"\x1b[0m"), text.rfind(b"\x1b[m"), 0)
    for found in _SGR.finditer(text, start):
        style = restyle(style, found[1].decode())
    return style
