"""PostgreSQL alone: lost connections, crashes, lost answers, deadlocks, one server on a database."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import asyncpg
import pytest

from bench.cluster import Cluster
from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, JOB, ORGANIZATION, TEXT, TOKEN
from databases import PostgresDatabase, PostgresServer
from watchword.domain.errors import Unavailable
from watchword.domain.ids import TokenId
from watchword.store import postgres, postgres_schema
from watchword.store.base import Duplicate, Transaction
from watchword.store.postgres import OutcomeUnknown, PostgresStore
from watchword.store.postgres_lock import ServerLock
from watchword.store.postgres_session import Session


@pytest.fixture
def make_of_database() -> str:
    """What is held here is PostgreSQL's own."""
    return "postgresql"


def store_of(shelf: Shelf) -> PostgresStore:
    assert isinstance(shelf.store, PostgresStore)
    return shelf.store


def end_connections(shelf: Shelf) -> None:
    """The server ends every connection, as one that is restarted does."""
    shelf.backend.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def add(tx: Transaction, place: int) -> int:
    await tx.tokens.add(make.token(id=TokenId(f"token-{place}")))
    await tx.audit.post(ORGANIZATION, "added", str(place), place)
    return place


def places(shelf: Shelf) -> list[int]:
    return [int(notice.payload) for notice in shelf.read(lambda tx: tx.audit.notices(0, 1000))]


def test_ended_connections_are_made_anew_and_nobody_notices(shelf: Shelf) -> None:
    for place in range(5):
        assert shelf.write(partial(add, place=place)) == place
        assert places(shelf) == list(range(place + 1))
        end_connections(shelf)


