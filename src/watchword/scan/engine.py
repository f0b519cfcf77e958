"""Finds values in bytes: one pass over the text, then a close look at what may be one."""

import re
from collections.abc import Iterator, Sequence

from watchword.crypto.values import Secret, checksum_holds, decode_cell
from watchword.domain.kinds import DEFAULT_BRAND
from watchword.scan.findings import Hit, Proof
from watchword.scan.patterns import Family, families

_WORD = re.compile(rb"[A-Za-z0-9]")


class Engine:
    """Finds plainly written values in bytes.

    Args:
        brands: brands whose values are looked for.
    """

    def __init__(self, brands: Sequence[str] = (DEFAULT_BRAND,)) -> None:
        self._by_prefix: dict[bytes, list[Family]] = {}
        for family in families(brands):
            self._by_prefix.setdefault(family.prefix, []).append(family)
        longest_first = sorted(self._by_prefix, key=len, reverse=True)
        self._prefix = re.compile(b"|".join(map(re.escape, longest_first)))

    def hits(self, data: bytes) -> Iterator[Hit]:
        """The values in `data`, in the order in which they stand; none overlaps another."""
        end = 0
        for found in self._prefix.finditer(data):
            if found.start() < end:
                continue
            hit = self.hit_at(data, found.start(), found.group())
            if hit is not None:
                end = hit.end
                yield hit

    def hit_at(self, data: bytes, start: int, prefix: bytes) -> Hit | None:
        """The value that starts right there with this prefix, if one does."""
        for family in self._by_prefix[prefix]:
            found = family.pattern.match(data, start)
            if found is not None and (hit := _judged(family, data, found)) is not None:
                return hit
        return None


def _judged(family: Family, data: bytes, found: re.Match[bytes]) -> Hit | None:
    """The match as a hit; None where no checksum holds and the text around it belongs to it."""
    text = found.group().decode("ascii")
    cell = None
    proven = False
    if family.checked:
        start = len(family.prefix)
        cell = decode_cell(text[start : text.index(family.shape.separator, start)])
        proven = checksum_holds(family.shape, text)
    alone = not _WORD.match(data, found.end()) and not _ends_in_word(data, found.start())
    if not (proven or alone):
        return None
    proof = Proof.CHECKSUM if proven else Proof.SHAPE
    return Hit(found.start(), found.end(), Secret(text), family.name, family.brand, cell, proof)


def _ends_in_word(data: bytes, end: int) -> bool:
    return end > 0 and _WORD.match(data, end - 1) is not None
