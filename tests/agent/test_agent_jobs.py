"""Jobs: how they end, how they are ended, and what they may see."""

import os
from pathlib import Path

import pytest

from agent.agent_server import AGENT_TOKEN, JOB_TOKEN, SESSION_TOKEN, FakeJob, FakeServer, environment_of
from agent.job_play import host_in, play
from watchword.agent.jobenv import OWN_COMMAND, job_folder
from watchword.agent.wire import Job


def test_a_failing_command(tmp_path: Path) -> None:
    job = FakeJob("j1", "echo before; false; echo after")
    assert play(job, host_in(tmp_path))["exit_status"] == "1"
    assert job.log == (
        "~~~ Preparing working directory\n# Skipping checkout: BUILDKITE_REPO is empty\n"
        "+++ Running command\n$ echo before; false; echo after\nbefore\n"
        "^^^ +++\nThe command exited with status 1\n"
    )


def test_a_command_that_a_signal_ends(tmp_path: Path) -> None:
    finish = play(FakeJob("j1", "kill -9 $$"), host_in(tmp_path))
    assert (finish["exit_status"], finish["signal"]) == ("-1", "SIGKILL")
    assert "signal_reason" not in finish


def test_a_job_without_a_command(tmp_path: Path) -> None:
    job = FakeJob("j1", "")
    assert play(job, host_in(tmp_path))["exit_status"] == "1"
    assert "no command" in job.log


def test_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    job = FakeJob("j1", "true")
    finish = play(job, host_in(tmp_path, shell="/no/such/shell -c"))
    assert (finish["exit_status"], finish["signal_reason"]) == ("-1", "process_run_error")
    assert "/no/such/shell" in job.log
    finish = play(FakeJob("j2", "true", env={"A": "nul\0"}), host_in(tmp_path))
    assert finish["signal_reason"] == "process_run_error"


def test_a_cancelled_job(tmp_path: Path) -> None:
    finish = play(FakeJob("j1", "echo up; sleep 60"), host_in(tmp_path), cancel_at="up\n")
    assert (finish["exit_status"], finish["signal"], finish["signal_reason"]) == ("-1", "SIGTERM", "cancel")


def test_a_cancelled_job_that_does_not_listen(tmp_path: Path) -> None:
    job = FakeJob("j1", "trap '' TERM; echo up; while :; do sleep 0.01; done")
    finish = play(job, host_in(tmp_path, policy={"grace": 20.0}), cancel_at="up\n")
    assert (finish["exit_status"], finish["signal"], finish["signal_reason"]) == ("-1", "SIGKILL", "cancel")


def test_a_cancelled_job_that_ends_well_is_no_success(tmp_path: Path) -> None:
    job = FakeJob("j1", "trap 'echo cleaning up; exit 0' TERM; echo up; while :; do sleep 0.01; done")
    finish = play(job, host_in(tmp_path), cancel_at="up\n")
    assert (finish["exit_status"], finish["signal_reason"]) == ("1", "cancel")
    assert "signal" not in finish
    assert "cleaning up" in job.log


def test_a_job_token_that_is_no_longer_known_cancels(tmp_path: Path) -> None:
    server = FakeServer()
    server.script("GET jobs/j1", (503, {}), (404, {}), (401, {"message": "Unknown token"}))
    finish = play(FakeJob("j1", "sleep 60"), host_in(tmp_path), server)
    assert finish["signal_reason"] == "cancel"


def test_processes_left_behind_do_not_outlive_the_job(tmp_path: Path) -> None:
    job = FakeJob("j1", "sleep 60 & echo $!")
    assert play(job, host_in(tmp_path, policy={"linger": 100.0}))["exit_status"] == "0"
    pid = job.log.splitlines()[-1]
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


def test_finish_is_repeated_until_it_gets_through(tmp_path: Path) -> None:
    server = FakeServer()
    server.script("PUT jobs/j1/finish", (503, {}), (500, {}))
    play(FakeJob("j1", "true"), host_in(tmp_path), server)
    assert len(server.calls("PUT jobs/j1/finish")) == 3


def test_lost_chunks_are_reported(tmp_path: Path) -> None:
    server = FakeServer()
    server.script("POST jobs/j1/chunks", (404, {}))
    assert play(FakeJob("j1", "true"), host_in(tmp_path), server)["chunks_failed_count"] == 1


