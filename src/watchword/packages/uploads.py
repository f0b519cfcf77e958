"""The form of an upload, as twine and its like send it: fields first, then the file, in one pass.

Forms say far more than is needed, a whole README among it: what is not needed is read over and not kept.
Of the file nothing is opened, so that nothing of it is unpacked.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from multipart import MultipartSegment

from watchword.edge.forms import boundary_of, form_events, malformed
from watchword.edge.http import Message, Request

_FILE = "content"
_WANTED = frozenset(
    {
        ":action",
        "name",
        "version",
        "summary",
        "requires_python",
        "sha256_digest",
        "blake2_256_digest",
    }
)
_MAX_VALUE_BYTES = 4096
_MAX_PARTS = 1000
# Fields, signatures and boundaries around the file.
_OVERHEAD = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class UploadForm:
    """An upload up to its file's bytes, which come as they are asked for."""

    fields: dict[str, str]
    filename: str
    file: AsyncIterator[bytes]


class Rest:
    """What a client still sends when it is refused: read over, so that it reads the answer and not a reset.

    Args:
        request: the upload, of whose body nothing was read yet.
    """

    def __init__(self, request: Request) -> None:
        length = request.headers.get(b"content-length", b"")
        self._left = int(length) if length.isdigit() else 0
        self._receive = request.receive
        request.receive = self._counted

    async def _counted(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return message

    async def read_over(self, limit: int) -> None:
        """Read to the end of the body, if that is not too far."""
        if self._left > limit:
            return
        while self._left > 0:
            message = await self._counted()
            if message["type"] != "http.request" or not message.get("more_body"):
                return


async def read_upload_form(request: Request, limit: int) -> UploadForm:
    """Read a form up to the bytes of its file.

    Raises:
        Malformed: it is no such form, has no file, or a field that is needed is too long.
        TooLarge: it is over the limit.
    """
    events = form_events(request, boundary_of(request), limit + _OVERHEAD)
    fields: dict[str, str] = {}
    name, value, parts = "", bytearray(), 0
    async for event in events:
        if isinstance(event, MultipartSegment):
            parts += 1
            if event.name == _FILE and event.filename is not None:
                return UploadForm(fields, event.filename, _bytes_of(events))
            name, value = "" if event.filename is not None else event.name or "", bytearray()
        elif event is None:
            if name in _WANTED:
                fields[name] = value.decode(errors="replace")
        elif name in _WANTED:
            value += event
        if len(value) > _MAX_VALUE_BYTES or parts > _MAX_PARTS:
            raise malformed("its fields are too long")
    raise malformed(f"there is no file {_FILE!r} in it")


async def _bytes_of(
    events: AsyncIterator[MultipartSegment | bytes | bytearray | None],
) -> AsyncIterator[bytes]:
    """The bytes of the part that has begun; whatever follows it is read over."""
    ended = False
    async for event in events:
        if event is None:
            ended = True
        elif not ended and not isinstance(event, MultipartSegment):
            yield bytes(event)
