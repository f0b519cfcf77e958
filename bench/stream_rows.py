"""The rows about streaming pings: what an idle stream costs, and how soon a build is accepted."""

from typing import TYPE_CHECKING, Any

from bench.clients import enlist
from bench.report import Goal, Row
from bench.servers import ours
from bench.work_rows import drive, make_pipeline

if TYPE_CHECKING:
    from bench.rows import Bench

_INTERVAL_S = 2
_RATE = 20


def streams(bench: "Bench") -> list[Row]:
    """Agents that listen, beside the same agents polling at the usual interval."""
    listening, polling = (_measure(bench, mode) for mode in ("streams", "polls"))
    count = bench.size.agents
    each = listening["bytes"] / count / 1e3
    return [
        Row(
            work=f"{count:,} idle streams on one core: share of the core",
            ours=f"{listening['idle']:.1%} of the core\n{each:.1f} kB PSS a stream",
            peer=f"{polling['idle']:.1%}, polling every {_INTERVAL_S} s",
            figure=listening["idle"] * 100,
            goal=Goal(must=20, moonshot=2, unit="%", lower=True),
            note=f"each stream is opened anew after 60 s, as clients do; measured for {bench.size.settle} s; "
            "the peer is this server with polling agents",
        ),
        Row(
            work=f"dispatch among {count:,} idle streams: from a build's request to the answered accept, p50",
            ours=_latency(listening["taken_ms"]),
            peer=f"{_latency(polling['taken_ms'])}, polling",
            figure=listening["taken_ms"][0],
            goal=Goal(must=100, moonshot=20, unit="ms", lower=True),
            note=f"{_RATE} builds a second over REST, each for one agent alone by its tag; "
            f"the frame arrives after {_latency(listening['heard_ms'])}",
        ),
    ]


def _measure(bench: "Bench", mode: str) -> dict[str, Any]:
    known = bench.install(mode)
    with ours(known.data) as server:
        builds = make_pipeline(server, known)
        agents = enlist(server.port, known.agent_token, 0, bench.size.agents, bench.tell, "who")
        bench.tell(mode)
        plan = {
            "port": server.port,
            "pid": server.pid,
            "agents": agents,
            "api_token": known.api_token,
            "builds": builds,
            "seconds": bench.size.settle,
            "interval": _INTERVAL_S,
            "count": bench.size.agents // 4,
            "rate": _RATE,
        }
        return drive(mode, plan, script="listeners.py")


def _latency(figures: list[float]) -> str:
    return f"p50 {figures[0]:.1f} ms, p99 {figures[1]:.0f} ms"
