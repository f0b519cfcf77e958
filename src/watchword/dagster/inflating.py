"""Compressed parts of forms, unpacked no further than they may be (contract §6, §7)."""

import asyncio
import zlib
from typing import Any

import msgspec

from watchword.domain.errors import Malformed, TooLarge
from watchword.domain.texts import refuse_nul_in_json
from watchword.edge.forms import read_form
from watchword.edge.http import Request

MAX_PACKED = 16 * 1024 * 1024
MAX_UNPACKED = 64 * 1024 * 1024
_PIECE = 256 * 1024


async def read_compressed(request: Request, limit: int = MAX_UNPACKED) -> Any:  # noqa: ANN401 - JSON
    """The JSON in the one file of a form, which is compressed.

    Args:
        request: the request.
        limit: bytes that it may have when it is unpacked.

    Raises:
        Malformed: it is no such form, not compressed so, or no JSON.
        TooLarge: it is over a limit; it is unpacked no further.
        Invalid: a text in it holds a NUL character.
    """
    form = await read_form(request, MAX_PACKED)
    unpacker = zlib.decompressobj()
    parts: list[bytes] = []
    size = 0
    try:
        async for piece in form.file:
            rest = piece
            while rest:
                part = unpacker.decompress(rest, _PIECE)
                rest = unpacker.unconsumed_tail
                size += len(part)
                if size > limit:
                    raise TooLarge(f"This takes at most {limit} bytes, unpacked.", code="body_too_large")
                parts.append(part)
    except zlib.error:
        raise Malformed("The file of this form is not compressed with zlib.", code="not_zlib") from None
    content = b"".join(parts)
    return await asyncio.to_thread(decode, content) if size > _PIECE else decode(content)


def decode(content: bytes) -> Any:  # noqa: ANN401 - JSON
    """JSON.

    Raises:
        Malformed: it is none.
        Invalid: a text in it holds a NUL character.
    """
    refuse_nul_in_json(content)
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("This is no JSON.", code="bad_json") from None
