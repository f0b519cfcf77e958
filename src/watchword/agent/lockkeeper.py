"""Keeps the locks of this machine's jobs; of several agents' processes one does it for all.

The locks are in its memory: they end with it, and the next process begins with none.
"""

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import msgspec
from structlog.typing import FilteringBoundLogger

from watchword.agent.inside.locks import BASE, SOCKET
from watchword.agent.retry import Policy
from watchword.agent.stop import drop
from watchword.agent.unixhttp import MAX_PATH, Reply, Request, listening, refusal

_RETRY = 5.0


class _Swap(msgspec.Struct):
    old: str
    new: str


class LockTable:
    """The state of every lock; empty is free."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    async def answer(self, request: Request) -> Reply:
        """Read a lock's state, or replace it if it is the expected one."""
        key = request.query.get("key")
        if request.path != f"{BASE}/lock" or not key:
            return refusal(HTTPStatus.NOT_FOUND, "there is /lock?key=… here, and nothing else")
        state = self._states.get(key, "")
        if request.method == "GET":
            return Reply(HTTPStatus.OK, {"value": state})
        if request.method != "PATCH":
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "a lock can be read and replaced")
        try:
            wanted = msgspec.json.decode(request.body, type=_Swap)
        except msgspec.DecodeError as error:
            return refusal(HTTPStatus.BAD_REQUEST, f"the request's body is not what it must be: {error}")
        if state != wanted.old:
            return Reply(HTTPStatus.OK, {"value": state, "swapped": False})
        if wanted.new:
            self._states[key] = wanted.new
        else:
            self._states.pop(key, None)
        return Reply(HTTPStatus.OK, {"value": wanted.new, "swapped": True})


@contextlib.asynccontextmanager
async def keeping_locks(folder: Path, policy: Policy, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Keep the locks as long as no other process does; jobs go on without if it cannot be done."""
    task = asyncio.create_task(_keep(folder, policy, log))
    try:
        yield
    finally:
        await drop(task)


async def _keep(folder: Path, policy: Policy, log: FilteringBoundLogger) -> None:
    path = folder / SOCKET
    if len(str(path).encode()) > MAX_PATH:
        log.warning("no locks for jobs: the folder of sockets has too long a name", folder=str(folder))
        return
    try:
        await _serve_in_turn(path, policy)
    except OSError as error:
        log.warning("no locks for jobs", folder=str(folder), error=str(error))


async def _serve_in_turn(path: Path, policy: Policy) -> None:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as file:
        while not _first(file.fileno()):
            await policy.sleep(_RETRY)
        await asyncio.to_thread(path.unlink, missing_ok=True)
        async with listening(path, LockTable().answer):
            await asyncio.Event().wait()


def _first(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
