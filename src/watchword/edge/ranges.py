"""Ranges of bytes (RFC 9110 §14): which part of something a request asks for, and the answer with it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

from watchword.edge.http import Headers, Request, Response, Streamed

Give = Callable[[int, int], Awaitable[AsyncIterator[bytes]]]
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


async def answer_in_part(request: Request, size: int, headers: Headers, give: Give) -> Response:
    """All bytes of something, or the range of them that the request asks for.

    Args:
        request: the request.
        size: how many bytes there are.
        headers: of the answer, its length aside.
        give: gives so many bytes from a first one.
    """
    asked = span(request.headers.get(b"range", b"").decode("latin-1"), size)
    if asked is None:
        return Streamed(200, await give(0, size), [*headers, (b"content-length", str(size).encode())])
    first, count = asked
    if not count:
        return Response(416, b"", [*headers, (b"content-range", f"bytes */{size}".encode())])
    shown = f"bytes {first}-{first + count - 1}/{size}".encode()
    length = [(b"content-range", shown), (b"content-length", str(count).encode())]
    return Streamed(206, await give(first, count), [*headers, *length])


def span(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and length of a range (RFC 9110 §14.1.2); None for the whole, length 0 if there is none.

    Several ranges in one request, and what cannot be read, mean the whole.
    """
    found = _RANGE.fullmatch(asked)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        count = min(int(found[2]), size)
        return size - count, count
    first, last = int(found[1]), int(found[2] or size)
    if last < first:
        return None if found[2] else (first, 0)
    return first, max(0, min(last, size - 1) - first + 1)
