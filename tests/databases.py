"""Databases for tests, of each make: fresh ones, prepared, and what only the backend itself can do."""

import asyncio
import contextlib
import itertools
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from bench.cluster import Cluster
from watchword.store import postgres_schema, schema
from watchword.store.base import Store
from watchword.store.postgres import PostgresStore
from watchword.store.postgres_session import Raw
from watchword.store.sqlite import Publish, SqliteStore
from watchword.store.tables import metadata

MAKES = ("postgresql", "sqlite")


class Database(Protocol):
    """One database of one make."""

    @property
    def settings(self) -> dict[str, Any]:
        """What a server is told to use it."""

    def open(self, publish: Publish) -> Store:
        """A store on the database; a second one sees what the first committed."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL beside the store."""

    def content(self) -> bytes:
        """Everything it keeps, as it lies on the disk or leaves in a dump."""

    def fill_up(self, store: Store) -> None:
        """From now on the database has no room for more."""

    def make_room(self, store: Store) -> None:
        """It has room again."""

    def whole(self) -> bool:
        """Whether the database finds itself undamaged."""

    def remove(self) -> None:
        """The test is over."""


@cache
def _prepared() -> bytes:
    """A database with the schema and no rows, as a first start makes it: a copy costs a fortieth of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prepared.db"
        schema.prepare(path)
        return path.read_bytes()


class SqliteDatabase:
    """SQLite in a file of a server's data folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "data" / "watchword.db"

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def open(self, publish: Publish) -> Store:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            self.path.write_bytes(_prepared())
        schema.prepare(self.path)
        store = SqliteStore(self.path, publish)
        # As with PostgreSQL's here: no test of this process ends the machine, so none need wait for its disk.
        store._writer.raw.execute("PRAGMA synchronous=OFF")
        return store

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path)
        try:
            rows = connection.execute(sql).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows

    def content(self) -> bytes:
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return b"".join(file.read_bytes() for file in files if file.exists())

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
        return self.query("PRAGMA integrity_check") == [("ok",)]

    def remove(self) -> None:
        pass


# A server cannot be given a small disk by its client: triggers say what a full one would.
_FULL = """
CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
"""
_EACH_TABLE = """
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('{sql}', t);
  END LOOP;
END $$;
"""
_FILL = _FULL + _EACH_TABLE.format(
    sql="CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON %I EXECUTE FUNCTION full_disk()"
)
_MAKE_ROOM = _EACH_TABLE.format(sql="DROP TRIGGER full_disk ON %I")
_CHECK = """
CREATE EXTENSION IF NOT EXISTS amcheck;
SELECT bt_index_check(oid, true) FROM pg_class
  WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace;
"""
# Quicker than another copy, and than TRUNCATE: tests leave few rows.
_EMPTY = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid();"
    + "".join(f"DELETE FROM {name};" for name in metadata.tables)
    + "ALTER SEQUENCE outbox_id_seq RESTART;"
)
# A connection that the server or a test has ended.
_GONE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError, OSError)


class PostgresDatabase:
    """A database of the run's own server."""

    def __init__(self, server: "PostgresServer", name: str) -> None:
        self._server = server
        self.name = name
        self.url = server.cluster.url(name)
        self.spoiled = False

    @property
    def settings(self) -> dict[str, Any]:
        return {"database": self.url}

    def open(self, publish: Publish) -> Store:
        return PostgresStore(self.url, publish)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return asyncio.run(self._query(sql))

    async def _query(self, sql: str) -> list[tuple[Any, ...]]:
        connection = await postgres_schema.open_or_explain(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    def content(self) -> bytes:
        return self._server.cluster.dump(self.name)

    def fill_up(self, store: Store) -> None:  # noqa: ARG002 - SQLite's has to know
        self.spoiled = True
        self._server.cluster.sql(_FILL, self.name)

    def make_room(self, store: Store) -> None:  # noqa: ARG002 - SQLite's has to know
        self._server.cluster.sql(_MAKE_ROOM, self.name)

    def whole(self) -> bool:
        self.spoiled = True
        self._server.cluster.sql(_CHECK, self.name)
        return True

    def remove(self) -> None:
        self._server.take_back(self)


class PostgresServer:
    """The run's own server, with a prepared database that others are copied from."""

    TEMPLATE = "prepared"

    def __init__(self) -> None:
        self.cluster = Cluster()
        self._numbers = itertools.count(1)
        self._clean: list[PostgresDatabase] = []
        self._runner = asyncio.Runner()
        # A connection to each database that was given back: a new one costs more than the emptying.
        self._kept: dict[str, Raw] = {}
        self.cluster.sql(f"CREATE DATABASE {self.TEMPLATE}")
        asyncio.run(postgres_schema.prepare(self.cluster.url(self.TEMPLATE)))

    def empty(self) -> PostgresDatabase:
        """A database without a schema."""
        made = self._make("template1")
        made.spoiled = True
        return made

    def database(self) -> PostgresDatabase:
        """A database with the schema and no rows."""
        return self._clean.pop() if self._clean else self._make(self.TEMPLATE)

    def copy(self, database: PostgresDatabase) -> PostgresDatabase:
        """A database with what another one holds; nobody may use that one meanwhile."""
        self._let_go(database.name)
        made = self._make(database.name)
        made.spoiled = True
        return made

    def take_back(self, database: PostgresDatabase) -> None:
        """Empty a database for the next test, or drop it where its schema was changed."""
        if database.spoiled:
            self._let_go(database.name)
            self.cluster.sql(f"DROP DATABASE {database.name} WITH (FORCE)")
            return
        try:
            self._runner.run(self._empty(database))
        except _GONE:  # a test ended every connection, ours too
            self._let_go(database.name)
            self._runner.run(self._empty(database))
        self._clean.append(database)

    def close(self) -> None:
        """End the server."""
        for name in list(self._kept):
            self._let_go(name)
        self._runner.close()
        self.cluster.close()

    async def _empty(self, database: PostgresDatabase) -> None:
        connection = self._kept.get(database.name)
        if connection is None:
            connection = self._kept[database.name] = await asyncpg.connect(database.url)
        await connection.execute(_EMPTY)

    def _let_go(self, name: str) -> None:
        """Close the connection that is kept to a database."""

        async def close(connection: Raw) -> None:
            with contextlib.suppress(*_GONE):
                await connection.close()

        if name in self._kept:
            self._runner.run(close(self._kept.pop(name)))

    def _make(self, template: str) -> PostgresDatabase:
        name = f"test_{next(self._numbers)}"
        self.cluster.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return PostgresDatabase(self, name)
