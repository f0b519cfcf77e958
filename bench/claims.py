"""Claims under kills and pauses: every job is done exactly once, whoever dies or stands still meanwhile.

python bench/claims.py [--claims N] [--workers N] [--database sqlite|postgresql|both] [--json]

Workers are processes. On PostgreSQL each has connections of its own; on SQLite one server process has the
file. Workers are killed at any moment, stand still for longer than it takes to be thought lost and then
try to finish all the same; twice the database itself is killed and started again.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

sys.path[0] = str(Path(__file__).parents[1])

from bench.claims_work import (  # noqa: E402
    PAUSE_SECONDS,
    Far,
    Near,
    Reach,
    Worker,
    faults,
    fill,
    keep_sweeping,
    serve,
)
from bench.cluster import Cluster  # noqa: E402
from watchword.store import postgres_schema, schema  # noqa: E402
from watchword.store.postgres import PostgresStore  # noqa: E402
from watchword.store.sqlite import SqliteStore  # noqa: E402

_FORK = multiprocessing.get_context("fork")
_LOOK_SECONDS = 0.05
_CRASHES = 2
LATE_SECONDS = 2.0
# Jobs of the workers, whatever else happened, with their effects; the same SQL on both.
_RESULT = """
SELECT j.id, j.state, j.fence, coalesce(e.sequence, 0) FROM jobs j
LEFT JOIN log_chunks e ON e.organization_id = j.organization_id AND e.job_id = j.id
"""
_NUMBERS = "SELECT coalesce(sum(value), 0) FROM counters WHERE name = 'audit'"

Start = Callable[[Coroutine[Any, Any, Any]], multiprocessing.process.BaseProcess]


class Backend(Protocol):
    """A database under test."""

    name: str

    def reach(self) -> Reach:
        """Called in the process that uses it."""

    def crash(self) -> None:
        """Kill the database and start it again."""

    def result(self) -> tuple[list[tuple[str, str, int, int]], int]:
        """Rows for `faults`, and the sum of the organizations' numbers."""

    def close(self) -> None:
        """It is over."""


class Postgresql:
    name = "postgresql"

    def __init__(self) -> None:
        self._cluster = Cluster(durable=True)
        self._cluster.sql("CREATE DATABASE claims")
        self._url = self._cluster.url("claims")
        asyncio.run(postgres_schema.prepare(self._url))

    def reach(self) -> Reach:
        return Near(PostgresStore(self._url, lambda _: None))

    def crash(self) -> None:
        self._cluster.stop("immediate")
        self._cluster.start()

    def result(self) -> tuple[list[tuple[str, str, int, int]], int]:
        async def read() -> tuple[list[tuple[str, str, int, int]], int]:
            connection = await asyncpg.connect(self._url)
            rows = [(row[0], row[1], row[2], row[3]) for row in await connection.fetch(_RESULT)]
            numbers = await connection.fetchval(_NUMBERS)
            await connection.close()
            return rows, int(numbers)

        return asyncio.run(read())

    def close(self) -> None:
        self._cluster.close()


class Sqlite:
    name = "sqlite"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="claims-"))
        self._path = self._folder / "claims.db"
        self._socket = self._folder / "socket"
        schema.prepare(self._path)
        self._serve()

    def _serve(self) -> None:
        async def run() -> None:
            await serve(SqliteStore(self._path, lambda _: None), self._socket)

        self._server = spawn(run)
        while not self._socket.exists():
            time.sleep(0.01)

    def reach(self) -> Reach:
        return Far(self._socket)

    def crash(self) -> None:
        self._server.kill()
        self._server.join()
        self._socket.unlink()
        self._serve()

    def result(self) -> tuple[list[tuple[str, str, int, int]], int]:
        connection = sqlite3.connect(self._path)
        rows = connection.execute(_RESULT).fetchall()
        ((numbers,),) = connection.execute(_NUMBERS).fetchall()
        connection.close()
        return rows, int(numbers)

    def close(self) -> None:
        self._server.kill()
        self._server.join()
        shutil.rmtree(self._folder)


def spawn(work: Callable[[], Coroutine[Any, Any, None]]) -> Any:
    """Run a coroutine in a process of its own: quickly, everything is imported."""
    process = _FORK.Process(target=lambda: uvloop.run(work()), daemon=True)
    process.start()
    return process


@dataclass
class Report:
    """What happened."""

    database: str
    jobs: int
    workers: int
    claimed: int = 0
    finished: int = 0
    refused: int = 0
    unavailable: int = 0
    paused: int = 0
    killed: int = 0
    crashes: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def count(self, letters: bytes) -> None:
        """Add what workers told."""
        for what in ("claimed", "finished", "refused", "unavailable", "paused"):
            setattr(self, what, getattr(self, what) + letters.count(what[0].encode()))


