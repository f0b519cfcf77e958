"""What a value's prefix looks like once it is encoded, and a search for many such literals at once."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick, MatchKind

_GROUP = 3  # a value may begin at each byte of base64's groups of three
# A spelling is looked for in pieces of this many characters, so that a line break inside it hides none of it.
_PIECE = 4
_BREAKS = (b"\n", b"\r", b"\\")
# With more literals the library has no use for vector instructions, and is ten times slower.
_MOST = 64


@dataclass(frozen=True, slots=True)
class Spelling:
    """How base64 spells a text that begins somewhere in a group of three bytes.

    Attributes:
        text: what is spelled.
        before: bytes of the group that stand before it.
        lead: characters of the group before the first one that the text alone decides; with them in front,
            the spelling decodes to `before` NUL bytes and the text.
        literal: the characters that the text alone decides.
    """

    text: bytes
    before: int
    lead: bytes
    literal: bytes


def base64_spellings(text: bytes) -> Iterator[Spelling]:
    """How base64 spells the text at each alignment."""
    for before in range(_GROUP):
        spelled = base64.b64encode(bytes(before) + text + bytes(_GROUP))
        first, end = -(-8 * before // 6), 8 * (before + len(text)) // 6
        yield Spelling(text, before, spelled[:first], spelled[first:end])


def pieces(literal: bytes) -> Iterator[tuple[int, bytes]]:
    """Pieces of a spelling, one of which stands unbroken wherever a single line break falls.

    Yields:
        How many of the spelling's characters stand before the piece, and the piece.
    """
    yield 0, literal[:_PIECE]
    yield _PIECE // 2, literal[_PIECE // 2 : _PIECE // 2 + _PIECE]
    yield from ((0, literal[: _PIECE - 1] + line_end) for line_end in _BREAKS)


def wide(text: bytes) -> bytes:
    """The text as UTF-16, little endian."""
    return text.decode("ascii").encode("utf-16-le")


class Literals:
    """Finds where any of many literals stands, overlapping ones too.

    Args:
        literals: what is looked for.
    """

    def __init__(self, literals: Iterable[bytes]) -> None:
        known = sorted(set(literals))
        # Neighbours begin alike, which tells the search more.
        size = -(-len(known) // -(-len(known) // _MOST))
        self._sets = [_Set(known[first : first + size]) for first in range(0, len(known), size)]

    def places(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Where each literal begins, and which it is; in no order."""
        for each in self._sets:
            yield from each.places(data)


class _Set:
    def __init__(self, literals: list[bytes]) -> None:
        self._literals = literals
        self._known = frozenset(literals)
        self._lengths = sorted({len(literal) for literal in literals})
        # Only the search that reports no overlapping finds is vectorized.
        self._automaton = BytesAhoCorasick(literals, matchkind=MatchKind.LeftmostFirst)

    def places(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        for index, start, end in self._automaton.find_matches_as_indexes(data):
            yield start, self._literals[index]
            for inside in range(start + 1, end):
                for length in self._lengths:
                    if (literal := data[inside : inside + length]) in self._known:
                        yield inside, literal
