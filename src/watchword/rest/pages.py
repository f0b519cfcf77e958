"""Pagination (contract rest-graphql §1.6): pages with a `Link` header, and cursors."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from watchword.domain.errors import Malformed
from watchword.services.queries import Page

T = TypeVar("T")

DEFAULT_SIZE = 30
MAX_SIZE = 100
# Beyond any list there is; keeps the offset within what databases count.
_MAX_NUMBER = 10_000_000
_NUMBER = re.compile(r"-?[0-9]{1,15}")

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page a caller asks for. What cannot be read means the default, as upstream has it."""

    number: int
    size: int

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "PageRequest":
        """Read `page` (less than 1 means 1) and `per_page` (at most 100)."""
        number = _whole(query.get("page"), 1)
        size = _whole(query.get("per_page"), DEFAULT_SIZE)
        return cls(min(max(number, 1), _MAX_NUMBER), min(size, MAX_SIZE) if size > 0 else DEFAULT_SIZE)

    @property
    def window(self) -> Page:
        """Rows to ask the store for: one more than the page holds, to learn whether there is a next."""
        return Page(self.size + 1, (self.number - 1) * self.size)

    def cut(self, rows: Sequence[T]) -> list[T]:
        """The rows of this page."""
        return list(rows[: self.size])

    def link(self, url: str, query: Query, rows: Sequence[object]) -> str:
        """The `Link` header; empty where there is only one page.

        `page` stands before `per_page`, which is last: a client splits on `&` and `=` and chokes
        otherwise (contract rest-graphql §4.3).
        """
        kept = [(name, value) for name, value in query if name not in ("page", "per_page") and value]
        targets = []
        if self.number > 1:
            targets += [("first", 1), ("prev", self.number - 1)]
        if len(rows) > self.size:
            targets.append(("next", self.number + 1))
        return ", ".join(
            f'<{url}?{urlencode([*kept, ("page", number), ("per_page", self.size)])}>; rel="{name}"'
            for name, number in targets
        )


@dataclass(frozen=True, slots=True)
class CursorRequest:
    """Which part of a cursor-style list a caller asks for."""

    after: str
    before: str
    size: int

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "CursorRequest":
        """Read `after`, `before` and `per_page`.

        Raises:
            Malformed: both cursors are given, one does not decode, or `per_page` is out of range.
        """
        after, before = query.get("after", ""), query.get("before", "")
        if after and before:
            raise Malformed("Give after or before, not both.", code="invalid_cursor")
        size = _whole(query.get("per_page", str(DEFAULT_SIZE)), 0)
        if not 1 <= size <= MAX_SIZE:
            raise Malformed(f"per_page is a number from 1 to {MAX_SIZE}.", code="invalid_per_page")
        return cls(_decode(after), _decode(before), size)

    @staticmethod
    def encode(text: str) -> str:
        """A cursor."""
        return _encode(text)

    def cut(self, rows: Sequence[T], ids: Sequence[str]) -> tuple[list[T], str, str]:
        """The asked part of the rows, and the cursors of its neighbours (`prev`, `next`); empty if none.

        Raises:
            Malformed: the cursor is not of this list.
        """
        first, last = 0, len(rows)
        try:
            if self.before:
                last = ids.index(self.before)
                first = max(0, last - self.size)
            elif self.after:
                first = ids.index(self.after) + 1
        except ValueError:
            raise Malformed("The cursor is not of this list.", code="invalid_cursor") from None
        last = min(last, first + self.size)
        back = _encode(ids[first]) if first > 0 and first < len(ids) else ""
        on = _encode(ids[last - 1]) if last < len(rows) else ""
        return list(rows[first:last]), back, on


def _whole(text: str | None, default: int) -> int:
    """A number of a query; the default where it is none."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else default


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Malformed("The cursor cannot be read.", code="invalid_cursor") from None
