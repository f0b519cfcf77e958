"""A scene on the first organization of a fresh world."""

import pytest

from services.scene import Scene
from support import World


@pytest.fixture
def scene(world: World) -> Scene:
    """One organization's agents, builds and jobs."""
    return Scene(world)
