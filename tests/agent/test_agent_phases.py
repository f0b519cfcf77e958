"""Hooks and plugins: who runs when, what they may change, and what their failure means."""

import json
import subprocess
from pathlib import Path

import pytest

from agent.agent_server import JOB_TOKEN, SESSION_TOKEN, FakeJob, FakeServer
from agent.job_play import host_in, play
from watchword.agent.job.pluginsource import read_plugins
from watchword.agent.job.shell import JobFailed
from watchword.agent.runner import Host

PHASES = (
    "environment",
    "pre-checkout",
    "post-checkout",
    "pre-command",
    "post-command",
    "pre-artifact",
    "post-artifact",
    "pre-exit",
)


def hook(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def hooked(tmp_path: Path, hooks: dict[str, str], **flags: str) -> Host:
    for name, text in hooks.items():
        hook(tmp_path / "hooks", name, text)
    return host_in(
        tmp_path / "builds",
        flags={"hooks-path": str(tmp_path / "hooks"), **{n.replace("_", "-"): v for n, v in flags.items()}},
    )


def said(job: FakeJob, mark: str = "@") -> list[str]:
    """The lines that the job's scripts wrote with a mark in front."""
    return [line.removeprefix(mark) for line in job.log.splitlines() if line.startswith(mark)]


def checkout(tmp_path: Path) -> Path:
    return tmp_path / "builds/builder-1/acme/app"


def test_every_hook_of_the_operator_in_its_turn(tmp_path: Path) -> None:
    host = hooked(tmp_path, {name: f"echo @{name}" for name in PHASES})
    job = FakeJob("j1", "echo @command")
    assert play(job, host)["exit_status"] == "0"
    assert said(job) == [
        "environment",
        "pre-checkout",
        "post-checkout",
        "pre-command",
        "command",
        "post-command",
        "pre-exit",
    ]


def test_the_repositorys_hooks_run_between_operator_and_plugins(tmp_path: Path) -> None:
    hook(checkout(tmp_path) / ".buildkite/hooks", "pre-command", "echo @repository first")
    hook(checkout(tmp_path) / ".buildkite/hooks", "post-command", "echo @repository second")
    plugin = checkout(tmp_path) / "tools/thing"
    hook(plugin / "hooks", "pre-command", "echo @plugin first $BUILDKITE_PLUGIN_THING_IMAGE")
    hook(plugin / "hooks", "post-command", "echo @plugin second")
    host = hooked(tmp_path, {"pre-command": "echo @operator first", "post-command": "echo @operator second"})
    plugins = json.dumps([{"./tools/thing": {"image": "alpine"}}])
    job = FakeJob("j1", "true", env={"BUILDKITE_PLUGINS": plugins})
    assert play(job, host)["exit_status"] == "0"
    assert said(job) == [
        "operator first",
        "repository first",
        "plugin first alpine",
        "plugin second",
        "repository second",
        "operator second",
    ]


def test_what_a_hook_exports_and_where_it_goes_is_kept(tmp_path: Path) -> None:
    script = 'export ADDED="two\nlines" CHANGED=b; unset GONE; not_exported=1; mkdir -p /tmp/$$ sub; cd sub'
    host = hooked(tmp_path, {"pre-command": script})
    command = 'echo "@$ADDED|$CHANGED|${GONE-none}|${not_exported-none}|${PWD##*/}"'
    job = FakeJob("j1", command, env={"CHANGED": "a", "GONE": "x"})
    play(job, host)
    assert "@two\nlines|b|none|none|sub\n" in job.log
    assert "# ADDED added\n# CHANGED changed\n# GONE removed\n" in job.log


def test_a_hook_may_be_any_program(tmp_path: Path) -> None:
    host = hooked(
        tmp_path, {"pre-command": "#!/usr/bin/env python3\nimport os; print('@' + os.environ['X'])"}
    )
    job = FakeJob("j1", "true", env={"X": "seen"})
    play(job, host)
    assert said(job) == ["seen"]


def test_a_hook_cannot_take_the_jobs_identity(tmp_path: Path) -> None:
    exports = "export BUILDKITE_AGENT_ACCESS_TOKEN=x BUILDKITE_AGENT_ENDPOINT=y BUILDKITE_JOB_ID=z"
    host = hooked(tmp_path, {"environment": exports})
    job = FakeJob("j1", 'echo "@$BUILDKITE_JOB_ID"')
    play(job, host)
    assert said(job) == ["j1"]
    assert "not allowed: BUILDKITE_AGENT_ACCESS_TOKEN, BUILDKITE_AGENT_ENDPOINT, BUILDKITE_JOB_ID" in job.log


def test_secrets_that_a_hook_exports_are_masked(tmp_path: Path) -> None:
    host = hooked(tmp_path, {"environment": "export DB_PASSWORD=from-the-vault"})
    job = FakeJob("j1", 'echo "@$DB_PASSWORD"')
    play(job, host)
    assert said(job) == ["[REDACTED]"]
    assert "from-the-vault" not in job.log


@pytest.mark.parametrize(
    ("name", "ran"),
    [
        ("environment", ["pre-exit"]),
        ("pre-checkout", ["pre-exit"]),
        ("pre-command", ["pre-exit"]),
        ("post-command", ["command", "pre-exit"]),
    ],
)
def test_a_hook_that_fails_fails_the_job(tmp_path: Path, name: str, ran: list[str]) -> None:
    host = hooked(tmp_path, {"pre-exit": "echo @pre-exit", name: "exit 7"})
    job = FakeJob("j1", "echo @command")
    assert play(job, host)["exit_status"] == "7"
    assert said(job) == ran
    assert f"The agent {name} hook exited with status 7" in job.log


def test_the_hooks_after_a_failed_command_know_its_end(tmp_path: Path) -> None:
    known = "echo @$BUILDKITE_COMMAND_EXIT_STATUS"
    host = hooked(tmp_path, {"post-command": known, "pre-exit": known})
    job = FakeJob("j1", "exit 3")
    assert play(job, host)["exit_status"] == "3"
    assert said(job) == ["3", "3"]


def test_a_command_hook_stands_in_for_the_command(tmp_path: Path) -> None:
    host = hooked(tmp_path, {"command": 'echo "@instead of $BUILDKITE_COMMAND"; exit 4'})
    job = FakeJob("j1", "echo @command")
    assert play(job, host)["exit_status"] == "4"
    assert said(job) == ["instead of echo @command"]


def test_a_checkout_hook_stands_in_for_the_checkout(tmp_path: Path) -> None:
    host = hooked(tmp_path, {"checkout": "echo @mine; touch here"})
    job = FakeJob("j1", "ls", env={"BUILDKITE_REPO": "/no/such/repository"})
    assert play(job, host)["exit_status"] == "0"
    assert said(job) == ["mine"]
    assert job.log.endswith("here\n")


def test_hooks_of_the_repository_may_be_forbidden(tmp_path: Path) -> None:
    hook(checkout(tmp_path) / ".buildkite/hooks", "pre-command", "echo @repository")
    job = FakeJob("j1", "echo @command")
    assert play(job, hooked(tmp_path, {}, no_local_hooks="true"))["exit_status"] == "1"
    assert not said(job)
    assert "hooks of the repository are disabled" in job.log


def test_only_scripts_of_the_repository_where_shell_text_is_forbidden(tmp_path: Path) -> None:
    host = hooked(tmp_path, {}, no_command_eval="true")
    hook(checkout(tmp_path) / "scripts", "test.sh", "#!/bin/sh\necho @script")
    job = FakeJob("j1", "scripts/test.sh")
    assert play(job, host)["exit_status"] == "0"
    assert said(job) == ["script"]
    for number, text in enumerate(("echo @text", "../../../../../../../../bin/true", "/bin/true")):
        job = FakeJob(f"k{number}", text)
        assert play(job, host)["exit_status"] == "1", text
        assert "no-command-eval" in job.log
        assert not said(job)


def test_a_script_of_the_repository_is_made_executable(tmp_path: Path) -> None:
    checkout(tmp_path).mkdir(parents=True)
    (checkout(tmp_path) / "my test.sh").write_text("#!/bin/sh\necho @ran")
    job = FakeJob("j1", "my test.sh")
    assert play(job, hooked(tmp_path, {}))["exit_status"] == "0"
    assert said(job) == ["ran"]


def test_the_operators_lists_refuse_jobs(tmp_path: Path) -> None:
    host = hooked(tmp_path, {}, allowed_repositories=r"^https://git\.example\.com/")
    finish = play(job := FakeJob("j1", "true", env={"BUILDKITE_REPO": "https://evil.example/x.git"}), host)
    assert (finish["exit_status"], finish["signal_reason"]) == ("-1", "agent_refused")
    assert "https://evil.example/x.git is not among the allowed ones" in job.log
    host = hooked(tmp_path, {}, allowed_plugins="^docker#")
    finish = play(FakeJob("j2", "true", env={"BUILDKITE_PLUGINS": '["evil/plugin#v1"]'}), host)
    assert finish["signal_reason"] == "agent_refused"
    host = hooked(tmp_path, {"pre-bootstrap": 'test "$BUILDKITE_COMMAND" = good'})
    assert play(FakeJob("j3", "bad"), host)["signal_reason"] == "agent_refused"


def test_variables_that_the_server_may_not_set_are_named(tmp_path: Path) -> None:
    job = FakeJob("j1", 'echo "@$BUILDKITE_COMMAND_EVAL"', env={"BUILDKITE_COMMAND_EVAL": "maybe"})
    play(job, hooked(tmp_path, {}))
    assert said(job) == ["true"]
    assert "Ignored BUILDKITE_COMMAND_EVAL" in job.log


def test_what_runs_on_after_a_hook_lives_until_the_jobs_end(tmp_path: Path) -> None:
    host = hooked(tmp_path, {"environment": "sleep 300 & export HELPER=$!"})
    job = FakeJob("j1", 'kill -0 "$HELPER" && echo "@$HELPER"')
    assert play(job, host)["exit_status"] == "0"
    pid = said(job)[0]
    assert not Path(f"/proc/{pid}").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_a_cancelled_job_still_gets_its_last_hooks(tmp_path: Path) -> None:
    known = 'echo "@{} $BUILDKITE_JOB_CANCELLED ${{BUILDKITE_JOB_TIMED_OUT-no}}"'
    hooks = {name: known.format(name) for name in ("pre-command", "post-command", "pre-exit")}
    hooks["pre-command"] = 'echo "@before ${BUILDKITE_JOB_CANCELLED-no}"'
    job = FakeJob("j1", "echo up; sleep 60")
    finish = play(job, hooked(tmp_path, hooks), cancel_at="up\n")
    assert (finish["exit_status"], finish["signal"], finish["signal_reason"]) == ("-1", "SIGTERM", "cancel")
    assert said(job) == ["before no", "post-command true no", "pre-exit true no"]


def test_hooks_see_that_time_is_up(tmp_path: Path) -> None:
    host = hooked(tmp_path, {"pre-exit": 'echo "@$BUILDKITE_JOB_CANCELLED $BUILDKITE_JOB_TIMED_OUT"'})
    job = FakeJob("j1", "echo up; sleep 60")
    finish = play(job, host, cancel_at="up\n", cancel_as="timing_out")
    assert finish["signal_reason"] == "cancel"
    assert said(job) == ["true true"]


def test_a_job_cancelled_in_an_early_phase_runs_nothing_more(tmp_path: Path) -> None:
    hooks = {"environment": "echo up; sleep 60", "pre-command": "echo @no", "pre-exit": "echo @exit"}
    job = FakeJob("j1", "echo @no")
    finish = play(job, hooked(tmp_path, hooks), cancel_at="up\n")
    assert (finish["exit_status"], finish["signal_reason"]) == ("-1", "cancel")
    assert said(job) == ["exit"]


def test_a_last_hook_that_does_not_end_is_ended(tmp_path: Path) -> None:
    hook(tmp_path / "hooks", "pre-exit", "trap '' TERM; while :; do sleep 0.01; done")
    flags = {"hooks-path": str(tmp_path / "hooks")}
    host = host_in(tmp_path / "builds", flags=flags, policy={"grace": 50.0, "cleanup": 50.0})
    job = FakeJob("j1", "echo up; sleep 60")
    assert play(job, host, cancel_at="up\n")["signal_reason"] == "cancel"


def test_another_signal_to_cancel_with(tmp_path: Path) -> None:
    host = hooked(tmp_path, {}, cancel_signal="SIGINT")
    # No long sleep: one that is just being forked may take the signal with the shell's handler, and sleep on.
    job = FakeJob("j1", "trap 'exit 9' INT; echo up; while :; do sleep 0.05; done")
    finish = play(job, host, cancel_at="up\n")
    assert finish["exit_status"] == "9"


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(("git", *identity, *words), cwd=folder, check=True, capture_output=True)


def plugin_repository(folder: Path, **hooks: str) -> Path:
    for name, text in hooks.items():
        hook(folder / "hooks", name.replace("_", "-"), text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "v1")
    git(folder, "tag", "v1.0.0")
    return folder


def test_plugins_are_cloned_at_their_version_and_kept(tmp_path: Path) -> None:
    source = plugin_repository(
        tmp_path / "docker-buildkite-plugin",
        environment="echo @environment $BUILDKITE_PLUGIN_DOCKER_IMAGE",
        command='echo "@command $BUILDKITE_PLUGIN_DOCKER_ARGS_1 $BUILDKITE_PLUGIN_CONFIGURATION"',
    )
    hook(source / "hooks", "command", "echo @newer")
    git(source, "commit", "-qam", "v2")
    plugins = json.dumps([{f"file://{source}#v1.0.0": {"image": "alpine:3", "args": ["a", 2.5]}}]).replace(
        "2.5", "2.50"
    )
    host = hooked(tmp_path, {}, plugins_path=str(tmp_path / "plugins"))
    for number in ("1", "2"):
        job = FakeJob(number, "echo @not me", env={"BUILDKITE_PLUGINS": plugins})
        assert play(job, host)["exit_status"] == "0", job.log
        assert said(job) == [
            "environment alpine:3",
            'command 2.50 {"args":["a",2.50],"image":"alpine:3"}',
        ]
    assert "already checked out" in job.log
    job = FakeJob("3", "true", env={"BUILDKITE_PLUGINS": plugins})
    assert play(job, hooked(tmp_path, {}, no_plugins="true"))["exit_status"] == "1"
    assert "no plugins" in job.log


@pytest.mark.parametrize(
    ("source", "repository", "below", "name"),
    [
        (
            "github.com/buildkite-plugins/docker-compose-buildkite-plugin#v3",
            "https://github.com/buildkite-plugins/docker-compose-buildkite-plugin",
            "",
            "docker-compose",
        ),
        ("github.com/acme/all/one#v1", "https://github.com/acme/all", "one", "one"),
        ("ssh://git@example.com/x/deploy.git/sub#main", "ssh://git@example.com/x/deploy.git", "sub", "sub"),
        ("/srv/plugins/My Thing.git", "/srv/plugins/My Thing.git", "", "my-thing-git"),
        (
            "https://user:word@git.example.com/a/b.git",
            "https://user:word@git.example.com/a/b.git",
            "",
            "b-git",
        ),
    ],
)
def test_where_a_plugin_comes_from(source: str, repository: str, below: str, name: str) -> None:
    plugin = read_plugins(json.dumps([source]))[0]
    assert (plugin.repository, plugin.below, plugin.name) == (repository, below, name)


@pytest.mark.parametrize("text", ["{}", "not json", "[1]", '[{"a/b": 1}]', '["github.com/x"]', '["x"]'])
def test_plugins_that_make_no_sense(text: str) -> None:
    with pytest.raises(JobFailed):
        read_plugins(text)


def test_no_token_of_the_agents_is_anywhere_a_job_can_look(tmp_path: Path) -> None:
    """Looks at the agent's, the hook's and the command's own process, and at every file of the job."""
    look = "cat /proc/self/environ /proc/self/cmdline /proc/$$/environ /proc/$$/cmdline"
    files = 'cat "$BUILDKITE_ENV_FILE" "$BUILDKITE_ENV_JSON_FILE" "${BUILDKITE_BIN_PATH%/bin}"/* 2>/dev/null'
    host = hooked(tmp_path, {"environment": f"{look} > {tmp_path}/seen-1", "pre-exit": "true"})
    command = (
        f"{look} > {tmp_path}/seen-2; {files} > {tmp_path}/seen-3; cat {tmp_path}/seen-2 >/dev/null; true"
    )
    server = FakeServer()
    play(FakeJob("j1", command), host, server)
    seen = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert JOB_TOKEN.encode() in seen
    assert SESSION_TOKEN.encode() not in seen
    assert b"bkct_" not in seen
    assert not any(
        JOB_TOKEN.encode() in path.read_bytes() for path in (tmp_path / "builds").rglob("*") if path.is_file()
    )
    assert JOB_TOKEN.encode() not in (tmp_path / "seen-3").read_bytes()
