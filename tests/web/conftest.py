"""Fixtures of the console's pages."""

import io
import sys
from collections.abc import Iterator

import pytest

from console_client import Console
from support import World
from watchword.edge.logging import configure


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """A failure is logged as a server logs it: rendering it with all its locals would take minutes."""
    configure("error", "json", ("bk",), io.StringIO())
    yield
    configure("warning", "text", ("bk",), sys.__stderr__)


@pytest.fixture
def visitor(world: World) -> Console:
    """Somebody who is not signed in."""
    return Console(world)


@pytest.fixture
def admin(world: World) -> Console:
    """The first administrator, signed in a moment ago."""
    made = Console(world)
    made.sign_in_as(world.first.admin)
    return made
