"""The rows of design §6 about work: claims, logs, and many agents at once."""

import json
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from bench.clients import join
from bench.machine import HERE, LOAD_CPU, Unavailable, cpu_seconds, pinned, python
from bench.report import Goal, Row
from bench.servers import Installation, Server, call, on_postgresql, ours

if TYPE_CHECKING:
    from bench.rows import Bench

_STEPS = 500
_CONNECTIONS = 128
_CHUNK = 100 * 1024
_PING_S = 10
_HEARTBEAT_S = 60
_SPARE_FILES = 1_000
_MOST_FILES = 130_000


def drive(mode: str, plan: dict[str, Any], seconds: float = 600, script: str = "driver.py") -> dict[str, Any]:
    """Run the driver on the load's CPU.

    Raises:
        RuntimeError: it failed.
    """
    words = [*pinned(LOAD_CPU), *python(str(HERE / script), mode)]
    done = subprocess.run(
        words, input=json.dumps(plan), capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the driver failed: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def queue_jobs(server: Server, known: Installation, count: int) -> None:
    """Make builds of many command steps, until as many jobs wait."""
    headers = {"Authorization": f"Bearer {known.api_token}", "Content-Type": "application/json"}
    path = make_pipeline(server, known)
    while count > 0:
        steps = [{"command": f"echo {number}"} for number in range(min(count, _STEPS))]
        body = {"commit": "HEAD", "branch": "main", "message": "bench", "steps": steps}
        call(server.port, "POST", path, headers, body)
        count -= len(steps)


def make_pipeline(server: Server, known: Installation) -> str:
    """A pipeline; the path of its builds."""
    headers = {"Authorization": f"Bearer {known.api_token}", "Content-Type": "application/json"}
    (organization,) = call(server.port, "GET", "/v2/organizations", headers)
    path = f"/v2/organizations/{organization['slug']}/pipelines"
    made = call(
        server.port,
        "POST",
        path,
        headers,
        {"name": "Bench", "cluster_id": known.cluster_id, "repository": "https://git.example.com/bench.git"},
    )
    return f"{path}/{made['slug']}/builds"


def _claimed(bench: "Bench", server: Server, known: Installation, count: int) -> tuple[dict[str, Any], float]:
    """Agents that each hold a job which runs; what the driver says, and the server's CPU seconds."""
    sessions = join(server.port, known.agent_token, 0, count, bench.tell)
    bench.tell("jobs")
    queue_jobs(server, known, count)
    bench.tell("claims")
    before = cpu_seconds(server.pid)
    plan = {"port": server.port, "connections": _CONNECTIONS, "sessions": sessions}
    result = drive("claim", plan)
    spent = cpu_seconds(server.pid) - before
    if len({job for job, _ in result["jobs"]}) != count:
        raise RuntimeError("a job was claimed twice")
    return result, spent


@contextmanager
def _both(bench: "Bench") -> Iterator[list[tuple[str, Installation]]]:
    """A fresh installation on each database that is here."""
    with ExitStack() as stack:
        found = [("SQLite", bench.install("data"))]
        with suppress(Unavailable):
            found.append(("PostgreSQL", stack.enter_context(on_postgresql(bench.folder))))
        yield found


def claim(bench: "Bench") -> list[Row]:
    """From the accepted offer to the acknowledged start, both durable."""
    with _both(bench) as places:
        return [_claim_on(bench, name, known) for name, known in places]


def _claim_on(bench: "Bench", name: str, known: Installation) -> Row:
    count = bench.size.claims
    with ours(known.data, database=known.database) as server:
        result, spent = _claimed(bench, server, known, count)
    rate = count / result["seconds"]
    return Row(
        work=f"claim to start, durable ({name})",
        ours=f"{rate:,.0f} jobs/s\n{spent / count * 1e6:,.0f} µs CPU",
        figure=rate,
        goal=Goal(must=1_000, moonshot=5_000, unit="/s"),
        note=f"ping, accept and start of {count:,} jobs by as many agents; accept to start p99 "
        f"{result['p99_ms']:.0f} ms; a core of its own would do {count / spent:,.0f}/s",
    )


def logs(bench: "Bench") -> list[Row]:
    """Jobs that stream their logs at once, as fast as they are taken."""
    with _both(bench) as places:
        return [_logs_on(bench, name, known) for name, known in places]


def _logs_on(bench: "Bench", name: str, known: Installation) -> Row:
    with ours(known.data, database=known.database) as server:
        claimed, _ = _claimed(bench, server, known, bench.size.streams)
        bench.tell("logs")
        before = cpu_seconds(server.pid)
        plan = {
            "port": server.port,
            "connections": _CONNECTIONS,
            "jobs": claimed["jobs"],
            "chunk": _CHUNK,
            "chunks": bench.size.chunks,
        }
        result = drive("logs", plan)
        spent = cpu_seconds(server.pid) - before
    size = result["bytes"] / 1e6
    rate = size / result["seconds"]
    return Row(
        work=f"log ingestion, durable, {bench.size.streams:,} jobs streaming ({name})",
        ours=f"{rate:,.0f} MB/s\n{spent / size * 1e3:,.1f} ms CPU per MB",
        figure=rate,
        note=f"{size:,.0f} MB of log in chunks of 100 KiB, {result['sent'] / 1e6:,.0f} MB as sent "
        f"(gzip); p99 of a chunk {result['p99_ms']:.0f} ms",
    )


def agents(bench: "Bench") -> list[Row]:
    """Agents on one core: open loop, each on a connection of its own where the machine allows it."""
    known = bench.install("data")
    count, files = bench.size.many_agents, _raise_files()
    with ours(known.data) as server:
        sessions = join(server.port, known.agent_token, 0, count, bench.tell)
        bench.tell("open loop")
        before = cpu_seconds(server.pid)
        plan = {
            "port": server.port,
            "connections": min(count, files - _SPARE_FILES),
            "sessions": sessions,
            "ping": _PING_S,
            "heartbeat": _HEARTBEAT_S,
            "seconds": bench.size.open_loop,
        }
        result = drive("agents", plan)
        spent = cpu_seconds(server.pid) - before
    if result["failed"]:
        raise RuntimeError(f"{result['failed']} calls failed, the first: {result['first_failure']}")
    busy = spent / bench.size.open_loop
    return [
        Row(
            work=f"{count:,} agents on one core, a ping every {_PING_S} s, a heartbeat every "
            f"{_HEARTBEAT_S} s: p99 of an answer",
            ours=f"{result['p99_ms']:.1f} ms\n{busy:.0%} of the core",
            figure=result["p99_ms"],
            goal=Goal(must=50, moonshot=10, unit="ms", lower=True),
            note=f"open loop, {result['calls']:,} calls on {result['connections']:,} connections in "
            f"{bench.size.open_loop} s; p50 {result['p50_ms']:.1f} ms, slowest {result['max_ms']:.0f} ms; "
            f"the driver was behind by {result['behind_ms']:.0f} ms at most; at this cost the core would "
            f"carry {count / busy:,.0f} agents",
        )
    ]


def _raise_files() -> int:
    """Let this process and its children open as many files as the machine allows; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (_MOST_FILES, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
        except (ValueError, OSError):
            continue
        return limit
    return soft
