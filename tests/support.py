"""What tests stand on: a clock that they set, a wired authority, a whole server, a client."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import bindparam, update

from databases import Database, SqliteDatabase
from watchword.app import Application, LazyDocuments
from watchword.crypto.keys import KeyRing
from watchword.domain.ids import JobId
from watchword.domain.pipelines import Build, Job, JobState
from watchword.domain.tokens import Token
from watchword.edge.app import Edge
from watchword.feed.local import LocalFeed
from watchword.objects.stored import open_objects
from watchword.services.accounts import FirstThings, create_organization
from watchword.services.authority import Authority
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL, Context, Installation
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.revoking import revoke
from watchword.settings import load as load_settings
from watchword.store.base import Store, Transaction
from watchword.store.engine import Statement
from watchword.store.tables import jobs

T = TypeVar("T")
START_US = 1_800_000_000_000_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


class FakeClock:
    """A clock that stands until a test moves it."""

    def __init__(self, now: int = START_US) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def forward(self, microseconds: int) -> None:
        self.time += microseconds


class World:
    """One installation on a database, with its clock, and the first organization in it."""

    def __init__(self, folder: Path, database: Database | None = None) -> None:
        self.database = database or SqliteDatabase(folder)
        self.clock = FakeClock()
        self.feed = LocalFeed()
        self.runner = asyncio.Runner()
        self.keys = KeyRing.generate()
        self.store = self.open()
        self.objects = open_objects("", folder / "objects", direct=True)
        context = Context(self.store, self.feed, self.clock, self.keys, Installation(), objects=self.objects)
        self.authority = Authority.wire(context)
        self.authority.portals.documents = LazyDocuments(self.authority)
        self.first: FirstThings = self.run(
            create_organization(context, LOCAL, "acme", "Acme", "admin@example.com", "Ada Admin")
        )

    @property
    def context(self) -> Context:
        return self.authority.context

    def open(self) -> Store:
        """Another store on the database, with the feed of the day."""

        async def opened() -> Store:
            return self.database.open(self.feed.publish)

        return self.run(opened())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def restart(self) -> None:
        """Stop and start again on the same database, as a new process would."""
        self.run(self.authority.flush(everything=True))
        self.run(self.store.close())
        self.feed = LocalFeed()
        self.store = self.open()
        context = Context(self.store, self.feed, self.clock, self.keys, Installation(), objects=self.objects)
        self.authority = Authority.wire(context)
        self.authority.portals.documents = LazyDocuments(self.authority)
        self.run(self.authority.load())

    def close(self) -> None:
        self.run(self.store.close())
        self.runner.close()


_SET_STATE = Statement(update(jobs).where(jobs.c.id == bindparam("id_")).values(state=bindparam("state_")))


async def put_into_state(store: Store, job_id: str, state: JobState) -> None:
    """Put a job into a state that the steps of a build would bring about."""

    async def work(tx: Any) -> None:
        await tx.builds._cx.run(_SET_STATE, {"id_": job_id, "state_": state.value})

    await store.write(work)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# Puts something around the whole server, which sees every request and answer.
Watch = Callable[[Edge], Edge]


class LiveServer:
    """The whole server on a real socket, in a thread with its own loop."""

    def __init__(
        self, folder: Path, clock: FakeClock | None = None, *, watch: Watch | None = None, **settings: Any
    ) -> None:
        self.clock = clock
        self._watch = watch
        given = {"data": folder / "data", "listen": f"127.0.0.1:{free_port()}", **settings}
        self.settings = load_settings(environment={}, given=given)
        self.url = self.settings.public_url
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(20)
        self._check()

    def _check(self) -> None:
        if self.failed is not None:
            self.wait()
            raise self.failed

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._main())
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            self.failed = error
        self._ready.set()

    async def _main(self) -> None:
        self.application = await Application.open(self.settings, self.clock)
        if self._watch is not None:
            self.application.edge = self._watch(self.application.edge)
        try:
            context = self.application.authority.context
            if not await context.store.read(lambda tx: tx.accounts.organizations()):
                self.first = await create_organization(
                    context, LOCAL, "acme", "Acme", "admin@example.com", "Ada Admin"
                )
            await self.application.serve(self._ready.set)
        finally:
            await self.application.close()

    @property
    def authority(self) -> Authority:
        return self.application.authority

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def create_build(self, *commands: str, agents: tuple[str, ...] = ()) -> tuple[Build, list[Job]]:
        """A build with one job per command on the first organization's pipeline `app`."""
        authority, first = self.authority, self.first
        steps = tuple(CommandStep(command=command, agents=agents) for command in commands)

        async def work(tx: Transaction) -> tuple[Build, list[Job]]:
            found = await tx.builds.pipeline_by_slug(first.organization.id, "app")
            pipeline = found or await create_pipeline(
                authority.context, tx, LOCAL, first.organization.id, "app", cluster_id=first.cluster.id
            )
            return await authority.builder.create_in(
                tx, LOCAL, pipeline, steps, BuildRequest(), first.admin.id
            )

        async def create() -> tuple[Build, list[Job]]:
            build, jobs = await authority.context.store.write(work)
            authority.builder.announce(jobs)
            return build, jobs

        return self.run(create())

    def job(self, job_id: str) -> Job:
        """A job as the database has it now."""
        organization_id = self.first.organization.id
        store = self.authority.context.store
        found = self.run(store.read(lambda tx: tx.builds.job(organization_id, JobId(job_id))))
        assert found is not None
        return found

    def issue(self, **fields: Any) -> Issued:
        """An agent token of the first cluster."""
        context, first = self.authority.context, self.first
        request = TokenRequest(
            organization_id=first.organization.id,
            cluster_id=first.cluster.id,
            **{"description": "tests", **fields},
        )
        return self.run(
            context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, first.admin.id))
        )

    def revoke(self, token: Token) -> None:
        """Revoke a token."""
        context = self.authority.context
        self.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, token, self.first.admin.id)))

    def wait(self) -> None:
        """Wait until it has ended by itself; `failed` says why."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.loop.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.application.stop)
        self.wait()


class IdleConnection:
    """A keep-alive connection that has answered once, idles for 95 s and is then asked again.

    It idles beside the other tests, in a thread of its own, because agents keep connections for 90 s
    and a test that waited for that would double the suite's time (contract agent-api, trap 22).
    """

    IDLE_SECONDS = 95
    _ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    def __init__(self, folder: Path) -> None:
        self._server = LiveServer(folder)
        self._connection = socket.create_connection(self._server.settings.address, timeout=10)
        self.first = self._ask()
        self.second = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _ask(self) -> bytes:
        self._connection.sendall(self._ASK)
        return self._connection.recv(4096)

    def _wait(self) -> None:
        if not self._over.wait(self.IDLE_SECONDS):
            self.second = self._ask()

    def wait(self) -> bytes:
        """The answer after the idle time."""
        self._thread.join(self.IDLE_SECONDS + 10)
        return self.second

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._connection.close()
        self._server.close()


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Mapping[str, str]


class Client:
    """HTTP to a live server, JSON both ways; a connection for each call, so that none is left open."""

    def __init__(self, url: str, value: str = "", scheme: str = "Token") -> None:
        self._host = url.removeprefix("http://")
        self._authorization = {"authorization": f"{scheme} {value}"} if value else {}

    def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        content = body if isinstance(body, bytes | str) or body is None else json.dumps(body)
        connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            connection.request(method, path, content, {**self._authorization, **(headers or {})})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        received = {name.lower(): value for name, value in answer.getheaders()}
        is_json = "json" in received.get("content-type", "")
        return Answer(answer.status, json.loads(data) if is_json else data.decode(), received)


class FakeAgent:
    """An agent as the contract describes it: registers, connects, works off jobs."""

    def __init__(self, url: str, token: str, version: str = "3.137.0", **fields: Any) -> None:
        self.url = url
        self.registered = Client(url, token).call(
            "POST",
            "/v3/register",
            {"name": "a", "hostname": "h", "version": version, "meta_data": [], **fields},
        )
        self.session = ""
        self.job_token = ""
        if self.registered.status == 200:
            self.session = self.registered.body["access_token"]

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """A call with the session token."""
        return Client(self.url, self.session).call(method, path, body, **more)

    def on_job(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """A call with the job token."""
        return Client(self.url, self.job_token or self.session).call(method, path, body, **more)

    def connect(self) -> "FakeAgent":
        assert self.call("POST", "/v3/connect").status == 200
        return self

    def offered(self) -> str:
        """The job that a ping offers, or nothing."""
        answer = self.call("GET", "/v3/ping")
        assert answer.status == 200, answer
        job: str = answer.body.get("job", {}).get("id", "")
        return job

    def accept(self) -> str:
        """Ping, accept; the job's id."""
        job = self.offered()
        assert job
        accepted = self.call("PUT", f"/v3/jobs/{job}/accept")
        assert accepted.status == 200, accepted
        self.job_token = accepted.body.get("token", "")
        return job

    def run(self, exit_status: str = "0") -> str:
        """Accept, start and finish one job; its id."""
        job = self.accept()
        assert (
            self.on_job("PUT", f"/v3/jobs/{job}/start", {"started_at": "2026-01-01T00:00:00Z"}).status == 200
        )
        assert self.finish(job, exit_status).status == 200
        return job

    def finish(self, job: str, exit_status: str = "0") -> Answer:
        return self.on_job(
            "PUT",
            f"/v3/jobs/{job}/finish",
            {"exit_status": exit_status, "finished_at": "2026-01-01T00:00:01Z", "chunks_failed_count": 0},
        )
