"""Secrets out of a stream of bytes, also where a read cuts one in two."""

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Protocol

MASK = b"[REDACTED]"
MIN_BYTES = 6
PATTERNS = (
    "*_PASSWORD",
    "*_SECRET",
    "*_TOKEN",
    "*_PRIVATE_KEY",
    "*_SSH_KEY",
    "*_ACCESS_KEY",
    "*_SECRET_KEY",
    "*_CONNECTION_STRING",
    "*_API_KEY",
)


class Masks(Protocol):
    """Whoever can mask secrets in a text."""

    def text(self, text: str) -> str:
        """The text with its secrets masked."""


def secret_values(environment: Mapping[str, str], patterns: Iterable[str] = PATTERNS) -> set[str]:
    """Values of the variables whose names match a pattern of secrets (contract section 7.2).

    Surrounding white space is not part of a secret, unless nothing of 6 bytes is left without it.
    """
    named = (
        value
        for name, value in environment.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    )
    return {value.strip() if len(value.strip().encode()) >= MIN_BYTES else value for value in named}


def forms_of(secret: str) -> set[str]:
    """A secret as commands may print it: whole, as JSON, quoted for a shell, through a terminal, by lines.

    Terminals end lines with CR LF, and tools print keys and certificates line by line.
    """
    whole = {secret, secret.strip(), secret.replace("\n", "\r\n")}
    quoted = {secret.replace("'", r"'\''")}
    quoted |= {json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False)}
    lines = {line.strip() for line in secret.splitlines()}
    return {
        form for form in whole | quoted | lines if len(form.encode(errors="surrogateescape")) >= MIN_BYTES
    }


class Redactor:
    """Replaces secrets by `[REDACTED]` in bytes that come piece by piece.

    A tail that may be the beginning of a secret is held back until the next piece decides; it is
    always shorter than the longest secret. Secrets that overlap in the text are masked together.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: list[bytes] = []
        self._held = b""
        self._covered = 0
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these too, from the bytes that are held back now onwards; short ones are ignored."""
        encoded = {secret.encode(errors="surrogateescape") for secret in secrets}
        self._secrets = sorted({*self._secrets, *(secret for secret in encoded if len(secret) >= MIN_BYTES)})

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; give what is certain so far."""
        text = self._held + data
        return self._release(text, min((_open_end(text, s) for s in self._secrets), default=len(text)))

    def flush(self) -> bytes:
        """Give what was held back: no more bytes will come."""
        return self._release(self._held, len(self._held))

    def text(self, text: str) -> str:
        """Redact one complete text."""
        encoded = text.encode(errors="surrogateescape")
        masked, _ = _mask(encoded, len(encoded), self._matches(encoded, 0), 0)
        return masked.decode(errors="surrogateescape")

    def _release(self, text: bytes, cut: int) -> bytes:
        """Give the masked text before `cut` and hold the rest, some of which a given mask may cover."""
        masked, done = _mask(text, cut, self._matches(text, self._covered), self._covered)
        self._held, self._covered = text[cut:], max(0, done - cut)
        return masked

    def _matches(self, text: bytes, covered: int) -> list[tuple[int, int]]:
        """Where secrets stand, in order, overlapping ones joined, what is covered already included."""
        found = sorted(span for secret in self._secrets for span in _spans(text, secret))
        joined = [(0, covered)] if covered else []
        for start, end in found:
            if joined and start < joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined


def _mask(text: bytes, cut: int, matches: list[tuple[int, int]], covered: int) -> tuple[bytes, int]:
    """Mask the matches that begin before `cut`.

    Returns:
        The text before `cut`, masked, and the position up to which everything is given or covered.
    """
    pieces, done = [], covered
    for start, end in matches:
        if start >= cut:
            break
        if start or not covered:
            pieces += [text[done:start], MASK]
        done = end
    return b"".join([*pieces, text[done:cut]]), done


def _open_end(text: bytes, secret: bytes) -> int:
    """Where the tail begins that may go on to be this secret; the length of the text if none does."""
    at = text.find(secret[:1], max(0, len(text) - len(secret) + 1))
    while at >= 0 and not secret.startswith(text[at:]):
        at = text.find(secret[:1], at + 1)
    return len(text) if at < 0 else at


def _spans(text: bytes, secret: bytes) -> Iterator[tuple[int, int]]:
    at = text.find(secret)
    while at >= 0:
        yield at, at + len(secret)
        at = text.find(secret, at + 1)
