"""`pipeline upload`: what is sent, what is refused, and how the server's answers are taken."""

import asyncio
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.agent_server import JOB_TOKEN, Answer, FakeServer
from watchword.agent.commands import app
from watchword.agent.commonflags import take_common_flags
from watchword.agent.retry import Policy


class Upload:
    """A server that takes uploads, and the command in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = FakeServer()
        self.server.script("POST jobs/j1/pipelines", *[(200, {})] * 10)

    def run(self, *words: str) -> int:
        def command() -> int:
            os.environ["BUILDKITE_AGENT_ENDPOINT"] = self.server.url
            try:
                app(take_common_flags(["pipeline", "upload", *words]))
            except SystemExit as end:
                return int(end.code or 0)
            return 0

        async def run() -> int:
            async with self.server.listening():
                return await asyncio.to_thread(command)

        return asyncio.run(run())

    def write(self, text: str, name: str = ".buildkite/pipeline.yml") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def sent(self) -> list[Any]:
        return [request.json for request in self.server.calls("POST jobs/j1/pipelines")]


@pytest.fixture
def upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upload:
    for name in [name for name in os.environ if name.startswith("BUILDKITE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BUILDKITE_AGENT_ACCESS_TOKEN", JOB_TOKEN)
    monkeypatch.setenv("BUILDKITE_AGENT_ENDPOINT", "set by each call")
    monkeypatch.setenv("BUILDKITE_JOB_ID", "j1")
    terminal = io.StringIO("")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("watchword.agent.retry.Policy", lambda: Policy(sleep=at_once))
    monkeypatch.chdir(tmp_path)
    return Upload(tmp_path)


def test_the_pipeline_of_the_repository(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET", "west")
    upload.write("env:\n  A: ${TARGET}\nsteps:\n- command: deploy $A $$LATER\n  x_unknown: 1\n- wait\n")
    assert upload.run() == 0
    (sent,) = upload.sent
    assert sent["pipeline"] == {
        "env": {"A": "west"},
        "steps": [{"command": "deploy west $LATER", "x_unknown": 1}, "wait"],
    }
    assert "replace" not in sent
    request = upload.server.requests[0]
    assert (request.query, request.token) == ({"async": "true"}, JOB_TOKEN)


def test_json_a_bare_list_and_several_documents(upload: Upload) -> None:
    upload.write('[{"command": "a"}]', "one.json")
    upload.write("steps: [b]\n---\n- c\n", "two.yml")
    assert upload.run("one.json", "two.yml", "--replace") == 0
    assert [sent["pipeline"]["steps"] for sent in upload.sent] == [[{"command": "a"}], ["b"], ["c"]]
    assert all(sent["replace"] for sent in upload.sent)
    assert len({sent["uuid"] for sent in upload.sent}) == 3


def test_standard_input(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("- wait"))
    assert upload.run("--no-interpolation") == 0
    assert upload.sent[0]["pipeline"] == {"steps": ["wait"]}


def test_a_dry_run_prints_and_sends_nothing(upload: Upload, capsys: pytest.CaptureFixture[str]) -> None:
    upload.write("steps:\n- command: echo $NOT_SET and $$KEPT\n")
    assert upload.run("--dry-run") == 0
    assert json.loads(capsys.readouterr().out) == {"steps": [{"command": "echo  and $KEPT"}]}
    assert upload.run("--dry-run", "--no-interpolation", "--format", "yaml") == 0
    assert capsys.readouterr().out == "---\nsteps:\n- command: echo $NOT_SET and $$KEPT\n"
    assert not upload.sent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("steps: [", "line 1"),
        ("just text", "neither a list of steps nor an object"),
        ("- command: ${NEEDED?say it}", "say it"),
    ],
)
def test_what_is_no_pipeline(
    upload: Upload, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    upload.write(text)
    assert upload.run() == 1
    assert reason in capsys.readouterr().err
    assert not upload.sent


def test_no_pipeline_or_too_many(upload: Upload, capsys: pytest.CaptureFixture[str]) -> None:
    assert upload.run() == 1
    upload.write("- wait")
    upload.write("- wait", "buildkite.yml")
    assert upload.run() == 1
    assert upload.run("absent.yml") == 1
    printed = capsys.readouterr().err
    assert "there is no pipeline" in printed
    assert "buildkite.yml, .buildkite/pipeline.yml" in printed
    assert "absent.yml" in printed


def test_secrets_stay_out_of_pipelines(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_PASSWORD", 'pass"word-1')
    for text in ("- command: login $DB_PASSWORD", f"- label: {JOB_TOKEN}", "env: {MY_SECRET: in-the-open}"):
        upload.write(text)
        assert upload.run() == 1
    printed = capsys.readouterr().err
    for name in ("DB_PASSWORD", "BUILDKITE_AGENT_ACCESS_TOKEN", "MY_SECRET"):
        assert f"the values of secrets: {name}" in printed
    assert 'pass"word-1' not in printed
    assert not upload.sent
    upload.write("- command: login $$DB_PASSWORD\n  env: {MY_SECRET: $$DB_PASSWORD}")
    assert upload.run() == 0
    upload.write("- command: login $DB_PASSWORD")
    assert upload.run("--allow-secrets") == 0


def test_the_commit_is_resolved(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository(upload.folder)
    monkeypatch.setenv("BUILDKITE_COMMIT", "HEAD")
    upload.write("- command: at $BUILDKITE_COMMIT")
    assert upload.run() == 0
    assert upload.sent[0]["pipeline"]["steps"] == [{"command": f"at {commit}"}]


def repository(folder: Path) -> str:
    """A repository whose branch has changed `docs/a.md` and `src/x/y.py` since `base`."""

    def git(*words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        done = subprocess.run(
            ("git", *identity, *words), cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "base")
    git("branch", "base")
    for name in ("docs/a.md", "src/x/y.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    git("add", "-A")
    git("commit", "-qm", "change")
    return git("rev-parse", "HEAD")


CHANGED = """
steps:
- {command: docs, if_changed: "docs/**"}
- {command: other, if_changed: ["other/**", "*.toml"]}
- {command: code, if_changed: {include: "**/*.{py,c}", exclude: "src/x/**"}}
- group: g
  steps:
  - {command: inner, if_changed: "src/**/*.py"}
