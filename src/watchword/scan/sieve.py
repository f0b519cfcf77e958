"""Finds where a value may begin, in one pass over the text; says nothing of whether one does.

rurex (the Rust `regex` crate) looks for the beginnings of all families at once with vector instructions and
decides the rest with an automaton: its time is linear in the text, whatever the text is. Where it cannot be
imported, `re` goes over the text once for each beginning.
"""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from watchword.domain.kinds import Body
from watchword.scan.patterns import Family

try:
    from rurex import compile as compile_fast
except ImportError:  # a platform without it
    compile_fast = None

# From the place in the text on: where the next candidate begins, -1 where none does.
Next = Callable[[int], int]


class Sieve(Protocol):
    """Where values of some families may begin."""

    def maybe(self, data: bytes) -> bool:
        """Whether there is any candidate."""

    def over(self, data: bytes) -> Next:
        """The candidates in this text, asked for from the front to the back."""


def sieve(families: Sequence[Family], *, fast: bool = True) -> Sieve:
    """The best sieve for these families that this platform has.

    Args:
        families: what is looked for.
        fast: whether rurex may be used.
    """
    if fast and compile_fast is not None:
        return _Fast(families)
    return _Plain(families)


def _sifted(family: Family) -> bytes:
    """A pattern for the family's values without look-ahead and without parts of unbounded length.

    Unbounded ones would let one search run over the whole text for each of many beginnings in it.
    """
    if family.shape.body in (Body.JWT, Body.SIGNED):
        return re.escape(family.prefix) + rb"eyJ[A-Za-z0-9_-]{10}"
    if family.legacy:
        return family.pattern.pattern.replace(b"(?![A-Za-z0-9_-])", b"(?:[^A-Za-z0-9_-]|$)")
    return family.pattern.pattern


class _Fast:
    def __init__(self, families: Sequence[Family]) -> None:
        self._search = compile_fast(b"|".join(map(_sifted, families))).search

    def maybe(self, data: bytes) -> bool:
        return self._search(data) is not None

    def over(self, data: bytes) -> Next:
        def following(at: int) -> int:
            found = self._search(data, at)
            return -1 if found is None else found.start()

        return following


class _Plain:
    def __init__(self, families: Sequence[Family]) -> None:
        # Each pattern begins with a literal, for which `re` looks quickly.
        beginnings: dict[bytes, list[bytes]] = {}
        for family in families:
            literal = family.brand.encode() or family.prefix
            beginnings.setdefault(literal, []).append(_sifted(family)[len(re.escape(literal)) :])
        self._searches = [
            re.compile(re.escape(literal) + b"(?:" + b"|".join(rest) + b")").search
            for literal, rest in beginnings.items()
        ]

    def maybe(self, data: bytes) -> bool:
        return any(search(data) is not None for search in self._searches)

    def over(self, data: bytes) -> Next:
        known = [-2] * len(self._searches)  # each pattern's next candidate; -1 where it has no more

        def following(at: int) -> int:
            for number, search in enumerate(self._searches):
                if known[number] != -1 and known[number] < at:
                    found = search(data, at)
                    known[number] = -1 if found is None else found.start()
            return min((place for place in known if place >= 0), default=-1)

        return following
