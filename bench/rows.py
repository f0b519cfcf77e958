"""The rows of design §6 about tokens and agents; each starts what it needs and ends it."""

import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.clients import join, registration
from bench.console_rows import console
from bench.cut_rows import cut
from bench.dagster_rows import dagster
from bench.leak_rows import leaks
from bench.machine import free_port, memory, process, python
from bench.report import Goal, Row, show
from bench.scan_rows import scan, scan_history
from bench.seeding import save, seed, values
from bench.servers import (
    Installation,
    Server,
    bao_in_memory,
    bao_on_raft,
    call,
    gauge,
    introspection,
    noop,
    ours,
    uncached,
)
from bench.stream_rows import streams
from bench.work_rows import agents, claim, logs
from bench.wrk import Target, interleave, median_difference, median_ratio, raw_request
from watchword.crypto.values import digest

NOOP = Goal(must=0.65, moonshot=0.80)


@dataclass(frozen=True, slots=True)
class Size:
    """How big a run is.

    Attributes:
        shrink: what the console's numbers of things are divided by.
        opens: how often each of its pages is opened.
        scanned: bytes in the tree that is scanned.
        commits: of the history that is scanned.
        batches: reports of leaked tokens.
    """

    rounds: int
    seconds: int
    sample: int
    stored: int
    agents: int
    many_agents: int
    starts: int
    settle: int
    claims: int
    streams: int
    chunks: int
    open_loop: int
    shrink: int
    opens: int
    batches: int
    scanned: int
    commits: int


FULL = Size(
    5, 3, 200_000, 10_000_000, 1_000, 20_000, 5, 12, 5_000, 1_000, 10, 60, 1, 30, 10, 1_000_000_000, 6_000
)
QUICK = Size(1, 1, 20_000, 200_000, 100, 1_000, 1, 3, 500, 100, 2, 5, 20, 5, 2, 60_000_000, 600)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row is given: its own folder, the size of the run, and a way to say how far it is.

    Attributes:
        fresh: an installation that never served; rows work on copies of it.
    """

    folder: Path
    fresh: Installation
    size: Size
    tell: Callable[[str], None]

    @contextmanager
    def place(self) -> Iterator["Bench"]:
        """The same with a fresh folder, which is gone afterwards."""
        with TemporaryDirectory(prefix="watchword-bench-", dir=self.folder) as name:
            yield Bench(Path(name), self.fresh, self.size, self.tell)

    def install(self, name: str) -> Installation:
        """A fresh installation in the row's folder."""
        shutil.copytree(self.fresh.data, self.folder / name)
        return replace(self.fresh, data=self.folder / name)

    def request(self, name: str, installation: Installation, body: str, value_length: int = 0) -> Path:
        """An introspection as the load generator sends it."""
        headers = introspection(installation.api_token)
        return raw_request(
            self.folder / name, "POST", "/oauth/introspect", headers, body, value_length=value_length
        )

    def rounds(self, *targets: Target) -> None:
        """Interleaved rounds of the run's size."""
        interleave(targets, self.size.rounds, self.size.seconds, self.tell)


def both(target: Target, floor: Target) -> tuple[float, str]:
    """Ratio of the work per CPU second, and of the requests per second in words."""
    per_cpu = median_ratio(floor, target, lambda load: load.cost)
    rate = median_ratio(target, floor, lambda load: load.rate)
    late = f"p99 {median_p99(target):.0f} ms, of the peer {median_p99(floor):.0f} ms"
    return per_cpu, f"by CPU; {rate:.2f}x by requests/s; {late}"


def median_p99(target: Target) -> float:
    """Median over the rounds of the 99th percentile, milliseconds."""
    return statistics.median(load.p99 for load in target.rounds)


def verify_noop(bench: Bench) -> list[Row]:
    """Introspection of one live token beside the no-op."""
    known = bench.install("data")
    request = bench.request("introspect", known, f"token={known.agent_token}")
    with ExitStack() as stack:
        server = stack.enter_context(ours(known.data))
        silent = stack.enter_context(noop(bench.folder, read=False))
        reading = stack.enter_context(noop(bench.folder, read=True))
        targets = [Target(one.port, one.pid, request) for one in (server, reading, silent)]
        bench.rounds(*targets)
    mine, reads, floor = targets
    work = "verify a token over HTTP (introspect, warm)"
    figure, note = both(mine, reads)
    same = f"beside a no-op that takes the request's body too; {note}"
    hard, hard_note = both(mine, floor)
    bare = f"beside a no-op that looks at nothing, not even the body; {hard_note}"
    return [
        Row(work=work, ours=mine.show(), peer=reads.show(), figure=figure, goal=NOOP, note=same),
        Row(work=work, ours=mine.show(), peer=floor.show(), figure=hard, goal=NOOP, note=bare),
    ]


