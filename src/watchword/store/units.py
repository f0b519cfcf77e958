"""Queued units of work, as both stores keep them between a caller and its commit."""

import asyncio
from collections.abc import Sequence
from typing import Any

from watchword.domain.errors import Unavailable
from watchword.domain.events import Notice
from watchword.store.base import Work


def refusal(error: BaseException | None) -> Unavailable:
    """What a caller is told when the database takes nothing; `error` says why, in the log."""
    refused = Unavailable("The database cannot take this now; try again.")
    refused.__cause__ = error
    return refused


class Unit:
    """One queued unit of work and the caller that waits for it."""

    __slots__ = ("error", "future", "notices", "result", "work")

    def __init__(self, work: Work[Any], future: "asyncio.Future[Any]") -> None:
        self.work = work
        self.future = future
        self.notices: Sequence[Notice] = ()
        self.result: Any = None
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """It has not happened, or nobody knows."""
        self.error = error
        self.notices = ()

    def settle(self) -> None:
        """Give the caller its answer, if it still waits."""
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)
