"""`build unblock` and `build retry` as a person uses them."""

from pathlib import Path

from cli_harness import Shell

GATES = """
steps:
  - block: Deploy?
    key: gate
    fields: [{text: Why, key: why}]
  - input: Version
    key: version
    depends_on: []
    fields: [{text: Which, key: which}]
  - command: echo deploy
    key: deploy
"""


def made(shell: Shell, folder: Path, text: str) -> None:
    file = folder / "steps.yml"
    file.write_text(text)
    assert shell("build", "create", "--steps", str(file)).code == 0


def states(shell: Shell) -> list[str]:
    return [job["state"] for job in shell("build", "show", "1", "--json").json["jobs"]]


def test_a_blocked_build_is_let_go_on(shell: Shell, tmp_path: Path) -> None:
    made(shell, tmp_path, GATES)
    several = shell("build", "unblock", "1")
    assert several.code == 1
    assert "name one with --step: Deploy?, Version" in several.err
    done = shell("build", "unblock", "1", "--step", "gate", "--field", "why=it is time")
    assert (done.code, done.out) == (0, "Deploy? is unblocked; build 1 goes on.\n"), done.err
    assert states(shell)[2] == "scheduled"
    assert shell("build", "unblock", "1", "--field", "which=2").out.startswith("Version is unblocked")
    again = shell("build", "unblock", "1")
    assert (again.code, "no step of build 1 waits" in again.err) == (1, True)


def test_a_field_needs_a_value(shell: Shell, tmp_path: Path) -> None:
    made(shell, tmp_path, GATES)
    refused = shell("build", "unblock", "1", "--step", "gate", "--field", "why")
    assert (refused.code, "--field takes KEY=VALUE" in refused.err) == (1, True)
    assert "blocked" in states(shell)


def test_a_job_that_did_not_pass_runs_again(shell: Shell, tmp_path: Path) -> None:
    made(shell, tmp_path, "steps: [{command: make, key: build}]")
    nothing = shell("build", "retry", "1", "--step", "build")
    assert (nothing.code, "no step called 'build' of build 1 has failed" in nothing.err) == (1, True)
    shell("build", "cancel", "1")
    again = shell("build", "retry", "1")
    assert (again.code, again.out) == (0, "build runs again in build 1.\n"), again.err
    assert states(shell) == ["scheduled"], "what was tried again is not shown beside its new attempt"
