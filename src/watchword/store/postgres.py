"""PostgreSQL behind the store's contract: one writer with group commit, readers beside it.

Units of this store run one after the other, in the order in which they came, and several share a
commit, as on SQLite; other stores on the same database go on at the same time (READ COMMITTED).
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import asyncpg

from watchword.domain.errors import Unavailable
from watchword.domain.events import Notice
from watchword.store.base import Transaction, Work
from watchword.store.postgres_session import (
    BROKEN,
    Again,
    Careful,
    Lost,
    PostgresConnection,
    Session,
    connect,
)
from watchword.store.transaction import Rows
from watchword.store.units import Unit, refusal

T = TypeVar("T")
Publish = Callable[[Sequence[Notice]], None]

READERS = 4
_BATCH = 256
# How long units are taken into one transaction before its commit; what is left waits for the next one.
_SLICE_SECONDS = 0.004
_TRIES = 8
_PAUSE_SECONDS = 0.01
# How long a commit whose answer was lost is asked for.
_DOUBT_SECONDS = 15.0

_RANDOM = random.Random()  # noqa: S311 - spreads repeats, hides nothing


class OutcomeUnknown(Unavailable):
    """The connection broke during a commit: the unit is done or not done, whole in either case.

    Whoever repeats it with the same idempotency key gets the first answer where it was done.
    """

    code = "outcome_unknown"


class _Readers:
    """Read-only sessions, the one used last first; opened as they are needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: list[Session] = []
        self._places = asyncio.Semaphore(READERS)

    async def take(self) -> Session:
        await self._places.acquire()
        try:
            while self._free:
                session = self._free.pop()
                if not session.raw.is_closed():
                    return session
            return Session(await connect(self._url, read_only=True))
        except BaseException:
            self._places.release()
            raise

    def give_back(self, session: Session, *, usable: bool) -> None:
        if not usable:
            session.raw.terminate()
        elif not session.raw.is_closed():
            self._free.append(session)
        self._places.release()

    async def close(self) -> None:
        while self._free:
            await self._free.pop().close()


