"""Backups of an installation on SQLite, taken while its server runs, and bringing one back.

Part of the composition root. A backup is a folder that appears whole or not at all: the database as it was at
one moment, the files of artifacts, a manifest with their digests, and the keys where they are asked for.
"""

import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from watchword.crypto.keys import KeyRing, write_private
from watchword.domain.errors import WatchwordError
from watchword.opening import DATABASE, KEYS, LOCK, lock_data
from watchword.settings import Settings
from watchword.store.schema import HEAD, SchemaError, version_of

OBJECTS = "objects"
MANIFEST = "manifest.json"
_FORMAT = 1
_PAGES = 4096
_ASIDE = "before-restore-"
_UNSETTLED = "restore-unsettled"
Tell = Callable[[str], None]


class BackupError(WatchwordError):
    """A backup cannot be taken, or is not fit to be brought back."""

    code = "backup"


class Manifest(msgspec.Struct, kw_only=True):
    """What a backup holds.

    Attributes:
        taken_at: microseconds since the epoch.
        schema: version of the database.
        digest: SHA-256 of the database file.
        files: how many files of artifacts there are; `bytes` of them in all.
        object_store: where artifacts are instead, if not in the data folder: they are not part of this.
        keys: whether the key file is part of it.
        notices: the highest number in the outbox: what was revoked later is not in this database.
    """

    format: int = _FORMAT
    taken_at: int
    schema: str
    digest: str
    files: int
    bytes: int
    object_store: str
    keys: bool
    notices: int


def back_up(settings: Settings, target: Path, *, with_keys: bool, tell: Tell) -> Manifest:
    """Take a backup; the server may run.

    Args:
        settings: of the installation.
        target: a folder that does not exist yet.
        with_keys: whether to put the key file in it too.
        tell: is told how far it is.

    Raises:
        BackupError: the installation or the target does not allow it.
    """
    if settings.database.reveal():
        raise BackupError("this installation is on PostgreSQL: back it up with pg_dump (docs/operating.md)")
    source = settings.data / DATABASE
    if not source.exists():
        raise BackupError(f"there is no installation in {settings.data}")
    if target.exists():
        raise BackupError(f"{target} exists; a backup is a new folder")
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    notices = _copy_database(source, part / DATABASE, tell)
    # After the database: whatever it names as whole was there before it was said to be.
    files, size = (
        (0, 0) if settings.object_store else _copy_files(settings.data / OBJECTS, part / OBJECTS, tell)
    )
    if with_keys:
        write_private(part / KEYS, (settings.data / KEYS).read_text(encoding="utf-8"))
    manifest = Manifest(
        taken_at=time.time_ns() // 1000,
        schema=version_of(part / DATABASE) or "",
        digest=_digest(part / DATABASE),
        files=files,
        bytes=size,
        object_store=settings.object_store,
        keys=with_keys,
        notices=notices,
    )
    write_private(part / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)).decode() + "\n")
    part.rename(target)
    _sync(target.parent)
    return manifest


def _copy_database(source: Path, target: Path, tell: Tell) -> int:
    """Copy what is committed now, whatever is written meanwhile; the highest number of its outbox."""

    def progress(_status: int, remaining: int, total: int) -> None:
        tell(f"database: {100 * (total - remaining) // max(total, 1)} %")

    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(source, isolation_level=None)) as reader:
        reader.execute("BEGIN")  # one state for all steps: another writer would make them start anew
        (notices,) = reader.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()
        with closing(sqlite3.connect(target)) as copy:
            reader.backup(copy, pages=_PAGES, progress=progress)
            copy.execute("PRAGMA journal_mode=DELETE")
    _require_whole(target)
    _sync(target)
    return int(notices)


def _require_whole(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path} is damaged: {error}") from None
    if found != ("ok",):
        raise BackupError(f"{path} is damaged: {found[0]}")


