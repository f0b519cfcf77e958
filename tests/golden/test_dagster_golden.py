"""Dagster+'s schema, and who may ask each of its bound fields, as golden files."""

from pathlib import Path

import pytest

from watchword.dagster.binding import BOUND
from watchword.dagster.schema import executable, text

TESTS = Path(__file__).parent.parent


def test_the_schema_is_what_it_was(request: pytest.FixtureRequest) -> None:
    """The SDL, and who may ask each of its bound fields; a change of either is meant, or it is a mistake."""
    executable()
    rows = sorted(
        f"{of}.{name} {bound.audience}" for of, fields in BOUND.items() for name, bound in fields.items()
    )
    for file, now in (
        (TESTS / "golden" / "dagster.graphql", text().rstrip("\n") + "\n"),
        (TESTS / "authz" / "dagster-fields.txt", "\n".join(rows) + "\n"),
    ):
        if request.config.getoption("--write-golden"):
            file.write_text(now)
        assert file.read_text() == now, "if that is meant: make golden"