class PostgresStore:
    """`store.base.Store` on a PostgreSQL database.

    Args:
        url: `postgresql://…`, of a database that is migrated already.
        publish: called with the notices of committed units, before any of them is acknowledged.
    """

    def __init__(self, url: str, publish: Publish) -> None:
        self._url = url
        self._publish = publish
        self._rows = Rows(PostgresConnection())
        self._readers = _Readers(url)
        self._read_rows = Rows(PostgresConnection())
        self._writer: Session | None = None
        self._pending: deque[Unit] = deque()
        self._task: asyncio.Task[None] | None = None
        self._refused = ""

    async def write(self, work: Work[T]) -> T:
        if self._refused:
            raise Unavailable(self._refused)
        unit = Unit(work, asyncio.get_running_loop().create_future())
        self._pending.append(unit)
        if self._task is None:
            self._task = asyncio.create_task(self._work_off())
        # A caller that goes away does not take the unit with it: it is committed or not, as it may be.
        return cast("T", await asyncio.shield(unit.future))

    async def read(self, work: Work[T]) -> T:
        try:
            try:
                return await self._read(work)
            except Lost:
                return await self._read(work)  # on another connection: the server was started anew
        except (*BROKEN, Again, Lost, asyncpg.PostgresError) as error:
            raise refusal(error) from error

    async def _read(self, work: Work[T]) -> T:
        session = await self._readers.take()
        usable = False
        try:
            result = await session.drive(work(cast("Transaction", self._read_rows)))
            usable = True
        except (asyncio.CancelledError, Lost):
            raise
        except Careful as error:
            usable = True
            raise refusal(error.__cause__) from error
        except BaseException:
            usable = True
            raise
        finally:
            self._readers.give_back(session, usable=usable)
        return result

    def refuse(self, why: str) -> None:
        """Take no more units: this process may no longer write here."""
        self._refused = why

    async def close(self) -> None:
        self.refuse("The server is shutting down; try again.")
        if self._task is not None:
            await self._task
        if self._writer is not None:
            await self._writer.close()
            self._writer = None
        await self._readers.close()

    async def _work_off(self) -> None:
        """Commit what is queued, batch by batch, until nothing is left."""
        try:
            while self._pending:
                batch: list[Unit] = []
                try:
                    await self._commit_batch(batch, fresh=True)
                except Exception as error:  # noqa: BLE001 - a fault of ours must not leave a caller waiting
                    for unit in batch:
                        unit.fail(error)
                self._settle(batch)
        finally:
            self._task = None

    def _settle(self, batch: list[Unit]) -> None:
        """Publish first, so that no acknowledged revocation is unknown to the caches; then answer."""
        notices = [notice for unit in batch for notice in unit.notices]
        if notices:
            self._publish(notices)
        for unit in batch:
            unit.settle()

    async def _commit_batch(self, batch: list[Unit], *, fresh: bool) -> None:
        """Run units and commit them together, as often as it takes; their errors are theirs.

        Args:
            batch: the units; a fresh one is empty and takes what is queued.
            fresh: whether it is.
        """
        careful = False
        cause: BaseException | None = None
        for attempt in range(_TRIES):
            try:
                session = await self._session()
                session.careful = careful
                await self._attempt(session, batch, fresh=fresh)
            except (Again, Careful, Lost) as error:
                cause = error.__cause__
                careful = careful or isinstance(error, Careful)
                if isinstance(error, Again) and await self._gave_way(batch, attempt):
                    return
            except (*BROKEN, asyncpg.PostgresError) as error:
                cause = error  # no connection is to be had
                break
            else:
                return
            fresh = False
        if fresh:
            batch.extend(self._pending)
            self._pending.clear()
        for unit in batch:
            unit.fail(refusal(cause))

    async def _gave_way(self, batch: list[Unit], attempt: int) -> bool:
        """After a conflict with others: wait, and commit units one at a time, which holds fewer locks."""
        await self._pause(attempt)
        if len(batch) == 1:
            return False
        for unit in batch:
            await self._commit_batch([unit], fresh=False)
        return True

    async def _session(self) -> Session:
        """The writer's session, opened anew where it is gone."""
        if self._writer is None or self._writer.raw.is_closed():
            self._writer = Session(await connect(self._url))
        return self._writer

    async def _pause(self, attempt: int) -> None:
        await asyncio.sleep(_PAUSE_SECONDS * 2**attempt * _RANDOM.random())

    async def _attempt(self, session: Session, batch: list[Unit], *, fresh: bool) -> None:
        """One transaction: begin, run, commit; nothing of it stays where it raises."""
        try:
            await session.command("BEGIN")
            if fresh:
                await self._run_queued(session, batch)
            else:
                for unit in batch:
                    await self._run(session, unit)
            await self._commit(session, batch)
        except BaseException:
            if not session.raw.is_closed() and session.raw.is_in_transaction():
                try:
                    await session.command("ROLLBACK")
                except (Again, Careful, Lost):
                    session.raw.terminate()
            raise

    async def _run_queued(self, session: Session, batch: list[Unit]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _SLICE_SECONDS
        while self._pending and len(batch) < _BATCH and (not batch or loop.time() < until):
            batch.append(self._pending.popleft())
            await self._run(session, batch[-1])

    async def _run(self, session: Session, unit: Unit) -> None:
        """One unit. Without savepoints what it changed can be undone with the others' work alone."""
        self._rows.posted.clear()
        session.changed = False
        unit.error, unit.notices = None, ()
        if session.careful:
            await session.command("SAVEPOINT unit")
        try:
            unit.result = await session.drive(unit.work(cast("Transaction", self._rows)))
            unit.notices = tuple(self._rows.posted)
        except (Again, Careful, Lost):
            raise
        except BaseException as error:
            unit.error = refusal(error) if isinstance(error, asyncpg.PostgresError) else error
            if session.careful:
                await session.command("ROLLBACK TO unit")
            elif session.changed:
                raise Careful from error
        if session.careful:
            await session.command("RELEASE unit")

    async def _commit(self, session: Session, batch: list[Unit]) -> None:
        """Make it durable. Where the answer is lost, ask what became of it.

        Raises:
            Lost: it has not happened.
            Careful: the server refused it.
        """
        number = await self._number(session)
        try:
            status = await session.command("COMMIT")
        except Lost:
            if number is None:
                return  # nothing was written
            outcome = await self._outcome(number)
            if outcome == "aborted":
                raise
            if outcome != "committed":
                for unit in batch:
                    unit.fail(OutcomeUnknown("The database did not say whether this was done; try again."))
            return
        if status != "COMMIT":
            raise Careful

    async def _number(self, session: Session) -> str | None:
        """The transaction's number; None where it has written nothing."""
        try:
            found = await session.raw.fetchval("SELECT pg_current_xact_id_if_assigned()::text")
        except (*BROKEN, asyncpg.PostgresError) as error:
            session.raw.terminate()
            raise Lost from error
        return cast("str | None", found)

    async def _outcome(self, number: str) -> str:
        """What became of a transaction: committed, aborted, or nothing that can be told in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _DOUBT_SECONDS
        attempt = 0
        while loop.time() < until:
            try:
                session = await self._session()
                found = await session.raw.fetchval("SELECT pg_xact_status($1::text::xid8)", number)
                if found == "committed":
                    # Committed here may be on its way to a standby; a commit of our own waits for both.
                    await session.raw.execute("SELECT pg_logical_emit_message(true, 'watchword', '')")
                if found in ("committed", "aborted"):
                    return str(found)
            except (*BROKEN, asyncpg.PostgresError):
                pass
            await self._pause(min(attempt, 5))
            attempt += 1
        return "unknown"
