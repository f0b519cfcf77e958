"""Pages of long lists: which one is asked for, and where its neighbours are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from watchword.services.queries import Page as Window
from watchword.web.forms import Form

T = TypeVar("T")
PER_PAGE = 50
MAX_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Paging:
    """One page of a list.

    Attributes:
        number: from 1.
        more: whether there is a further one; known after `cut`.
    """

    path: str
    others: tuple[tuple[str, str], ...]
    number: int
    size: int = PER_PAGE
    more: bool = False

    @classmethod
    def of(cls, path: str, query: Form) -> "Paging":
        """The page that a query asks for; what is no number is the first."""
        number = min(max(query.number("page", 1), 1), MAX_PAGE)
        return cls(path, tuple(query.without(("page", "done"))), number)

    @property
    def offset(self) -> int:
        """How many rows lie before it."""
        return (self.number - 1) * self.size

    @property
    def window(self) -> Window:
        """What to read: one row more than is shown."""
        return Window(self.size + 1, self.offset)

    def cut(self, rows: Sequence[T]) -> "tuple[Paging, list[T]]":
        """The page with its neighbours known, and the rows that it shows."""
        more = len(rows) > self.size
        return Paging(self.path, self.others, self.number, self.size, more), list(rows[: self.size])

    def cut_all(self, rows: Sequence[T]) -> "tuple[Paging, list[T]]":
        """`cut` where all rows of the list are at hand."""
        return self.cut(rows[self.offset : self.offset + self.window.limit])

    def at(self, number: int) -> str:
        """The address of another page of the list."""
        pairs = [*self.others, ("page", str(number))] if number > 1 else list(self.others)
        return self.path + (f"?{urlencode(pairs)}" if pairs else "")