"""


def skipped(sent: Any) -> list[bool]:
    steps = sent["pipeline"]["steps"]
    assert '"if_changed"' not in json.dumps(steps)
    return ["skip" in step for step in [*steps[:3], *steps[3]["steps"]]]


def test_steps_are_skipped_by_what_changed(upload: Upload, capsys: pytest.CaptureFixture[str]) -> None:
    repository(upload.folder)
    upload.write(CHANGED)
    assert upload.run("--git-diff-base", "base") == 0
    upload.write("docs/b.md\n", "files")
    assert upload.run("--changed-files-path", "files") == 0
    assert upload.run("--no-apply-if-changed") == 0
    assert upload.run("--git-diff-base", "no-such-branch") == 0
    assert "No step is skipped" in capsys.readouterr().err
    assert [skipped(sent) for sent in upload.sent] == [
        [False, True, True, False],
        [False, True, True, True],
        [False] * 4,
        [False] * 4,
    ]


LATER: Answer = (202, {})


def test_a_server_that_takes_its_time(upload: Upload, capsys: pytest.CaptureFixture[str]) -> None:
    upload.write("- wait")
    answers = [{"state": "pending"}, {"state": "processing"}, {"state": "applied"}]
    replies: list[Answer] = [(500, {}), *((200, answer) for answer in answers)]
    polled = upload.server.poll(*replies)
    upload.server.script("POST jobs/j1/pipelines", (503, {}), LATER)
    assert upload.run() == 0
    assert [request.path for request in polled()] == [f"jobs/j1/pipelines/{upload.sent[0]['uuid']}"] * 4
    assert len({sent["uuid"] for sent in upload.sent}) == 1
    upload.server.poll((200, {"state": "rejected", "message": "steps[0]: no such key"}))
    upload.server.script("POST jobs/j1/pipelines", LATER)
    assert upload.run() == 1
    assert "no such key" in capsys.readouterr().err


def test_a_refused_pipeline(upload: Upload, capsys: pytest.CaptureFixture[str]) -> None:
    upload.write("- wait")
    upload.server.script("POST jobs/j1/pipelines", (422, {"message": "step 1 has an unknown key"}))
    assert upload.run() == 1
    assert "step 1 has an unknown key" in capsys.readouterr().err
    assert len(upload.sent) == 1


def test_flags_that_every_command_takes() -> None:
    environ: dict[str, str] = {}
    words = ["annotate", "--log-level", "error", "x", "--agent-access-token=t", "--endpoint", "e", "--debug"]
    assert take_common_flags([*words, "--", "--debug"], environ) == ["annotate", "x", "--", "--debug"]
    assert environ == {"BUILDKITE_AGENT_ACCESS_TOKEN": "t", "BUILDKITE_AGENT_ENDPOINT": "e"}
    assert take_common_flags(["start", "--endpoint", "e"], environ) == ["start", "--endpoint", "e"]
