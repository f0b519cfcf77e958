"""The feed of one process: followers are called on the spot."""

from collections import defaultdict
from collections.abc import Sequence

from watchword.domain.events import Notice
from watchword.feed.base import Follower


class LocalFeed:
    """`feed.base.Feed` without a network."""

    def __init__(self) -> None:
        self._followers: defaultdict[str, list[Follower]] = defaultdict(list)

    def follow(self, topic: str, follower: Follower) -> None:
        """Add a follower of a topic."""
        self._followers[topic].append(follower)

    def publish(self, notices: Sequence[Notice]) -> None:
        """Call the followers of each notice's topic."""
        for notice in notices:
            for follower in self._followers[notice.topic]:
                follower(notice)
