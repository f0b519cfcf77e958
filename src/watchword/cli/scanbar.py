"""The progress of a scan on a terminal: how many files, how many bytes, how quickly."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_MB = 1_000_000


class Bar:
    """A line on standard error that is gone when the scan ends; how much there is in all is not known."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("looking")

    def show(self, files: int, size: int) -> None:
        """Show how far the scan is."""
        self._progress.update(self._task, description=f"{files:,} files, {size / _MB:,.0f} MB")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
