"""Frames of streaming pings: gRPC's length-prefixed messages around four small protobuf messages.

What goes over the wire is in the contract (agent-api §3.3). Four messages need no protobuf library.
Both ends use this: the server writes answers and reads requests, our agent does the reverse.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from watchword.domain.errors import Malformed

MAX_MESSAGE = 4096
_GZIP = 16 + zlib.MAX_WBITS
_HEAD = struct.Struct(">BI")
_TEXT = 1  # every text, and the job in its message, is field 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MAX_SHIFT = 63


class Action(IntEnum):
    """What a stream tells an agent; the number is that of the field in `StreamPingsResponse`."""

    RESUME = 2
    PAUSE = 3
    DISCONNECT = 4
    JOB = 5


@dataclass(frozen=True, slots=True)
class Told:
    """One message to an agent.

    Attributes:
        action: what it is to do.
        text: the reason, for people; the job's id with `Action.JOB`.
    """

    action: Action
    text: str = ""


def frame(message: bytes) -> bytes:
    """A message as gRPC sends it, not compressed."""
    return _HEAD.pack(0, len(message)) + message


def told_frame(told: Told) -> bytes:
    """The frame of a message to an agent."""
    inner = _field(_TEXT, told.text.encode()) if told.text else b""
    if told.action is Action.JOB:
        inner = _field(_TEXT, inner)
    return frame(_field(told.action, inner))


def request_frame(agent_id: str) -> bytes:
    """The frame of the request that opens an agent's stream."""
    return frame(_field(_TEXT, agent_id.encode()))


def read_request(body: bytes, encoding: str = "") -> str:
    """The agent id in the body of a request, which holds one frame.

    Args:
        body: the whole body.
        encoding: the request's `grpc-encoding`, which holds for messages that are marked as compressed.

    Raises:
        Malformed: it is not one whole frame around a message of this kind.
    """
    frames = Frames(encoding)
    messages = frames.feed(body)
    if len(messages) != 1 or frames.rest:
        raise _broken("the body is not one frame")
    return _text(messages[0])


def read_told(message: bytes) -> Told | None:
    """What a message to an agent says; None where it says nothing that this version knows.

    Raises:
        Malformed: it is no such message, or names a job without an id.
    """
    told: Told | None = None
    for number, value in _fields(message):
        if number not in Action._value2member_map_ or not isinstance(value, bytes):
            continue
        action = Action(number)
        inner = _only(value) if action is Action.JOB else value
        told = Told(action, _text(inner))
        if action is Action.JOB and not told.text:
            raise _broken("a job has no id")
    return told


class Frames:
    """Cuts a body into messages, however its pieces come.

    Attributes:
        rest: bytes of a frame that is not whole yet.
    """

    __slots__ = ("_encoding", "rest")

    def __init__(self, encoding: str = "") -> None:
        self._encoding = encoding
        self.rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The messages that are whole with this piece.

        Raises:
            Malformed: a message is too long, or compressed in a way that nobody announced.
        """
        found = []
        data = self.rest + piece
        while len(data) >= _HEAD.size:
            flag, length = _HEAD.unpack_from(data)
            if length > MAX_MESSAGE:
                raise _broken(f"a message takes at most {MAX_MESSAGE} bytes")
            end = _HEAD.size + length
            if len(data) < end:
                break
            found.append(self._plain(flag, data[_HEAD.size : end]))
            data = data[end:]
        self.rest = data
        return found

    def _plain(self, flag: int, message: bytes) -> bytes:
        if flag == 0:
            return message
        if flag != 1 or self._encoding != "gzip":
            raise _broken("a message is compressed otherwise than by gzip, as grpc-encoding has to say")
        unpacker = zlib.decompressobj(_GZIP)
        try:
            plain = unpacker.decompress(message, MAX_MESSAGE)
        except zlib.error:
            raise _broken("a compressed message is damaged") from None
        if not unpacker.eof or unpacker.unused_data:
            raise _broken("a compressed message is not whole, or too long")
        return plain


def _broken(why: str) -> Malformed:
    return Malformed(f"The stream's message cannot be read: {why}.", code="bad_frame")


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _text(message: bytes) -> str:
    try:
        return _only(message).decode()
    except UnicodeDecodeError:
        raise _broken("a text is not UTF-8") from None


def _only(message: bytes) -> bytes:
    """Field 1, the last time that it comes; empty where it does not, as proto3 has it."""
    value = b""
    for number, found in _fields(message):
        if number == _TEXT and isinstance(found, bytes):
            value = found
    return value


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Numbers and values of a message's fields; of fixed ones the bytes as they are."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _broken("a field has the number 0")
        if wire == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _read_varint(message, at)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise _broken("a field has an unknown form")
        if length > len(message) - at:
            raise _broken("a field is cut off")
        if wire == _BYTES:
            yield number, message[at : at + length]
        at += length


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(message) and shift <= _MAX_SHIFT:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no eighth bit
            return number, at
        shift += 7
    raise _broken("a number is cut off")