def verify_bao(bench: Bench) -> list[Row]:
    """Introspection beside OpenBao's lookup-self."""
    known = bench.install("data")
    request = bench.request("introspect", known, f"token={known.agent_token}")
    with ours(known.data) as server, bao_in_memory(bench.folder) as (peer, token):
        asked = raw_request(
            bench.folder / "lookup", "GET", "/v1/auth/token/lookup-self", {"X-Vault-Token": token}
        )
        mine = Target(server.port, server.pid, request)
        theirs = Target(peer.port, peer.pid, asked)
        bench.rounds(mine, theirs)
    figure, note = both(mine, theirs)
    return [
        Row(
            work="verify a token over HTTP, beside OpenBao lookup-self (in memory), one core each",
            ours=mine.show(),
            peer=theirs.show(),
            figure=figure,
            goal=Goal(must=12, moonshot=25),
            note=note,
        )
    ]


def cold(bench: Bench) -> list[Row]:
    """What a token costs that was not asked for since the start."""
    known = bench.install("data")
    sample = values(bench.size.sample)
    seed(known, sample, bench.size.sample, bench.tell)
    listed = save(bench.folder / "values", sample)
    with ours(known.data) as server:
        warm = Target(server.port, server.pid, bench.request("warm", known, f"token={known.agent_token}"))
        fresh = Target(
            server.port,
            server.pid,
            bench.request("cold", known, "token=@@", len(sample[0])),
            values=listed,
            once=True,
        )
        interleave([warm], 1, 1, bench.tell)
        warm.rounds.clear()
        before = gauge(server.port, "watchword_tokens_cached")
        interleave([warm, fresh], bench.size.rounds, bench.size.seconds, bench.tell, warm=False)
        read = gauge(server.port, "watchword_tokens_cached") - before
    asked = sum(load.requests for load in fresh.rounds)
    return [
        Row(
            work="verify a token over HTTP, added CPU when it is cold (SQLite)",
            ours=fresh.show(),
            peer=f"its own warm path\n{warm.show()}",
            figure=median_difference(fresh, warm),
            goal=Goal(must=40, moonshot=15, unit="µs", lower=True),
            note=f"{asked:,} requests for as many different tokens; {read:,.0f} came new into the cache",
        )
    ]


def _stored(bench: Bench, count: int, sample: list[str]) -> Installation:
    """An installation in a folder of its own with `count` tokens."""
    known = bench.install(f"data-{count}")
    started = time.monotonic()
    seed(known, sample, count, bench.tell)
    bench.tell(f"{count:,} tokens stored in {time.monotonic() - started:.0f} s")
    return known


def millions(bench: Bench) -> list[Row]:
    """Cold and warm reads with many tokens stored, beside few; the cache keeps one token alone."""
    sample = values(bench.size.sample)
    sets = [(bench.size.stored, sample), (1_000, sample[:1_000])]
    reads: list[Target] = []
    warm: list[Target] = []
    shares: list[str] = []
    with ExitStack() as stack:
        running: list[tuple[Server, Target]] = []
        for count, some in sets:
            known = _stored(bench, count, some)
            kept = [digest(known.api_token).hex(), digest(known.agent_token).hex()]
            server = stack.enter_context(uncached(known.data, *kept))
            request = bench.request(f"cold-{count}", known, "token=@@", len(some[0]))
            listed = save(bench.folder / f"values-{count}", some)
            cold_ = Target(server.port, server.pid, request, values=listed)
            reads.append(cold_)
            hot = bench.request(f"warm-{count}", known, f"token={known.agent_token}")
            warm.append(Target(server.port, server.pid, hot))
            running.append((server, cold_))
        bench.rounds(*reads)
        for server, cold_ in running:
            misses = gauge(server.port, "bench_cache_misses")
            asked = sum(load.requests for load in cold_.rounds)
            shares.append(f"{misses:,.0f} reads of the store, {asked:,} requests in the counted rounds")
        bench.rounds(*warm)
    goal = Goal(must=1.3, moonshot=1.1, lower=True)
    made = []
    for what, (many, few), note in (
        ("cold, at random over the set", reads, "; ".join(shares)),
        ("warm", warm, ""),
    ):
        made.append(
            Row(
                work=f"verify with {bench.size.stored:,} tokens stored, {what}: CPU time",
                ours=many.show(),
                peer=f"1,000 stored\n{few.show()}",
                figure=median_ratio(many, few, lambda load: load.cost),
                goal=goal,
                note=note,
            )
        )
    return made


def ping(bench: Bench) -> list[Row]:
    """Pings of connected agents in turn, beside the no-op."""
    known = bench.install("data")
    with ours(known.data) as server, noop(bench.folder, read=False) as floor_server:
        sessions = join(server.port, known.agent_token, 0, bench.size.agents, bench.tell)
        listed = save(bench.folder / "sessions", sessions)
        headers = {"Authorization": "Token @@", "User-Agent": "buildkite-agent/3.138.0 (bench)"}
        request = raw_request(bench.folder / "ping", "GET", "/v3/ping", headers)
        mine = Target(server.port, server.pid, request, values=listed)
        floor = Target(floor_server.port, floor_server.pid, request, values=listed)
        bench.rounds(mine, floor)
    figure, note = both(mine, floor)
    return [
        Row(
            work=f"agent ping, {len(sessions):,} agents in turn",
            ours=mine.show(),
            peer=floor.show(),
            figure=figure,
            goal=NOOP,
            note=note,
        )
    ]


