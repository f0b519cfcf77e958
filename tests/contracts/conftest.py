"""A store of each backend, on a fresh database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.store_backends import BACKENDS, Backend, Shelf


@pytest.fixture(params=sorted(BACKENDS))
def store_factory(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """A fresh database of each make."""
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def shelf(store_factory: Backend) -> Iterator[Shelf]:
    """A store on a fresh database."""
    made = Shelf(store_factory)
    yield made
    made.close()
