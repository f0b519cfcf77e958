"""A connection to PostgreSQL: how it is opened, how statements run on it, what its errors mean.

A unit of work runs here step by step: what it asks of its transaction comes out of its coroutine, is
put to the server, and the answer goes back in. So it can await nothing else, as on SQLite.
"""

from collections.abc import Awaitable, Generator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, TypeAlias, TypeVar

import asyncpg
from sqlalchemy import Insert, Select
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from watchword.store.base import Duplicate
from watchword.store.engine import Row, Statement

T = TypeVar("T")
Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]

_CONNECT_SECONDS = 10.0
_COMMAND_SECONDS = 30.0
_STATEMENTS = 1024
_SETTINGS = {
    "application_name": "watchword",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    # A process that stands still in the middle of a unit gives its locks up after a while.
    "idle_in_transaction_session_timeout": "60000",
    # A machine that went away is noticed, and what it held is let go.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",
    # Every statement has its index. A plan made while a table was empty must not read it whole later.
    "enable_seqscan": "off",
}

# PostgreSQL's text holds every character but NUL. It is kept as two others that make no sense alone.
_MARK = "\uffff"
_NUL = f"{_MARK}0"
_MARKED = f"{_MARK}1"


# How the driver says that a connection is of no use; the last one, where it broke between two messages.
BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Lost(Exception):
    """The connection is gone; what was not committed has not happened."""


class Again(Exception):
    """The server gave the transaction up because of others; it may be repeated as it is."""


class Careful(Exception):
    """The transaction cannot go on; repeated with savepoints, the fault stays with one unit."""


class Kind(Enum):
    """What a unit asks for."""

    RUN = 1
    MANY = 2
    ONE = 3
    ALL = 4


class _Compiled(NamedTuple):
    sql: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]
    writes: bool
    plain: bool


_COMPILED: dict[Statement, _Compiled] = {}


def compiled(statement: Statement) -> _Compiled:
    """The statement for PostgreSQL, compiled once for all connections.

    A plain insert gets `ON CONFLICT DO NOTHING`: a taken key shows in the row count then, and does not
    end the transaction.
    """
    found = _COMPILED.get(statement)
    if found is None:
        clause = statement.clause(DIALECT.name)
        sql, names, fixed = statement.compiled(DIALECT)
        plain = (
            isinstance(clause, Insert)
            and not isinstance(clause, PostgresInsert)
            and clause.select is None
            and " RETURNING " not in sql  # the id of a row that counts by itself: never taken
        )
        found = _COMPILED[statement] = _Compiled(sql, names, fixed, not isinstance(clause, Select), plain)
    return found


def _kept(value: Any) -> Any:
    """A parameter as the database can keep it."""
    if isinstance(value, str) and ("\0" in value or _MARK in value):
        return value.replace(_MARK, _MARKED).replace("\0", _NUL)
    return value


def _given(row: asyncpg.Record) -> Row:
    """A row as it was before `_kept`."""
    return [
        value.replace(_NUL, "\0").replace(_MARKED, _MARK)
        if isinstance(value, str) and _MARK in value
        else value
        for value in row
    ]


