"""The socket `admin.sock` in the data folder: only the user who runs the server, and root, can reach it.

One request a connection: a line of JSON there, a line of JSON back.
"""

import asyncio
import contextlib
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import structlog

log = structlog.get_logger("watchword.host")

SOCKET = "admin.sock"
MAX_LINE = 4 * 1024 * 1024
_SECONDS = 30.0
_PEER = struct.Struct("3i")

Answer = Callable[[str, bytes], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def listening(folder: Path, answer: Answer) -> AsyncIterator[None]:
    """Serve on the socket of a data folder that this process holds, and remove it in the end.

    Where the socket cannot be made, the server runs without it.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        with contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.CancelledError):
            await _serve(reader, writer, answer)
        writer.close()

    try:
        bound = _bound(folder)
    except OSError as error:
        log.warning("no_admin_socket", folder=str(folder), error=error.strerror)
        yield
        return
    server = await asyncio.start_unix_server(serve, sock=bound, limit=MAX_LINE)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _remove(folder)


def _remove(folder: Path) -> None:
    (folder / SOCKET).unlink(missing_ok=True)


def _bound(folder: Path) -> socket.socket:
    """A socket that only this user can open; nobody is let in before it listens."""
    _remove(folder)  # of a server that was killed: this one holds the folder
    made = socket.socket(socket.AF_UNIX)
    try:
        with _address(folder) as address:
            made.bind(address)
        (folder / SOCKET).chmod(0o600)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


@contextlib.contextmanager
def _address(folder: Path) -> Iterator[str]:
    """An address that is short enough, however long the folder's name is: the kernel takes 107 bytes."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        short = f"/proc/self/fd/{opened}"
        yield f"{short if Path(short).exists() else folder}/{SOCKET}"
    finally:
        os.close(opened)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    async with asyncio.timeout(_SECONDS):
        line = await reader.readline()
        if not line.endswith(b"\n"):
            return
        writer.write(await answer(_login(writer), line) + b"\n")
        await writer.drain()


def _login(writer: asyncio.StreamWriter) -> str:
    """The user at the other end, as the kernel knows them."""
    if not hasattr(socket, "SO_PEERCRED"):
        return login_of(os.getuid())
    raw = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return login_of(_PEER.unpack(raw)[1])


def login_of(uid: int) -> str:
    """A user's name on this machine, or their number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def ask(folder: Path, request: bytes) -> bytes | None:
    """Ask the server that runs on a data folder; None where none listens.

    Raises:
        OSError: it ended or fell silent before it answered, or this user may not ask.
    """
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(socket.socket(socket.AF_UNIX))
        made.settimeout(_SECONDS)
        try:
            made.connect(stack.enter_context(_address(folder)))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        made.sendall(request + b"\n")
        with made.makefile("rb") as stream:
            answer = stream.readline(MAX_LINE)
    if not answer.endswith(b"\n"):
        raise ConnectionResetError("the server ended before it answered")
    return answer
