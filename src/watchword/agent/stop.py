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
        self._children: list[Stop] = []
        self._parent: Stop | None = None

    def ask(self) -> None:
        """Go one step further: the first call drains, the second cuts."""
        if self.drain.is_set():
            self._set(cut=True)
        self._set(cut=False)

    def force(self) -> None:
        """Go all the way."""
        self._set(cut=True)

    def child(self) -> "Stop":
        """A stop that goes wherever this one goes, and may go further alone."""
        child = Stop()
        child._parent = self
        if self.drain.is_set():
            child._set(cut=self.cut.is_set())
        self._children.append(child)
        return child

    def release(self) -> None:
        """Follow the parent no longer. It may be repeated."""
        if self._parent is not None:
            self._parent._children.remove(self)  # noqa: SLF001 - of the same class
            self._parent = None

    def _set(self, *, cut: bool) -> None:
        self.drain.set()
        if cut:
            self.cut.set()
        for child in self._children:
            child._set(cut=cut)  # noqa: SLF001 - of the same class


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