def test_long_output_arrives_whole_and_in_order(tmp_path: Path) -> None:
    job = FakeJob("j1", "seq 1 20000", chunk_bytes=4096)
    play(job, host_in(tmp_path))
    assert job.log.endswith("\n" + "".join(f"{n}\n" for n in range(1, 20001)))
    assert all(size == len(data) <= 4096 for _, size, data in job.chunks.values())
    assert min(job.chunks) == 1
    assert len(job.chunks) == max(job.chunks)


def test_what_a_job_sees(tmp_path: Path) -> None:
    """Dumps the environment past redaction, to see what is really there."""
    out = tmp_path / "env"
    job = FakeJob(
        "j1",
        f"env > {out}; pwd",
        env={
            "DEPLOY_TARGET": "west",
            "BUILDKITE_AGENT_TOKEN": "bkct_x",
            "BUILDKITE_AGENT_ENDPOINT": "http://evil/",
        },
    )
    play(job, host_in(tmp_path / "builds"))
    text = out.read_text()
    seen = environment_of(text)
    assert AGENT_TOKEN not in text
    assert SESSION_TOKEN not in text
    assert seen["BUILDKITE_AGENT_ACCESS_TOKEN"] == JOB_TOKEN
    assert seen["BUILDKITE_AGENT_ENDPOINT"].startswith("http://127.0.0.1:")
    assert seen["BUILDKITE_REQUEST_HEADER_BUILDKITE_SHARD"] == "7"
    assert seen["DEPLOY_TARGET"] == "west"
    assert seen["HOME"] == "/home/somebody"
    assert job.log.splitlines()[-1] == seen["BUILDKITE_BUILD_CHECKOUT_PATH"]
    assert seen["BUILDKITE_BUILD_CHECKOUT_PATH"] == str(tmp_path / "builds/builder-1/acme/app")
    absent = {"BUILDKITE_AGENT_TOKEN", "BUILDKITE_AGENT_TAGS", "BUILDKITE_AGENT_NAME", "VAULT_TOKEN"}
    assert not absent & set(seen)
    assert "WATCHWORD_AGENT_TOKEN_FILE" not in seen


def test_secrets_of_the_job_do_not_reach_the_log(tmp_path: Path) -> None:
    job = FakeJob(
        "j1", 'echo "$BUILDKITE_AGENT_ACCESS_TOKEN $DB_PASSWORD"', env={"DB_PASSWORD": "pass-word-1"}
    )
    play(job, host_in(tmp_path))
    assert job.log.endswith("[REDACTED] [REDACTED]\n")


def test_jobs_inherit_no_descriptor(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.dup2(reader, 99, inheritable=True)
    try:
        job = FakeJob("j1", "test ! -e /proc/$$/fd/99; test -e /proc/$$/fd/1")
        assert play(job, host_in(tmp_path))["exit_status"] == "0"
    finally:
        for descriptor in (reader, writer, 99):
            os.close(descriptor)


@pytest.mark.parametrize("name", ["buildkite-agent", "watchword-agent"])
def test_scripts_find_the_agent_under_its_usual_names(tmp_path: Path, name: str) -> None:
    job = FakeJob("j1", f'{name} meta-data "a b"; stat -c %a $(dirname $(command -v {name}))')
    play(job, host_in(tmp_path, own_command=("/bin/echo", "called with")))
    assert job.log.splitlines()[-2:] == ["called with meta-data a b", "700"]
    assert OWN_COMMAND[-2:] == ("-m", "watchword.agent")


@pytest.mark.parametrize(
    ("agent", "organization", "folder"),
    [
        ("builder.1:a/b", "acme", "builder-1-a-b/acme/unnamed"),
        ("..", "../../etc", "--/------etc/unnamed"),
        ("", "", "unnamed/unnamed/unnamed"),
    ],
)
def test_names_stay_inside_the_build_path(tmp_path: Path, agent: str, organization: str, folder: str) -> None:
    job = Job(id="j", env={"BUILDKITE_ORGANIZATION_SLUG": organization})
    assert job_folder(host_in(tmp_path).settings, agent, job) == tmp_path / folder
