"""The feed's contract: what was committed reaches everyone who must know, before it is acknowledged."""

from collections.abc import Callable, Sequence
from typing import Protocol

from watchword.domain.events import Notice

Follower = Callable[[Notice], None]


class Feed(Protocol):
    """Carries notices from the store's outbox to followers in this process, and later to other nodes."""

    def follow(self, topic: str, follower: Follower) -> None:
        """Call `follower` for every notice of the topic; it must not fail and must not wait."""

    def publish(self, notices: Sequence[Notice]) -> None:
        """Pass on what was just committed, in commit order."""
