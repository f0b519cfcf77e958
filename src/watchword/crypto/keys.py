"""Keys: numbered secrets of the installation in one file (mode 0600), never in the database.

A key is demoted to verify-only and never removed, so that what it signed stays verifiable.
"""

import base64
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from watchword.domain.errors import WatchwordError


class Purpose(StrEnum):
    """What a key is for; a key serves one purpose."""

    JOB_TOKEN = "job-token"  # noqa: S105 - the name of a purpose
    MAC = "mac"
    SEALING = "sealing"
    ARTIFACT = "artifact"
    AUDIT = "audit"


_SIZES = {
    Purpose.JOB_TOKEN: 64,
    Purpose.MAC: 32,
    Purpose.SEALING: 32,
    Purpose.ARTIFACT: 32,
    Purpose.AUDIT: 32,
}
# Purposes that came after the first version: a file of an older one lacks them and is completed.
_LATER = (Purpose.ARTIFACT, Purpose.AUDIT)
_FORMAT = 1


class KeyFileError(WatchwordError):
    """The key file is missing, unreadable, open to others, or damaged."""

    code = "key_file"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One numbered key; `active` is false once it only verifies."""

    number: int
    purpose: Purpose
    secret: bytes
    active: bool

    def __repr__(self) -> str:
        return f"Key({self.purpose.value} {self.number}, active={self.active})"


class KeyRing:
    """The keys of one installation."""

    def __init__(self, keys: Mapping[tuple[Purpose, int], Key]) -> None:
        self._keys = dict(keys)
        self._active: dict[Purpose, Key] = {}
        for key in sorted(self._keys.values(), key=lambda key: key.number):
            if key.active:
                self._active[key.purpose] = key
        for purpose in Purpose:
            if purpose not in self._active:
                raise KeyFileError(f"the key file has no active key for {purpose.value}")

    def active(self, purpose: Purpose) -> Key:
        """The key that makes new things."""
        return self._active[purpose]

    def all(self, purpose: Purpose) -> list[Key]:
        """Every key of a purpose, oldest first."""
        return sorted(
            (key for key in self._keys.values() if key.purpose is purpose), key=lambda key: key.number
        )

    def find(self, purpose: Purpose, number: int) -> Key | None:
        """The key with this number, active or verify-only; None if there never was one."""
        return self._keys.get((purpose, number))

    @classmethod
    def generate(cls) -> "KeyRing":
        """Fresh keys, one per purpose."""
        made = (_fresh(purpose) for purpose in Purpose)
        return cls({(key.purpose, key.number): key for key in made})

    @classmethod
    def upgrade(cls, path: Path) -> "KeyRing":
        """Read the file, adding and saving keys for purposes that its version did not know.

        Raises:
            KeyFileError: as `load`.
        """
        keys = _read(path)
        present = {purpose for purpose, _ in keys}
        lacking = [purpose for purpose in _LATER if purpose not in present]
        ring = cls(keys | {(purpose, 1): _fresh(purpose) for purpose in lacking})
        if lacking:
            ring.save(path)
        return ring

    def rotated(self, purpose: Purpose) -> "KeyRing":
        """A ring with one new active key for the purpose; the former one only verifies."""
        keys = dict(self._keys)
        former = self._active[purpose]
        keys[purpose, former.number] = Key(former.number, purpose, former.secret, active=False)
        number = max(key.number for key in keys.values() if key.purpose is purpose) + 1
        keys[purpose, number] = Key(number, purpose, secrets.token_bytes(_SIZES[purpose]), active=True)
        return KeyRing(keys)

    def save(self, path: Path) -> None:
        """Write the file whole or not at all, readable by its owner alone."""
        rows = [
            {
                "purpose": key.purpose.value,
                "number": key.number,
                "active": key.active,
                "secret": base64.b64encode(key.secret).decode(),
            }
            for key in sorted(self._keys.values(), key=lambda key: (key.purpose, key.number))
        ]
        text = json.dumps({"format": _FORMAT, "keys": rows}, indent=1) + "\n"
        write_private(path, text)

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read the file.

        Raises:
            KeyFileError: it is missing, open to group or others, or damaged.
        """
        return cls(_read(path))


def _fresh(purpose: Purpose) -> Key:
    return Key(1, purpose, secrets.token_bytes(_SIZES[purpose]), active=True)


def _read(path: Path) -> dict[tuple[Purpose, int], Key]:
    """The keys of a file, as `KeyRing.load` has them."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyFileError(f"{path} is readable by others; run: chmod 600 {path}")
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise KeyFileError(f"{path} has a format that this version does not know")
        keys = {}
        for row in document["keys"]:
            key = Key(
                int(row["number"]),
                Purpose(row["purpose"]),
                base64.b64decode(row["secret"], validate=True),
                active=bool(row["active"]),
            )
            if len(key.secret) != _SIZES[key.purpose]:
                raise KeyFileError(f"{path}: key {key.number} of {key.purpose.value} has a wrong size")
            keys[key.purpose, key.number] = key
    except FileNotFoundError:
        raise KeyFileError(f"there is no key file at {path}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeyFileError(f"{path} cannot be read as a key file: {type(error).__name__}") from None
    return keys


def write_private(path: Path, text: str) -> None:
    """Write a file (mode 0600) by way of a temporary one beside it, synced before the rename."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
