"""The row about taking access away: a cut of a fleet, and how soon its agents are refused."""

import http.client
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.clients import join
from bench.report import Goal, Row
from bench.servers import Installation, call, ours

if TYPE_CHECKING:
    from bench.rows import Bench

_FEW = 14
_REFUSED = 401


def cut(bench: "Bench") -> list[Row]:
    """Cuts of a small and of a large fleet on one node."""
    known = bench.install("data")
    return [_cut(known, count, bench.tell) for count in (_FEW, bench.size.agents)]


def _cut(known: Installation, count: int, tell: Callable[[str], None]) -> Row:
    headers = {"Authorization": f"Bearer {known.api_token}"}
    with ours(known.data) as server:
        (organization,) = call(server.port, "GET", "/v2/organizations", headers)
        path = f"/v2/organizations/{organization['slug']}/clusters/{known.cluster_id}/tokens"
        made = call(server.port, "POST", path, headers, {"description": "bench"})
        sessions = join(server.port, made["token"], 0, count, tell)
        tell("cut")
        began = time.perf_counter()
        target = f"{path}/{made['id']}?mode=cut&receipt=true"
        receipt = call(server.port, "DELETE", target, headers)
        answered = time.perf_counter()
        slowest = _refuse(server.port, sessions[:_FEW])
    if receipt["agents_cut"] != count:
        raise RuntimeError(f"{receipt['agents_cut']} of {count} agents were cut")
    return Row(
        work=f"cut of {count:,} agents: the slowest refusal after the answer",
        ours=f"{slowest * 1e3:.1f} ms\nanswered after {(answered - began) * 1e3:.0f} ms",
        figure=slowest * 1e3,
        goal=Goal(must=100, moonshot=30, unit="ms", lower=True),
        note=f"the first call of each of {_FEW} agents after the answer is refused; one node",
    )


def _refuse(port: int, sessions: list[str]) -> float:
    """Ping once with each session; how long the slowest refusal took.

    Raises:
        RuntimeError: one passes, or is refused for another reason.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    slowest = 0.0
    for session in sessions:
        began = time.perf_counter()
        connection.request("GET", "/v3/ping", headers={"Authorization": f"Token {session}"})
        answer = connection.getresponse()
        content = answer.read()
        slowest = max(slowest, time.perf_counter() - began)
        if answer.status != _REFUSED or json.loads(content)["code"] != "session_ended":
            raise RuntimeError(f"a ping after the cut: {answer.status} {content[:300]!r}")
    connection.close()
    return slowest
