"""The schema's version on PostgreSQL: made whole or upgraded, in one transaction, by one start at a time."""

import io
from typing import Any

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.schema import CreateIndex, CreateTable

from watchword.domain.errors import WatchwordError
from watchword.store.postgres_session import Raw, connect
from watchword.store.schema import HEAD, SchemaError, configuration, known_revisions
from watchword.store.tables import metadata

# Numbers of our advisory locks: the first is ours, the second says what is locked.
LOCKS = 0x77617463
_SCHEMA_LOCK = 1


class DatabaseError(WatchwordError):
    """The database named by `database` cannot be used."""

    code = "database_unusable"


class _TypeCompiler(PGTypeCompiler):
    """Text sorts by its bytes on both databases, whatever the database's language is."""

    def visit_TEXT(self, type_: Any, **named: Any) -> str:  # noqa: N802 - SQLAlchemy's shape
        return f'{super().visit_TEXT(type_, **named)} COLLATE "C"'


def make_dialect() -> asyncpg_dialect:
    """The dialect that definitions are written in."""
    made = asyncpg_dialect()  # type: ignore[no-untyped-call]
    made.type_compiler_instance = _TypeCompiler(made)
    return made


def definitions(tables: MetaData = metadata) -> str:
    """All tables and indexes as SQL."""
    dialect = make_dialect()
    parts: list[CreateTable | CreateIndex] = []
    for table in tables.sorted_tables:
        parts.append(CreateTable(table))
        parts += [CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name))]
    return ";\n".join(str(part.compile(dialect=dialect)) for part in parts) + ";\n"


def script(start: str, to: str) -> str:
    """The SQL of the migrations between two versions, as Alembic writes it."""
    from alembic import command  # noqa: PLC0415 - slow to import, needed for an old database only

    text = io.StringIO()
    config = configuration("postgresql+asyncpg://")
    config.output_buffer = text
    command.upgrade(config, f"{start}:{to}", sql=True)
    return text.getvalue()


async def version_of(connection: Raw) -> str | None:
    """The schema version of a database; None for a fresh one.

    Raises:
        SchemaError: it holds tables and is not ours.
    """
    names = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    tables = {row[0] for row in await connection.fetch(names)}
    if not tables - {"alembic_version"}:
        return None
    rows = []
    if "alembic_version" in tables:
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
    if not rows:
        raise SchemaError("the database holds tables that Watchword did not make; name another database")
    return str(rows[0][0])


async def prepare(url: str) -> bool:
    """Bring a database to the current schema; whether it was fresh.

    Raises:
        DatabaseError: it cannot be reached, or lacks something; the message says what to do.
        SchemaError: it has a version that this program does not know, or is somebody else's.
    """
    connection = await open_or_explain(url)
    try:
        await _check(connection)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCKS, _SCHEMA_LOCK)
            return await bring_to(connection, HEAD)
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(
            f"the database user may not make tables ({error}); make it the owner of the database, "
            "or GRANT CREATE, USAGE ON SCHEMA public"
        ) from None
    finally:
        await connection.close()


async def bring_to(connection: Raw, revision: str) -> bool:
    """Make or upgrade inside a transaction; whether the database was fresh.

    Raises:
        SchemaError: the version is unknown, or the database is somebody else's.
    """
    version = await version_of(connection)
    if version == revision:
        return False
    if version is None and revision == HEAD:
        await connection.execute(definitions())
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) PRIMARY KEY NOT NULL)"
        )
        await connection.execute("INSERT INTO alembic_version VALUES ($1)", HEAD)
        return True
    if version is not None and version not in known_revisions():
        raise SchemaError(
            f"the database has schema version {version}, which this program does not know; "
            "it was written by a newer one"
        )
    await connection.execute(script(version or "base", revision))
    return False


async def _check(connection: Raw) -> None:
    """Refuse what would not keep what it is given."""
    if connection.get_server_version()[0] < _OLDEST:
        raise DatabaseError(f"PostgreSQL {_OLDEST} or newer is needed")
    encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        raise DatabaseError(
            f"the database's encoding is {encoding}; "
            "make one with: createdb --encoding UTF8 --template template0"
        )


_OLDEST = 14


async def open_or_explain(url: str) -> Raw:
    """A connection without a limit for its commands.

    Raises:
        DatabaseError: there is none; the message says what to do and holds no password.
    """
    try:
        return await connect(url, limited=False)
    except asyncpg.InvalidCatalogNameError:
        raise DatabaseError(
            "there is no such database; make it with: createdb --encoding UTF8 NAME"
        ) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseError(
            f"the database refuses the login ({error}); name user and password in the URL of "
            "WATCHWORD_DATABASE or in a PGPASSFILE"
        ) from None
    except (asyncpg.PostgresError, OSError) as error:
        raise DatabaseError(
            f"the database cannot be reached ({_short(error)}); is PostgreSQL running, and is "
            "WATCHWORD_DATABASE right?"
        ) from None
    except (asyncpg.InterfaceError, ValueError) as error:
        raise DatabaseError(
            f"WATCHWORD_DATABASE is no address of a database ({type(error).__name__}); "
            "it looks like postgresql://user@host/name or postgresql:///name?host=/run/postgresql"
        ) from None


def _short(error: BaseException) -> str:
    return str(error) or type(error).__name__