def test_a_unit_whose_connection_ends_under_way_is_run_again_whole(shelf: Shelf) -> None:
    runs: list[int] = []

    async def unit(tx: Transaction) -> int:
        runs.append(1)
        await add(tx, len(runs))
        if len(runs) == 1:
            assert store_of(shelf)._writer is not None
            store_of(shelf)._writer.raw.terminate()  # type: ignore[union-attr]
        await tx.logs.set_meta_data(ORGANIZATION, BUILD, "runs", str(len(runs)))
        return len(runs)

    assert shelf.write(unit) == 2
    assert places(shelf) == [2]
    assert [notice.payload for notice in shelf.notices] == ["2"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_lost_answer_to_a_commit_is_asked_for(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    """The connection breaks with the commit under way: the transaction's number tells what became of it."""
    command = Session.command
    broken: list[str] = []

    async def breaks(session: Session, sql: str) -> str:
        if sql != "COMMIT" or broken:
            return await command(session, sql)
        broken.append(sql)
        if committed:
            await command(session, sql)
        session.raw.terminate()
        return await command(session, sql)

    monkeypatch.setattr(Session, "command", breaks)
    assert shelf.write(partial(add, place=1)) == 1
    assert broken
    assert places(shelf) == [1]
    assert [notice.payload for notice in shelf.notices] == ["1"]


def test_an_outcome_that_nobody_can_tell_is_an_error_of_its_own(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: object) -> str:
        return "unknown"

    command = Session.command

    async def breaks(session: Session, sql: str) -> str:
        if sql == "COMMIT":
            session.raw.terminate()
        return await command(session, sql)

    with monkeypatch.context() as patch:
        patch.setattr(PostgresStore, "_outcome", unknown)
        patch.setattr(Session, "command", breaks)
        with pytest.raises(OutcomeUnknown) as caught:
            shelf.write(partial(add, place=1))
    assert (caught.value.code, caught.value.status) == ("outcome_unknown", 503)
    assert shelf.write(partial(add, place=2)) == 2


def test_a_unit_that_only_read_needs_no_answer_to_its_commit(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Session.command

    async def breaks(session: Session, sql: str) -> str:
        if sql == "COMMIT":
            session.raw.terminate()
        return await command(session, sql)

    monkeypatch.setattr(Session, "command", breaks)
    assert shelf.write(lambda tx: tx.tokens.find(ORGANIZATION, TOKEN)) is None


def test_a_deadlock_between_stores_ends_well_for_both(shelf: Shelf) -> None:
    other = shelf.open()
    shelf.write(lambda tx: tx.logs.set_meta_data(ORGANIZATION, BUILD, "a", ""))
    shelf.write(lambda tx: tx.logs.set_meta_data(ORGANIZATION, BUILD, "b", ""))

    async def both(tx: Transaction, keys: str, who: str) -> None:
        for key in keys:
            before = await tx.logs.meta_data(ORGANIZATION, BUILD, key)
            await tx.logs.set_meta_data(ORGANIZATION, BUILD, key, f"{before}{who}")
            for _ in range(20):  # long enough for the other to have its first row
                await tx.tokens.find(ORGANIZATION, TOKEN)

    async def scenario() -> None:
        for _ in range(5):
            await asyncio.gather(
                shelf.store.write(partial(both, keys="ab", who="1")),
                other.write(partial(both, keys="ba", who="2")),
            )

    shelf.run(scenario())
    shelf.run(other.close())


def test_text_with_characters_that_postgresql_lacks_comes_back_as_it_was(shelf: Shelf) -> None:
    for text in ("\0", "\uffff", "\uffff0", "\0\uffff1\0", TEXT, "\uffff\0" * 9):
        shelf.write(partial(set_value, text=text))
        assert shelf.read(lambda tx: tx.logs.meta_data(ORGANIZATION, BUILD, "key")) == text


async def set_value(tx: Transaction, text: str) -> None:
    await tx.logs.set_meta_data(ORGANIZATION, BUILD, "key", text)


def test_a_statement_is_prepared_once_on_a_connection(shelf: Shelf) -> None:
    async def prepared() -> int:
        writer = store_of(shelf)._writer
        assert writer is not None
        return int(await writer.raw.fetchval("SELECT count(*) FROM pg_prepared_statements"))

    async def unit(tx: Transaction) -> None:
        for number in range(30):
            await tx.logs.set_meta_data(ORGANIZATION, BUILD, f"{number}", "value")
            await tx.builds.job(ORGANIZATION, JOB)

    shelf.write(unit)
    before = shelf.run(prepared())
    for _ in range(3):
        shelf.write(unit)
    assert shelf.run(prepared()) == before < 10


def test_commits_wait_for_the_disk(shelf: Shelf) -> None:
    shelf.write(partial(add, place=1))
    writer = store_of(shelf)._writer
    assert writer is not None
    assert shelf.run(writer.raw.fetchval("SHOW synchronous_commit")) == "on"
    assert shelf.run(writer.raw.fetchval("SHOW transaction_isolation")) == "read committed"


def test_a_duplicate_tells_no_row(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.tokens.add(make.token()))
    with pytest.raises(Duplicate) as caught:
        shelf.write(lambda tx: tx.tokens.add(make.token(description="private")))
    assert "private" not in str(caught.value)


# -- a server that goes away -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A server of one's own, whose commits wait for the disk."""
    made = Cluster(durable=True)
    made.sql("CREATE DATABASE own")
    asyncio.run(postgres_schema.prepare(made.url("own")))
    yield made
    made.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_what_was_acknowledged_outlives_the_server(own: Cluster, mode: str) -> None:
    async def scenario() -> tuple[set[int], set[int]]:
        store = PostgresStore(own.url("own"), lambda _: None)
        acknowledged: set[int] = set()
        refused = 0
        base = 1000 if mode == "fast" else 2000

        async def write(place: int) -> None:
            nonlocal refused
            try:
                acknowledged.add(await store.write(partial(add, place=place)))
            except Unavailable:
                refused += 1

        stopping = None
        for start in range(base, base + 400, 40):
            await asyncio.gather(*(write(place) for place in range(start, start + 40)))
            if start == base + 120:
                stopping = asyncio.create_task(asyncio.to_thread(own.stop, mode))
        assert stopping is not None
        await stopping
        with pytest.raises(Unavailable):
            await store.write(partial(add, place=0))
        with pytest.raises(Unavailable):
            await store.read(lambda tx: tx.tokens.find(ORGANIZATION, TOKEN))
        own.start()  # here: it ends with the thread that started it
        present = {
            int(one.payload)
            for one in await store.read(lambda tx: tx.audit.notices(0, 10_000))
            if base <= int(one.payload) < base + 400
        }
        assert await store.write(partial(add, place=base + 999)) == base + 999
        await store.close()
        return acknowledged, present

    acknowledged, present = asyncio.run(scenario())
    assert len(acknowledged) >= 160
    assert acknowledged <= present


def test_one_server_holds_a_database_until_it_lets_go(
    postgresql: PostgresServer, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchword.store.postgres_lock._PATIENCE_SECONDS", 0.2)

    elsewhere = postgresql.database()

    async def scenario() -> None:
        lost = asyncio.Event()
        first = await ServerLock.take(database.url, lost.set)
        assert first is not None
        assert await ServerLock.take(database.url, lost.set) is None
        other = await ServerLock.take(elsewhere.url, lost.set)
        assert other is not None
        await other.release()
        await first.release()
        again = await ServerLock.take(database.url, lost.set)
        assert again is not None
        assert not lost.is_set()
        await end(database)
        await asyncio.wait_for(lost.wait(), 10)
        await again.release()

    asyncio.run(scenario())
    elsewhere.remove()


async def end(database: PostgresDatabase) -> None:
    connection = await asyncpg.connect(database.url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


def test_a_silent_server_is_given_up(
    shelf: Shelf, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that is not answered in time ends its connection; the caller may try again."""
    monkeypatch.setattr("watchword.store.postgres_session._COMMAND_SECONDS", 0.3)
    monkeypatch.setattr(postgres, "_TRIES", 2)
    shelf.write(partial(set_value, text="before"))
    shelf.restart()

    async def scenario() -> None:
        blocker: Any = await asyncpg.connect(database.url)
        await blocker.execute("BEGIN; LOCK TABLE meta_data IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable):
            await shelf.store.write(partial(set_value, text="after"))
        await blocker.execute("ROLLBACK")
        await blocker.close()
        await shelf.store.write(partial(set_value, text="at last"))

    shelf.run(scenario())
    assert shelf.read(lambda tx: tx.logs.meta_data(ORGANIZATION, BUILD, "key")) == "at last"
