"""The schema on PostgreSQL: made whole or upgraded it is the same; what is not known is left alone."""

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from alembic import command

from databases import PostgresDatabase, PostgresServer
from watchword.store import postgres_schema
from watchword.store.postgres_schema import DatabaseError, bring_to, prepare, script, version_of
from watchword.store.postgres_session import Raw
from watchword.store.schema import HEAD, SchemaError, configuration, known_revisions
from watchword.store.tables import metadata

_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""
_INDEXES = """
SELECT tablename, indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
REVISIONS = sorted(known_revisions())


@pytest.fixture
def empty(postgresql: PostgresServer) -> Iterator[PostgresDatabase]:
    """A database with nothing in it."""
    made = postgresql.empty()
    yield made
    made.remove()


@pytest.fixture
def database(postgresql: PostgresServer) -> Iterator[PostgresDatabase]:
    """A prepared one."""
    made = postgresql.database()
    yield made
    made.remove()


def run(database: PostgresDatabase, work: Any) -> Any:
    """Run a coroutine function of a connection inside a transaction."""

    async def connected() -> Any:
        connection = await postgres_schema.open_or_explain(database.url)
        try:
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(connected())


def shape_of(database: PostgresDatabase) -> list[tuple[Any, ...]]:
    """Columns, keys and indexes; the order in which columns were added aside."""
    return sorted(database.query(_COLUMNS), key=repr) + sorted(database.query(_INDEXES))


def test_a_fresh_database_has_every_table_and_the_newest_version(empty: PostgresDatabase) -> None:
    assert asyncio.run(prepare(empty.url))
    assert run(empty, version_of) == HEAD == REVISIONS[-1]
    shape = shape_of(empty)
    assert {row[0] for row in shape} == set(metadata.tables)
    indexes = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    assert indexes <= {row[1] for row in shape}
    assert not asyncio.run(prepare(empty.url))
    assert shape_of(empty) == shape


def test_an_upgraded_database_is_a_fresh_one(empty: PostgresDatabase, postgresql: PostgresServer) -> None:
    for revision in REVISIONS[:-1]:
        run(empty, lambda connection, revision=revision: bring_to(connection, revision))
        assert run(empty, version_of) == revision
    assert not asyncio.run(prepare(empty.url))
    fresh = postgresql.database()
    assert shape_of(empty) == shape_of(fresh)
    fresh.remove()


def test_columns_hold_integers_text_and_bytes_only(database: PostgresDatabase) -> None:
    columns = database.query(_COLUMNS)
    assert {row[2] for row in columns} == {"bigint", "text", "bytea"}
    assert {row[5] for row in columns if row[2] == "text"} == {"C"}


@pytest.mark.parametrize("revision", REVISIONS[1:])
def test_each_migration_can_be_taken_back(empty: PostgresDatabase, revision: str) -> None:
    before = REVISIONS[REVISIONS.index(revision) - 1]
    run(empty, lambda connection: bring_to(connection, before))
    shape = shape_of(empty)
    run(empty, lambda connection: bring_to(connection, revision))
    text = io.StringIO()
    config = configuration("postgresql+asyncpg://")
    config.output_buffer = text
    command.downgrade(config, f"{revision}:{before}", sql=True)
    run(empty, lambda connection: connection.execute(text.getvalue()))
    assert run(empty, version_of) == before
    assert shape_of(empty) == shape


def test_rows_of_an_older_version_are_kept(empty: PostgresDatabase) -> None:
    run(empty, lambda connection: bring_to(connection, REVISIONS[0]))
    empty.query("INSERT INTO counters VALUES ('organization', 'audit', 7)")
    asyncio.run(prepare(empty.url))
    assert empty.query("SELECT value FROM counters") == [(7,)]


@pytest.mark.parametrize("version", ["9999", "0000", ""])
def test_an_unknown_version_is_refused_and_left_alone(empty: PostgresDatabase, version: str) -> None:
    asyncio.run(prepare(empty.url))
    empty.query(f"UPDATE alembic_version SET version_num = '{version}'")
    shape = shape_of(empty)
    with pytest.raises(SchemaError) as caught:
        asyncio.run(prepare(empty.url))
    assert caught.value.code == "unknown_schema"
    assert empty.query("SELECT version_num FROM alembic_version") == [(version,)]
    assert shape_of(empty) == shape


def test_a_database_of_someone_else_is_refused_and_left_alone(empty: PostgresDatabase) -> None:
    empty.query("CREATE TABLE photos (id INTEGER PRIMARY KEY)")
    with pytest.raises(SchemaError, match="did not make"):
        asyncio.run(prepare(empty.url))
    assert {row[0] for row in shape_of(empty)} == {"photos"}


def test_a_database_without_its_stamp_is_refused(empty: PostgresDatabase) -> None:
    asyncio.run(prepare(empty.url))
    empty.query("DELETE FROM alembic_version")
    with pytest.raises(SchemaError):
        asyncio.run(prepare(empty.url))


def test_starts_at_the_same_time_take_turns(empty: PostgresDatabase) -> None:
    async def several() -> list[bool]:
        return list(await asyncio.gather(*(prepare(empty.url) for _ in range(6))))

    assert sorted(asyncio.run(several())) == [False] * 5 + [True]


def test_a_change_that_is_cut_off_leaves_nothing_behind(
    empty: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(postgres_schema, "HEAD", 7)  # cannot be written: the last statement fails
        with pytest.raises(asyncpg.DataError):
            asyncio.run(prepare(empty.url))
    assert shape_of(empty) == []
    run(empty, lambda connection: bring_to(connection, REVISIONS[0]))
    shape = shape_of(empty)

    async def fails_late(connection: Raw) -> None:
        await connection.execute(script(REVISIONS[0], HEAD) + "; SELECT 1/0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        run(empty, fails_late)
    assert shape_of(empty) == shape
    asyncio.run(prepare(empty.url))


def told(url: str) -> str:
    """What a start says of a database that it cannot use."""
    with pytest.raises(DatabaseError) as caught:
        asyncio.run(prepare(url))
    return caught.value.message


def test_errors_say_what_to_do_and_tell_no_password(
    empty: PostgresDatabase, postgresql: PostgresServer
) -> None:
    cluster, password = postgresql.cluster, "s3cr3t-p4ss"
    cluster.sql(
        "DROP ROLE IF EXISTS keeper, guest; CREATE ROLE guest LOGIN;"
        f"CREATE ROLE keeper LOGIN PASSWORD '{password}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        empty.name,
    )
    messages = {
        "createdb": told(cluster.url("nowhere")),
        "GRANT CREATE": told(cluster.url(empty.name, "guest")),
        "PGPASSFILE": told(cluster.url(empty.name, "keeper", f"not {password}")),
        "is PostgreSQL running": told(f"postgresql://keeper:{password}@/x?host=/nowhere"),
        "postgresql://user@host/name": told(f"postgresql://keeper:{password}@host:port/x"),
    }
    for hint, message in messages.items():
        assert hint in message
        assert password not in message
    cluster.sql(
        "GRANT CREATE, USAGE ON SCHEMA public TO keeper; REVOKE ALL ON SCHEMA public FROM guest", empty.name
    )
    assert asyncio.run(prepare(cluster.url(empty.name, "keeper", password)))


def test_a_database_in_another_encoding_is_refused(postgresql: PostgresServer) -> None:
    name = "latin"
    postgresql.cluster.sql(
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    try:
        assert "UTF8" in told(postgresql.cluster.url(name))
    finally:
        postgresql.cluster.sql(f"DROP DATABASE {name} WITH (FORCE)")
