"""The table: rows, goals, verdicts; Rich for people and JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

NOT_RUN = "not run"
_STYLES = {"moonshot": "bold green", "must": "green", "missed": "bold red", NOT_RUN: "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a figure must reach, and what would be splendid (design §6)."""

    must: float
    moonshot: float
    unit: str = "x"
    lower: bool = False

    def verdict(self, figure: float) -> str:
        """Which goal a figure reaches."""
        for name, bound in (("moonshot", self.moonshot), ("must", self.must)):
            if figure <= bound if self.lower else figure >= bound:
                return name
        return "missed"

    def show(self, figure: float) -> str:
        """A figure with its unit."""
        return show(figure, self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        figure: what is judged: a ratio, or a number in the goal's unit; None where it was not measured.
        note: what one must know to read the figure.
    """

    work: str
    ours: str = ""
    peer: str = ""
    figure: float | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """The goal that the figure reaches."""
        if self.figure is None:
            return NOT_RUN
        return self.goal.verdict(self.figure) if self.goal is not None else ""


def show(figure: float, unit: str) -> str:
    """A figure with two or three significant digits and its unit."""
    text = (
        f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"
    )
    return text + (unit if unit == "x" else f" {unit}")


def table(rows: Sequence[Row], *, judged: bool) -> Table:
    """All rows; without verdicts where they mean nothing (a quick run)."""
    made = Table(title="Watchword, measured beside its peers", title_justify="left", show_lines=True)
    for name in ("work", "ours", "peer"):
        made.add_column(name)
    for name in ("figure", "must", "moonshot", "verdict"):
        made.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        goal, verdict = row.goal, row.verdict
        figure = "" if row.figure is None else goal.show(row.figure) if goal else f"{row.figure:.2f}"
        must, moonshot = (goal.show(goal.must), goal.show(goal.moonshot)) if goal else ("", "")
        style = _STYLES.get(verdict, "")
        shown = verdict if judged or verdict == NOT_RUN else "not judged"
        cell = f"[{style}]{shown}[/]" if style and shown == verdict else shown
        work = f"{row.work}\n[dim]{row.note}[/]" if row.note else row.work
        made.add_row(work, row.ours, row.peer, figure, must, moonshot, cell)
    return made


def save(path: Path, facts: dict[str, str], rows: Sequence[Row], *, quick: bool) -> None:
    """Write facts and rows as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "quick": quick,
        "facts": facts,
        "rows": [{**asdict(row), "verdict": row.verdict} for row in rows],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def print_report(console: Console, facts: dict[str, str], rows: Sequence[Row], *, judged: bool) -> None:
    """Facts, then the table."""
    for name, value in facts.items():
        console.print(f"[bold]{name}[/]: {value}", highlight=False)
    console.print(table(rows, judged=judged))
