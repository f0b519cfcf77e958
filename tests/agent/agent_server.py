"""A small server of the wire contract on a real socket, with a memory of every request."""

import asyncio
import contextlib
import gzip
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from watchword.agent.retry import Policy

AGENT_TOKEN = "bkct_MTA.agent-token-of-the-tests"
SESSION_TOKEN = "bkaa_MTA.session-token-of-the-tests"
JOB_TOKEN = "bkaj_job-token-of-the-tests"

SPEED = 0.002
"""Seconds of real time for one second that the agent wants to wait."""

MARK = re.compile("\x1b_bk;t=[0-9]+\x07")

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]
"""Status, body, and headers if there are any."""


async def quick(seconds: float) -> None:
    await asyncio.sleep(seconds * SPEED)


def quick_policy(**changes: Any) -> Policy:
    return Policy(**{"sleep": quick, "grace": 5000.0, "cleanup": 5000.0, "linger": 500.0, **changes})


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Token ")

    @property
    def call(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class FakeJob:
    id: str
    command: str
    env: dict[str, Any] = field(default_factory=dict)
    token: str | None = JOB_TOKEN
    state: str = "running"
    chunk_bytes: int = 1000
    step: Any = None
    chunks: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)
    finish: dict[str, Any] | None = None
    accepted: bool = False
    offered_to: str = ""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def log(self) -> str:
        """What the job and the agent said, without time marks."""
        return MARK.sub("", self.marked_log)

    @property
    def marked_log(self) -> str:
        pieces = sorted((offset, data) for offset, _, data in self.chunks.values())
        return b"".join(data for _, data in pieces).decode()

    def answer(self) -> dict[str, Any]:
        base = {
            "BUILDKITE_JOB_ID": self.id,
            "BUILDKITE_ORGANIZATION_SLUG": "acme",
            "BUILDKITE_PIPELINE_SLUG": "app",
            "BUILDKITE_COMMAND": self.command,
        }
        answer = {"id": self.id, "env": {**base, **self.env}, "chunks_max_size_bytes": self.chunk_bytes}
        answer |= {} if self.step is None else {"step": self.step}
        return answer if self.token is None else {**answer, "token": self.token}

    def seen(self, text: str) -> bool:
        return text in self.log


class Held:
    """The body of an answer that stays open; pieces come as the test puts them, and None ends it."""

    def __init__(self, *pieces: bytes | None) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        for piece in pieces:
            self.pieces.put_nowait(piece)


