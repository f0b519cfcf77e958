"""Finds values in bytes: one pass over the text, then a close look at what may be one."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from watchword.crypto.values import MAX_VALUE, Secret, checksum_holds, decode_cell
from watchword.domain.kinds import DEFAULT_BRAND, Body
from watchword.scan.findings import Hit, Proof
from watchword.scan.patterns import Family, families
from watchword.scan.sieve import Next, Sieve, sieve

_WORD = re.compile(rb"[A-Za-z0-9]")
_RUN = re.compile(rb"[A-Za-z0-9_-]*")
_TAIL = re.compile(rb"--[0-9a-f]{40}")
_LONG = (Body.JWT, Body.SIGNED)


class Engine:
    """Finds plainly written values in bytes.

    A value is the longest text of at most 2,048 characters, which is what servers take, that has the shape of
    its family; nothing else that is looked for begins inside it.

    Args:
        brands: brands whose values are looked for.
        fast: whether the fast sieve may be used where there is one.
    """

    def __init__(self, brands: Sequence[str] = (DEFAULT_BRAND,), *, fast: bool = True) -> None:
        known = families(brands)
        self._by_prefix: dict[bytes, list[Family]] = {}
        for family in known:
            self._by_prefix.setdefault(family.prefix, []).append(family)
        longest_first = sorted(self._by_prefix, key=len, reverse=True)
        self._prefix = re.compile(b"|".join(map(re.escape, longest_first)))
        self._sieve = sieve(known, fast=fast)
        self._fast = fast

    @cached_property
    def _short(self) -> Sieve:
        """Candidates of families whose values are short; few texts need it."""
        known = [family for some in self._by_prefix.values() for family in some]
        return sieve([family for family in known if family.shape.body not in _LONG], fast=self._fast)

    def maybe(self, data: bytes) -> bool:
        """Whether a close look at the text is worth while; where it is not, there is no hit."""
        return self._sieve.maybe(data)

    def candidates(self, data: bytes) -> Iterator[int]:
        """Places that are worth a close look, from front to back."""
        following = self._sieve.over(data)
        at = following(0)
        while at >= 0:
            yield at
            at = following(at + 1)

    def hits(self, data: bytes) -> Iterator[Hit]:
        """The values in `data`, in the order in which they stand; none overlaps another."""
        following = self._sieve.over(data)
        hopeless: _Hopeless | None = None
        at = following(0)
        while at >= 0:
            found = self._prefix.match(data, at)
            hit = self.hit_at(data, at, found.group()) if found else None
            if hit is not None:
                yield hit
                at = following(hit.end)
            elif found and self._by_prefix[found.group()][0].shape.body in _LONG:
                hopeless = hopeless or _Hopeless(data, self._short.over(data))
                at = following(hopeless.after(at))
            else:
                at = following(at + 1)

    def hit_at(self, data: bytes, start: int, prefix: bytes) -> Hit | None:
        """The value that starts right there with this prefix, if one does."""
        for family in self._by_prefix[prefix]:
            found = family.pattern.match(data, start, start + MAX_VALUE)
            if found is not None and (hit := _judged(family, data, found)) is not None:
                return hit
        return None


class _Hopeless:
    """Leaps over text that is full of beginnings of long values and has no end of one.

    Args:
        data: the text.
        short: candidates of the other families in it.
    """

    def __init__(self, data: bytes, short: Next) -> None:
        self._data = data
        self._short = short
        self._next_short = -2
        self._end = self._tail = 0

    def after(self, at: int) -> int:
        """Where to go on after a beginning of a long value that was none."""
        reachable = self._reachable(at)
        if reachable <= at:
            return at + 1
        if self._next_short != -1 and self._next_short <= at:
            self._next_short = self._short(at + 1)
        return min(reachable, self._next_short) if self._next_short >= 0 else reachable

    def _reachable(self, at: int) -> int:
        """The next place from which the end of a long value can be reached."""
        if at >= self._end:
            self._end = self._tail = _end_of_run(self._data, at)
        if at >= self._tail or self._tail == self._end:
            tail = _TAIL.search(self._data, at, self._end)
            self._tail = tail.start() if tail else self._end + 1
        if self._tail < self._end:
            return self._tail - MAX_VALUE
        goes_on = self._data[self._end : self._end + 1] in (b".", b"=")
        return self._end - MAX_VALUE if goes_on else self._end


def _end_of_run(data: bytes, at: int) -> int:
    found = _RUN.match(data, at)
    return found.end() if found else at


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
