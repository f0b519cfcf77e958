"""Families of values as they look in text: the shapes we issue, and older ones that others issued."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from watchword.crypto.values import pattern, prefix
from watchword.domain.kinds import DEFAULT_BRAND, SHAPES, Shape

_WORD = "[A-Za-z0-9_-]"
# Lengths of bodies that were issued elsewhere before values named their cell (contract rest-graphql §1.2
# and the vendor's documented examples): nothing in them can be checked.
_LEGACY: dict[str, tuple[int, ...]] = {
    "ct_": (73,),
    "ar_": (73,),
    "aa_": (75,),
    "ua_": (40, 53),
    "pat_": (54,),
    "ps_": (64,),
}


class Family(NamedTuple):
    """Values that look alike.

    Attributes:
        name: stable name for findings, e.g. `agent-token` or `agent-token-legacy`.
        prefix: what each of its values starts with, brand included.
        brand: the brand in the prefix; empty where there is none.
        shape: the shape of the values.
        pattern: matches a value at its start; says nothing of what stands around it.
        legacy: whether it is an older form, without a cell and a checksum of ours.
    """

    name: str
    prefix: bytes
    brand: str
    shape: Shape
    pattern: re.Pattern[bytes]
    legacy: bool = False

    @property
    def checked(self) -> bool:
        """Whether a checksum inside its values can be checked offline."""
        return self.shape.checked and not self.legacy


def older_pattern(shape: Shape, brand: str = DEFAULT_BRAND) -> str | None:
    """A regular expression (RE2 syntax) for the shape's older form; None where there is none."""
    if shape.prefix not in _LEGACY:
        return None
    longest_first = sorted(_LEGACY[shape.prefix], reverse=True)
    bodies = "|".join(f"{_WORD}{{{length}}}" for length in longest_first)
    return rf"{re.escape(prefix(shape, brand))}(?:{bodies})\b"


def families(brands: Sequence[str] = (DEFAULT_BRAND,)) -> tuple[Family, ...]:
    """All families of these brands, those with a checksum before older ones with the same prefix."""
    found = []
    for shape in SHAPES:
        for brand in brands if shape.branded else ("",):
            start = prefix(shape, brand)
            compiled = re.compile(pattern(shape, brand).encode())
            found.append(Family(shape.name, start.encode(), brand, shape, compiled))
    for shape in SHAPES:
        for brand in brands if shape.prefix in _LEGACY else ():
            start = prefix(shape, brand)
            bodies = "|".join(f"{_WORD}{{{length}}}" for length in _LEGACY[shape.prefix])
            older = re.compile(f"{re.escape(start)}(?:{bodies})(?!{_WORD})".encode())
            found.append(Family(f"{shape.name}-legacy", start.encode(), brand, shape, older, legacy=True))
    return tuple(found)
