"""Agent and session tokens stay out of everything that a job, or who looks at processes, can see."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.agent_server import AGENT_TOKEN, JOB_TOKEN, SESSION_TOKEN, FakeJob, FakeServer

PROC = Path("/proc")
START = (sys.executable, "-m", "watchword", "agent", "start")
HIDDEN = (AGENT_TOKEN.encode(), SESSION_TOKEN.encode())
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

Story = Callable[["Scene"], Awaitable[None]]


class Scene:
    """An agent in a process of its own, whose job waits for a file, and all that it has started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = FakeServer()
        self.server.session |= {"ping_interval": 0.05, "job_status_interval": 0.5}
        self.go = folder / "go"
        self.job = self.server.offer(
            FakeJob("j1", f"(while [ ! -e {self.go} ]; do sleep 0.02; done) & wait; env; echo done")
        )
        self.agent: asyncio.subprocess.Process

    def play(self, words: list[str], variables: dict[str, str], story: Story) -> bytes:
        """Run the agent with a story beside it; gives what it printed."""

        async def run() -> bytes:
            async with asyncio.timeout(60), self.server.listening():
                self.agent = await asyncio.create_subprocess_exec(
                    *START,
                    *words,
                    f"--endpoint={self.server.url}",
                    f"--build-path={self.folder / 'builds'}",
                    env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **variables},
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                )
                printing = asyncio.create_task(self.agent.communicate())
                try:
                    await story(self)
                    printed, _ = await printing
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        self.agent.kill()
            return printed

        return asyncio.run(run())

    def family(self) -> list[int]:
        """The agent and its descendants."""
        parents = {}
        for folder in PROC.iterdir():
            with contextlib.suppress(OSError, ValueError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(stat[1])
        found = [self.agent.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found


async def look_at_processes(scene: Scene) -> None:
    await scene.job.started.wait()
    await scene.server.until(lambda: len(scene.family()) >= 3)
    for pid in scene.family():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            shown = (PROC / str(pid) / "cmdline").read_bytes() + (PROC / str(pid) / "environ").read_bytes()
            assert not any(token in shown for token in HIDDEN), pid
    scene.go.touch()
    await scene.job.finished.wait()
    scene.agent.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("way", ["flag", "named variable", "file"])
def test_no_process_shows_a_token_and_none_is_left_on_disk(tmp_path: Path, way: str) -> None:
    secret = tmp_path / "token"
    words, variables = {
        "flag": (["--token", AGENT_TOKEN], {}),
        "named variable": (["--token=env:MINE"], {"MINE": AGENT_TOKEN}),
        "file": (["--token", f"file:{secret}"], {}),
    }[way]
    if way == "file":
        secret.write_text(AGENT_TOKEN)
    scene = Scene(tmp_path)
    printed = scene.play(words, variables, look_at_processes)
    assert scene.agent.returncode == 0, printed
    assert JOB_TOKEN not in scene.job.log
    assert not any(token in printed or token.decode() in scene.job.log for token in HIDDEN)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != secret]
    assert not [path for path in written if any(token in path.read_bytes() for token in HIDDEN)]
    register, *others = scene.server.requests
    assert (register.call, register.token) == ("POST register", AGENT_TOKEN)
    assert AGENT_TOKEN not in {request.token for request in others}


def test_a_third_signal_ends_the_agent_and_its_job_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.job.command = "trap '' TERM INT; echo up; while :; do sleep 0.05; done"
    jobs: list[int] = []

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: scene.job.seen("up\n"))
        jobs.extend(scene.family()[1:])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            scene.agent.send_signal(number)

    (tmp_path / "token").write_text(AGENT_TOKEN)
    scene.play([f"--token-file={tmp_path / 'token'}"], {}, story)
    assert scene.agent.returncode == 1
    assert scene.job.finish is None
    assert jobs
    # They were killed before the agent ended; the kernel may take a moment to see to it.
    until = time.monotonic() + 5
    while [pid for pid in jobs if not _dead(pid)]:
        assert time.monotonic() < until
        time.sleep(0.01)


def _dead(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


def test_sighup_looks_for_a_new_token_and_sigquit_cancels(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.server.jobs.clear()
    scene.job.command = "echo up; sleep 60"
    (tmp_path / "token").write_text(AGENT_TOKEN)

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.calls("GET ping")))
        (tmp_path / "token").write_text("bkct_new-value")
        scene.agent.send_signal(signal.SIGHUP)
        await scene.server.until(lambda: len(scene.server.calls("POST disconnect")) == 1)
        scene.server.offer(scene.job)
        await scene.server.until(lambda: scene.job.seen("up\n"))
        scene.agent.send_signal(signal.SIGQUIT)

    printed = scene.play([f"--token-file={tmp_path / 'token'}", "--token-refresh=0"], {}, story)
    assert b"the agent token has changed" in printed
    assert b"bkct_new-value" not in printed
    assert scene.server.calls("POST register")[1].token == "bkct_new-value"
    assert scene.job.finish is not None
    assert scene.job.finish["signal_reason"] == "agent_stop"
    assert scene.agent.returncode == 0
