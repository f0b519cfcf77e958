"""Checkout: which commit of which repository, again and again in the same folder, and what goes wrong."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.agent_server import FakeJob, FakeServer
from agent.job_play import host_in, play


class Repository:
    """A repository of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "uploadpack.allowAnySHA1InWant", "false")

    def git(self, *words: str) -> str:
        identity = (
            "-c",
            "user.name=Ann",
            "-c",
            "user.email=ann@example.com",
            "-c",
            "protocol.file.allow=always",
        )
        done = subprocess.run(
            ("git", *identity, *words), cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.folder / "file").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", f"Say {text}\n\nAnd why.")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Repository(tmp_path / "repository")


def run(
    tmp_path: Path,
    repository: Repository | str,
    server: FakeServer | None = None,
    *,
    attempts: int = 6,
    **variables: str,
) -> tuple[FakeJob, dict[str, Any]]:
    url = repository if isinstance(repository, str) else f"file://{repository.folder}"
    allow = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.file.allow",
        "GIT_CONFIG_VALUE_0": "always",
    }
    env = {"BUILDKITE_REPO": url, "BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": "HEAD", **variables}
    job = FakeJob("j1", 'echo "@$(cat file) $BUILDKITE_COMMIT"; ls -A', env={**allow, **env})
    host = host_in(tmp_path / "builds", flags={"checkout-attempts": str(attempts)})
    return job, play(job, host, server)


def result(job: FakeJob) -> str:
    return next(line for line in job.log.splitlines() if line.startswith("@")).removeprefix("@")


def test_the_tip_of_a_branch_then_an_older_commit_then_a_tag(tmp_path: Path, repository: Repository) -> None:
    first, second = repository.commit("one"), repository.commit("two")
    repository.git("tag", "v1", first)
    job, finish = run(tmp_path, repository)
    assert (finish["exit_status"], result(job)) == ("0", f"two {second}"), job.log
    (tmp_path / "builds/builder-1/acme/app/left-behind").write_text("x")
    job, _ = run(tmp_path, repository, BUILDKITE_COMMIT=first)
    assert result(job) == f"one {first}"
    assert "left-behind" not in job.log
    assert "git clone" not in job.log
    job, _ = run(tmp_path, repository, BUILDKITE_BRANCH="v1", BUILDKITE_TAG="v1")
    assert result(job) == f"one {first}"


def test_a_pull_request_and_a_refspec(tmp_path: Path, repository: Repository) -> None:
    repository.commit("main")
    repository.git("checkout", "-qb", "topic")
    topic = repository.commit("topic")
    repository.git("update-ref", "refs/pull/7/head", topic)
    repository.git("checkout", "-q", "main")
    repository.git("branch", "-qD", "topic")
    job, _ = run(
        tmp_path,
        repository,
        BUILDKITE_COMMIT=topic,
        BUILDKITE_PULL_REQUEST="7",
        BUILDKITE_PIPELINE_PROVIDER="github",
    )
    assert result(job) == f"topic {topic}"
    job, _ = run(tmp_path, repository, BUILDKITE_REFSPEC="+refs/pull/7/head:refs/remotes/origin/seven")
    assert result(job) == f"topic {topic}"
    job, _ = run(tmp_path, repository, BUILDKITE_PULL_REQUEST="false", BUILDKITE_PIPELINE_PROVIDER="github")
    assert result(job).startswith("main ")


def test_another_repository_in_the_same_folder(tmp_path: Path, repository: Repository) -> None:
    repository.commit("one")
    other = Repository(tmp_path / "other")
    commit = other.commit("other")
    run(tmp_path, repository)
    job, _ = run(tmp_path, other)
    assert result(job) == f"other {commit}"


def test_a_broken_clone_is_made_anew(tmp_path: Path, repository: Repository) -> None:
    commit = repository.commit("one")
    run(tmp_path, repository)
    (tmp_path / "builds/builder-1/acme/app/.git/HEAD").write_text("nonsense")
    job, finish = run(tmp_path, repository)
    assert (finish["exit_status"], result(job)) == ("0", f"one {commit}")
    assert "Checkout failed" in job.log


