"""Fixtures of the console's pages."""

import pytest

from console_client import Console
from support import World


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
