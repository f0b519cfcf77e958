"""What every test stands on: a clock that tests set, a fresh database, a wired authority."""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from watchword.crypto.keys import KeyRing
from watchword.feed.local import LocalFeed
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.authority import Authority
from watchword.services.context import LOCAL, Context, Installation
from watchword.store.schema import prepare
from watchword.store.sqlite import SqliteStore

T = TypeVar("T")
START_US = 1_800_000_000_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


class FakeClock:
    """A clock that stands until a test moves it."""

    def __init__(self, now: int = START_US) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def forward(self, microseconds: int) -> None:
        self.time += microseconds


class World:
    """One installation in a folder, with its clock, and the first organization in it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "watchword.db"
        prepare(self.path)
        self.clock = FakeClock()
        self.feed = LocalFeed()
        self.runner = asyncio.Runner()
        self.keys = KeyRing.generate()
        self.store = SqliteStore(self.path, self.feed.publish)
        context = Context(self.store, self.feed, self.clock, self.keys, Installation())
        self.authority = Authority.wire(context)
        self.first: FirstThings = self.run(
            create_organization(context, LOCAL, "acme", "Acme", "admin@example.com", "Ada Admin")
        )

    @property
    def context(self) -> Context:
        return self.authority.context

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def restart(self) -> None:
        """Stop and start again on the same database, as a new process would."""
        self.run(self.authority.flush())
        self.run(self.store.close())
        self.feed = LocalFeed()
        self.store = SqliteStore(self.path, self.feed.publish)
        context = Context(self.store, self.feed, self.clock, self.keys, Installation())
        self.authority = Authority.wire(context)
        self.run(self.authority.load())

    def close(self) -> None:
        self.run(self.store.close())
        self.runner.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()
