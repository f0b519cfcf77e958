"""A store of each backend under test, and a loop to use it on."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from databases import Database
from watchword.domain.events import Notice
from watchword.store.base import Store, Work

T = TypeVar("T")


class Shelf:
    """A store, a loop to use it on, and what it published."""

    def __init__(self, backend: Database) -> None:
        self.backend = backend
        self.runner = asyncio.Runner()
        self.notices: list[Notice] = []
        self.on_publish: Callable[[Sequence[Notice]], None] = self.notices.extend
        self.store = self.open()

    def open(self) -> Store:
        async def made() -> Store:
            return self.backend.open(self._published)

        return self.run(made())

    def _published(self, notices: Sequence[Notice]) -> None:
        self.on_publish(notices)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def write(self, work: Work[T]) -> T:
        return self.run(self.store.write(work))

    def read(self, work: Work[T]) -> T:
        return self.run(self.store.read(work))

    def restart(self) -> None:
        """Close the store and open another on the same database."""
        self.run(self.store.close())
        self.store = self.open()

    def close(self) -> None:
        self.run(self.store.close())
        self.runner.close()
