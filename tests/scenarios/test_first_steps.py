"""A newcomer's first minutes, with the real commands in real processes."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import Database
from scenarios.installation import WATCHWORD, Installation
from support import Client, FakeAgent


@pytest.fixture
def installation(tmp_path: Path, database: Database) -> Iterator[Installation]:
    made = Installation(tmp_path, database.settings).up()
    yield made
    if made.process is not None:
        assert made.down() == 0


def test_up_shows_what_to_do_and_the_first_job_runs(installation: Installation) -> None:
    known = installation.known()
    assert installation.credentials.stat().st_mode & 0o777 == 0o600
    assert set(known) == {
        "url", "organization", "cluster_id", "queue", "admin_email", "api_access_token",
        "agent_token", "agent_endpoint", "rest_url", "graphql_url",
    }  # fmt: skip
    shown = installation.output.read_text()
    assert known["api_access_token"] not in shown
    assert known["agent_token"] not in shown
    assert shown.count(f"{known['url']}/welcome#") == 1
    done = installation.run("build", "create", "--command", "echo hello $((40+2))", "--watch")
    assert "hello 42" in done.stdout
    failed = installation.run("build", "create", "--command", "exit 7", "--watch", check=False)
    assert failed.returncode == 7


def test_the_local_agent_leaves_no_token_anywhere(installation: Installation) -> None:
    script = "env; cat /proc/$PPID/environ /proc/$PPID/cmdline | tr '\\0' '\\n'; ls -l /proc/$PPID/fd; true"
    done = installation.run("build", "create", "--command", script, "--watch")
    for prefix in ("bkct_", "bkaa_", "bkua_"):
        assert f"{prefix}MTA" not in done.stdout
    assert "bkaj_ey" not in done.stdout  # the job's own token is redacted from its log


def test_token_life_on_the_command_line(installation: Installation) -> None:
    created = json.loads(
        installation.run("token", "create", "--description", "build machines", "--json").stdout
    )
    value = created["token"]
    connected = FakeAgent(installation.known()["url"], value).connect()
    listed = installation.run("token", "list").stdout
    assert "build machines" in listed
    assert value not in listed
    assert "build machines" in installation.run("token", "show", created["id"]).stdout
    assert "local" in installation.run("agent", "list").stdout
    installation.run("token", "revoke", created["id"], "--yes")
    refused = FakeAgent(installation.known()["url"], value, name="late").registered
    assert (refused.status, refused.body["code"]) == (401, "token_revoked")
    assert connected.call("GET", "/v3/ping").status == 200


def test_bad_use_says_what_to_do(installation: Installation, tmp_path: Path) -> None:
    second = installation.run(
        "serve", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", check=False
    )
    assert second.returncode == 1
    assert "data_in_use" in second.stderr
    nowhere = installation.run("serve", "--data", str(tmp_path / "none"), check=False)
    assert "watchword up" in nowhere.stderr
    blank = installation.run("token", "create", "--description", " ", check=False)
    assert blank.returncode == 1
    assert "description" in blank.stderr.lower()
    other = tmp_path / "other"
    other.mkdir()
    taken = installation.run(
        "up",
        "--data",
        str(other / "data"),
        "--credentials",
        str(installation.credentials),
        check=False,
    )
    assert "credentials_exist" in taken.stderr
    assert not (other / "data").exists()


def test_a_second_start_goes_on_with_what_is_there(tmp_path: Path, database: Database) -> None:
    installation = Installation(tmp_path, database.settings, "--no-agent").up()
    before = installation.known()
    connected = FakeAgent(before["url"], before["agent_token"]).connect()
    assert installation.down() == 0
    installation.output.unlink()
    installation.up()
    assert installation.known() == before
    assert connected.call("GET", "/v3/ping").status == 200
    bearer = Client(before["url"], before["api_access_token"], "Bearer")
    assert bearer.call("GET", "/v2/organizations").status == 200
    assert installation.down() == 0


def test_kill_and_start_again_loses_nothing_acknowledged(tmp_path: Path, database: Database) -> None:
    installation = Installation(tmp_path, database.settings, "--no-agent").up()
    known = installation.known()
    values = [
        json.loads(installation.run("token", "create", "--description", f"t{n}", "--json").stdout)
        for n in range(3)
    ]
    installation.run("token", "revoke", values[0]["id"], "--yes")
    assert installation.process is not None
    installation.process.kill()
    installation.process.wait()
    installation.output.unlink()
    installation.up()
    statuses = [FakeAgent(known["url"], each["token"]).registered.status for each in values]
    assert statuses == [401, 200, 200]
    assert installation.down() == 0


def test_the_tour_plays_to_its_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [*WATCHWORD, "tour"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert done.stdout.count("refused") == 2
    assert not list(tmp_path.glob("watchword-tour-*"))