class FakeServer:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.jobs: dict[str, FakeJob] = {}
        self.scripts: dict[str, list[Answer]] = {}
        self.data: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.session: dict[str, Any] = {
            "id": "agent-1",
            "name": "builder-1",
            "access_token": SESSION_TOKEN,
            "ping_interval": 2,
            "job_status_interval": 2,
            "heartbeat_interval": 5,
        }
        self.url = ""
        self.registrations = 0
        self.refused_tokens: set[str] = set()
        self.events = asyncio.Condition()
        self._routes: list[tuple[re.Pattern[str], Callable[[Request, re.Match[str]], Answer]]] = [
            (re.compile(r"POST register"), self._register),
            (re.compile(r"POST (connect|disconnect|heartbeat)"), lambda _r, _m: (200, {})),
            (re.compile(r"GET ping"), self._ping),
            (re.compile(r"PUT jobs/([^/]+)/(?:accept|acquire)"), self._accept),
            (re.compile(r"PUT jobs/([^/]+)/start"), self._start),
            (re.compile(r"GET jobs/([^/]+)"), lambda _r, m: (200, {"state": self.jobs[m[1]].state})),
            (re.compile(r"POST jobs/([^/]+)/chunks"), self._chunk),
            (re.compile(r"PUT jobs/([^/]+)/finish"), self._finish),
            (re.compile(r"(?:POST|DELETE) jobs/([^/]+)/annotations.*"), lambda _r, _m: (200, {})),
            (re.compile(r"POST (?:jobs|builds)/[^/]+/data/([\w-]+)"), self._data),
            (re.compile(r"GET jobs/([^/]+)/secrets"), self._secret),
        ]

    def script(self, call: str, *answers: Answer) -> None:
        self.scripts[call] = list(answers)

    def poll(self, *answers: Answer) -> Callable[[], list[Request]]:
        """Answer whoever asks for the state of an upload; gives a way to see who did."""
        before, left = len(self.requests), list(answers)
        pattern = re.compile(r"GET jobs/[^/]+/pipelines/.+")
        self._routes.insert(0, (pattern, lambda _r, _m: left.pop(0)))
        return lambda: [request for request in self.requests[before:] if pattern.fullmatch(request.call)]

    def _secret(self, request: Request, _found: re.Match[str]) -> Answer:
        key = request.query["key"]
        assert request.token == JOB_TOKEN
        if key.upper() not in self.secrets:
            return 404, {"message": "No secret found with this key"}
        return 200, {"key": key, "value": self.secrets[key.upper()], "uuid": "u"}

    def offer(self, job: FakeJob) -> FakeJob:
        self.jobs[job.id] = job
        return job

    def calls(self, call: str) -> list[Request]:
        return [request for request in self.requests if request.call == call]

    async def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds), self.events:
            await self.events.wait_for(condition)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["FakeServer"]:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}/v3"
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            method, target, _ = line.decode().split(" ")
            headers = {}
            while (line := await reader.readline()).strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path, _, query = target.partition("?")
            request = Request(method, path.removeprefix("/v3/"), dict(parse_qsl(query)), headers, body)
            status, answer, *more = self._answer(request)
            extra = "".join(f"{name}: {value}\r\n" for each in more for name, value in each.items())
            async with self.events:
                self.requests.append(request)
                self.events.notify_all()
            if isinstance(answer, Held):
                writer.write(b"HTTP/1.1 200 X\r\nContent-Type: application/grpc\r\nConnection: close\r\n\r\n")
                while (piece := await answer.pieces.get()) is not None:
                    writer.write(piece)
                    await writer.drain()
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
                % (status, extra.encode(), len(data), data)
            )
            await writer.drain()

    def _answer(self, request: Request) -> Answer:
        if scripted := self.scripts.get(request.call):
            return scripted.pop(0)
        for pattern, handler in self._routes:
            if match := pattern.fullmatch(request.call):
                return handler(request, match)
        return 404, {"message": f"no route {request.call}"}

    def _register(self, request: Request, _match: re.Match[str]) -> Answer:
        """The first session is as `session` says; later ones differ in id, name and token."""
        self.registrations += 1
        if request.token in self.refused_tokens:
            return 401, {"message": "This agent token is revoked", "code": "token_revoked"}
        if self.registrations == 1 or "access_token" not in self.session:
            return 200, self.session
        number = self.registrations
        return 200, {
            **self.session,
            "id": f"agent-{number}",
            "name": f"builder-{number}",
            "access_token": f"{SESSION_TOKEN}-{number}",
        }

    def _ping(self, request: Request, _match: re.Match[str]) -> Answer:
        """A job is offered to one session, again and again."""
        for job in self.jobs.values():
            if not job.accepted and job.offered_to in ("", request.token):
                job.offered_to = request.token
                return 200, {"job": {"id": job.id}}
        return 200, {"action": "idle"}

    def _accept(self, _request: Request, match: re.Match[str]) -> Answer:
        job = self.jobs[match[1]]
        job.accepted = True
        return 200, job.answer()

    def _start(self, _request: Request, match: re.Match[str]) -> Answer:
        self.jobs[match[1]].started.set()
        return 200, {}

    def _chunk(self, request: Request, match: re.Match[str]) -> Answer:
        assert request.headers["content-encoding"] == "gzip"
        query = {name: int(value) for name, value in request.query.items()}
        data = gzip.decompress(request.body)
        self.jobs[match[1]].chunks[query["sequence"]] = (query["offset"], query["size"], data)
        return 201, b""

    def _finish(self, request: Request, match: re.Match[str]) -> Answer:
        job = self.jobs[match[1]]
        job.finish = request.json
        job.accepted = True
        job.finished.set()
        return 200, {}

    def _data(self, request: Request, match: re.Match[str]) -> Answer:
        operation = match[1]
        if operation == "keys":
            return 200, sorted(self.data)
        body = request.json
        if operation == "set":
            self.data[body["key"]] = body["value"]
        elif operation == "set-batch":
            self.data |= {item["key"]: item["value"] for item in body["items"]}
        elif operation == "exists":
            return 200, {"exists": body["key"] in self.data}
        elif body["key"] in self.data:
            return 200, {"key": body["key"], "value": self.data[body["key"]]}
        else:
            return 404, {"message": "no such key"}
        return 200, {}


def environment_of(log: str) -> Mapping[str, str]:
    """The variables that a job printed with `env`."""
    return dict(line.partition("=")[::2] for line in log.splitlines() if "=" in line)
