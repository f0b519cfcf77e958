"""What every part of the store's contract uses: a slice of a list, and the one error of its own."""

from dataclasses import dataclass


class Duplicate(Exception):
    """A unique value is taken already."""


@dataclass(frozen=True, slots=True)
class Page:
    """A slice of a list: at most `limit` rows after the first `offset`."""

    limit: int = 100
    offset: int = 0


EVERYTHING = Page(limit=2**31 - 1)
