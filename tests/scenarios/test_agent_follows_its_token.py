"""A rotation from end to end: the value in OpenBao changes, and the fleet moves without a restart."""

import asyncio
import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.secret_stands import Bao, bao_server
from support import LiveServer
from watchword.agent.config import load_settings
from watchword.agent.crew import Crew
from watchword.agent.logs import make_log
from watchword.agent.retry import Policy
from watchword.agent.stop import Stop
from watchword.agent.tokenkeeper import TokenKeeper
from watchword.agent.tokensource import find_source
from watchword.agent.transport import http_client
from watchword.domain.fleet import Agent
from watchword.domain.pipelines import JobState

REFERENCE = "vault:secret/ci/agents#token"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[Bao]:
    with bao_server(tmp_path) as server:
        yield server


class Fleet:
    """Two agents in this process, joined with what OpenBao holds."""

    def __init__(self, server: LiveServer, bao: Bao, folder: Path) -> None:
        flags = {"endpoint": f"{server.url}/v3", "build-path": str(folder / "builds"), "spawn": "2"}
        self.server = server
        self.settings = load_settings({**flags, "token-refresh": "0"}, {}, {}, home=folder)
        self.source = find_source({"token": REFERENCE}, bao.environ, {})
        self.stop = Stop()
        self.output = io.StringIO()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self.keeper: TokenKeeper

    async def live(self) -> int:
        policy = Policy(uniform=lambda low, _high: low)
        log = make_log(self.output, form="text", color=False)
        self.keeper = TokenKeeper(self.source, self.source.read(), policy=policy, log=log)
        async with http_client() as http:
            crew = Crew(
                self.settings, self.keeper, http, policy=policy, log=log, stop=self.stop, environ=self.environ
            )
            return await crew.run()

    def agents(self) -> list[Agent]:
        store = self.server.authority.context.store
        return list(self.server.run(store.read(lambda tx: tx.fleet.live())))

    def joined_with(self) -> list[str]:
        return sorted(str(agent.token_id) for agent in self.agents() if agent.connected_at)


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def test_a_rotated_value_empties_the_old_token_and_loses_no_job(
    server: LiveServer, bao: Bao, tmp_path: Path
) -> None:
    old, new = server.issue(description="old"), server.issue(description="new")
    bao.put("ci/agents", token=old.value.reveal())
    fleet = Fleet(server, bao, tmp_path)
    go, trace = tmp_path / "go", tmp_path / "trace"

    async def story() -> int:
        living = asyncio.create_task(fleet.live())
        await until(lambda: fleet.joined_with() == [str(old.token.id)] * 2)
        wait = f"echo x >> {trace}; while [ ! -e {go} ]; do sleep 0.05; done"
        _, (job,) = await asyncio.to_thread(server.create_build, wait)
        await until(trace.exists)
        bao.put("ci/agents", token=new.value.reveal())
        fleet.keeper.ask()
        await until(lambda: fleet.joined_with() == sorted([str(old.token.id), str(new.token.id)]))
        await asyncio.to_thread(server.revoke, old.token)
        go.touch()
        await until(lambda: fleet.joined_with() == [str(new.token.id)] * 2)
        assert server.job(job.id).state is JobState.FINISHED
        _, (after,) = await asyncio.to_thread(server.create_build, "true")
        await until(lambda: server.job(after.id).state is JobState.FINISHED)
        assert server.job(after.id).exit_status == "0"
        fleet.stop.ask()
        return await living

    assert asyncio.run(story()) == 0
    assert trace.read_text() == "x\n"
    assert not fleet.agents()
    printed = fleet.output.getvalue()
    assert old.value.reveal() not in printed
    assert new.value.reveal() not in printed
    assert REFERENCE in printed
