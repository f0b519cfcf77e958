"""Fixtures of every test; their classes are in `support`."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from databases import Database, PostgresServer, SqliteDatabase
from properties import property_profiles
from support import FakeClock, IdleConnection, LiveServer, World
from watchword.crypto import keys
from watchword.crypto.identitykeys import Algorithm, make_private
from watchword.edge.logging import configure

# Keys that are costly to make serve many tests; several of them, so that a rotation has another.
_PRIVATE = {algorithm: cycle([make_private(algorithm) for _ in range(4)]) for algorithm in Algorithm}
vars(keys)["make_private"] = lambda algorithm: next(_PRIVATE[algorithm])

# As a server logs: the library's own way renders every local of every frame, values and all, for minutes.
configure("warning", "text", ("bk",))

__all__ = ["FakeClock", "LiveServer", "World", "property_profiles"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """The run's own PostgreSQL server, started where a test needs it."""
    made = PostgresServer()
    yield made
    made.close()


@pytest.fixture
def make_of_database() -> str:
    """SQLite; folders whose tests are to hold on both override it."""
    return "sqlite"


@pytest.fixture
def database(request: pytest.FixtureRequest, make_of_database: str, tmp_path: Path) -> Iterator[Database]:
    """A fresh database."""
    made: Database
    if make_of_database == "sqlite":
        made = SqliteDatabase(tmp_path)
    else:
        server: PostgresServer = request.getfixturevalue("postgresql")
        made = server.database()
    yield made
    made.remove()


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[World]:
    made = World(tmp_path, database)
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path, database: Database) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path, **database.settings)
    yield made
    made.close()


@pytest.fixture(scope="session")
def idle_connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdleConnection]:
    made = IdleConnection(tmp_path_factory.mktemp("idle"))
    yield made
    made.close()


@pytest.fixture(scope="session", autouse=True)
def _open_idle_connection(request: pytest.FixtureRequest) -> None:
    """Open the idle connection before the first test, so that its 95 s pass beside the others."""
    if any("95_idle_seconds" in item.name for item in request.session.items):
        request.getfixturevalue("idle_connection")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The test that waits for the idle connection comes last."""
    items.sort(key=lambda item: "95_idle_seconds" in item.name)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--write-golden` writes golden files instead of comparing them."""
    parser.addoption("--write-golden", action="store_true", help="write golden files anew")
