"""Output of commands: tables on a terminal, plain lines elsewhere, JSON where it is asked for."""

import json
import sys
from collections.abc import Sequence


def clean(value: object) -> str:
    """Text that cannot steer a terminal: names and descriptions are written by others."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def show_json(document: object) -> None:
    """Print a document as JSON."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "") -> None:
    """Print rows: a table on a terminal; elsewhere lines with tabs, the first of them the heading.

    Args:
        columns: headings.
        rows: cells; None is shown as a dash.
        empty: what to say on a terminal where there are no rows.
    """
    cells = [["-" if cell is None or cell == "" else clean(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        print("\n".join("\t".join(line) for line in [list(columns), *cells]))
        return
    if not cells and empty:
        print(empty)
        return
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - keeps --help quick
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table)


def show_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print the fields of one thing, one a line."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        print(f"{name:<{width}}  {'-' if value is None or value == '' else clean(value)}")


def say(text: str) -> None:
    """Tell the person something that is not the command's result."""
    print(text, file=sys.stderr, flush=True)
