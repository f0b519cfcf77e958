"""Connections: lists in parts, by cursors (contract rest-graphql §1.6).

A cursor of a list that is read whole is the id of its row, so that what is added meanwhile shifts nothing;
one of a list that is read in windows is a position in it.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from watchword.domain.errors import Malformed
from watchword.graphql.binding import Arguments, Thing
from watchword.graphql.call import Call
from watchword.graphql.cost import PAGE
from watchword.services.queries import Page

T = TypeVar("T")


def sizes(arguments: Arguments) -> tuple[int | None, int | None]:
    """How many are asked for from the front and from the end; 500 from the front where neither is said.

    Raises:
        Malformed: one is negative.
    """
    first, last = arguments.get("first"), arguments.get("last")
    for name, value in (("first", first), ("last", last)):
        if value is not None and value < 0:
            raise Malformed(f"{name} is not negative.", code="invalid_page")
    if first is None and last is None:
        first = PAGE
    return (min(first, PAGE) if first is not None else None), (min(last, PAGE) if last is not None else None)


def encode(text: str) -> str:
    """A cursor."""
    return base64.b64encode(text.encode()).decode()


def decode(cursor: str) -> str:
    """What a cursor holds.

    Raises:
        Malformed: it is none of ours.
    """
    try:
        return base64.b64decode(cursor.encode(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Malformed("The cursor cannot be read.", code="invalid_cursor") from None


def listed(
    rows: Sequence[T], arguments: Arguments, show: Callable[[T], Thing], key: Callable[[T], str]
) -> dict[str, object]:
    """A connection over all rows of a list.

    Args:
        rows: all of them, in the order asked for.
        arguments: `first`, `after`, `last`, `before`.
        show: makes a row an object.
        key: a row's id, for cursors.

    Raises:
        Malformed: a cursor is not of this list, or a size is negative.
    """
    first, last = sizes(arguments)
    start, stop = _between([key(row) for row in rows], arguments)
    if first is not None:
        stop = min(stop, start + first)
    if last is not None:
        start = max(start, stop - last)
    part = list(rows[start:stop])
    return connection(
        [(encode(key(row)), show(row)) for row in part],
        len(rows),
        before=start > 0,
        after=stop < len(rows),
    )


def _between(keys: Sequence[str], arguments: Arguments) -> tuple[int, int]:
    start, stop = 0, len(keys)
    try:
        if arguments.get("after"):
            start = keys.index(decode(arguments["after"])) + 1
        if arguments.get("before"):
            stop = keys.index(decode(arguments["before"]))
    except ValueError:
        raise Malformed("The cursor is not of this list.", code="invalid_cursor") from None
    return start, max(start, stop)


def connection(
    nodes: Sequence[tuple[str, Thing]],
    count: int | Callable[[Call, Arguments], Awaitable[int]],
    *,
    before: bool,
    after: bool,
) -> dict[str, object]:
    """A connection from its nodes with their cursors; a function as `count` is asked when it is selected."""
    return {
        "count": count,
        "edges": [{"cursor": cursor, "node": node} for cursor, node in nodes],
        "nodes": [node for _, node in nodes],
        "pageInfo": {
            "startCursor": nodes[0][0] if nodes else None,
            "endCursor": nodes[-1][0] if nodes else None,
            "hasPreviousPage": before,
            "hasNextPage": after,
        },
    }


async def windowed(
    fetch: Callable[[Page], Awaitable[Sequence[T]]],
    count: Callable[[], Awaitable[int]],
    arguments: Arguments,
    show: Callable[[T], Thing],
) -> dict[str, object]:
    """A connection over a list that is read in windows; cursors are positions.

    Args:
        fetch: reads a window.
        count: how many there are; asked only where it is needed.
        arguments: `first`, `after`, `last`, `before`.
        show: makes a row an object.

    Raises:
        Malformed: a cursor is not of this list, or a size is negative.
    """
    first, last = sizes(arguments)
    start = _position(arguments, "after", -1) + 1
    stop = _position(arguments, "before", -1)
    if first is None and last is not None:
        if stop < 0:
            stop = await count()
        start = max(start, stop - last)
        size = max(stop - start, 0)
    else:
        size = first if first is not None else 0
        if stop >= 0:
            size = max(min(size, stop - start), 0)
    rows = list(await fetch(Page(size + 1, start)))
    part = rows[:size]
    if first is not None and last is not None:
        dropped = max(len(part) - last, 0)
        start, part = start + dropped, part[dropped:]

    async def counted(_call: Call, _arguments: Arguments) -> int:
        return await count()

    return connection(
        [(encode(str(start + index)), show(row)) for index, row in enumerate(part)],
        counted,
        before=start > 0,
        after=len(rows) > size or stop >= 0,
    )


_MAX_POSITION = 10_000_000


def _position(arguments: Arguments, name: str, absent: int) -> int:
    cursor = arguments.get(name)
    if not cursor:
        return absent
    text = decode(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 9) or int(text) > _MAX_POSITION:  # noqa: PLR2004 - digits of the largest
        raise Malformed("The cursor is not of this list.", code="invalid_cursor")
    return int(text)


def empty() -> dict[str, object]:
    """A list of things that this server does not have."""
    return connection([], 0, before=False, after=False)
