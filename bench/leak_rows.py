"""The row about leaks: a partner's signed batch of live tokens, from the request until all are refused."""

import asyncio
import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from bench.clients import join
from bench.machine import Unavailable, cpu_seconds
from bench.report import Goal, Row
from bench.servers import Installation, Server, on_postgresql, ours
from watchword.app import Application
from watchword.cli.partnerstand import PartnerStand
from watchword.crypto.reports import ReportKey, github_headers
from watchword.services.context import LOCAL
from watchword.services.issuing import issue_api_token
from watchword.settings import load
from watchword.store.base import Transaction

if TYPE_CHECKING:
    from bench.rows import Bench

_ITEMS = 1_000
_AT_ONCE = 50
_OK, _REFUSED = 200, 401
_PAUSE_S = 0.005
_SETTLE_S = 4


def leaks(bench: "Bench") -> list[Row]:
    """Batches on each database that is here, with agents that ping and beat beside them."""
    rows = []
    with ExitStack() as stack:
        places = [("SQLite", bench.install("data"))]
        with suppress(Unavailable):
            places.append(("PostgreSQL", stack.enter_context(on_postgresql(bench.folder))))
        for name, known in places:
            bench.tell(f"tokens on {name}")
            values = asyncio.run(_issue(known, bench.size.batches * _ITEMS))
            rows.append(_leaks_on(bench, name, known, values))
    return rows


async def _issue(known: Installation, count: int) -> list[str]:
    """Live API access tokens of the administrator's; no server runs meanwhile."""
    given = {"data": known.data, "database": known.database or None}
    application = await Application.open(load(environment={}, given=given))
    context = application.authority.context
    values: list[str] = []

    async def some(tx: Transaction) -> list[str]:
        (organization,) = await tx.accounts.organizations()
        (admin,) = await tx.people.members(organization.id)
        made = [
            await issue_api_token(
                context, tx, LOCAL, organization.id, admin.user_id, "bench", ["read_user"], 0
            )
            for _ in range(_AT_ONCE)
        ]
        return [one.value.reveal() for one in made]

    while len(values) < count:
        values += await context.store.write(some)
    await application.close()
    return values


@contextmanager
def _partner() -> Iterator[tuple[ReportKey, str]]:
    """A partner's key, and the server's setting that names where it is published."""
    key = ReportKey.generate()
    stand = PartnerStand([(key, True)])
    try:
        yield key, json.dumps([{"name": "bench", "type": "github", "keys": stand.url}])
    finally:
        stand.close()


def _leaks_on(bench: "Bench", name: str, known: Installation, values: list[str]) -> Row:
    with _partner() as (key, reporters), _reported(known, reporters) as server:
        (session,) = join(server.port, known.agent_token, 0, 1, bench.tell)
        time.sleep(_SETTLE_S)  # what is imported after the start is no part of this
        with _Beside(server.port, session) as before:
            time.sleep(1)
        taken, spent = [], []
        with _Beside(server.port, session) as beside:
            for start in range(0, len(values), _ITEMS):
                bench.tell(f"batch {start // _ITEMS + 1} on {name}")
                before_cpu = cpu_seconds(server.pid)
                taken.append(_report(server, key, values[start : start + _ITEMS]))
                spent.append(cpu_seconds(server.pid) - before_cpu)
    return Row(
        work=f"signed report of {_ITEMS:,} live API access tokens: request to all refused ({name})",
        ours=f"{max(taken):.2f} s\nmedian {statistics.median(taken):.2f} s",
        figure=max(taken),
        goal=Goal(must=5, moonshot=1, unit="s", lower=True),
        note=f"the slowest of {len(taken)} batches; the answer comes when all are effective, and each value "
        f"is refused then; pings and heartbeats of an agent beside it p99 {beside.p99:.1f} ms, slowest "
        f"{beside.slowest:.0f} ms; before it p99 {before.p99:.1f} ms; {statistics.median(spent):.2f} s CPU "
        "of the server a batch, with the check that each value is refused",
    )


@contextmanager
def _reported(known: Installation, reporters: str) -> Iterator[Server]:
    """A server whose settings name the partner."""
    with ours(
        known.data, database=known.database, settings={"WATCHWORD_LEAK_REPORTERS": reporters}
    ) as server:
        yield server


def _report(server: Server, key: ReportKey, values: list[str]) -> float:
    """Report values; seconds until the answer, after which every one of them is refused.

    Raises:
        RuntimeError: one is labelled wrong, or passes afterwards.
    """
    items = [
        {"token": value, "type": "token", "url": f"https://example.com/{number}", "source": "commit"}
        for number, value in enumerate(values)
    ]
    body = json.dumps(items).encode()
    headers = github_headers(key, body)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    began = time.perf_counter()
    connection.request("POST", "/leaks/partners/bench", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    taken = time.perf_counter() - began
    if answer.status != _OK or {one["label"] for one in json.loads(content)} != {"true_positive"}:
        raise RuntimeError(f"the report was answered with {answer.status} {content[:300]!r}")
    for value in values:
        connection.request("GET", "/v2/access-token", headers={"Authorization": f"Bearer {value}"})
        refused = connection.getresponse()
        refused.read()
        if refused.status != _REFUSED:
            raise RuntimeError(f"a reported token is answered with {refused.status}")
    connection.close()
    return taken


@dataclass
class _Beside:
    """An agent that pings and beats all the while, on a connection of its own."""

    port: int
    session: str
    taken: list[float] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Token {self.session}"}
        while not self._over.is_set():
            for method, path in (("GET", "/v3/ping"), ("POST", "/v3/heartbeat")):
                began = time.perf_counter()
                connection.request(method, path, b"{}" if method == "POST" else None, headers)
                answer = connection.getresponse()
                answer.read()
                self.taken.append((time.perf_counter() - began) * 1e3)
                if answer.status != _OK:
                    raise RuntimeError(f"{path}: {answer.status}")
            time.sleep(_PAUSE_S)
        connection.close()

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return sorted(self.taken)[int(len(self.taken) * 0.99)]

    @property
    def slowest(self) -> float:
        """Milliseconds."""
        return max(self.taken)
