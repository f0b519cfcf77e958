"""Backends of the store; another one is added to `BACKENDS` and every test here runs on it too."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from watchword.domain.events import Notice
from watchword.store.base import Store, Work
from watchword.store.schema import prepare
from watchword.store.sqlite import Publish, SqliteStore

T = TypeVar("T")


class Backend(Protocol):
    """One database of one make."""

    def open(self, publish: Publish) -> Store:
        """A store on the database; a second one sees what the first committed."""

    def fill_up(self, store: Store) -> None:
        """From now on the database has no room for more."""

    def make_room(self, store: Store) -> None:
        """It has room again."""

    def whole(self) -> bool:
        """Whether the database finds itself undamaged."""


class SqliteBackend:
    """SQLite in a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.db"
        prepare(self._path)

    def open(self, publish: Publish) -> Store:
        return SqliteStore(self._path, publish)

    def fill_up(self, store: Store) -> None:
        self._limit(store, full=True)

    def make_room(self, store: Store) -> None:
        self._limit(store, full=False)

    def _limit(self, store: Store, *, full: bool) -> None:
        assert isinstance(store, SqliteStore)
        raw = store._writer.raw
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
        raw.execute(f"PRAGMA max_page_count={pages if full else 2**30}").fetchone()

    def whole(self) -> bool:
        connection = sqlite3.connect(self._path)
        try:
            return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
        finally:
            connection.close()


BACKENDS: dict[str, Callable[[Path], Backend]] = {"sqlite": SqliteBackend}


class Shelf:
    """A store, a loop to use it on, and what it published."""

    def __init__(self, backend: Backend) -> None:
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
