"""Forms with a file (RFC 7578), read as they come: the fields whole, the file in pieces."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from watchword.domain.errors import Malformed
from watchword.edge.http import Request

_MAX_FIELDS = 20
_MAX_FIELD_BYTES = 16 * 1024
# What is around the file: fields, part headers, boundaries.
_OVERHEAD = 1024 * 1024
# A file name is a whole path.
_MAX_HEADER_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """The fields that came before the file, and the file."""

    fields: dict[str, str]
    file: AsyncIterator[bytes]


def malformed(reason: object) -> Malformed:
    """The refusal of a form that cannot be read."""
    return Malformed(f"The form cannot be read: {reason}.", code="bad_form")


def boundary_of(request: Request) -> str:
    """What stands between the parts of a request's form.

    Raises:
        Malformed: the request carries no such form.
    """
    header = request.headers.get(b"content-type", b"").decode("latin-1")
    kind, options = parse_options_header(header)  # type: ignore[no-untyped-call] # its own
    boundary = options.get("boundary")
    if kind != "multipart/form-data" or not boundary:
        raise malformed("it is not multipart/form-data")
    return str(boundary)


async def read_form(request: Request, limit: int) -> Form:
    """Read a form up to its file, which is the last part; the file's bytes come as they are asked for.

    Args:
        request: the request.
        limit: bytes that the file may have, roughly: what is around it is allowed for.

    Raises:
        Malformed: it is no such form.
        TooLarge: it is over the limit.
    """
    events = form_events(request, boundary_of(request), limit + _OVERHEAD)
    fields: dict[str, str] = {}
    name, value = "", bytearray()
    async for event in events:
        if isinstance(event, MultipartSegment):
            if event.filename is not None:
                return Form(fields, _file(events))
            name, value = event.name or "", bytearray()
        elif event is not None:
            value += event
        else:
            fields[name] = value.decode(errors="replace")
        if len(value) > _MAX_FIELD_BYTES or len(fields) > _MAX_FIELDS:
            raise malformed("its fields are too long")
    raise malformed("there is no file in it")


async def form_events(
    request: Request, boundary: str, limit: int
) -> AsyncIterator[MultipartSegment | bytes | bytearray | None]:
    """A form part by part: its head, its bytes in pieces, None at its end.

    Raises:
        Malformed: it is no such form.
        TooLarge: it is over the limit.
    """
    try:
        parser = PushMultipartParser(boundary, max_header_size=_MAX_HEADER_BYTES)
        async for piece in request.stream(limit):
            for event in parser.parse(piece):
                yield event
        parser.close()  # type: ignore[no-untyped-call] # its own
    except MultipartError as error:
        raise malformed(error) from None


async def _file(events: AsyncIterator[MultipartSegment | bytes | bytearray | None]) -> AsyncIterator[bytes]:
    """The bytes of the part that has begun; whatever follows it is read over."""
    ended = False
    async for event in events:
        if event is None:
            ended = True
        elif not ended and not isinstance(event, MultipartSegment):
            yield bytes(event)
