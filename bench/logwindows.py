"""How long a window on a job's log takes to open: 100,000 coloured lines, on both databases.

Times are those of the service, in one process: no HTTP, no page. `python bench/logwindows.py [LINES]`
"""

import asyncio
import gzip
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.clients import log_of
from bench.cluster import Cluster
from watchword.crypto.keys import KeyRing
from watchword.domain.ids import BuildId, JobId, OrganizationId
from watchword.domain.pipelines import Chunk, Job, JobState
from watchword.feed.local import LocalFeed
from watchword.services.context import Context
from watchword.services.logs import CHUNK_BYTES
from watchword.services.logwindows import LogWindows
from watchword.store import postgres_schema, schema
from watchword.store.base import Store, Transaction
from watchword.store.postgres import PostgresStore
from watchword.store.sqlite import SqliteStore

_ROUNDS = 5
_ORGANIZATION, _JOB = OrganizationId("organization"), JobId("job")


class _Clock:
    def now(self) -> int:
        return time.time_ns() // 1000


async def _fill(store: Store, log: bytes) -> None:
    for sequence, start in enumerate(range(0, len(log), CHUNK_BYTES)):
        text = log[start : start + CHUNK_BYTES]
        chunk = Chunk(_ORGANIZATION, _JOB, sequence, start, len(text), gzip.compress(text))

        async def work(tx: Transaction) -> None:
            await tx.logs.add_chunk(chunk)  # noqa: B023

        await store.write(work)


def _job(log: bytes) -> Job:
    return Job(
        organization_id=_ORGANIZATION,
        id=_JOB,
        build_id=BuildId("build"),
        cluster_id=None,
        queue_id=None,
        label="",
        step_key="",
        command="true",
        env={},
        rules=(),
        state=JobState.FINISHED,
        priority=0,
        timeout_minutes=0,
        log_size=len(log),
    )


async def _time(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000


async def _measure(name: str, store: Store, lines: int) -> None:
    log = log_of(lines)
    await _fill(store, log)
    job = _job(log)
    context = Context(store, LocalFeed(), _Clock(), KeyRing.generate())
    print(f"{name}: {lines:,} lines, {len(log) / 1e6:.1f} MB; milliseconds, best and worst of {_ROUNDS}")
    windows = LogWindows(context)
    rows: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("last 2,000 lines, log never looked at", lambda: LogWindows(context).tail(job, 2000)),
        ("last 2,000 lines", lambda: windows.tail(job, 2000)),
        ("2,000 lines in the middle", lambda: windows.view(job, lines // 2, 2000)),
        ("first 500 lines", lambda: windows.view(job, 1, 500)),
        ("the newest line, as a follower asks for it", lambda: windows.view(job, lines, 2000)),
        ("search for what 1 line holds", lambda: windows.search(job, f"module {lines - 1} ")),
        ("search for what every line holds", lambda: windows.search(job, "MODULE")),
    ]
    await windows.tail(job, 1)
    for title, work in rows:
        took = [await _time(work) for _ in range(_ROUNDS)]
        print(f"  {title:45} {min(took):8.1f} {max(took):8.1f}")
    await store.close()


async def _main(lines: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "watchword.db"
        schema.prepare(path)
        await _measure("SQLite", SqliteStore(path, lambda _: None), lines)
    cluster = Cluster()
    try:
        url = cluster.url("postgres")
        await postgres_schema.prepare(url)
        await _measure("PostgreSQL", PostgresStore(url, lambda _: None), lines)
    finally:
        cluster.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