class Ask:
    """One statement that a unit waits for."""

    __slots__ = ("kind", "parameters", "rows", "statement")

    def __init__(
        self,
        kind: Kind,
        statement: Statement,
        parameters: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.kind = kind
        self.statement = statement
        self.parameters = parameters
        self.rows = rows

    def __await__(self) -> Generator["Ask", Any, Any]:
        answer = yield self
        return answer


class PostgresConnection:
    """`engine.Connection` whose coroutines ask whoever drives them."""

    async def run(self, statement: Statement, parameters: Mapping[str, Any]) -> int:
        count: int = await Ask(Kind.RUN, statement, parameters)
        return count

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        await Ask(Kind.MANY, statement, {}, rows)

    async def one(self, statement: Statement, parameters: Mapping[str, Any]) -> Row | None:
        row: Row | None = await Ask(Kind.ONE, statement, parameters)
        return row

    async def all(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Row]:
        rows: list[Row] = await Ask(Kind.ALL, statement, parameters)
        return rows


class Session:
    """One connection to the server.

    Attributes:
        raw: the driver's connection.
        changed: whether the unit under way has changed a row.
        careful: whether each write has a savepoint of its own.
    """

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.changed = False
        self.careful = False

    async def drive(self, awaitable: Awaitable[T]) -> T:
        """Run a unit to its end.

        Raises:
            RuntimeError: it awaited something other than its transaction.
            Lost: the connection is gone.
            Again: the transaction was given up because of others.
            Careful: a statement failed outside a savepoint.
            asyncpg.PostgresError: a statement failed inside a savepoint.
        """
        steps = awaitable.__await__()
        answer: Any = None
        failure: Duplicate | None = None
        while True:
            try:
                ask = steps.throw(failure) if failure is not None else steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            failure = None
            if not isinstance(ask, Ask):
                steps.close()
                raise RuntimeError(  # noqa: TRY004 - not a type, a promise is broken
                    "a unit of work awaited something other than its transaction"
                )
            try:
                answer = await self._perform(ask)
            except Duplicate as error:
                failure = error
            except BaseException:
                steps.close()
                raise

    async def _perform(self, ask: Ask) -> Any:
        statement = compiled(ask.statement)
        if self.careful and statement.writes:
            return await self._perform_carefully(ask, statement)
        try:
            return await self._execute(ask, statement)
        except asyncpg.PostgresError as error:
            raise self._meaning(error) from error
        except BROKEN as error:
            raise self._loss(error) from error

    async def _perform_carefully(self, ask: Ask, statement: _Compiled) -> Any:
        """With a savepoint, so that a refusal undoes this statement alone."""
        await self.command("SAVEPOINT statement")
        try:
            answer = await self._execute(ask, statement)
        except asyncpg.IntegrityConstraintViolationError as error:
            await self.command("ROLLBACK TO statement")
            raise Duplicate(error.args[0]) from error
        except asyncpg.PostgresError as error:
            if isinstance(meaning := self._meaning(error), Careful):
                raise
            raise meaning from error
        except BROKEN as error:
            raise self._loss(error) from error
        await self.command("RELEASE statement")
        return answer

    async def _execute(self, ask: Ask, statement: _Compiled) -> Any:
        if ask.kind is Kind.MANY:
            self.changed = True
            many = [[_kept(row[name]) for name in statement.names] for row in ask.rows]
            await self.raw.executemany(statement.sql, many)
            return None
        given, fixed = ask.parameters, statement.fixed
        values = [_kept(given[name] if name in given else fixed.get(name)) for name in statement.names]
        if ask.kind is Kind.RUN:
            return await self._run(statement, values)
        rows = await self.raw.fetch(statement.sql, *values)
        if statement.writes and rows:
            self.changed = True
        if ask.kind is Kind.ONE:
            return _given(rows[0]) if rows else None
        return [_given(row) for row in rows]

    async def _run(self, statement: _Compiled, values: list[Any]) -> int:
        sql = f"{statement.sql} ON CONFLICT DO NOTHING" if statement.plain else statement.sql
        status = await self.raw.execute(sql, *values)
        count = int(status.rpartition(" ")[2])
        if count and statement.writes:
            self.changed = True
        if statement.plain and not count:
            raise Duplicate("a row with this key exists")
        return count

    async def command(self, sql: str) -> str:
        """Run a command of the transaction itself; its status.

        Raises:
            Lost: the connection is gone.
            Again: the transaction was given up because of others.
            Careful: the command failed.
        """
        try:
            status: str = await self.raw.execute(sql)
        except asyncpg.PostgresError as error:
            raise self._meaning(error) from error
        except BROKEN as error:
            raise self._loss(error) from error
        return status

    def _meaning(self, error: asyncpg.PostgresError) -> Exception:
        """What an answer of the server means for the transaction."""
        if isinstance(error, _REPEATABLE):
            return Again()
        if self.raw.is_closed() or isinstance(error, _LOST):
            return Lost()
        return Careful()

    def _loss(self, error: Exception) -> Exception:
        """A time-out and a broken connection are one: nobody knows what it does now, so it is ended."""
        if not isinstance(error, asyncpg.InterfaceError) or self.raw.is_closed():
            self.raw.terminate()
            return Lost()
        return error

    async def close(self) -> None:
        """Leave the server, at once where it does not answer."""
        try:
            await self.raw.close(timeout=2)
        except (*BROKEN, asyncpg.PostgresError):
            self.raw.terminate()


_REPEATABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


async def connect(url: str, *, read_only: bool = False, limited: bool = True) -> Raw:
    """Open a connection with the settings that every connection of ours has.

    Args:
        url: `postgresql://…`; what it leaves out comes from the variables PGHOST, PGPASSFILE and so on.
        read_only: refuse writes.
        limited: give up a statement that is not answered in time, and its connection with it.

    Raises:
        OSError: the server cannot be reached.
        asyncpg.PostgresError: it refuses the connection.
        asyncpg.InterfaceError: the URL makes no sense.
    """
    settings = _SETTINGS | {"default_transaction_read_only": "on" if read_only else "off"}
    return await asyncpg.connect(
        url,
        timeout=_CONNECT_SECONDS,
        command_timeout=_COMMAND_SECONDS if limited else None,
        statement_cache_size=_STATEMENTS,
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=0,
        server_settings=settings,
    )