def test_a_clean_checkout(tmp_path: Path, repository: Repository) -> None:
    repository.commit("one")
    run(tmp_path, repository)
    job, _ = run(tmp_path, repository, BUILDKITE_CLEAN_CHECKOUT="true")
    assert "Removing" in job.log
    assert "git clone" in job.log


def test_submodules(tmp_path: Path, repository: Repository) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit("inner")
    repository.git("submodule", "add", "-q", f"file://{inner.folder}", "below")
    repository.commit("outer")
    job, finish = run(tmp_path, repository)
    assert finish["exit_status"] == "0", job.log
    assert (tmp_path / "builds/builder-1/acme/app/below/file").read_text() == "inner"
    job, finish = run(tmp_path, repository, BUILDKITE_CLEAN_CHECKOUT="true", BUILDKITE_GIT_SUBMODULES="false")
    assert finish["exit_status"] == "0"
    assert not (tmp_path / "builds/builder-1/acme/app/below/file").exists()


def test_no_checkout_if_the_job_says_so(tmp_path: Path) -> None:
    job, _ = run(tmp_path, "/no/such/repository", BUILDKITE_SKIP_CHECKOUT="true")
    assert "Skipping checkout: BUILDKITE_SKIP_CHECKOUT is set" in job.log


def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    job, finish = run(tmp_path, "/no/such/repository", attempts=2)
    assert finish["exit_status"] == "128"
    assert "attempt 2 of 2" in job.log
    assert "@" not in job.log.replace("@{", "")


@pytest.mark.parametrize("commit", ["--upload-pack=touch /tmp/x", "a..b", "HEAD^{tree}", "x y"])
def test_a_commit_that_is_none(tmp_path: Path, repository: Repository, commit: str) -> None:
    repository.commit("one")
    _, finish = run(tmp_path, repository, BUILDKITE_COMMIT=commit, attempts=1)
    assert finish["exit_status"] != "0"


def test_the_commit_is_told_once(tmp_path: Path, repository: Repository) -> None:
    commit = repository.commit("one")
    server = FakeServer()
    run(tmp_path, repository, server)
    told = server.data["buildkite:git:commit"]
    assert told.startswith(f"commit {commit}\nabbrev-commit {commit[:7]}\nAuthor: Ann <ann@example.com>\n\n")
    assert told.endswith("    Say one\n    \n    And why.\n") or "    Say one\n" in told
    before = len(server.calls("POST jobs/j1/data/set"))
    run(tmp_path, repository, server)
    assert len(server.calls("POST jobs/j1/data/set")) == before
    _, finish = run(tmp_path, repository, FakeServer(), BUILDKITE_COMMIT_RESOLVED="true")
    assert finish["exit_status"] == "0"


def test_a_commit_that_cannot_be_told_is_no_failure(tmp_path: Path, repository: Repository) -> None:
    repository.commit("one")
    server = FakeServer()
    server.script("POST jobs/j1/data/exists", (403, {"message": "not for you"}))
    job, finish = run(tmp_path, repository, server)
    assert finish["exit_status"] == "0"
    assert "not for you" in job.log


def test_a_checkout_that_is_cancelled(tmp_path: Path, repository: Repository) -> None:
    repository.commit("one")
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\necho up >&2\nsleep 60\n")
    slow.chmod(0o755)
    env = {
        "BUILDKITE_REPO": "ssh://example.invalid/x",
        "GIT_SSH_COMMAND": str(slow),
        "GIT_SSH_VARIANT": "simple",
    }
    job = FakeJob("j1", "echo @no", env={**env, "BUILDKITE_COMMIT": "HEAD", "BUILDKITE_BRANCH": "main"})
    finish = play(job, host_in(tmp_path / "builds"), cancel_at="up")
    assert finish["signal_reason"] == "cancel"
    assert "@no" not in job.log
    assert "Checkout failed" not in job.log


def test_a_password_in_the_address_stays_out_of_the_log(tmp_path: Path) -> None:
    job, finish = run(tmp_path, "http://user:pass%2Dword@127.0.0.1:1/x.git", attempts=1)
    assert finish["exit_status"] == "128"
    assert "http://user:[REDACTED]@127.0.0.1:1/x.git" in job.log
    assert "pass%2Dword" not in job.log
    assert "pass-word" not in job.log
