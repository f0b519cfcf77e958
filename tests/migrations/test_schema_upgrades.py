"""The schema: made whole or upgraded it is the same; a version that is not known is left alone."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory

from watchword.store import schema
from watchword.store.schema import HEAD, MIGRATIONS, SchemaError, prepare, upgrade, version_of
from watchword.store.tables import metadata

Shape = dict[tuple[str, str], object]


def _config(path: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    return config


def revisions() -> list[str]:
    """All revisions, oldest first."""
    script = ScriptDirectory.from_config(_config(Path("none")))
    return [found.revision for found in script.walk_revisions()][::-1]


def shape_of(path: Path) -> Shape:
    """Tables with their columns, keys and storage, and indexes; how the SQL was written aside."""
    connection = sqlite3.connect(path)
    found: Shape = {}
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    for kind, name, sql in rows.fetchall():
        if kind == "table":
            columns = connection.execute(f"PRAGMA table_xinfo('{name}')").fetchall()
            text = re.sub(r"\s+", " ", sql).upper()
            found[kind, name] = (
                sorted(column[1:] for column in columns),
                "WITHOUT ROWID" in text,
                "AUTOINCREMENT" in text,
                sorted(_unique(connection, name)),
                sorted(connection.execute(f"PRAGMA foreign_key_list('{name}')").fetchall()),
            )
        else:
            parts = connection.execute(f"PRAGMA index_xinfo('{name}')").fetchall()
            found[kind, name] = ([part[2:] for part in parts if part[5]], "UNIQUE" in sql.upper())
    connection.close()
    return found


def _unique(connection: sqlite3.Connection, table: str) -> list[tuple[str, ...]]:
    """Columns of the constraints that have an index without a name of their own."""
    found = []
    for _, name, unique, origin, _ in connection.execute(f"PRAGMA index_list('{table}')").fetchall():
        if unique and origin in ("u", "pk"):
            parts = connection.execute(f"PRAGMA index_info('{name}')").fetchall()
            found.append((origin, *(part[2] for part in parts)))
    return found


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    path = tmp_path / "fresh.db"
    prepare(path)
    return path


def test_a_fresh_database_has_every_table_and_the_newest_version(fresh: Path) -> None:
    assert version_of(fresh) == HEAD == revisions()[-1]
    tables = {name for kind, name in shape_of(fresh) if kind == "table"}
    assert tables == {*metadata.tables, "alembic_version"}
    indexes = {name for kind, name in shape_of(fresh) if kind == "index"}
    assert indexes == {str(index.name) for table in metadata.tables.values() for index in table.indexes}


def test_an_upgraded_database_is_a_fresh_one(fresh: Path, tmp_path: Path) -> None:
    upgraded = tmp_path / "upgraded.db"
    upgrade(upgraded)
    assert version_of(upgraded) == HEAD
    assert shape_of(upgraded) == shape_of(fresh)


def test_tables_of_organizations_start_their_key_with_it(fresh: Path) -> None:
    connection = sqlite3.connect(fresh)
    for table in metadata.tables.values():
        keys = sorted(
            (row[5], row[1]) for row in connection.execute(f"PRAGMA table_info('{table.name}')") if row[5]
        )
        if "organization_id" in [name for _, name in keys]:
            assert keys[0] == (1, "organization_id")
    connection.close()


@pytest.mark.parametrize("revision", revisions())
def test_each_migration_can_be_taken_back_and_repeated(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "steps.db"
    upgrade(path, revision)
    before = shape_of(path)
    upgrade(path, revision)  # nothing is left to do
    assert shape_of(path) == before
    command.downgrade(_config(path), "-1")
    assert version_of(path) != revision
    upgrade(path, revision)
    assert shape_of(path) == before
    assert version_of(path) == revision


def test_preparing_again_changes_nothing_and_keeps_the_rows(fresh: Path) -> None:
    connection = sqlite3.connect(fresh)
    connection.execute("INSERT INTO counters VALUES ('organization', 'audit', 7)")
    connection.commit()
    connection.close()
    before = shape_of(fresh)
    prepare(fresh)
    assert shape_of(fresh) == before
    connection = sqlite3.connect(fresh)
    assert connection.execute("SELECT value FROM counters").fetchall() == [(7,)]
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
    connection.close()


@pytest.mark.parametrize("version", ["9999", "0000", "", "head"])
def test_an_unknown_version_is_refused_and_left_alone(fresh: Path, version: str) -> None:
    connection = sqlite3.connect(fresh)
    connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.commit()
    connection.close()
    before = fresh.read_bytes()
    with pytest.raises(SchemaError) as caught:
        prepare(fresh)
    assert caught.value.code == "unknown_schema"
    assert str(fresh) in caught.value.message
    assert version_of(fresh) == version
    assert fresh.read_bytes() == before


def test_an_empty_file_is_a_fresh_path(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch(0o600)
    prepare(path)
    assert version_of(path) == HEAD
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_creation_that_is_cut_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cut.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "HEAD", object())  # cannot be written: the last statement fails
        with pytest.raises(Exception, match="type 'object' is not supported"):
            prepare(path)
    assert shape_of(path) == {}
    prepare(path)
    assert version_of(path) == HEAD


def test_a_migration_that_is_cut_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cut.db"
    create = op.create_table

    def fail_late(name: str, *rest: Any, **named: Any) -> None:
        if name == "uses":
            raise InterruptedError
        create(name, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_table", fail_late)
        with pytest.raises(InterruptedError):
            upgrade(path)
    assert shape_of(path) == {}
    upgrade(path)
    assert version_of(path) == HEAD


def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    content = b"no database at all, but long enough to be read as one" * 20
    path.write_bytes(content)
    with pytest.raises(SchemaError):
        prepare(path)
    assert path.read_bytes() == content


def test_a_database_without_its_stamp_is_refused(fresh: Path) -> None:
    connection = sqlite3.connect(fresh)
    connection.execute("DELETE FROM alembic_version")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaError):
        prepare(fresh)


def test_a_database_of_someone_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SchemaError):
        prepare(path)
    assert path.read_bytes() == before
