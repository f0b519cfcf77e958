"""The commands that talk to this machine alone: variables, redaction, the folder, locks."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from agent.agent_server import FakeJob, FakeServer, quick_policy
from agent.job_play import host_in, play
from agent.test_agent_phases import hook
from watchword.agent.errors import AgentError
from watchword.agent.inside.locks import BASE, SOCKET, Locks
from watchword.agent.inside.sockets import SocketClient, job_socket
from watchword.agent.lockkeeper import keeping_locks
from watchword.agent.logs import make_log

OWN = (sys.executable, "-E", "-P", "-m", "watchword.agent")


def story(tmp_path: Path, command: str, **hooks: str) -> FakeJob:
    for name, text in hooks.items():
        hook(tmp_path / "hooks", name.replace("_", "-"), text)
    host = host_in(tmp_path / "builds", flags={"hooks-path": str(tmp_path / "hooks")}, own_command=OWN)
    job = FakeJob("j1", command)
    finish = play(job, host)
    assert finish["exit_status"] == "0", job.log
    return job


def test_a_program_changes_the_variables_of_what_comes(tmp_path: Path) -> None:
    change = """#!/usr/bin/env python3
import subprocess
run = lambda *words: subprocess.run(["buildkite-agent", *words], check=True)
run("env", "set", "ADDED=a=b", "SOME_SECRET=not-for-the-log", "--output-format", "quiet")
run("env", "set", "--input-format", "json", '{"BUILDKITE": "mine"}')
run("env", "unset", "CI")
run("workdir", "set", "/tmp")
"""
    command = 'echo "@$ADDED|$SOME_SECRET|$BUILDKITE|${CI-none}|$PWD"; buildkite-agent env get ADDED'
    job = story(tmp_path, command, environment=change)
    assert "@a=b|[REDACTED]|mine|none|" in job.log
    assert job.log.endswith("a=b\n")
    assert "Updated:\n~ BUILDKITE\n" in job.log
    assert "not-for-the-log" not in job.log


def test_a_job_adds_what_its_log_hides(tmp_path: Path) -> None:
    command = (
        "printf 'found-it-out' | buildkite-agent redactor add; echo found-it-out;"
        """ echo '{"a": "json-secret"}' | buildkite-agent redactor add --format json; echo json-secret"""
    )
    job = story(tmp_path, command)
    assert job.log.endswith("[REDACTED]\n[REDACTED]\n")


def test_what_a_job_hides_is_hidden_in_notes_too(tmp_path: Path) -> None:
    command = (
        "printf 'found-it-out' | buildkite-agent redactor add;"
        " buildkite-agent annotate 'it is found-it-out'; buildkite-agent meta-data set k found-it-out;"
        " echo '- command: found-it-out' | buildkite-agent pipeline upload || echo @refused"
    )
    server, job = FakeServer(), FakeJob("j1", command)
    play(job, host_in(tmp_path / "builds", own_command=OWN), server)
    assert "@refused" in job.log
    assert not server.calls("POST jobs/j1/pipelines")
    (note,) = server.calls("POST jobs/j1/annotations")
    assert note.json["body"] == "it is [REDACTED]"
    assert server.data["k"] == "[REDACTED]"


def test_what_belongs_to_the_agent_cannot_be_set(tmp_path: Path) -> None:
    command = (
        "buildkite-agent env set BUILDKITE_AGENT_ACCESS_TOKEN=x || echo @refused;"
        " BUILDKITE_AGENT_JOB_API_TOKEN=wrong buildkite-agent env get || echo @unknown;"
        ' stat -c "@%a" "$BUILDKITE_AGENT_JOB_API_SOCKET" "$(dirname "$BUILDKITE_AGENT_JOB_API_SOCKET")"'
    )
    job = story(tmp_path, command)
    assert [line for line in job.log.splitlines() if line.startswith("@")] == [
        "@refused",
        "@unknown",
        "@600",
        "@700",
    ]


def test_outside_a_job_there_is_no_socket() -> None:
    with pytest.raises(AgentError, match="BUILDKITE_AGENT_JOB_API_SOCKET is not set"):
        job_socket({})
    with pytest.raises(AgentError, match="nobody answers"):
        SocketClient("/no/such/socket", "").call(dict, "GET", "/")


def with_locks(folder: Path, work: "object") -> None:
    """Keep locks in a folder while a thread does something with them."""

    async def run() -> None:
        log = make_log(sys.stderr, form="json", color=False)
        async with keeping_locks(folder, quick_policy(), log):
            for _ in range(1000):
                if (folder / SOCKET).exists():
                    break
                await asyncio.sleep(0.005)
            await asyncio.to_thread(work)  # type: ignore[arg-type]

    asyncio.run(run())


def locks(folder: Path, limit: float = 0) -> Locks:
    return Locks(SocketClient(str(folder / SOCKET), BASE), limit=limit, sleep=lambda _seconds: None)


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    def work() -> None:
        mine = locks(tmp_path)
        token = mine.acquire("key a/b")
        assert mine.state("key a/b") == token
        with pytest.raises(AgentError, match="waited"):
            locks(tmp_path, limit=1).acquire("key a/b")
        with pytest.raises(AgentError, match="another one"):
            mine.release("key a/b", "wrong")
        waiting = threading.Thread(target=lambda: got.append(locks(tmp_path).acquire("key a/b")))
        got: list[str] = []
        waiting.start()
        mine.release("key a/b", token)
        waiting.join(10)
        assert got[0] != token
        mine.release("key a/b", got[0])
        with pytest.raises(AgentError, match="free already"):
            mine.release("key a/b", token)

    with_locks(tmp_path, work)


def test_work_is_done_once(tmp_path: Path) -> None:
    def work() -> None:
        mine = locks(tmp_path)
        assert mine.begin("warm up")
        with pytest.raises(AgentError, match="waited"):
            locks(tmp_path, limit=1).begin("warm up")
        mine.finish("warm up")
        assert not mine.begin("warm up")
        assert mine.state("warm up") == "done"
        with pytest.raises(AgentError, match="lock do before"):
            mine.finish("other")

    with_locks(tmp_path, work)


def test_the_next_process_keeps_the_locks_when_the_first_has_gone(tmp_path: Path) -> None:
    log = make_log(sys.stderr, form="json", color=False)

    async def run() -> None:
        async with keeping_locks(tmp_path, quick_policy(), log):
            first = await asyncio.to_thread(_acquired, tmp_path)
            second = keeping_locks(tmp_path, quick_policy(), log)
            await second.__aenter__()
            assert (await asyncio.to_thread(locks(tmp_path).state, "k")) == first
        assert await asyncio.to_thread(_acquired, tmp_path)
        await second.__aexit__(None, None, None)
        assert not (tmp_path / SOCKET).exists()

    asyncio.run(run())


def _acquired(folder: Path) -> str:
    for _ in range(1000):
        try:
            return locks(folder).acquire("k")
        except AgentError:
            threading.Event().wait(0.005)
    raise AssertionError("nobody keeps the locks")
