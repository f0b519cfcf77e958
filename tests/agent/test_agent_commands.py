"""The commands inside a job, and `start` as a process of its own."""

import asyncio
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.agent_server import AGENT_TOKEN, JOB_TOKEN, FakeJob, FakeServer, Request
from watchword.agent.commands import app
from watchword.agent.retry import Policy

COMMAND = (sys.executable, "-m", "watchword.agent")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    for name in [name for name in os.environ if name.startswith(("BUILDKITE", "WATCHWORD"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BUILDKITE_AGENT_ACCESS_TOKEN", JOB_TOKEN)
    monkeypatch.setenv("BUILDKITE_JOB_ID", "j1")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("watchword.agent.jobdata.Policy", lambda: Policy(sleep=at_once))
    monkeypatch.setenv("BUILDKITE_AGENT_ENDPOINT", "set by each call")
    return FakeServer()


def call(server: FakeServer, *words: str) -> int:
    """Run one command in this process; gives its exit status."""

    def command() -> int:
        os.environ["BUILDKITE_AGENT_ENDPOINT"] = server.url
        try:
            app(words)
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    async def run() -> int:
        async with server.listening():
            return await asyncio.to_thread(command)

    return asyncio.run(run())


def last(server: FakeServer) -> Request:
    return server.requests[-1]


def test_annotate(server: FakeServer) -> None:
    words = ("--style", "warning", "--context", "lint", "--append", "--priority", "7", "--scope", "job")
    assert call(server, "annotate", "- a *note*", *words) == 0
    assert last(server).call == "POST jobs/j1/annotations"
    assert last(server).token == JOB_TOKEN
    assert last(server).json == {
        "body": "- a *note*",
        "context": "lint",
        "style": "warning",
        "append": True,
        "priority": 7,
        "scope": "job",
    }


def test_annotate_from_standard_input(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert call(server, "annotate", "--job", "j/2") == 0
    assert last(server).call == "POST jobs/j%2F2/annotations"
    assert last(server).json == {"body": "from a pipe\n", "priority": 3, "scope": "build"}
    assert call(server, "annotate", "--style", "error") == 0
    assert last(server).json == {"style": "error", "priority": 3, "scope": "build"}


def test_an_annotation_has_one_mebibyte_at_most(
    server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(server, "annotate", "x" * (1024 * 1024 + 1)) == 1
    assert "1 MiB" in capsys.readouterr().err
    assert not server.requests


def test_removing_an_annotation_escapes_its_context(server: FakeServer) -> None:
    assert call(server, "annotation", "remove", "--context", "a/b.c", "--scope", "job") == 0
    assert last(server).call == "DELETE jobs/j1/annotations/a%2Fb%2Ec"
    assert last(server).query == {"scope": "job"}
    assert call(server, "annotation", "remove") == 0
    assert last(server).call == "DELETE jobs/j1/annotations/default"


def test_meta_data(
    server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(server, "meta-data", "set", "release", "1.2") == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe"))
    assert call(server, "meta-data", "set", "notes") == 0
    assert call(server, "meta-data", "set-batch", "a=1", "b=x=y") == 0
    assert server.data == {"release": "1.2", "notes": "from a pipe", "a": "1", "b": "x=y"}
    capsys.readouterr()
    assert call(server, "meta-data", "get", "release") == 0
    assert call(server, "meta-data", "keys") == 0
    assert capsys.readouterr().out == "1.2\na\nb\nnotes\nrelease\n"


def test_a_key_that_is_not_set(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(server, "meta-data", "get", "absent") == 1
    assert "absent" in capsys.readouterr().err
    assert call(server, "meta-data", "get", "absent", "--default", "") == 0
    assert call(server, "meta-data", "get", "absent", "--default", "-x") == 0
    assert capsys.readouterr().out == "\n-x\n"


def test_exists_answers_by_exit_status(server: FakeServer) -> None:
    server.data["here"] = "1"
    assert call(server, "meta-data", "exists", "here") == 0
    assert call(server, "meta-data", "exists", "absent") == 100
    server.script("POST jobs/j1/data/exists", (401, {"message": "no"}))
    assert call(server, "meta-data", "exists", "here") == 1


def test_another_builds_meta_data(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.data["k"] = "v"
    for operation in ("get", "exists"):
        assert call(server, "meta-data", operation, "k", "--build", "b1") == 0
        assert last(server).call == f"POST builds/b1/data/{operation}"
    monkeypatch.setenv("BUILDKITE_METADATA_BUILD_ID", "b2")
    assert call(server, "meta-data", "keys") == 0
    assert last(server).call == "POST builds/b2/data/keys"
    assert last(server).headers["content-length"] == "0"


@pytest.mark.parametrize(
    "words", [("set", " ", "v"), ("set", "k", " "), ("set-batch", "k="), ("set-batch", "k"), ("set-batch",)]
)
def test_blank_keys_and_values_are_refused_here(server: FakeServer, words: tuple[str, ...]) -> None:
    assert call(server, "meta-data", *words) == 1
    assert not server.requests


def test_secrets_are_masked_before_they_leave(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "pass-word-1")
    assert call(server, "annotate", f"uses {JOB_TOKEN} and pass-word-1") == 0
    assert last(server).json["body"] == "uses [REDACTED] and [REDACTED]"
    assert call(server, "meta-data", "set", "k", "pass-word-1") == 0
    assert call(server, "meta-data", "set-batch", "l=x pass-word-1") == 0
    assert server.data == {"k": "[REDACTED]", "l": "x [REDACTED]"}


def test_errors_are_tried_again_or_told(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.script("POST jobs/j1/annotations", (503, {}), (429, {}))
    assert call(server, "annotate", "x") == 0
    assert len(server.requests) == 3
    server.script("POST jobs/j1/annotations", (403, {"message": "Not your job"}))
    assert call(server, "annotate", "x") == 1
    assert "Not your job" in capsys.readouterr().err


def test_outside_a_job(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BUILDKITE_AGENT_ACCESS_TOKEN")
    assert call(server, "meta-data", "keys") == 1
    assert "BUILDKITE_AGENT_ACCESS_TOKEN is not set" in capsys.readouterr().err


def test_start_without_a_token(
    server: FakeServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "agent.cfg"
    config.write_text("name=x\n")
    assert call(server, "start", "--config", str(config)) == 1
    printed = capsys.readouterr().err
    assert "no agent token" in printed
    assert "--token-file" in printed


class Agent:
    """`agent start` as a process."""

    def __init__(self, server: FakeServer, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def play(
        self, words: tuple[str, ...], extra: dict[str, str], story: Callable[[int], object]
    ) -> tuple[int, str]:
        async def run() -> tuple[int, str]:
            async with asyncio.timeout(60), self.server.listening():
                environ = {
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.folder),
                    "BUILDKITE_AGENT_ENDPOINT": self.server.url,
                }
                process = await asyncio.create_subprocess_exec(
                    *COMMAND,
                    "start",
                    f"--build-path={self.folder}",
                    *words,
                    stderr=asyncio.subprocess.PIPE,
                    env={**environ, **extra},
                )
                for job in self.server.jobs.values():
                    await job.finished.wait()
                story(process.pid)
                _, errors = await process.communicate()
                assert process.returncode is not None
                return process.returncode, errors.decode()

        return asyncio.run(run())


SPY = """
agent=$PPID
cp /proc/$agent/cmdline {folder}/cmdline
cp /proc/$agent/environ {folder}/environ 2> /dev/null || true
env > {folder}/env
buildkite-agent --help > /dev/null 2>&1 || true
"""


@pytest.mark.parametrize("way", ["flag", "environment"])
def test_a_token_in_sight_is_gone_before_the_first_job(tmp_path: Path, way: str) -> None:
    server = FakeServer()
    server.session |= {"ping_interval": 0.01, "heartbeat_interval": 60}
    server.offer(FakeJob("j1", SPY.format(folder=tmp_path)))
    words = ("--token", AGENT_TOKEN) if way == "flag" else ()
    extra = {"BUILDKITE_AGENT_TOKEN": AGENT_TOKEN} if way == "environment" else {}
    agent = Agent(server, tmp_path)
    status, printed = agent.play(words, extra, lambda pid: os.kill(pid, signal.SIGTERM))
    assert status == 0, printed
    assert server.calls("POST register")[0].token == AGENT_TOKEN
    seen = [
        path.read_bytes()
        for path in (tmp_path / "cmdline", tmp_path / "env", tmp_path / "environ")
        if path.exists()
    ]
    assert b"--token-file=/dev/fd/" in seen[0]
    assert not any(AGENT_TOKEN.encode() in text for text in seen)
    assert AGENT_TOKEN not in printed
    assert server.requests[-1].call == "POST disconnect"
