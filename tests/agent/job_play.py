"""Runs one job on the fake server, with what an operator may set."""

import asyncio
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.agent_server import AGENT_TOKEN, SESSION_TOKEN, FakeJob, FakeServer, quick_policy
from watchword.agent.api import AgentApi
from watchword.agent.config import load_settings
from watchword.agent.logs import make_log
from watchword.agent.runner import Host, JobRunner
from watchword.agent.stop import Stop
from watchword.agent.transport import Connection, http_client
from watchword.crypto.values import Secret

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/home/somebody",
    "LANG": "C.UTF-8",
    "BUILDKITE_AGENT_TOKEN": AGENT_TOKEN,
    "BUILDKITE_AGENT_ACCESS_TOKEN": SESSION_TOKEN,
    "BUILDKITE_AGENT_TAGS": "queue=secret",
    "BUILDKITE_AGENT_NAME": "outer",
    "WATCHWORD_AGENT_TOKEN_FILE": "/run/token",
    "VAULT_TOKEN": "of-the-operator",
}


def host_in(folder: Path, **changes: Any) -> Host:
    flags: dict[str, str | None] = {"build-path": str(folder), "shell": changes.pop("shell", None)}
    flags |= changes.pop("flags", {})
    return Host(
        **{
            "settings": load_settings(flags, {}, {}, home=folder),
            "policy": quick_policy(**changes.pop("policy", {})),
            "log": make_log(io.StringIO(), form="json", color=False),
            "stop": Stop(),
            "agent_name": "builder-1",
            "status_interval": 2,
            "environ": ENVIRON,
            **changes,
        }
    )


def play(
    job: FakeJob,
    host: Host,
    server: FakeServer | None = None,
    *,
    cancel_at: str = "",
    cancel_as: str = "canceling",
) -> dict[str, Any]:
    """Run one job; once its log has `cancel_at`, its state on the server is `cancel_as`."""

    async def run() -> None:
        there = server or FakeServer()
        there.offer(job)
        async with asyncio.timeout(30), there.listening(), http_client() as http:
            session = Connection(http, there.url, Secret(SESSION_TOKEN), {"Buildkite-Shard": "7"})
            accepted = await AgentApi(session).accept(job.id)
            there_host = replace(host, stop=Stop())  # events belong to one event loop
            running = asyncio.create_task(JobRunner(accepted, session, there_host).run())
            if cancel_at:
                await there.until(lambda: job.seen(cancel_at))
                job.state = cancel_as
            await running

    asyncio.run(run())
    assert job.finish is not None
    return job.finish
