"""A scene on the first organization of a fresh world."""

import pytest

from databases import MAKES
from services.scene import Scene
from support import World


@pytest.fixture(params=MAKES)
def make_of_database(request: pytest.FixtureRequest) -> str:
    """Every test here holds for each make."""
    return str(request.param)


@pytest.fixture
def scene(world: World) -> Scene:
    """One organization's agents, builds and jobs."""
    return Scene(world)
