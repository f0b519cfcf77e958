"""Migrations: an upgraded database has the schema of a fresh one; what is not known is refused."""

import re
import sqlite3
from pathlib import Path

import pytest

from watchword.store import schema
from watchword.store.schema import HEAD, MIGRATIONS, SchemaError, prepare, upgrade, version_of


def shape(path: Path) -> dict[str, str]:
    """Definitions of all tables and indexes, without white space, quotes and the order of columns."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    finally:
        connection.close()
    return {name: normal(sql) for name, sql in rows if name not in ("alembic_version", "sqlite_sequence")}


def normal(sql: str) -> str:
    head, _, rest = sql.partition("(")
    body, _, tail = rest.rpartition(")")
    parts = sorted(" ".join(part.split()) for part in re.split(r",(?![^(]*\))", body))
    return f"{' '.join(head.split())}({', '.join(parts)}){tail.strip()}".replace('"', "")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    path = tmp_path / "fresh.db"
    prepare(path)
    return path


def test_upgraded_equals_fresh(fresh: Path, tmp_path: Path) -> None:
    upgraded = tmp_path / "upgraded.db"
    upgrade(upgraded)
    assert shape(upgraded) == shape(fresh)
    assert version_of(upgraded) == version_of(fresh) == HEAD


def test_every_table_of_ours_is_without_rowid_but_the_outbox(fresh: Path) -> None:
    with_rowid = {
        name
        for name, sql in shape(fresh).items()
        if sql.startswith("CREATE TABLE") and "WITHOUT ROWID" not in sql
    }
    assert with_rowid == {"outbox", "organizations", "users"}


def test_steps_are_repeatable_and_prepare_changes_nothing_twice(fresh: Path) -> None:
    before = shape(fresh)
    prepare(fresh)
    upgrade(fresh)
    assert shape(fresh) == before


def test_head_is_the_last_migration() -> None:
    revisions = sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py"))
    assert revisions[-1] == HEAD


def test_a_database_of_a_newer_version_is_refused_untouched(fresh: Path) -> None:
    connection = sqlite3.connect(fresh)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = shape(fresh)
    with pytest.raises(SchemaError, match="newer"):
        prepare(fresh)
    assert shape(fresh) == before


def test_a_difference_would_be_seen(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.db"
    prepare(other)
    connection = sqlite3.connect(other)
    connection.execute("DROP INDEX agents_state")
    connection.commit()
    connection.close()
    assert shape(other) != shape(fresh)
    monkeypatch.setattr(schema, "HEAD", "0002")
    assert version_of(other) == "0001"
