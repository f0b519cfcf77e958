"""SQLite behind the store's contract: one writer thread with group commit, reads on the loop's thread.

WAL with `synchronous=FULL`: a unit is acknowledged after the commit that carries it is on disk.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from watchword.domain.errors import Unavailable
from watchword.domain.events import Notice
from watchword.store.base import Duplicate, Transaction, Work
from watchword.store.engine import Row, Statement
from watchword.store.transaction import Rows

T = TypeVar("T")
Publish = Callable[[Sequence[Notice]], None]

_DIALECT = sqlite_dialect(paramstyle="qmark")
_BATCH = 256
_BUSY_MS = 5000
_STATEMENTS = 512


def open_connection(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a database file with the settings that every connection of ours has."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA mmap_size=268435456")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


class SqliteConnection:
    """`engine.Connection` on the driver; its coroutines never suspend."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        # SQL text and parameter names, found by the statement's identity: statements live for ever.
        self._known: dict[int, tuple[str, tuple[str, ...], Mapping[str, Any]]] = {}

    def _execute(self, statement: Statement, parameters: Mapping[str, Any]) -> sqlite3.Cursor:
        known = self._known.get(id(statement))
        if known is None:
            known = self._known[id(statement)] = statement.compiled(_DIALECT)
        sql, names, fixed = known
        values = [parameters[name] if name in parameters else fixed.get(name) for name in names]
        return self.raw.execute(sql, values)

    async def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        try:
            return self._execute(statement, parameters).rowcount
        except sqlite3.IntegrityError as error:
            raise Duplicate(str(error)) from error

    async def one(self, statement: Statement, parameters: Mapping[str, Any]) -> Row | None:
        found: Row | None = self._execute(statement, parameters).fetchone()
        return found

    async def all(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        return self._execute(statement, parameters).fetchall()


def run_now(awaitable: Awaitable[T]) -> T:
    """Drive a coroutine that never suspends to its end, without an event loop.

    Raises:
        RuntimeError: it suspended, so it awaited something other than its transaction.
    """
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return cast("T", end.value)
    steps.close()
    raise RuntimeError("a unit of work awaited something other than its transaction")


def _refusal(error: sqlite3.Error) -> Unavailable:
    refusal = Unavailable("The database cannot take this now; try again.")
    refusal.__cause__ = error
    return refusal


class _Unit:
    """One queued unit of work and the caller that waits for it."""

    __slots__ = ("error", "future", "loop", "notices", "result", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.notices: Sequence[Notice] = ()
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteStore:
    """`store.base.Store` on one SQLite file.

    Args:
        path: the database file, migrated already.
        publish: called on the loop's thread with the notices of committed units, before any of them
            is acknowledged.
    """

    def __init__(self, path: Path, publish: Publish) -> None:
        self._publish = publish
        self._reader = SqliteConnection(open_connection(path, read_only=True))
        self._read_rows = Rows(self._reader)
        self._writer = SqliteConnection(open_connection(path))
        self._write_rows = Rows(self._writer)
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Work[T]) -> T:
        if self._closed:
            raise Unavailable("The server is shutting down; try again.")
        unit = _Unit(work, asyncio.get_running_loop())
        self._queue.put(unit)
        # A caller that goes away does not take the unit with it: it is committed or not, as it may be.
        return cast("T", await asyncio.shield(unit.future))

    async def read(self, work: Work[T]) -> T:
        return run_now(work(cast("Transaction", self._read_rows)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._reader.raw.close()
        self._writer.raw.close()

    def _work(self) -> None:
        """The writer thread: take what is queued, commit it together, acknowledge it."""
        open_ = True
        while open_:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            while len(batch) < _BATCH and not self._queue.empty():
                unit = self._queue.get()
                if unit is None:
                    open_ = False
                    break
                batch.append(unit)
            self._commit(batch)
            self._acknowledge(batch)

    def _commit(self, batch: list[_Unit]) -> None:
        raw = self._writer.raw
        try:
            raw.execute("BEGIN IMMEDIATE")
            for unit in batch:
                self._run(unit)
            raw.execute("COMMIT")
        except sqlite3.Error as error:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            for unit in batch:
                unit.error = unit.error or _refusal(error)
                unit.notices = ()

    def _run(self, unit: _Unit) -> None:
        """One unit inside a savepoint, so that its failure undoes it alone."""
        raw = self._writer.raw
        self._write_rows.posted.clear()
        raw.execute("SAVEPOINT unit")
        try:
            unit.result = run_now(unit.work(cast("Transaction", self._write_rows)))
            unit.notices = tuple(self._write_rows.posted)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and goes to the caller
            unit.error = _refusal(error) if isinstance(error, sqlite3.Error) else error
            # Where the database has given the whole transaction up, this fails and so does the batch.
            raw.execute("ROLLBACK TO unit")
        raw.execute("RELEASE unit")

    def _acknowledge(self, batch: list[_Unit]) -> None:
        loops = {unit.loop for unit in batch}
        for loop in loops:
            mine = [unit for unit in batch if unit.loop is loop]
            try:
                loop.call_soon_threadsafe(self._settle, mine)
            except RuntimeError:
                continue  # the loop is closed; nobody waits any more

    def _settle(self, units: list[_Unit]) -> None:
        """On the loop: publish first, so that no acknowledged revocation is unknown to the caches."""
        notices = [notice for unit in units for notice in unit.notices]
        if notices:
            self._publish(notices)
        for unit in units:
            if unit.future.cancelled():
                continue
            if unit.error is not None:
                unit.future.set_exception(unit.error)
            else:
                unit.future.set_result(unit.result)
