"""Requests and answers on bare ASGI: what the hot endpoints need and no more."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from watchword.domain.errors import Malformed, TooLarge
from watchword.domain.texts import refuse_nul_in_json, refuse_nul_in_url

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")
# Answers depend on the token; none may be kept by anyone on the way (RFC 9111 §5.2.2.5).
_ALWAYS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]

DEFAULT_LIMIT = 64 * 1024
_ENCODER = msgspec.json.Encoder()


class ClientGone(Exception):
    """The client went away before its request was whole."""


class Response:
    """A whole answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = [JSON, *_ALWAYS] if headers is None else [*headers, *_ALWAYS]

    @classmethod
    def json(cls, content: object, status: int = 200) -> "Response":
        """An answer of JSON."""
        return cls(status, _ENCODER.encode(content))


EMPTY = Response(200, b"{}")


class Streamed(Response):
    """An answer whose body comes in pieces, read as fast as the client takes them."""

    __slots__ = ("pieces",)

    def __init__(self, status: int, pieces: AsyncIterator[bytes], headers: Headers) -> None:
        super().__init__(status, b"", headers)
        self.pieces = pieces


class Request:
    """One request.

    Attributes:
        scope: ASGI's scope.
        headers: header values by lower-case name; the last line where a name came twice.
        address: the client's address by the strict rule, or None where it is ambiguous.
        id: the request's id.
        receive: ASGI's messages of the body.
        right: what the route asks of a job's token; empty for nothing.
    """

    __slots__ = ("address", "headers", "id", "receive", "right", "scope")

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        headers: dict[bytes, bytes],
        address: str | None,
        request_id: str,
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.headers = headers
        self.address = address
        self.id = request_id
        self.right = ""

    @property
    def agent(self) -> str:
        """The client's User-Agent."""
        return self.headers.get(b"user-agent", b"").decode("latin-1")

    def credential(self) -> str | None:
        """The value behind `Token` or `Bearer` in the Authorization header; None if there is none."""
        header = self.headers.get(b"authorization")
        if header is None:
            return None
        if header.startswith(b"Token "):  # as agents write it; the other ways are as good, and rare here
            return header[6:].strip().decode("latin-1")
        scheme, _, value = header.partition(b" ")
        if scheme.lower() not in (b"token", b"bearer"):
            return None
        return value.strip().decode("latin-1")

    def query(self) -> dict[str, str]:
        """The query's parameters; the last where a name came twice.

        Raises:
            Invalid: it holds a NUL character.
        """
        given: bytes = self.scope.get("query_string", b"")
        refuse_nul_in_url(b"", given)
        return dict(parse_qsl(given.decode("latin-1"), keep_blank_values=True))

    async def body(self, limit: int = DEFAULT_LIMIT) -> bytes:
        """The whole body.

        Raises:
            TooLarge: it is over `limit` bytes.
            ClientGone: it was cut off.
        """
        length = self.headers.get(b"content-length")
        if length is not None and (not length.isdigit() or int(length) > limit):
            raise TooLarge(f"The body takes at most {limit} bytes.", code="body_too_large")
        # The server hands over no more than was announced, so that much is all of it; asking for the
        # end mark too is another way round the loop, as dear as the rest of a small request.
        announced = None if length is None or b"transfer-encoding" in self.headers else int(length)
        if announced == 0:
            return b""
        message = await self.receive()
        parts: list[bytes] = []
        size = 0
        while True:
            if message["type"] != "http.request":
                raise ClientGone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge(f"The body takes at most {limit} bytes.", code="body_too_large")
            if size == announced or not message.get("more_body"):
                return b"".join((*parts, part)) if parts else part
            parts.append(part)
            message = await self.receive()

    async def stream(self, limit: int) -> AsyncIterator[bytes]:
        """The body in pieces, no faster than they are used; the client's length is held to.

        Raises:
            Malformed: its length is not announced.
            TooLarge: it is over `limit` bytes.
            ClientGone: it was cut off.
        """
        length = self.headers.get(b"content-length", b"")
        if not length.isdigit() or b"transfer-encoding" in self.headers:
            raise Malformed("This call needs a Content-Length.", code="length_required", status=411)
        rest = int(length)
        if rest > limit:
            raise TooLarge(f"The body takes at most {limit} bytes.", code="body_too_large")
        while rest:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientGone
            part: bytes = message.get("body", b"")
            rest -= len(part)
            if rest < 0 or (rest and not message.get("more_body")):
                raise ClientGone
            if part:
                yield part


def decode(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:  # noqa: ANN401 - as the decoder says
    """Decode a JSON body.

    Raises:
        Malformed: it is no JSON (400), or a field has another type than the contract says (422).
        Invalid: a text in it holds a NUL character.
    """
    refuse_nul_in_json(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Malformed(f"The body does not fit: {error}", code="invalid_body", status=422) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The body is not valid JSON.", code="bad_json") from None
