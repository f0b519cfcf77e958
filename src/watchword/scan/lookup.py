"""Asks a server whether values are live without showing them: by a prefix of their digests."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

PREFIX_DIGITS = 10
MOST = 1000  # prefixes in one question

# Sends prefixes, and returns what the server says of each.
Ask = Callable[[Sequence[str]], Mapping[str, Any]]


class Known(NamedTuple):
    """What a server says of a value that it knows.

    Attributes:
        kind: kind of the token.
        state: `active`, `superseded`, `revoked`, `expired` or `quarantined`.
        checked_at: when it looked, in µs since 1970.
        token: id, organization, name and address of the token, where the caller may know them.
    """

    kind: str
    state: str
    checked_at: int
    token: Mapping[str, str] | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "state": self.state,
            "checked_at": self.checked_at,
            "token": None if self.token is None else dict(self.token),
        }


def suffix_hash(digest: bytes) -> str:
    """What a server names a digest by: its SHA-256, so that no whole digest crosses the line."""
    return hashlib.sha256(digest).hexdigest()


def known(digests: Iterable[bytes], ask: Ask) -> dict[bytes, Known]:
    """What a server knows of these digests; of those that it does not know there is nothing.

    Only the first 40 bits of each digest leave this machine; what comes back is compared here.

    Args:
        digests: SHA-256 of values.
        ask: sends at most 1,000 prefixes.

    Raises:
        ValueError: the answer is not what was agreed.
    """
    wanted = sorted(set(digests))
    found: dict[bytes, Known] = {}
    prefixes = list(dict.fromkeys(digest.hex()[:PREFIX_DIGITS] for digest in wanted))
    answers: dict[str, Any] = {}
    for first in range(0, len(prefixes), MOST):
        answers.update(ask(prefixes[first : first + MOST]))
    for digest in wanted:
        for match in answers.get(digest.hex()[:PREFIX_DIGITS], ()):
            if not isinstance(match, dict):
                raise ValueError("the server's answer is not understood")  # noqa: TRY004 - it is data
            if match.get("suffix_hash") == suffix_hash(digest):
                found[digest] = _known(match)
    return found


def _known(match: Mapping[str, Any]) -> Known:
    token = match.get("token")
    checked_at = match.get("checked_at", 0)
    return Known(
        kind=str(match.get("kind", "")),
        state=str(match.get("state", "")),
        checked_at=checked_at if isinstance(checked_at, int) else 0,
        token={str(key): str(value) for key, value in token.items()} if isinstance(token, dict) else None,
    )
