"""14 agents of ours: rotated and none locked out, drained and no job lost, cut and refused at once."""

import asyncio
import io
import os
import re
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from databases import Database
from scenarios.installation import WATCHWORD
from support import Client, FakeAgent, LiveServer
from watchword.agent.config import load_settings
from watchword.agent.crew import Crew
from watchword.agent.logs import make_log
from watchword.agent.retry import Policy
from watchword.agent.stop import Stop
from watchword.agent.tokenkeeper import TokenKeeper
from watchword.agent.tokensource import find_source
from watchword.agent.transport import http_client
from watchword.crypto.values import Secret
from watchword.domain.lifecycle import Mode, Withdrawal
from watchword.domain.pipelines import Job
from watchword.domain.rotations import Cause, Rotation
from watchword.domain.tokens import Token
from watchword.services.context import LOCAL
from watchword.services.rotating import Started
from watchword.services.withdrawing import Withdrawn

T = TypeVar("T")
AGENTS = 14
PATIENCE = 60


class Fleet:
    """14 agents in this process that follow one token file."""

    def __init__(self, server: LiveServer, folder: Path, value: Secret) -> None:
        self.server, self.file = server, folder / "token"
        self.give(value)
        flags = {"endpoint": f"{server.url}/v3", "build-path": str(folder / "builds"), "name": "a-%spawn"}
        self.settings = load_settings(
            {**flags, "spawn": str(AGENTS), "token-refresh": "0.2"}, {}, {}, home=folder
        )
        self.stop, self.output = Stop(), io.StringIO()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}

    def give(self, value: Secret) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(value.reveal())
        fresh.replace(self.file)

    async def live(self) -> int:
        source = find_source({"token-file": str(self.file)}, {}, {})
        policy = Policy(uniform=lambda low, _high: low)
        log = make_log(self.output, form="text", color=False)
        keeper = TokenKeeper(source, source.read(), policy=policy, log=log)
        async with http_client() as http:
            crew = Crew(
                self.settings, keeper, http, policy=policy, log=log, stop=self.stop, environ=self.environ
            )
            return await crew.run()


class Story:
    """What is done to the server meanwhile."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.authority = server.authority

    async def on_server(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await asyncio.to_thread(lambda: self.server.run(work()))

    async def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not await asyncio.to_thread(holds):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    def connected(self) -> int:
        return sum(live.connected for live in self.authority.fleet.agents.values())

    def working(self) -> int:
        return sum(job.started_at > 0 for job in list(self.authority.dispatcher.held.values()))

    async def rotate(self, token: Token) -> Started:
        rotator, store = self.authority.rotator, self.authority.context.store
        return await self.on_server(
            lambda: store.write(lambda tx: rotator.start_in(tx, LOCAL, token, by=None, asker="test"))
        )

    def rotation(self, token: Token) -> Rotation:
        rotator, store = self.authority.rotator, self.authority.context.store
        return self.server.run(store.read(lambda tx: rotator.find_in(tx, token.organization_id, token.id)))

    async def revoke(self, token: Token, mode: Mode) -> None:
        revoker, store = self.authority.revoker, self.authority.context.store

        async def work() -> None:
            done: Withdrawn = await store.write(
                lambda tx: revoker.revoke_in(tx, LOCAL, token, None, Withdrawal(mode, 0, "test"))
            )
            revoker.settle(done)

        await self.on_server(work)

    async def jobs(self, command: str) -> list[Job]:
        _, jobs = await asyncio.to_thread(self.server.create_build, *[command] * AGENTS)
        return jobs

    async def passed(self, jobs: list[Job]) -> int:
        await self.until(lambda: all(self.server.job(job.id).state.ended for job in jobs))
        return sum(self.server.job(job.id).passed for job in jobs)


def _code(url: str, value: Secret) -> str:
    """Why a value does not register; empty where it does."""
    late = FakeAgent(url, value.reveal())
    if late.session:
        late.connect()
        assert late.call("POST", "/v3/disconnect").status == 200
        return ""
    return str(late.registered.body["code"])


@pytest.fixture
def server(tmp_path: Path, database: Database) -> Any:
    made = LiveServer(tmp_path, ping_interval=1, job_status_interval=1, **database.settings)
    yield made
    made.close()


def test_a_fleet_is_rotated_and_drained_without_losing_anything(server: LiveServer, tmp_path: Path) -> None:
    old = server.issue(description="old")
    fleet, story = Fleet(server, tmp_path, old.value), Story(server)

    async def play() -> int:
        living = asyncio.create_task(fleet.live())
        await story.until(lambda: story.connected() == AGENTS)
        jobs = await story.jobs("sleep 0.5")
        started = await story.rotate(old.token)
        assert await asyncio.to_thread(_code, server.url, old.value) == ""
        fleet.give(started.value)
        await story.until(lambda: not story.rotation(old.token).open)
        assert story.rotation(old.token).cause is Cause.MOVED
        assert story.connected() == AGENTS
        joined = {live.token_id for live in story.authority.fleet.agents.values()}
        assert joined == {started.successor.id}
        assert await story.passed(jobs) == AGENTS
        assert await asyncio.to_thread(_code, server.url, old.value) == "token_superseded"
        jobs = await story.jobs("sleep 1")
        await story.until(lambda: story.working() == AGENTS)
        await story.revoke(started.successor, Mode.DRAIN)
        assert await story.passed(jobs) == AGENTS
        await story.until(lambda: story.connected() == 0)
        return await living

    assert asyncio.run(play()) == 0
    assert old.value.reveal() not in fleet.output.getvalue()


def test_a_cut_fleet_is_refused_at_once(server: LiveServer, tmp_path: Path) -> None:
    issued = server.issue(description="to be cut")
    fleet, story = Fleet(server, tmp_path, issued.value), Story(server)

    async def play() -> tuple[int, float]:
        living = asyncio.create_task(fleet.live())
        await story.until(lambda: story.connected() == AGENTS)
        jobs = await story.jobs("sleep 60")
        await story.until(lambda: story.working() == AGENTS)
        probes = [FakeAgent(server.url, issued.value.reveal()).connect() for _ in range(3)]
        await story.revoke(issued.token, Mode.CUT)
        took = []
        for probe in probes:  # it is acknowledged: from here on nothing passes
            begun = time.monotonic()
            answer = Client(server.url, probe.session).call("GET", "/v3/ping")
            took.append(time.monotonic() - begun)
            assert (answer.status, answer.body["code"]) == (401, "session_ended")
        assert not story.authority.fleet.agents
        assert await story.passed(jobs) == 0
        return await living, min(took)

    code, took = asyncio.run(play())
    assert code == 1  # against their will
    assert took < 0.1


@pytest.mark.parametrize("make_of_database", ["sqlite"])
@pytest.mark.usefixtures("make_of_database")
def test_the_tour_of_a_rotation_plays_to_its_end(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*WATCHWORD, "tour", "rotation"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert re.search(r"\d+ ms after its acknowledgement", done.stdout)
    assert "14 of 14 agents moved" in done.stdout
    assert done.stdout.count("14 of 14 jobs passed") == 2
    assert not list(tmp_path.glob("watchword-tour-*"))
