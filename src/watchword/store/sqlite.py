"""SQLite behind the store's contract: one writer with group commit, reads on the loop's thread.

WAL with `synchronous=FULL`: a unit is acknowledged after the commit that carries it is on disk.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from watchword.domain.errors import Unavailable
from watchword.domain.events import Notice
from watchword.store.base import Duplicate, Transaction, Work
from watchword.store.engine import Row, Statement
from watchword.store.transaction import Rows
from watchword.store.units import Unit, refusal

T = TypeVar("T")
Publish = Callable[[Sequence[Notice]], None]

_DIALECT = sqlite_dialect(paramstyle="qmark")
_BATCH = 256
_BUSY_MS = 5000
_BUSY_SECONDS = 5.0
_RETRY_SECONDS = 0.02
# How long units may hold the loop before their commit; what is left waits for the next one.
_SLICE_SECONDS = 0.004
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

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        sql, names, _ = statement.compiled(_DIALECT)
        self.raw.executemany(sql, [[row[name] for name in names] for row in rows])

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


class SqliteStore:
    """`store.base.Store` on one SQLite file.

    Units are run on the loop's thread and committed together by a thread of its own, which waits for the
    disk while the loop goes on: two threads that run statements would fight for the interpreter.

    Args:
        path: the database file, migrated already.
        publish: called with the notices of committed units, before any of them is acknowledged.
    """

    def __init__(self, path: Path, publish: Publish) -> None:
        self._publish = publish
        self._reader = SqliteConnection(open_connection(path, read_only=True))
        self._read_rows = Rows(self._reader)
        self._writer = SqliteConnection(open_connection(path))
        # The loop never waits for a lock: a busy database is asked again later.
        self._writer.raw.execute("PRAGMA busy_timeout=0")
        self._write_rows = Rows(self._writer)
        self._pending: deque[Unit] = deque()
        self._busy = False
        self._closed = False
        self._idle: asyncio.Future[None] | None = None
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")

    async def write(self, work: Work[T]) -> T:
        if self._closed:
            raise Unavailable("The server is shutting down; try again.")
        loop = asyncio.get_running_loop()
        unit = Unit(work, loop.create_future())
        self._pending.append(unit)
        if not self._busy:
            self._busy = True
            # What other tasks of this round of the loop write joins the same commit.
            loop.call_soon(self._next, loop, 0.0)
        # A caller that goes away does not take the unit with it: it is committed or not, as it may be.
        return cast("T", await asyncio.shield(unit.future))

    async def read(self, work: Work[T]) -> T:
        return run_now(work(cast("Transaction", self._read_rows)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._busy:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        self._committer.shutdown()
        self._reader.raw.close()
        self._writer.raw.close()

    def _next(self, loop: asyncio.AbstractEventLoop, waited: float) -> None:
        """Run what is queued and hand it to the committer; `waited` seconds were spent on a lock."""
        if not self._pending:
            self._busy = False
            if self._idle is not None:
                self._idle.set_result(None)
            return
        raw = self._writer.raw
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if waited < _BUSY_SECONDS and error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                loop.call_later(_RETRY_SECONDS, self._next, loop, waited + _RETRY_SECONDS)
            else:
                self._settle(loop, self._refused(self._take_all(), error))
            return
        batch: list[Unit] = []
        try:
            until = loop.time() + _SLICE_SECONDS
            while self._pending and len(batch) < _BATCH and loop.time() < until:
                batch.append(self._pending.popleft())
                self._run(batch[-1])
        except sqlite3.Error as error:
            self._settle(loop, self._refused(batch, error))
            return
        commit = loop.run_in_executor(self._committer, self._commit, batch)
        commit.add_done_callback(lambda done: self._settle(loop, done.result()))

    def _take_all(self) -> list[Unit]:
        taken = list(self._pending)
        self._pending.clear()
        return taken

    def _run(self, unit: Unit) -> None:
        """One unit inside a savepoint, so that its failure undoes it alone."""
        raw = self._writer.raw
        self._write_rows.posted.clear()
        raw.execute("SAVEPOINT unit")
        try:
            unit.result = run_now(unit.work(cast("Transaction", self._write_rows)))
            unit.notices = tuple(self._write_rows.posted)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and goes to the caller
            unit.error = refusal(error) if isinstance(error, sqlite3.Error) else error
            # Where the database has given the whole transaction up, this fails and so does the batch.
            raw.execute("ROLLBACK TO unit")
        raw.execute("RELEASE unit")

    def _commit(self, batch: list[Unit]) -> list[Unit]:
        """On the committer's thread: wait for the disk."""
        try:
            self._writer.raw.execute("COMMIT")
        except sqlite3.Error as error:
            return self._refused(batch, error)
        return batch

    def _refused(self, batch: list[Unit], error: sqlite3.Error) -> list[Unit]:
        """Undo a batch that the database did not take."""
        if self._writer.raw.in_transaction:
            self._writer.raw.execute("ROLLBACK")
        for unit in batch:
            unit.error = unit.error or refusal(error)
            unit.notices = ()
        return batch

    def _settle(self, loop: asyncio.AbstractEventLoop, batch: list[Unit]) -> None:
        """Publish first, so that no acknowledged revocation is unknown to the caches; then answer."""
        notices = [notice for unit in batch for notice in unit.notices]
        if notices:
            self._publish(notices)
        for unit in batch:
            unit.settle()
        self._next(loop, 0.0)
