"""Keeping answers: for as long as a revocation may go unseen, and no longer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from watchword.client.answers import ActiveToken
from watchword.crypto.values import digest

# A cut-off answer is worse than a slow one: beyond this a value cannot be one of a token.
MAX_VALUE = 8192
_REFUSED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and when it was asked for by the monotonic clock, in seconds."""

    token: ActiveToken | None
    asked_at: float


class Answers:
    """Answers by digest and client address; values themselves are not kept. Safe to share between threads.

    Args:
        freshness: seconds for which an answer is used again; 0 asks every time.
        size: answers that are kept; the least lately used go first.
        monotonic: seconds that never jump back.
        now: seconds since the epoch, for expiry.
    """

    def __init__(
        self,
        freshness: float,
        size: int,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.freshness = freshness
        self.monotonic = monotonic
        self._size = size
        self._now = now
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def key(value: str, client_address: str | None) -> bytes:
        """Under what an answer is kept: a network limit makes it depend on the address too."""
        return digest(value) + (client_address or "").encode()

    def get(self, key: bytes, within: float | None = None) -> Kept | None:
        """An answer that is no older than `within` seconds (None: the freshness), and not expired since.

        That a token does not pass is kept for a second at most: it may have just been issued.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
        limit = self.freshness if within is None else within
        if kept.token is None:
            limit = min(limit, _REFUSED_SECONDS)
        elif kept.token.expires_at is not None and self._now() >= kept.token.expires_at:
            return None
        return kept if self.monotonic() - kept.asked_at < limit else None

    def put(self, key: bytes, token: ActiveToken | None, asked_at: float) -> None:
        """Keep an answer to a question that left at `asked_at`: what changed later it cannot know."""
        with self._lock:
            older = self._kept.get(key)
            if older is not None and older.asked_at > asked_at:
                return
            self._kept[key] = Kept(token, asked_at)
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def forget(self, key: bytes) -> None:
        """Ask anew next time."""
        with self._lock:
            self._kept.pop(key, None)
