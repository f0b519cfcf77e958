"""A small HTTP server on a Unix socket, for the commands of jobs on this machine."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

MAX_BODY = 4 * 1024 * 1024
MAX_PATH = 100
"""Bytes that fit into the address of a socket everywhere."""

_MAX_HEADERS = 100


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What it gets: a status, and a body that is sent as JSON."""

    status: int
    body: object


Answer = Callable[[Request], Awaitable[Reply]]


class Unreadable(Exception):
    """What came is no request that this server reads."""


def refusal(status: HTTPStatus, reason: str) -> Reply:
    """An error as the usual commands read it."""
    return Reply(status, {"error": reason})


@contextlib.asynccontextmanager
async def listening(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Serve on a new socket that only this user can reach, and remove it in the end.

    Raises:
        OSError: the socket cannot be made.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _serve(reader, writer, answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, sock=_bound(path))
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _bound(path: Path) -> socket.socket:
    """A socket that only this user can open; nobody is let in before it listens."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.bind(str(path))
        path.chmod(0o600)
    except OSError:
        made.close()
        raise
    return made


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    """One request, one answer, and the connection is over."""
    try:
        reply = await answer(await _read(reader))
    except (Unreadable, ValueError) as error:
        reply = refusal(HTTPStatus.BAD_REQUEST, str(error))
    body = msgspec.json.encode(reply.body) + b"\n"
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    method, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
    target = rest.split(" ")[0]
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY or "transfer-encoding" in headers:
        raise Unreadable("a request needs a Content-Length, and may have 4 MiB")
    path, _, query = target.partition("?")
    body = await reader.readexactly(int(length))
    return Request(method, path, dict(parse_qsl(query, keep_blank_values=True)), headers, body)