def register(bench: Bench) -> list[Row]:
    """Durable registrations beside durable service tokens of OpenBao."""
    known = bench.install("data")
    with ours(known.data) as server, bao_on_raft(bench.folder) as (peer, root):
        headers = {"Authorization": f"Token {known.agent_token}", "Content-Type": "application/json"}
        joining = raw_request(bench.folder / "join", "POST", "/v3/register", headers, registration(1))
        body = json.dumps({"policies": ["default"], "ttl": "1h"})
        asked = raw_request(
            bench.folder / "create", "POST", "/v1/auth/token/create", {"X-Vault-Token": root}, body
        )
        mine = Target(server.port, server.pid, joining)
        theirs = Target(peer.port, peer.pid, asked)
        bench.rounds(mine, theirs)
    rate = median_ratio(mine, theirs, lambda load: load.rate)
    per_cpu = median_ratio(theirs, mine, lambda load: load.cost)
    return [
        Row(
            work="register an agent, durable, beside OpenBao on raft: create a service token",
            ours=mine.show(),
            peer=theirs.show(),
            figure=rate,
            goal=Goal(must=10, moonshot=20),
            note=f"by requests/s; {per_cpu:.1f}x by CPU; p99 {median_p99(mine):.0f} ms",
        )
    ]


def start(bench: Bench) -> list[Row]:
    """From the command to the first answer, on a fresh data folder."""
    taken = []
    for number in range(bench.size.starts):
        bench.tell(f"start {number + 1} of {bench.size.starts}")
        with bench.place() as fresh:
            taken.append(_start_once(fresh.folder))
    return [
        Row(
            work="start-up to the first answered request, fresh data folder",
            ours=show(statistics.median(taken), "s"),
            figure=statistics.median(taken),
            goal=Goal(must=2, moonshot=1, unit="s", lower=True),
            note=f"median of {len(taken)}, from {min(taken):.2f} to {max(taken):.2f} s",
        )
    ]


def _start_once(folder: Path) -> float:
    port = free_port()
    words = python("-m", "watchword", "up", "--no-agent", "--data", str(folder / "data"))
    log = folder / "start.log"
    began = time.perf_counter()
    with process([*words, "--listen", f"127.0.0.1:{port}"], log, cpu=None) as started:
        while True:
            try:
                call(port, "GET", "/healthz")
            except (OSError, RuntimeError):
                if started.poll() is not None or time.perf_counter() - began > 60:
                    raise RuntimeError(log.read_text(encoding="utf-8")) from None
                time.sleep(0.002)
            else:
                return time.perf_counter() - began


def memory_rows(bench: Bench) -> list[Row]:
    """Memory of an idle server, and what each connected agent adds."""
    known = bench.install("data")
    count = bench.size.many_agents
    with ours(known.data) as server:
        bench.tell("idle")
        call(server.port, "GET", "/healthz")
        time.sleep(5)  # what is imported after the start is part of an idle server
        idle = memory(server.pid)
        # The first thousands fill the database's page cache and the allocator's first arenas.
        join(server.port, known.agent_token, 0, count // 4, bench.tell)
        before = _settled(bench, server)
        join(server.port, known.agent_token, count // 4, count, bench.tell)
        after = _settled(bench, server)
    grown = {name: (after[name] - before[name]) / count for name in after}
    return [
        Row(
            work="memory of an idle server (PSS)",
            ours=show(idle["Pss"] / 1e6, "MB"),
            figure=idle["Pss"] / 1e6,
            goal=Goal(must=150, moonshot=100, unit="MB", lower=True),
            note=f"{idle['Pss_Anon'] / 1e6:.0f} MB of it anonymous",
        ),
        Row(
            work="memory per connected agent (PSS), its socket aside",
            ours=show(grown["Pss"] / 1e3, "kB"),
            figure=grown["Pss"] / 1e3,
            goal=Goal(must=2, moonshot=0.6, unit="kB", lower=True),
            note=f"{count:,} agents registered, connected and heard of; {grown['Pss_Anon'] / 1e3:.2f} kB "
            f"anonymous, {grown['Pss_File'] / 1e3:.2f} kB of mapped files (the database's pages)",
        ),
    ]


def _settled(bench: Bench, server: Server) -> dict[str, int]:
    """Memory after the periodic writes have caught up."""
    time.sleep(bench.size.settle)
    return memory(server.pid)


ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "verify-noop": verify_noop,
    "verify-bao": verify_bao,
    "cold": cold,
    "millions": millions,
    "ping": ping,
    "register": register,
    "start": start,
    "memory": memory_rows,
    "claim": claim,
    "logs": logs,
    "agents": agents,
    "streams": streams,
    "dagster": dagster,
    "revoke": cut,
    "leaks": leaks,
    "console": console,
    "scan": scan,
    "scan-history": scan_history,
}
