"""What the command line keeps to as a whole: exit statuses, completion, patience."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cli_harness import Shell
from watchword.cli import client as client_module
from watchword.cli.client import Client, Credentials
from watchword.crypto.values import Secret

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_exit_statuses_are_those_of_the_page(shell: Shell) -> None:
    statuses = [int(found) for found in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)]
    assert statuses == [0, 1, 2, 130]
    assert shell("cluster", "list").code == 0
    assert shell("cluster", "show", "none").code == 1
    for words in (
        ("nonsense",),
        ("cluster", "nonsense"),
        ("cluster", "list", "--nonsense"),
        ("cluster", "create"),
        ("queue", "create", "x", "--retry-agent-affinity", "warm"),
        ("fleet", "pause", "x", "--minutes", "soon"),
    ):
        outcome = shell(*words)
        assert (outcome.code, outcome.out) == (2, ""), words
        assert outcome.err


def test_an_interrupted_command_ends_with_130(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from watchword.cli import client, main\n"
        "def hang(credentials):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "client.open_http = hang\n"
        "sys.argv = ['watchword', 'cluster', 'list']\n"
        "main.main()\n"
    )
    env = {**os.environ, "WATCHWORD_URL": "http://127.0.0.1:1", "WATCHWORD_TOKEN": "x"}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, b"Traceback" in errors) == (130, False)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_the_shell(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "watchword", "--install-completion", "--shell", name],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for word in ("watchword", "cluster", "--retry-agent-affinity", "unarchive"):
        assert word in written


def test_a_command_waits_where_a_budget_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    answers = [429, 429, 200]

    def answer(_: httpx.Request) -> httpx.Response:
        status = answers.pop(0)
        body = {"message": "wait", "code": "rate_limited"} if status == 429 else {"done": True}
        return httpx.Response(status, json=body, headers={"Retry-After": "7"} if status == 429 else {})

    monkeypatch.setattr(client_module, "pause", waited.append)
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://x")
    client = Client(Credentials("http://x", Secret("v"), "acme"), http)
    started = time.monotonic()
    assert client.call("GET", "clusters") == {"done": True}
    assert waited == [7, 7]
    answers[:] = [429, 429, 429]
    with pytest.raises(client_module.CommandError, match="wait"):
        client.call("GET", "clusters")
    assert waited == [7, 7, 7, 7]
    assert time.monotonic() - started < 5
