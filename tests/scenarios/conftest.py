"""Scenarios hold on every make of database."""

import pytest

from databases import MAKES


@pytest.fixture(params=MAKES)
def make_of_database(request: pytest.FixtureRequest) -> str:
    """Every test here holds for each make."""
    return str(request.param)
