"""The schema's version: a fresh database is made whole, an older one is upgraded by Alembic."""

import sqlite3
from pathlib import Path

from sqlalchemy import create_engine

from watchword.domain.errors import WatchwordError
from watchword.store.tables import metadata

HEAD = "0001"
MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaError(WatchwordError):
    """The database was written by a version that this one does not know."""

    code = "unknown_schema"


def version_of(path: Path) -> str | None:
    """The schema version that a SQLite file is stamped with; None for a fresh one."""
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
    return str(row[0]) if row else None


def prepare(path: Path) -> None:
    """Bring a SQLite file to the current schema; a test holds that both ways give the same.

    Raises:
        SchemaError: the file has a version that this program does not know.
    """
    version = version_of(path)
    if version == HEAD:
        return
    if version is None:
        _create(path)
        return
    upgrade(path)


def _create(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY NOT NULL)"
        )
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    engine.dispose()


def upgrade(path: Path, revision: str = "head") -> None:
    """Run the migrations that a SQLite file lacks.

    Raises:
        SchemaError: the file's version is not among the migrations.
    """
    from alembic import command  # noqa: PLC0415 - slow to import, needed for an old database only
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise SchemaError(
            f"{path} has schema version {version_of(path)}, which this program does not know; "
            "it was written by a newer one"
        ) from error
