"""Asking the agent to stop: first politely, then at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stop:
    """Two steps of leaving (contract section 5.4).

    Attributes:
        drain: take no more jobs; leave when the running one has finished.
        cut: cancel the running job, then leave. It implies `drain`.
    """

    def __init__(self) -> None:
        self.drain = asyncio.Event()
        self.cut = asyncio.Event()

    def ask(self) -> None:
        """Go one step further: the first call drains, the second cuts."""
        if self.drain.is_set():
            self.cut.set()
        self.drain.set()

    def force(self) -> None:
        """Go all the way."""
        self.drain.set()
        self.cut.set()


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Await `work`, or give it up as soon as `event` is set.

    Returns:
        The result of `work`; None if it was given up.
    """
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await drop(task, alarm)


async def drop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they are gone; their results and errors are not looked at."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
