"""What every test stands on: a clock that tests set, a fresh database, a wired authority."""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from watchword.app import Application
from watchword.crypto.keys import KeyRing
from watchword.feed.local import LocalFeed
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.authority import Authority
from watchword.services.context import LOCAL, Context, Installation
from watchword.settings import load as load_settings
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LiveServer:
    """The whole server on a real socket, in a thread with its own loop."""

    def __init__(self, folder: Path, clock: FakeClock | None = None, **settings: Any) -> None:
        self.clock = clock
        given = {"data": folder / "data", "listen": f"127.0.0.1:{free_port()}", **settings}
        self.settings = load_settings(environment={}, given=given)
        self.url = self.settings.public_url
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(20)
        if self._failed is not None:
            raise self._failed

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._main())
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            self._failed = error
        self._ready.set()

    async def _main(self) -> None:
        self.application = await Application.open(self.settings, self.clock)
        context = self.application.authority.context
        if not await context.store.read(lambda tx: tx.accounts.organizations()):
            self.first = await create_organization(
                context, LOCAL, "acme", "Acme", "admin@example.com", "Ada Admin"
            )
        await self.application.serve(self._ready.set)
        await self.application.close()

    @property
    def authority(self) -> Authority:
        return self.application.authority

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.application.stop)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.loop.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path)
    yield made
    made.close()
