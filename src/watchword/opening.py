"""Opens the database that the settings name, for this process alone; part of the composition root."""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from watchword.crypto.identitykeys import Algorithm
from watchword.crypto.keys import KeyRing
from watchword.domain.errors import WatchwordError
from watchword.domain.events import Notice
from watchword.feed.base import Feed
from watchword.settings import Settings
from watchword.store.base import Store
from watchword.store.schema import HEAD, SchemaError, prepare, version_of
from watchword.store.sqlite import SqliteStore

DATABASE = "watchword.db"
KEYS = "keys.json"
LOCK = "lock"


class DataInUse(WatchwordError):
    """Another server runs on the data folder or on the database."""

    code = "data_in_use"


class DatabaseLost(WatchwordError):
    """This server no longer holds its database, and may not write there."""

    code = "database_lost"


@dataclass(frozen=True, slots=True)
class Opened:
    """A store that this process holds, and the keys that go with it.

    Attributes:
        store: on a database of the current schema.
        keys: the installation's.
        lost: set when the database is no longer this process's; nothing is written from then on.
        release: closes the store and lets another server have the database.
    """

    store: Store
    keys: KeyRing
    lost: asyncio.Event
    release: Callable[[], Awaitable[None]]


def lock_data(folder: Path) -> TextIO:
    """Hold the data folder for this process: exactly one worker runs until the feed exists (design §5).

    Raises:
        DataInUse: another process holds it.
    """
    file = (folder / LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise DataInUse(
            f"another Watchword server runs on {folder}; stop it, or use another data folder"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def open_keys(settings: Settings, *, fresh: bool) -> KeyRing:
    """The installation's keys; made at the first start, never where a database exists already."""
    path = settings.data / KEYS
    algorithm = Algorithm(settings.job_identity_algorithm)
    if not path.exists() and fresh:
        KeyRing.generate(algorithm).save(path)
    return KeyRing.upgrade(path, algorithm)


def has_installation(settings: Settings) -> bool:
    """Whether something was started here before."""
    return (settings.data / (KEYS if settings.database.reveal() else DATABASE)).exists()


async def open_database(settings: Settings, feed: Feed) -> Opened:
    """Open SQLite in the data folder or the PostgreSQL database of the settings.

    Args:
        settings: `data` and `database`.
        feed: hears of what was committed.

    Raises:
        DataInUse: another server runs on the folder or the database.
        KeyFileError: the key file is missing, open to others or damaged.
        DatabaseError: PostgreSQL cannot be used; the message says what to do.
        SchemaError: the database is of a newer version.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = lock_data(settings.data)
    try:
        if settings.database.reveal():
            return await _open_postgresql(settings, feed, lock)
        return _open_sqlite(settings, feed, lock)
    except BaseException:
        lock.close()
        raise


def _open_sqlite(settings: Settings, feed: Feed, lock: TextIO) -> Opened:
    path = settings.data / DATABASE
    keys = open_keys(settings, fresh=not path.exists())
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    prepare(path)
    store = SqliteStore(path, feed.publish)

    async def release() -> None:
        await store.close()
        lock.close()

    return Opened(store, keys, asyncio.Event(), release)


async def _open_postgresql(settings: Settings, feed: Feed, lock: TextIO) -> Opened:
    # Imported where it is used: SQLite's start need not wait for it.
    from watchword.store import postgres_schema  # noqa: PLC0415
    from watchword.store.postgres import PostgresStore  # noqa: PLC0415
    from watchword.store.postgres_lock import ServerLock  # noqa: PLC0415

    url = settings.database.reveal()
    store = PostgresStore(url, feed.publish)
    lost = asyncio.Event()

    def lose() -> None:
        store.refuse("This server no longer holds its database; try again.")
        lost.set()

    held = await ServerLock.take(url, lose)
    if held is None:
        raise DataInUse("another Watchword server runs on this PostgreSQL database; stop it first")
    try:
        await postgres_schema.prepare(url)
        fresh = not await store.read(lambda tx: tx.accounts.organizations())
        keys = open_keys(settings, fresh=fresh)
    except BaseException:
        await store.close()
        await held.release()
        raise

    async def release() -> None:
        await store.close()
        await held.release()
        lock.close()

    return Opened(store, keys, lost, release)


async def open_for_reading(settings: Settings) -> Store:
    """Open the database beside a server that may run on it; nothing may be written to what is returned.

    Raises:
        SchemaError: there is no installation, or one of another version.
        DatabaseError: PostgreSQL cannot be used.
    """
    if settings.database.reveal():
        from watchword.store.postgres import PostgresStore  # noqa: PLC0415 - needed for PostgreSQL only

        return PostgresStore(settings.database.reveal(), _nowhere)
    path = settings.data / DATABASE
    if not path.exists() or version_of(path) != HEAD:
        raise SchemaError(f"there is no installation of this version in {settings.data}")
    return SqliteStore(path, _nowhere)


def _nowhere(_notices: Sequence[Notice]) -> None:
    """Hears of nothing: nothing is written."""
