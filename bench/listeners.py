"""Agents that listen on streams, or poll, many on one loop: at rest, and as builds come.

python bench/listeners.py streams|polls < plan.json > result.json
"""

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import uvloop

# As a script this file knows its own folder alone; modules are named from the repository's.
sys.path[0] = str(Path(__file__).parents[1])

from bench.driver import Connection, connect, request  # noqa: E402
from bench.machine import cpu_seconds, memory  # noqa: E402
from watchword.domain.pingframes import Action, Frames, read_told, request_frame  # noqa: E402

PATH = "/agentedge.v1.AgentEdgeService/StreamPings"
_GRPC = "Content-Type: application/grpc\r\nTe: trailers\r\n"
_LANES = 16
# Clients end a stream after so long and open another.
_LIFE_S = 60.0
_CREATED = 201
_PATIENCE_S = 30


class Listener(asyncio.Protocol):
    """One stream: takes the answer's chunks apart."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._buffer = b""
        self._frames: Frames | None = None
        self.transport: asyncio.Transport | None = None
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour alone

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._frames is None:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 200 " not in head.partition(b"\r\n")[0] + b" ":
                self.greeted.set_exception(RuntimeError(repr(head[:300])))
                return
            self._frames, self._buffer = Frames(), rest
        while (at := self._buffer.find(b"\r\n")) >= 0:
            length = int(self._buffer[:at], 16)
            end_at = at + 2 + length + 2
            if len(self._buffer) < end_at:
                return
            piece, self._buffer = self._buffer[at + 2 : end_at - 2], self._buffer[end_at:]
            for message in self._frames.feed(piece):
                told = read_told(message)
                if told is not None and told.action is Action.JOB:
                    self._heard(told.text)
                elif not self.greeted.done():
                    self.greeted.set_result(None)


class Crew:
    """The agents of a plan, and the times at which they heard of their jobs and had them."""

    def __init__(self, plan: dict[str, Any], lanes: list[Connection]) -> None:
        self.plan = plan
        self.agents: list[tuple[str, str]] = plan["agents"]
        self._lanes = lanes
        self._source = random.Random(5)
        self.tasks: set[asyncio.Task[None]] = set()
        self.heard: dict[str, float] = {}
        self.accepted: dict[str, float] = {}
        self.all_taken = asyncio.Event()

    async def open(self, number: int) -> None:
        """Open an agent's stream, and another in its place when its time is over."""
        loop = asyncio.get_running_loop()
        agent_id, session = self.agents[number]

        def heard(job: str) -> None:
            if job not in self.heard:
                self.heard[job] = time.perf_counter()
                self._begin(self.take(number, job))

        _, listener = await loop.create_connection(lambda: Listener(heard), "127.0.0.1", self.plan["port"])
        assert listener.transport is not None
        listener.transport.write(request("POST", PATH, session, request_frame(agent_id), _GRPC))
        await listener.greeted

        def renew() -> None:
            assert listener.transport is not None
            listener.transport.abort()
            self._begin(self.open(number))

        first = self._source.uniform(0, _LIFE_S)
        loop.call_later(first if len(self.heard) == 0 else _LIFE_S, renew)

    async def poll(self, number: int) -> None:
        """Ping as agents do: at each tick of the interval, late by a random part of it."""
        every, session = float(self.plan["interval"]), self.agents[number][1]
        begin, count = time.perf_counter() + self._source.uniform(0, every), 0
        while True:
            due = begin + count * every + self._source.uniform(0, every)
            count += 1
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            answer = await self._good(number, "GET", "/v3/ping", session)
            job = answer.get("job", {}).get("id", "")
            if job:
                self.heard[job] = time.perf_counter()
                await self.take(number, job)

    async def take(self, number: int, job: str) -> None:
        """Accept a job, start it and be done with it."""
        accepted = await self._good(number, "PUT", f"/v3/jobs/{job}/accept", self.agents[number][1])
        self.accepted[job] = time.perf_counter()
        if len(self.accepted) == self.plan["count"]:
            self.all_taken.set()
        token = accepted["token"]
        await self._good(number, "PUT", f"/v3/jobs/{job}/start", token, b"{}")
        await self._good(number, "PUT", f"/v3/jobs/{job}/finish", token, b'{"exit_status": "0"}')

    def watch(self, work: "asyncio.Task[None]") -> None:
        """Keep a task, and let what it raises end the run."""
        self.tasks.add(work)
        work.add_done_callback(self.tasks.discard)

    def _begin(self, work: Any) -> None:
        self.watch(asyncio.ensure_future(work))

    async def _good(self, number: int, method: str, path: str, token: str, body: bytes = b"") -> Any:
        status, answer = await self._lanes[number % len(self._lanes)].send(request(method, path, token, body))
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return json.loads(answer) if answer else None


async def build(people: Connection, plan: dict[str, Any], number: int) -> str:
    """Create a build of one job that agent `number` alone may run; the job's id."""
    step = {"command": "true", "agents": {"who": str(number)}}
    body = json.dumps({"commit": "HEAD", "branch": "main", "message": "bench", "steps": [step]}).encode()
    head = (
        f"POST {plan['builds']} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {plan['api_token']}\r\n"
    )
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    status, answer = await people.send(head.encode() + body)
    if status != _CREATED:
        raise RuntimeError(f"a build: {status} {answer[:300]!r}")
    return str(json.loads(answer)["jobs"][0]["id"])


async def drive(plan: dict[str, Any], *, streams: bool) -> dict[str, Any]:
    """Let the agents rest, then give each of some a build; what it took."""
    lanes, people = await connect(plan["port"], _LANES), await connect(plan["port"], 4)
    crew, pid = Crew(plan, lanes), plan["pid"]
    before = memory(pid)["Pss"]
    for number in range(len(crew.agents)):
        if streams:
            await crew.open(number)
        else:
            crew.watch(asyncio.ensure_future(crew.poll(number)))
    await asyncio.sleep(1)
    grown = memory(pid)["Pss"] - before
    spent = cpu_seconds(pid)
    await asyncio.sleep(plan["seconds"])
    idle = (cpu_seconds(pid) - spent) / plan["seconds"]
    asked: dict[str, float] = {}

    async def ask(place: int, number: int) -> None:
        at = time.perf_counter()
        asked[await build(people[place % len(people)], plan, number)] = at

    numbers = random.Random(6).sample(range(len(crew.agents)), plan["count"])
    asking = []
    for place, number in enumerate(numbers):
        asking.append(asyncio.ensure_future(ask(place, number)))
        await asyncio.sleep(1 / plan["rate"])
    await asyncio.gather(*asking)
    await asyncio.wait_for(crew.all_taken.wait(), _PATIENCE_S)
    for task in list(crew.tasks):
        task.cancel()
    heard = [crew.heard[job] - at for job, at in asked.items()]
    taken = [crew.accepted[job] - at for job, at in asked.items()]
    return {
        "idle": idle,
        "bytes": grown,
        "heard_ms": [each * 1e3 for each in quantiles(heard)],
        "taken_ms": [each * 1e3 for each in quantiles(taken)],
    }


def quantiles(times: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


async def main() -> None:
    """Read the plan, drive, print the result."""
    plan = json.load(sys.stdin)
    json.dump(await drive(plan, streams=sys.argv[1] == "streams"), sys.stdout)


if __name__ == "__main__":
    uvloop.run(main())
