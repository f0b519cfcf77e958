"""One job at a time in a checkout, also among agents that were given the same name."""

import contextlib
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

_WAIT = 1.0


@contextlib.asynccontextmanager
async def locked(
    folder: Path, sleep: Callable[[float], Awaitable[None]], tell: Callable[[str], Awaitable[None]]
) -> AsyncIterator[None]:
    """Hold the lock of a checkout; wait for whoever holds it.

    Args:
        folder: the checkout, which need not exist yet.
        sleep: waits for so many seconds.
        tell: hears once that there is something to wait for.

    Raises:
        OSError: the lock's file cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("a") as file:
        told = False
        while not _taken(file.fileno()):
            if not told:
                await tell("# Waiting for another job that uses the same working directory")
                told = True
            await sleep(_WAIT)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
