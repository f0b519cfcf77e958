"""An authorization row for every page and form of the console, as a golden file."""

from pathlib import Path

import pytest

from watchword.web.app import ROUTES

GOLDEN = Path(__file__).parent / "web-routes.txt"


def test_every_page_has_its_row(request: pytest.FixtureRequest) -> None:
    """Method, path, operation (`public`: for everybody), and whether a fresh proof is asked."""
    rows = sorted(
        f"{route.method} {route.path} {route.operation or 'public'}{' fresh' if route.fresh else ''}"
        for route in ROUTES
    )
    text = "\n".join(rows) + "\n"
    if request.config.getoption("--write-golden"):
        GOLDEN.write_text(text)
    assert GOLDEN.read_text() == text, "access changed; if that is meant: make golden"