class Harness:
    """One run on one database."""

    def __init__(self, backend: Backend, count: int, workers: int, console: Console) -> None:
        self._backend = backend
        self._report = Report(backend.name, count, workers)
        self._console = console
        self._folder = Path(tempfile.mkdtemp(prefix="claims-told-"))
        self._told = os.open(self._folder / "told", os.O_CREAT | os.O_APPEND | os.O_RDWR)
        self._left = self._folder / "left"
        self._workers: list[Any] = []
        self._stopped: dict[int, float] = {}
        self._names = 0
        # So many pauses and kills that each matters, so few that the work goes on.
        self._troubles = max(30, count // 500)

    def run(self) -> Report:
        report = self._report
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(f"{report.database}: jobs", total=report.jobs)

            # A child may not touch what threads of its parent hold: it tells through the file.
            async def prepare() -> None:
                told = self._telling()
                await fill(self._backend.reach(), report.jobs, lambda more: os.write(told, b"+" * more))

            preparing = spawn(prepare)
            while preparing.is_alive():
                time.sleep(_LOOK_SECONDS)
                progress.advance(task, len(os.read(self._told, 1 << 20)))
            preparing.join()
            assert preparing.exitcode == 0
            os.read(self._told, 1 << 20)
            progress.update(task, completed=0)
            began = time.monotonic()
            self._work(lambda text: progress.update(task, description=text, completed=report.finished))
            report.seconds = time.monotonic() - began
        rows, numbers = self._backend.result()
        report.faults = faults(rows, report.jobs)
        if numbers != report.jobs:
            report.faults.append(f"{numbers} ends were counted for {report.jobs} jobs")
        os.close(self._told)
        shutil.rmtree(self._folder)
        return report

    def _work(self, tell: Callable[[str], None]) -> None:
        report = self._report

        async def sweeping() -> None:
            await keep_sweeping(self._backend.reach(), self._left)

        sweeper = spawn(sweeping)
        self._workers = [self._worker() for _ in range(report.workers)]
        while self._open_jobs():
            time.sleep(_LOOK_SECONDS)
            report.count(os.read(self._told, 1 << 20))
            self._trouble()
            tell(
                f"{report.database}: {report.killed} killed, {report.paused} paused, "
                f"{report.crashes} crashes, {report.refused} late ends refused"
            )
        self._wake_all()
        for process in (sweeper, *self._workers):
            process.kill()
            process.join()
        report.count(os.read(self._told, 1 << 20))

    def _telling(self) -> int:
        """A way to tell that has a position of its own in the file."""
        return os.open(self._folder / "told", os.O_APPEND | os.O_WRONLY)

    def _wake_all(self) -> None:
        """Who stands still at the end is late, too, and tries to finish all the same."""
        until = time.monotonic() + LATE_SECONDS
        while time.monotonic() < until:
            for process in self._workers:
                if _stands_still(process.pid):
                    os.kill(process.pid, signal.SIGCONT)
            time.sleep(_LOOK_SECONDS)

    def _worker(self) -> Any:
        self._names += 1
        told = self._telling()
        worker = Worker(f"worker-{self._names}", self._troubles / self._report.jobs, told)

        async def work() -> None:
            await worker.work(self._backend.reach())

        process = spawn(work)
        os.close(told)
        return process

    def _open_jobs(self) -> int:
        return int(self._left.read_text()) if self._left.exists() else self._report.jobs

    def _trouble(self) -> None:
        """Kill one where it is time, wake those who stood still, replace the dead, crash the database."""
        report = self._report
        done = report.finished / report.jobs
        if report.killed < done * self._troubles:
            victim = self._workers[report.killed * 7 % len(self._workers)]
            victim.kill()
            report.killed += 1
        for place, process in enumerate(self._workers):
            if not process.is_alive():
                process.join()
                assert process.exitcode == -signal.SIGKILL, f"a worker failed: {process.exitcode}"
                self._workers[place] = self._worker()
            elif self._paused_long(process.pid):
                del self._stopped[process.pid]
                os.kill(process.pid, signal.SIGCONT)
        if report.crashes < _CRASHES and done > (report.crashes + 1) / (_CRASHES + 1):
            self._backend.crash()
            report.crashes += 1

    def _paused_long(self, pid: int) -> bool:
        if not _stands_still(pid):
            return False
        since = self._stopped.setdefault(pid, time.monotonic())
        return time.monotonic() - since > PAUSE_SECONDS


def _stands_still(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


_BACKENDS: dict[str, Callable[[], Backend]] = {"postgresql": Postgresql, "sqlite": Sqlite}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--claims", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--database", choices=[*_BACKENDS, "both"], default="both")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    console = Console(stderr=True)
    reports = []
    for name, make in _BACKENDS.items():
        if given.database in (name, "both"):
            backend = make()
            try:
                report = Harness(backend, given.claims, given.workers, console).run()
            finally:
                backend.close()
            reports.append(report)
            if not given.json:
                _show(report)
    if given.json:
        print(json.dumps([asdict(report) for report in reports]))
    return 1 if any(report.faults for report in reports) else 0


def _show(report: Report) -> None:
    print(
        f"{report.database}: {report.jobs} jobs done by {report.workers} workers in {report.seconds:.0f} s; "
        f"{report.claimed} claims, {report.killed} workers killed, {report.paused} paused, "
        f"the database killed {report.crashes} times; {report.refused} late ends tried, none accepted"
        if not report.faults
        else "\n".join([f"{report.database}: WRONG", *report.faults[:20]])
    )


if __name__ == "__main__":
    sys.exit(main())
