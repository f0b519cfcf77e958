"""Fixtures of every test; their classes are in `support`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import FakeClock, IdleConnection, LiveServer, World

__all__ = ["FakeClock", "LiveServer", "World"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path)
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
