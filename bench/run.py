"""Measure Watchword beside its peers: one command, one table (design §6).

python bench/run.py [--quick] [row …]
"""

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

# Modules of the bench are named from the repository's folder, as the type checker names them.
sys.path[0] = str(Path(__file__).parents[1])

from bench.machine import HERE, Unavailable, facts  # noqa: E402
from bench.report import Row, print_report, save  # noqa: E402
from bench.rows import FULL, QUICK, ROWS, Bench  # noqa: E402
from bench.servers import install  # noqa: E402

_QUIET_SECONDS = 5.0


def measure(names: list[str], folder: Path, console: Console, *, quick: bool) -> list[Row]:
    """Measure rows one after the other; a row that cannot run says why."""
    made: list[Row] = []
    with console.status("a fresh installation"):
        fresh = install(folder)
    for name in names:
        began = time.monotonic()
        with console.status(name) as status:
            told = 0.0

            def tell(what: str, name: str = name) -> None:
                nonlocal told
                status.update(f"{name}: {what}")
                if not console.is_terminal and time.monotonic() - told >= _QUIET_SECONDS:
                    told = time.monotonic()
                    console.print(f"  {name}: {what}", highlight=False)

            with Bench(folder, fresh, QUICK if quick else FULL, tell).place() as bench:
                try:
                    found = ROWS[name](bench)
                except Unavailable as lack:
                    found = [Row(work=name, note=str(lack))]
        made += found
        figures = ", ".join(f"{row.figure:.2f}" for row in found if row.figure is not None)
        console.print(f"{name}: {figures or 'not run'}   ({time.monotonic() - began:.0f} s)", highlight=False)
    return made


def main() -> int:
    """Parse, measure, print, save."""
    parser = argparse.ArgumentParser(description="Measure Watchword beside its peers.")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="rows to measure; all unless named")
    parser.add_argument("--quick", action="store_true", help="a small run that judges nothing")
    given = parser.parse_args()
    if sys.platform != "linux":
        print("The bench reads /proc and runs on Linux.", file=sys.stderr)
        return 2
    # An end by a signal leaves by way of every `finally`, so that no server stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else 140)
    known = facts()
    with TemporaryDirectory(prefix="watchword-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        rows = measure(given.rows or list(ROWS), Path(folder), console, quick=given.quick)
    print_report(console, known, rows, judged=not given.quick)
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    save(HERE / "results" / f"{when}.json", known, rows, quick=given.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
