"""Agents at work, many on one loop: claims, streaming logs, and open-loop pings. A process of its own.

python bench/driver.py MODE < plan.json > result.json
"""

import asyncio
import json
import random
import statistics
import sys
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast

import uvloop

AGENT = "buildkite-agent/3.138.0 (bench)"
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Connection(asyncio.Protocol):
    """One keep-alive connection; answers come in the order of the requests."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: deque[asyncio.Future[tuple[int, bytes]]] = deque()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour alone

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(exc or ConnectionError("the server hung up"))

    def send(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Send now; the answer comes later."""
        assert self._transport is not None
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._transport.write(request)
        return future

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            head = self._buffer[:end].lower()
            at = head.index(_LENGTH) + len(_LENGTH)
            length = int(head[at:].partition(b"\r\n")[0])
            whole = end + len(_END) + length
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + len(_END) : whole], self._buffer[whole:]
            self._waiting.popleft().set_result((int(head.split(b" ", 2)[1]), body))


def request(method: str, path: str, token: str, body: bytes = b"", more: str = "") -> bytes:
    """A raw request of an agent."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Token {token}\r\n"
    return f"{head}User-Agent: {AGENT}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def connect(port: int, count: int) -> list[Connection]:
    """Open connections, a hundred at a time."""
    loop = asyncio.get_running_loop()
    made: list[Connection] = []
    while len(made) < count:
        some = min(100, count - len(made))
        opened = [loop.create_connection(Connection, "127.0.0.1", port) for _ in range(some)]
        made += [protocol for _, protocol in await asyncio.gather(*opened)]
    return made


async def _good(connection: Connection, sent: bytes) -> Any:
    status, body = await connection.send(sent)
    if status >= 300:
        raise RuntimeError(f"{sent[:60]!r}: {status} {body[:300]!r}")
    return json.loads(body)


async def _each(items: list[Any], lanes: list[Connection], do: Callable[..., Awaitable[None]]) -> float:
    """Do something for each item, as many at a time as there are connections; seconds it took."""
    left = iter(items)

    async def lane(connection: Connection) -> None:
        for item in left:
            await do(connection, item)

    began = time.perf_counter()
    await asyncio.gather(*(lane(connection) for connection in lanes))
    return time.perf_counter() - began


async def claim(plan: dict[str, Any]) -> dict[str, Any]:
    """Each session pings, accepts the job it is offered and starts it."""
    lanes = await connect(plan["port"], plan["connections"])
    taken: list[tuple[str, str]] = []
    late: list[float] = []

    async def one(connection: Connection, session: str) -> None:
        offer = await _good(connection, request("GET", "/v3/ping", session))
        job = offer["job"]["id"]
        began = time.perf_counter()
        accepted = await _good(connection, request("PUT", f"/v3/jobs/{job}/accept", session))
        await _good(connection, request("PUT", f"/v3/jobs/{job}/start", accepted["token"], b"{}"))
        late.append(time.perf_counter() - began)
        taken.append((job, accepted["token"]))

    seconds = await _each(plan["sessions"], lanes, one)
    return {"seconds": seconds, "jobs": taken, "p99_ms": _p99(late)}


def chunk_of(number: int, size: int) -> bytes:
    """A piece of a build log, of words and numbers as builds write them."""
    source = random.Random(number)
    lines = []
    length = 0
    while length < size:
        line = f"{source.randint(0, 99_999):>6} compiling module_{source.getrandbits(24):06x} in pass "
        line += f"{source.randint(1, 9)}: ok ({source.random():.4f} s)\r\n"
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:size]


async def logs(plan: dict[str, Any]) -> dict[str, Any]:
    """Each job sends the next chunk of its log, in turn, as fast as the server takes them."""
    lanes = await connect(plan["port"], plan["connections"])
    size = plan["chunk"]
    packed = []
    for number in range(16):
        machine = zlib.compressobj(1, zlib.DEFLATED, 31)
        packed.append(machine.compress(chunk_of(number, size)) + machine.flush())
    late: list[float] = []
    calls = [(place, job) for place in range(plan["chunks"]) for job in plan["jobs"]]
    more = "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n"

    async def one(connection: Connection, call: tuple[int, list[str]]) -> None:
        place, (job, token) = call
        path = f"/v3/jobs/{job}/chunks?sequence={place + 1}&offset={place * size}&size={size}"
        began = time.perf_counter()
        await _good(connection, request("POST", path, token, packed[place % 16], more))
        late.append(time.perf_counter() - began)

    seconds = await _each(calls, lanes, one)
    sent = sum(len(packed[place % 16]) for place, _ in calls)
    return {"seconds": seconds, "bytes": len(calls) * size, "sent": sent, "p99_ms": _p99(late)}


async def agents(plan: dict[str, Any]) -> dict[str, Any]:
    """Every agent pings and beats on its own schedule, whether or not the last answer came (open loop)."""
    sessions: list[str] = plan["sessions"]
    lanes = await connect(plan["port"], min(len(sessions), plan["connections"]))
    beat = json.dumps({"sent_at": "2026-01-01T00:00:00Z"}).encode()

    def sent(number: int, kind: int) -> bytes:
        if kind:
            return request("POST", "/v3/heartbeat", sessions[number], beat)
        return request("GET", "/v3/ping", sessions[number])

    return await _open_loop(
        lanes, _schedule(len(sessions), (plan["ping"], plan["heartbeat"]), plan["seconds"]), sent
    )


async def dagster(plan: dict[str, Any]) -> dict[str, Any]:
    """Every Dagster agent asks for work, reads its code locations and beats, each at its own pace."""
    tokens: list[str] = plan["tokens"]
    bodies = [body.encode() for body in plan["bodies"]]
    lanes = await connect(plan["port"], min(len(tokens), plan["connections"]))

    def sent(number: int, kind: int) -> bytes:
        body = bodies[kind].replace(b"@@", f"agent-{number:04}".encode())
        return dagster_request(tokens[number], body)

    return await _open_loop(lanes, _schedule(len(tokens), plan["paces"], plan["seconds"]), sent)


def dagster_request(token: str, body: bytes) -> bytes:
    """A raw request of a Dagster agent."""
    head = (
        "POST /dagster/graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: python-requests/2 (bench)\r\n"
        f"Dagster-Cloud-Api-Token: {token}\r\nDagster-Cloud-Version: 1.13.27\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def burst(plan: dict[str, Any]) -> dict[str, Any]:
    """One request of a Dagster agent over and over, as fast as it is answered."""
    lanes = await connect(plan["port"], plan["connections"])
    sent = dagster_request(plan["token"], plan["body"].encode())

    async def one(connection: Connection, _number: int) -> None:
        status, body = await connection.send(sent)
        if status != plan["status"]:
            raise RuntimeError(f"{status} {body[:300]!r}")

    return {"seconds": await _each(list(range(plan["calls"])), lanes, one)}


async def _open_loop(
    lanes: list[Connection], due: "list[tuple[float, int, int]]", sent: Callable[[int, int], bytes]
) -> dict[str, Any]:
    """Send each call when it is due.

    A call's lateness counts from when it was due, so that a server which falls behind is not spared.
    """
    loop = asyncio.get_running_loop()
    late: list[float] = []
    failed: list[str] = []
    left = len(due)
    done = loop.create_future()
    began = loop.time() + 0.5
    clock = time.perf_counter

    def answered(at: float, future: "asyncio.Future[tuple[int, bytes]]") -> None:
        nonlocal left
        left -= 1
        late.append(clock() - at)
        if future.exception() is not None or future.result()[0] != 200:
            failed.append(repr(future.exception() or future.result())[:200])
        if not left and not done.done():
            done.set_result(None)

    offset = clock() - loop.time()
    behind = 0.0
    for at, number, kind in due:
        wait = began + at - loop.time()
        if wait > 0.002:
            await asyncio.sleep(wait)
        behind = max(behind, loop.time() - began - at)
        future = lanes[number % len(lanes)].send(sent(number, kind))
        future.add_done_callback(partial(answered, began + at + offset))
    await asyncio.wait_for(done, 60)
    return {
        "calls": len(due),
        "failed": len(failed),
        "first_failure": failed[0] if failed else "",
        "p50_ms": statistics.median(late) * 1e3,
        "p99_ms": _p99(late),
        "max_ms": max(late) * 1e3,
        "behind_ms": behind * 1e3,
        "connections": len(lanes),
    }


def _schedule(count: int, paces: "Sequence[float]", seconds: float) -> "list[tuple[float, int, int]]":
    """When each agent calls, in order: (seconds from the start, agent, which of its calls)."""
    source = random.Random(3)
    calls = []
    for number in range(count):
        for kind, every in enumerate(paces):
            at = source.uniform(0, every)
            while at < seconds:
                calls.append((at, number, kind))
                at += every
    return sorted(calls)


def _p99(late: list[float]) -> float:
    return statistics.quantiles(late, n=100)[98] * 1e3 if len(late) > 1 else 0.0


MODES: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
    "claim": claim,
    "logs": logs,
    "agents": agents,
    "dagster": dagster,
    "burst": burst,
}


async def main() -> None:
    """Read the plan, drive, print the result."""
    plan = json.load(sys.stdin)
    json.dump(await MODES[sys.argv[1]](plan), sys.stdout)


if __name__ == "__main__":
    uvloop.run(main())
