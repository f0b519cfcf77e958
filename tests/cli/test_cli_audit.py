"""`watchword audit`: on a running server's host, and far from it, with an export and the published heads."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import LiveServer
from watchword.cli.main import app
from watchword.domain.errors import WatchwordError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path)
    made.run(made.application.sealer.seal())
    yield made
    made.close()


def watchword(*arguments: object) -> int:
    """Run the command; its exit status."""
    try:
        app([str(argument) for argument in arguments], exit_on_error=False, result_action="return_value")
    except WatchwordError as error:
        sys.stderr.write(error.message)
        return 1
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_verify_on_the_host_while_the_server_runs(
    server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    data = server.settings.data
    assert watchword("audit", "verify", "--data", data) == 0
    assert "intact" in capsys.readouterr().out
    with sqlite3.connect(data / "watchword.db") as database:
        database.execute("UPDATE audit_events SET actor_name = 'Nobody' WHERE sequence = 2")
    assert watchword("audit", "verify", "--data", data) == 1
    assert "event_altered" in capsys.readouterr().out
    assert watchword("audit", "verify", "--data", data, "--json") == 1
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["intact"] is False


def test_a_cut_off_trail_shows_on_the_host(server: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    data = server.settings.data
    with sqlite3.connect(data / "watchword.db") as database:
        database.execute("DELETE FROM audit_events WHERE sequence > 3")
        database.execute("DELETE FROM audit_heads")
    assert watchword("audit", "verify", "--data", data) == 1
    assert "trail_truncated" in capsys.readouterr().out


def test_an_export_is_checked_anywhere(
    server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, target = server.settings.data, tmp_path / "trail.jsonl"
    assert watchword("audit", "export", target, "--data", data) == 0
    assert target.stat().st_mode & 0o077 == 0
    assert watchword("audit", "export", target, "--data", data) == 1  # never over an old one
    capsys.readouterr()
    assert watchword("audit", "key", "--data", data) == 0
    number, key = capsys.readouterr().out.split()
    assert number == "1"
    heads = server.settings.head_file
    check = ("audit", "verify", "--export", target, "--heads", heads)
    assert watchword(*check) == 0
    assert watchword(*check, "--key", key) == 0
    assert watchword(*check, "--key", "00" * 32) == 1  # signed by somebody else
    assert watchword("audit", "verify", "--export", target) == 1  # nothing to check it against
    lines = target.read_text().splitlines()
    target.write_text("\n".join([*lines[:2], *lines[3:]]))
    capsys.readouterr()
    assert watchword(*check) == 1
    assert "event_missing" in capsys.readouterr().out


def test_a_server_that_ends_leaves_nothing_unsealed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = LiveServer(tmp_path)
    server.close()
    assert watchword("audit", "verify", "--data", server.settings.data) == 0
    assert "not sealed" not in capsys.readouterr().out
