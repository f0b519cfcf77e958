"""The schema's version: a fresh database is made whole, an older one is upgraded by Alembic."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from watchword.domain.errors import WatchwordError
from watchword.store.planner import advise
from watchword.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0029"
MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaError(WatchwordError):
    """The file is no database of a version that this one knows."""

    code = "unknown_schema"


def version_of(path: Path) -> str | None:
    """The schema version that a SQLite file is stamped with; None for a fresh one.

    Raises:
        SchemaError: it is no database, or one without our stamp.
    """
    connection = sqlite3.connect(path)
    try:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"
        tables = {name for (name,) in connection.execute(names)}
        if not tables - {"alembic_version"}:
            return None
        row = None
        if "alembic_version" in tables:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise SchemaError(f"{path} cannot be read as a database: {error}") from error
    finally:
        connection.close()
    if row is None:
        raise SchemaError(f"{path} is a database that Watchword did not make; name another file")
    return str(row[0])


def prepare(path: Path) -> None:
    """Bring a SQLite file to the current schema; a test holds that both ways give the same.

    Raises:
        SchemaError: the file has a version that this program does not know, or is something else.
    """
    version = version_of(path)
    if version == HEAD:
        return
    if version is None:
        _create(path)
        return
    upgrade(path)
    connection = sqlite3.connect(path)
    try:
        advise(connection.execute)
        connection.commit()
    finally:
        connection.close()


def _create(path: Path) -> None:
    """Make everything in one transaction: a process that dies meanwhile leaves a fresh file."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver alone would begin none for DDL
        metadata.create_all(connection)
        connection.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) PRIMARY KEY NOT NULL)"
        )
        advise(connection.exec_driver_sql)
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    engine.dispose()


def upgrade(path: Path, revision: str = "head") -> None:
    """Run the migrations that a SQLite file lacks.

    Raises:
        SchemaError: the file's version is not among the migrations.
    """
    from alembic import command  # noqa: PLC0415 - slow to import, needed for an old database only

    version = version_of(path)
    if version is not None and version not in known_revisions():
        raise SchemaError(
            f"{path} has schema version {version}, which this program does not know; "
            "it was written by a newer one"
        )
    command.upgrade(configuration(f"sqlite:///{path}"), revision)


def configuration(url: str) -> "Config":
    """Alembic's settings for a database."""
    from alembic.config import Config  # noqa: PLC0415 - slow to import, needed for an old database only

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url)
    return config


def known_revisions() -> set[str]:
    """Versions that the migrations lead to."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to import, needed for an old database only

    return {script.revision for script in ScriptDirectory.from_config(configuration("")).walk_revisions()}
