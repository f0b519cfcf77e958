"""Keys: numbered secrets of the installation in one file (mode 0600), never in the database.

A key is demoted to verify-only and never removed, so that what it signed stays verifiable.

Keys of job identity are verified by others, who keep the published ones for a while: a new one is
published before it signs, and a former one after. One that others must not trust any more is withdrawn.
"""

import base64
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from watchword.crypto.identitykeys import Algorithm, algorithm_of, make_private
from watchword.domain.errors import Conflict, NotFound, WatchwordError


class Purpose(StrEnum):
    """What a key is for; a key serves one purpose."""

    JOB_TOKEN = "job-token"  # noqa: S105 - the name of a purpose
    MAC = "mac"
    SEALING = "sealing"
    ARTIFACT = "artifact"
    AUDIT = "audit"
    IDENTITY = "identity"


_SIZES = {
    Purpose.JOB_TOKEN: 64,
    Purpose.MAC: 32,
    Purpose.SEALING: 32,
    Purpose.ARTIFACT: 32,
    Purpose.AUDIT: 32,
}
# Purposes that came after the first version: a file of an older one lacks them and is completed.
_LATER = (Purpose.ARTIFACT, Purpose.AUDIT, Purpose.IDENTITY)
_FORMAT = 1
# How long a former key of job identity stays published: longer than any token that it signed can live.
PUBLISHED_AFTER_US = 7 * 86_400 * 1_000_000


class KeyFileError(WatchwordError):
    """The key file is missing, unreadable, open to others, or damaged."""

    code = "key_file"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One numbered key; `active` is false once it only verifies.

    Attributes:
        secret: random bytes; of job identity a private key (PKCS #8, DER).
        signs_from: of job identity: since when it signs, in µs; it is published before.
        withdrawn: of job identity: it is published no more, and signs nothing.
    """

    number: int
    purpose: Purpose
    secret: bytes
    active: bool
    signs_from: int = 0
    withdrawn: bool = False

    def __repr__(self) -> str:
        return f"Key({self.purpose.value} {self.number}, active={self.active})"


class KeyRing:
    """The keys of one installation.

    Attributes:
        path: the file that they were read from; None where there is none.
    """

    def __init__(self, keys: Mapping[tuple[Purpose, int], Key], path: Path | None = None) -> None:
        self.path = path
        self._keys: dict[tuple[Purpose, int], Key] = {}
        self._active: dict[Purpose, Key] = {}
        self._take(keys)

    def _take(self, keys: Mapping[tuple[Purpose, int], Key]) -> None:
        self._keys = dict(keys)
        for key in sorted(self._keys.values(), key=lambda key: key.number):
            if key.active:
                self._active[key.purpose] = key
        present = {purpose for purpose, _ in keys}
        for purpose in Purpose:
            # A file of an older version is as good as it was; `upgrade` gives a server what it lacks.
            if purpose not in self._active and (purpose in present or purpose not in _LATER):
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

    def signing(self, now: int) -> Key:
        """The key of job identity that signs at a time: the newest whose time has come."""
        return self._signers(now)[-1]

    def published(self, now: int) -> list[Key]:
        """Keys of job identity that relying parties are told of: coming, signing, and lately demoted."""
        keys = self._trusted()
        ended = [later.signs_from + PUBLISHED_AFTER_US for later in keys[1:]]
        until = dict(zip((key.number for key in keys), ended, strict=False))
        return [key for key in keys if until.get(key.number, now + 1) > now]

    def _signers(self, now: int) -> list[Key]:
        """Keys of job identity whose time has come; the oldest one where a clock was set back."""
        keys = self._trusted()
        return [key for key in keys if key.signs_from <= now] or keys[:1]

    def _trusted(self) -> list[Key]:
        return [key for key in self.all(Purpose.IDENTITY) if not key.withdrawn]

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.RS256) -> "KeyRing":
        """Fresh keys, one per purpose; job identity is signed with `algorithm`."""
        made = (_fresh(purpose, algorithm) for purpose in Purpose)
        return cls({(key.purpose, key.number): key for key in made})

    @classmethod
    def upgrade(cls, path: Path, algorithm: Algorithm = Algorithm.RS256) -> "KeyRing":
        """Read the file, adding and saving keys for purposes that its version did not know.

        Raises:
            KeyFileError: as `load`.
        """
        keys = _read(path)
        present = {purpose for purpose, _ in keys}
        lacking = [purpose for purpose in _LATER if purpose not in present]
        ring = cls(keys | {(purpose, 1): _fresh(purpose, algorithm) for purpose in lacking}, path)
        if lacking:
            ring.save(path)
        return ring

    def rotated(
        self, purpose: Purpose, *, signs_from: int = 0, algorithm: Algorithm = Algorithm.RS256
    ) -> "KeyRing":
        """A ring with one new active key for the purpose; the former one only verifies.

        Args:
            purpose: what the key is for.
            signs_from: of job identity, when it takes over from the former one; the others do at once.
            algorithm: of job identity, what it signs with.
        """
        keys = dict(self._keys)
        former = self._active[purpose]
        keys[purpose, former.number] = replace(former, active=False)
        number = max(key.number for key in keys.values() if key.purpose is purpose) + 1
        keys[purpose, number] = replace(_fresh(purpose, algorithm), number=number, signs_from=signs_from)
        return KeyRing(keys, self.path)

    def without(self, number: int, now: int) -> "KeyRing":
        """A ring in which a key of job identity is withdrawn: nobody is told of it any more.

        Raises:
            NotFound: there is no such key.
            Conflict: it is the one that signs.
        """
        key = self.find(Purpose.IDENTITY, number)
        if key is None:
            raise NotFound(f"There is no key {number} of job identity.", code="unknown_key")
        if self.signing(now) is key:  # an older one in its place may be long forgotten by relying parties
            raise Conflict(
                "This key signs; rotate first, with a new one that signs at once.", code="key_signs"
            )
        return KeyRing({**self._keys, (key.purpose, number): replace(key, withdrawn=True)}, self.path)

    def become(self, other: "KeyRing") -> None:
        """Hold the keys of another ring from now on, saved first where there is a file.

        Raises:
            OSError: they could not be saved, and nothing has changed.
        """
        if self.path is not None:
            other.save(self.path)
        self._take(other._keys)  # noqa: SLF001 - of the same class

    def save(self, path: Path) -> None:
        """Write the file whole or not at all, readable by its owner alone."""
        rows = [
            {
                "purpose": key.purpose.value,
                "number": key.number,
                "active": key.active,
                "secret": base64.b64encode(key.secret).decode(),
                **({"signs_from": key.signs_from} if key.signs_from else {}),
                **({"withdrawn": True} if key.withdrawn else {}),
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
        return cls(_read(path), path)


def _fresh(purpose: Purpose, algorithm: Algorithm) -> Key:
    identity = purpose is Purpose.IDENTITY
    made = make_private(algorithm) if identity else secrets.token_bytes(_SIZES[purpose])
    return Key(1, purpose, made, active=True)


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
                signs_from=int(row.get("signs_from", 0)),
                withdrawn=bool(row.get("withdrawn", False)),
            )
            if key.purpose is Purpose.IDENTITY:
                algorithm_of(key.secret)
            elif len(key.secret) != _SIZES[key.purpose]:
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
