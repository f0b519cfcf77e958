"""The rows about Dagster's agents: many at their usual pace on one core, and what a refusal costs."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import cpu_seconds
from bench.report import Goal, Row
from bench.servers import Server, ours
from bench.work_rows import drive
from watchword.app import Application
from watchword.services.codelocations import put_in
from watchword.services.context import LOCAL
from watchword.services.dagstertokens import create_agent_token_in
from watchword.services.revoking import revoke
from watchword.settings import load
from watchword.store.base import Transaction

if TYPE_CHECKING:
    from bench.rows import Bench

AGENTS = 500
# Work, code locations, signs of life: seconds between them (contract dagster-agents-api §5).
PACES = (0.5, 5, 30)
_CONNECTIONS = 16
_LOCATIONS = 5
_POP = (
    "mutation($b: Boolean, $f: [String!], $l: Int, $q: [String]) { userCloudAgent {"
    " popUserCloudAgentRequests(limit: $l, forBranchDeployments: $b, forFullDeployments: $f, agentQueues: $q)"
    " { requestId requestApi requestBody deploymentName isBranchDeployment } } }"
)
_ENTRIES = (
    "query($n: [String!]!, $s: Boolean!, $q: [String]) {"
    " deployments(deploymentNames: $n, includeAllServerlessDeployments: $s)"
    " { deploymentName isBranchDeployment workspaceEntries(agentQueues: $q)"
    " { locationName serializedDeploymentMetadata hasOutdatedData hasLoadError metadataTimestamp } } }"
)
_BEAT = (
    "mutation($h: [AgentHeartbeatInput!], $e: [String!]) { userCloudAgent {"
    " addAgentHeartbeats(serializedAgentHeartbeats: $h, serializedErrors: $e) { ok } } }"
)


def _body(query: str, **variables: object) -> str:
    return json.dumps({"query": query, "variables": variables})


def bodies() -> list[str]:
    """What an agent sends; `@@` stands for its id."""
    beat = {
        "__class__": "AgentHeartbeat",
        "agent_id": "@@",
        "agent_label": "bench",
        "agent_type": "ProcessUserCodeLauncher",
        "timestamp": 1.0,
        "metadata": {"version": "1.13.27"},
        "code_server_heartbeats": [],
    }
    heard = {"deploymentName": "prod", "serializedAgentHeartbeat": json.dumps(beat)}
    return [
        _body(_POP, b=False, f=["prod"], q=[None]),
        _body(_ENTRIES, n=["prod"], s=False, q=[None]),
        _body(_BEAT, h=[heard], e=[]),
    ]


def prepare(data: Path, count: int) -> tuple[list[str], str]:
    """Make agent tokens and code locations in a folder that nobody serves; them, and a dead token."""

    async def made() -> tuple[list[str], str]:
        application = await Application.open(load(environment={}, given={"data": data}))
        context = application.authority.context

        async def work(tx: Transaction) -> tuple[list[str], str]:
            (organization,) = await tx.accounts.organizations()
            issued = [
                await create_agent_token_in(context, tx, LOCAL, organization, "bench", None)
                for _ in range(count + 1)
            ]
            prod = await tx.deployments.by_name(organization.id, "prod")
            if prod is None:
                raise RuntimeError("the first deployment is missing")
            for number in range(_LOCATIONS):
                document = {"location_name": f"l{number}", "code_source": {"python_file": "defs.py"}}
                await put_in(context, tx, LOCAL, prod, document, None)
            await revoke(context, tx, LOCAL, issued[-1].token, None)
            return [one.value.reveal() for one in issued[:-1]], issued[-1].value.reveal()

        try:
            return await context.store.write(work)
        finally:
            await application.close()

    return asyncio.run(made())


def dagster(bench: "Bench") -> list[Row]:
    """Agents at their usual pace, and the cost of a refusal beside that of a poll."""
    known = bench.install("data")
    count = min(AGENTS, bench.size.many_agents)
    tokens, dead = prepare(known.data, count)
    with ours(known.data) as server:
        drive("burst", _burst(server, tokens[0], 200, bench.size.sample // 100))
        return [_paced(bench, server, tokens), _refusal(bench, server, tokens[0], dead)]


def _paced(bench: "Bench", server: Server, tokens: list[str]) -> Row:
    seconds = bench.size.open_loop
    bench.tell("open loop")
    before = cpu_seconds(server.pid)
    plan = {
        "port": server.port,
        "connections": len(tokens),
        "tokens": tokens,
        "bodies": bodies(),
        "paces": PACES,
        "seconds": seconds,
    }
    result = drive("dagster", plan)
    busy = (cpu_seconds(server.pid) - before) / seconds
    if result["failed"]:
        raise RuntimeError(f"{result['failed']} calls failed, the first: {result['first_failure']}")
    pace = sum(1 / every for every in PACES)
    return Row(
        work=f"{len(tokens):,} Dagster agents on one core, {pace:.1f} requests/s each: p99 of an answer",
        ours=f"{result['p99_ms']:.1f} ms\n{busy:.0%} of the core",
        figure=result["p99_ms"],
        goal=Goal(must=100, moonshot=10, unit="ms", lower=True),
        note=f"open loop, {result['calls']:,} calls on {result['connections']:,} connections in {seconds} s;"
        f" p50 {result['p50_ms']:.1f} ms, slowest {result['max_ms']:.0f} ms; the driver was behind by"
        f" {result['behind_ms']:.0f} ms at most; at this cost the core would carry {len(tokens) / busy:,.0f}",
    )


def _refusal(bench: "Bench", server: Server, live: str, dead: str) -> Row:
    calls = bench.size.sample // 10
    costs: dict[int, list[float]] = {200: [], 401: []}
    for number in range(bench.size.rounds):
        bench.tell(f"refusals, round {number + 1}")
        for status, token in ((200, live), (401, dead)):
            before = cpu_seconds(server.pid)
            drive("burst", _burst(server, token, status, calls))
            costs[status].append((cpu_seconds(server.pid) - before) / calls * 1e6)
    poll, refusal = (sorted(costs[status])[len(costs[status]) // 2] for status in (200, 401))
    return Row(
        work="refuse a revoked Dagster agent, which asks for ever",
        ours=f"{refusal:,.1f} µs CPU",
        peer=f"{poll:,.1f} µs CPU",
        figure=refusal / poll,
        goal=Goal(must=1.0, moonshot=0.7, lower=True),
        note=f"beside a poll of a live one that finds no work; {calls:,} calls in each round",
    )


def _burst(server: Server, token: str, status: int, calls: int) -> dict[str, object]:
    return {
        "port": server.port,
        "connections": _CONNECTIONS,
        "token": token,
        "body": bodies()[0],
        "status": status,
        "calls": calls,
    }
