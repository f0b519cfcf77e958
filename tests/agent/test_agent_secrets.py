"""Secrets of the cluster in the reference agent: those of a step, and `secret get` in a script."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.agent_server import FakeJob, FakeServer
from agent.job_play import host_in, play
from watchword.agent.redaction import Redactor, forms_of

KEY = '-----BEGIN KEY-----\nfZ3kQ9 it\'s a "secret" ü\n-----END KEY-----\n'


def server(**secrets: str) -> FakeServer:
    made = FakeServer()
    made.secrets |= secrets
    return made


def hook(folder: Path, name: str, text: str) -> dict[str, Any]:
    hooks = folder / "hooks"
    hooks.mkdir()
    (hooks / name).write_text(f"#!/bin/sh\n{text}\n")
    (hooks / name).chmod(0o755)
    return {"flags": {"hooks-path": str(hooks), "skip-checkout": "true"}}


def bare(**more: Any) -> dict[str, Any]:
    return {"flags": {"skip-checkout": "true"}, **more}


def test_a_steps_secrets_are_there_before_the_first_hook_and_in_no_log(tmp_path: Path) -> None:
    step = {"secrets": [{"key": "db_url", "environment_variable": "DATABASE"}, "TOKEN_KEY"]}
    job = FakeJob("j", 'test "$TOKEN_KEY" = "second value" && echo "c=$DATABASE"', step=step)
    there = server(DB_URL="postgres://u:p@db/x", TOKEN_KEY="second value")
    finish = play(job, host_in(tmp_path, **hook(tmp_path, "environment", 'echo "h=$DATABASE"')), there)
    assert finish["exit_status"] == "0"
    assert "h=[REDACTED]" in job.log
    assert "c=[REDACTED]" in job.log
    assert "db_url is in DATABASE" in job.log
    assert "postgres://" not in job.log
    assert len(there.calls("GET jobs/j/secrets")) == 2


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        (["NONE", "HAVE"], "NONE: "),
        ([{"key": "HAVE", "environment_variable": "BUILDKITE_AGENT_ACCESS_TOKEN"}], "may not set variables"),
        ([{"key": "HAVE", "environment_variable": "A=B"}], "fills no variable"),
        ([{"environment_variable": "A"}], "has no key"),
        ("HAVE", "no list"),
        (["NUL"], "holds NUL"),
    ],
)
def test_a_secret_that_cannot_be_had_ends_the_job_before_it_begins(
    tmp_path: Path, secrets: Any, words: str
) -> None:
    job = FakeJob("j", "echo ran", step={"secrets": secrets})
    host = host_in(tmp_path, **hook(tmp_path, "environment", "echo hooked"))
    finish = play(job, host, server(HAVE="a fine value", NUL="a\0value of it"))
    assert (finish["exit_status"], finish["signal_reason"]) == ("-1", "process_run_error")
    assert words in job.log
    assert "hooked" not in job.log
    assert "$ echo ran" not in job.log
    assert "a fine value" not in job.log


def test_a_step_without_secrets_asks_for_none(tmp_path: Path) -> None:
    steps: tuple[Any, ...] = (None, {}, {"secrets": []}, {"secrets": None})
    for step in steps:
        job, there = FakeJob("j", "echo ran", step=step), server()
        assert play(job, host_in(tmp_path, **bare()), there)["exit_status"] == "0"
        assert not there.calls("GET jobs/j/secrets")


def test_secret_get_prints_what_the_log_hides(tmp_path: Path) -> None:
    agent = shlex.join([sys.executable, "-m", "watchword.agent"])
    script = tmp_path / "script.sh"
    script.write_text(
        f"set -e\n{agent} secret get ssh_key > one\n{agent} secret get --format env SSH_KEY PASSWD > two\n"
        f"{agent} secret get SSH_KEY PASSWD > three\n{agent} secret get passwd --format json > four\n"
        "cat one two three four\ncp one two three four " + shlex.quote(str(tmp_path)) + "\n"
    )
    job = FakeJob("j", f"sh {script}")
    finish = play(job, host_in(tmp_path, **bare()), server(SSH_KEY=KEY, PASSWD="pass word"))
    assert finish["exit_status"] == "0", job.log
    assert "[REDACTED]" in job.log
    for piece in ("fZ3kQ9", "BEGIN KEY", "pass word"):
        assert piece not in job.log
    read = {name: (tmp_path / name).read_text() for name in ("one", "two", "three", "four")}
    assert read["one"] == KEY + "\n"
    assert read["two"] == "PASSWD='pass word'\nSSH_KEY='" + KEY.replace("'", r"'\''") + "'\n"
    assert json.loads(read["three"]) == {"SSH_KEY": KEY, "PASSWD": "pass word"}
    assert json.loads(read["four"]) == {"passwd": "pass word"}


def test_secret_get_says_which_ones_it_cannot_have_and_prints_none(tmp_path: Path) -> None:
    agent = shlex.join([sys.executable, "-m", "watchword.agent"])
    job = FakeJob("j", f"{agent} secret get HAVE NONE --skip-redaction")
    finish = play(job, host_in(tmp_path, **bare()), server(HAVE="a fine value"))
    assert finish["exit_status"] == "1"
    assert "NONE: " in job.log
    assert "a fine value" not in job.log


def test_a_secret_is_hidden_as_terminals_json_and_shells_write_it() -> None:
    redactor = Redactor(forms_of(KEY))
    quoted = "'" + KEY.replace("'", r"'\''") + "'"
    for written in (
        KEY,
        KEY.replace("\n", "\r\n"),
        json.dumps(KEY),
        json.dumps(KEY, ensure_ascii=False),
        quoted,
    ):
        masked = redactor.text(f"x {written} y")
        assert "fZ3kQ9" not in masked
        assert "BEGIN KEY" not in masked
