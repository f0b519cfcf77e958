"""The overview page of the command line: its table is made of the commands (`make golden`)."""

import re
from pathlib import Path

import pytest

from watchword.cli.main import _COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def table() -> str:
    """The overview's table of all commands."""
    rows = [f"| `watchword {name}` | {text} |" for name, (_, text) in _COMMANDS.items()]
    return "\n".join(["| Command | What it does |", "|---|---|", *rows, ""])


def test_the_overview_names_every_command(request: pytest.FixtureRequest) -> None:
    page = PAGE.read_text()
    if request.config.getoption("--write-golden"):
        page = re.sub(r"\| Command \|.*?\n(?=\n)", lambda _: table(), page, flags=re.DOTALL)
        PAGE.write_text(page)
    assert table() in page, "docs/cli.md is behind; run: make golden"
