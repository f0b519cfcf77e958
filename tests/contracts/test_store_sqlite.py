"""What only SQLite's store has to hold."""

import asyncio
from pathlib import Path

from watchword.store.schema import prepare
from watchword.store.sqlite import SqliteStore


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """The other tests' databases do not (`databases.SqliteDatabase`); every store of the program does."""
    path = tmp_path / "watchword.db"
    prepare(path)

    async def settings() -> tuple[str, int]:
        store = SqliteStore(path, lambda _: None)
        try:
            (journal,) = store._writer.raw.execute("PRAGMA journal_mode").fetchone()
            (synchronous,) = store._writer.raw.execute("PRAGMA synchronous").fetchone()
        finally:
            await store.close()
        return journal, synchronous

    full = 2
    assert asyncio.run(settings()) == ("wal", full)
