"""A server on a real socket, the agents of one process beside it, and what they print."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.agent_server import AGENT_TOKEN, FakeServer, quick_policy
from watchword.agent.config import Settings, load_settings
from watchword.agent.crew import Crew
from watchword.agent.logs import make_log
from watchword.agent.stop import Stop
from watchword.agent.tokenkeeper import TokenKeeper
from watchword.agent.tokensource import TokenSource
from watchword.agent.transport import http_client
from watchword.crypto.values import Secret


class Scene:
    """A server, an agent beside it, and what the agent prints."""

    def __init__(self, folder: Path, **flags: str) -> None:
        self.server = FakeServer()
        self.stop = Stop()
        self.output = io.StringIO()
        self.settings: Settings = load_settings(
            {"build-path": str(folder), "ping-mode": "poll-only", **flags}, {}, {}, home=folder
        )
        self.policy: dict[str, Any] = {}
        self.source = TokenSource("a test", lambda: Secret(AGENT_TOKEN), rotates=False)
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}

    async def agent(self) -> int:
        log = make_log(self.output, form="text", color=False)
        settings = replace(self.settings, endpoint=self.server.url)
        policy = quick_policy(**self.policy)
        self.keeper = TokenKeeper(self.source, self.source.read(), policy=policy, log=log)
        async with http_client() as http:
            crew = Crew(
                settings, self.keeper, http, policy=policy, log=log, stop=self.stop, environ=self.environ
            )
            return await crew.run()

    def play(self, story: Callable[["Scene"], Any] | None = None) -> int:
        """Run the agent to its end, with a story beside it."""

        async def run() -> int:
            async with asyncio.timeout(30), self.server.listening():
                agent = asyncio.create_task(self.agent())
                if story is not None:
                    await story(self)
                return await agent

        return asyncio.run(run())

    @property
    def printed(self) -> str:
        return self.output.getvalue()

    def called(self) -> list[str]:
        return [request.call for request in self.server.requests]


async def one_job(scene: Scene) -> None:
    await scene.server.jobs["j1"].finished.wait()
    scene.stop.ask()
