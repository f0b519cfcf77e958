"""What a job's log looks like: a terminal's output, and the time marks in it."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agent_scene import Scene, one_job
from agent.agent_server import MARK, FakeJob
from watchword.agent.timemarks import TimeMarks


def said(
    folder: Path, command: str, env: dict[str, Any] | None = None, flags: dict[str, str] | None = None
) -> str:
    """What a job with this command says, after the line that shows the command."""
    scene = Scene(folder, **(flags or {}))
    job = scene.server.offer(FakeJob("j1", command, env=env or {}))
    assert scene.play(one_job) == 0
    assert job.finish is not None
    assert job.finish["exit_status"] == "0", job.log
    return job.log.partition(f"$ {command}\n")[2]


def test_a_job_has_a_terminal_of_the_usual_size(tmp_path: Path) -> None:
    command = "test -t 0 -a -t 1 -a -t 2 && stty size && echo $TERM"
    assert said(tmp_path, command, {"TERM": "dumb"}) == "100 160\nxterm-256color\n"


def test_a_job_may_have_a_pipe_instead(tmp_path: Path) -> None:
    command = "test -t 0 -o -t 1 -o -t 2 || echo none; read line || echo no input"
    assert said(tmp_path, command, flags={"no-pty": "true"}) == "none\nno input\n"


def test_line_ends_arrive_as_they_are_written(tmp_path: Path) -> None:
    assert said(tmp_path, r"printf 'a\nb\r\nc\033[31mred\033[0m\n'") == "a\nb\r\nc\x1b[31mred\x1b[0m\n"


def test_a_secret_of_several_lines_is_masked_on_a_terminal_too(tmp_path: Path) -> None:
    key = "-----BEGIN KEY-----\nAAAA\nBBBB\n-----END KEY-----"
    assert said(tmp_path, 'echo "$DEPLOY_PRIVATE_KEY" end', {"DEPLOY_PRIVATE_KEY": key}) == "[REDACTED] end\n"


def test_a_pager_does_not_wait_for_a_key(tmp_path: Path) -> None:
    assert said(tmp_path, 'seq 1 3 | "$PAGER"') == "1\n2\n3\n"
    assert said(tmp_path, 'echo "$PAGER"', {"PAGER": "less"}) == "less\n"


def test_lines_begin_with_a_time_mark_unless_that_is_off(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "on")
    job = scene.server.offer(FakeJob("j1", r"printf 'one\ntwo\n'"))
    scene.play(one_job)
    lines = job.marked_log.splitlines()
    assert all(MARK.match(line) for line in lines)
    assert len(MARK.findall(job.marked_log)) == len(lines)
    scene = Scene(tmp_path / "off", **{"no-ansi-timestamps": "true"})
    job = scene.server.offer(FakeJob("j1", "true"))
    scene.play(one_job)
    assert not MARK.search(job.marked_log)


def test_a_mark_never_splits_a_secret(tmp_path: Path) -> None:
    """The marks are put in after the masking."""
    scene = Scene(tmp_path)
    job = scene.server.offer(FakeJob("j1", 'echo "$MY_TOKEN"', env={"MY_TOKEN": "first-line\nsecond-line"}))
    scene.play(one_job)
    assert "second-line" not in job.marked_log
    assert job.log.endswith("[REDACTED]\n")


def test_a_job_may_read_its_own_log_while_it_runs(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    flags = {"enable-job-log-tmpfile": "true", "job-log-path": str(logs)}
    command = (
        'echo "a $MY_TOKEN"; until grep -q "^a .REDACTED" "$BUILDKITE_JOB_LOG_TMPFILE"; do :; done; ls -d '
    )
    text = said(tmp_path / "builds", f"{command}{logs}/*", {"MY_TOKEN": "s3cret-value"}, flags)
    assert text.splitlines()[1].startswith(f"{logs}/job-log-")
    assert not list(logs.iterdir())


def test_logs_of_jobs_may_go_to_standard_output_too(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    said(tmp_path, 'echo "a $MY_TOKEN"', {"MY_TOKEN": "s3cret-value"}, {"write-job-logs-to-stdout": "true"})
    assert b"\na [REDACTED]\n" in capfdbinary.readouterr().out


class Marked:
    def __init__(self) -> None:
        self.now = 100.0
        self.marks = TimeMarks(lambda: self.now)

    def feed(self, data: bytes) -> str:
        return re.sub(r"\x1b_bk;t=(\d+)\x07", r"<\1>", self.marks.feed(data).decode())


def test_where_marks_go() -> None:
    marked = Marked()
    assert marked.feed(b"a\nb") == "<100000>a\n<100000>b"
    marked.now = 100.5
    assert marked.feed(b"c\n") == "c\n"
    assert marked.feed(b"") == ""
    assert marked.feed(b"d\x1b[Ke\x1b[2K") == "<100500>d\x1b[K<100500>e\x1b[2K"
    assert marked.feed(b"f") == "<100500>f"


def test_a_line_that_goes_on_after_a_silence_gets_another_mark() -> None:
    marked = Marked()
    assert marked.feed(b"wait") == "<100000>wait"
    marked.now = 101.0
    assert marked.feed(b"ing") == "ing"
    marked.now = 102.5
    assert marked.feed(b" on") == "<102500> on"


@pytest.mark.parametrize("code", [b"\x1b", b"\x1b[38;5", b"\x1b]1338;url=", b"\x1b_x", b"\x1b]0;t\x1b"])
def test_no_mark_goes_into_an_escape_sequence(code: bytes) -> None:
    marked = Marked()
    marked.feed(b"x" + code)
    marked.now = 200.0
    assert not marked.feed(b"7m").startswith("<")


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", b"\x1b[K", b"\x1b[", b"\x1b"]), max_size=20))
def test_marks_take_nothing_away_and_begin_every_line(pieces: list[bytes]) -> None:
    marks = TimeMarks(lambda: 1.0)
    marked = b"".join(marks.feed(piece) for piece in pieces)
    assert marked.replace(b"\x1b_bk;t=1000\x07", b"") == b"".join(pieces)
    lines = [line for line in marked.split(b"\n") if line]
    assert all(line.startswith(b"\x1b_bk;t=1000\x07") for line in lines)