def _copy_files(source: Path, target: Path, tell: Tell) -> tuple[int, int]:
    """Copy a tree of files; one that goes meanwhile was deleted and is not missed. Count and bytes."""
    count = size = 0
    target.mkdir(mode=0o700)
    for path in _files(source):
        copy = target / path.relative_to(source)
        for folder in reversed(copy.relative_to(target).parents):
            (target / folder).mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(path, copy)
            copy.chmod(0o600)
            _sync(copy)
            count, size = count + 1, size + copy.stat().st_size
            tell(f"artifacts: {count} files, {size} bytes")
    return count, size


def _files(folder: Path) -> Iterator[Path]:
    """Files that are whole: what is still being written has a `#` in its name."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "#" not in path.name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back, and where what was there before is kept."""

    manifest: Manifest
    aside: Path | None


def check_backup(source: Path, keys: Path | None, data: Path) -> Manifest:
    """Require that a backup is whole, of a version that this program knows, and that its keys are at hand.

    Raises:
        BackupError: it is not.
    """
    try:
        manifest = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{source} is no backup: {error}") from None
    if manifest.format != _FORMAT:
        raise BackupError(f"{source} was written by a newer version")
    database = source / DATABASE
    if not database.exists() or _digest(database) != manifest.digest:
        raise BackupError(f"{database} is not as it was written")
    _require_whole(database)
    if not manifest.schema or manifest.schema > HEAD:
        raise SchemaError(f"{source} has schema version {manifest.schema}, which this program does not know")
    found = sum(1 for _ in _files(source / OBJECTS)) if (source / OBJECTS).exists() else 0
    if found != manifest.files:
        raise BackupError(f"{source / OBJECTS} has {found} files, of {manifest.files} that were written")
    KeyRing.load(_keys_of(source, keys, data))
    return manifest


def _keys_of(source: Path, keys: Path | None, data: Path) -> Path:
    """The key file that goes with a backup: the one named, its own, or the one of the data folder."""
    for path in (keys, source / KEYS, data / KEYS):
        if path is not None and path.exists():
            return path
    raise BackupError(f"{source} has no key file in it; name it with --keys")


def bring_back(
    source: Path, settings: Settings, *, keys: Path | None, force: bool, settled: bool
) -> Restored:
    """Put a backup in the place of a data folder; no server may run on it.

    Args:
        source: the backup.
        settings: `data` says where to.
        keys: the key file, if it was kept apart.
        force: whether the folder may have something in it, which is moved aside and not deleted.
        settled: whether its tokens may pass as they are; else nothing is served until `settle`.

    Raises:
        BackupError: the backup is not fit, or the folder is not empty.
        DataInUse: a server runs on the folder.
    """
    data = settings.data
    manifest = check_backup(source, keys, data)
    ring = _keys_of(source, keys, data).read_text(encoding="utf-8")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock_data(data):
        former = [
            path for path in data.iterdir() if path.name != LOCK and not path.name.startswith("before-")
        ]
        if former and not force:
            raise BackupError(f"{data} is not empty; --force moves what is there aside")
        aside = _move_aside(data, former) if former else None
        if manifest.files:
            _copy_files(source / OBJECTS, data / OBJECTS, lambda _: None)
        write_private(data / KEYS, ring)
        if not settled:
            write_private(data / _UNSETTLED, "")
        part = data / (DATABASE + ".part")
        shutil.copyfile(source / DATABASE, part)
        part.chmod(0o600)
        _sync(part)
        part.rename(data / DATABASE)  # last: without it there is no installation
        _sync(data)
    return Restored(manifest, aside)


def settle(data: Path) -> None:
    """The tokens of a restored installation were dealt with: it may be served."""
    (data / _UNSETTLED).unlink(missing_ok=True)


def require_settled(data: Path) -> None:
    """Require that what was restored may be served.

    Raises:
        BackupError: a restore was cut off before it had dealt with the tokens.
    """
    if (data / _UNSETTLED).exists():
        raise BackupError(f"a restore to {data} did not end; run it again: watchword restore … --force")


def _move_aside(data: Path, former: list[Path]) -> Path:
    aside = data / f"{_ASIDE}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    aside.mkdir(mode=0o700)
    for path in former:
        path.rename(aside / path.name)
    return aside
