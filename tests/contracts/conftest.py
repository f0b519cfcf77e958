"""A store of each backend, on a fresh database."""

from collections.abc import Iterator

import pytest

from contracts.store_backends import Shelf
from databases import MAKES, Database


@pytest.fixture(params=MAKES)
def make_of_database(request: pytest.FixtureRequest) -> str:
    """Every test here holds for each make."""
    return str(request.param)


@pytest.fixture
def shelf(database: Database) -> Iterator[Shelf]:
    """A store on a fresh database."""
    made = Shelf(database)
    yield made
    made.close()
