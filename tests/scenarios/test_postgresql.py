"""A server on PostgreSQL: its password stays where it belongs, it is alone there, and ends when it is not."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import PostgresDatabase, PostgresServer
from scenarios.installation import WATCHWORD, Installation
from support import Client, FakeAgent, LiveServer
from watchword.opening import DatabaseLost, DataInUse

PASSWORD = "s3cr3t-p4ss"


@pytest.fixture
def make_of_database() -> str:
    return "postgresql"


@pytest.fixture
def kept(postgresql: PostgresServer) -> Iterator[str]:
    """The address, with its password, of a database that belongs to a user of its own."""
    cluster = postgresql.cluster
    cluster.sql(f"DROP ROLE IF EXISTS keeper; CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'")
    cluster.sql("CREATE DATABASE kept OWNER keeper")
    yield cluster.url("kept", "keeper", PASSWORD)
    cluster.sql("DROP DATABASE kept WITH (FORCE)")
    cluster.sql("DROP ROLE keeper")


def test_the_password_reaches_neither_output_nor_agent_nor_job(tmp_path: Path, kept: str) -> None:
    installation = Installation(tmp_path, {"database": kept}).up()
    script = "env; cat /proc/$PPID/environ | tr '\\0' '\\n'; cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '"
    done = installation.run("build", "create", "--command", script, "--watch")
    assert installation.down() == 0
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert "WATCHWORD_DATABASE" not in done.stdout
    assert PASSWORD not in done.stdout + done.stderr + installation.output.read_text()
    assert not any(PASSWORD.encode() in content for content in written)


def test_a_password_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for address in (f"postgresql://u:{PASSWORD}@host/name", f"postgresql://u@host/name?password={PASSWORD}"):
        done = subprocess.run(
            [*WATCHWORD, "serve", "--data", str(tmp_path / "data"), "--database", address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "password_on_command_line" in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        assert not (tmp_path / "data").exists()


def test_one_server_per_database(tmp_path: Path, database: PostgresDatabase) -> None:
    server = LiveServer(tmp_path, **database.settings)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(DataInUse):
        LiveServer(tmp_path / "elsewhere", **database.settings)
    server.close()
    again = LiveServer(tmp_path, **database.settings)
    again.close()


def test_a_server_whose_lock_is_lost_ends(tmp_path: Path, database: PostgresDatabase) -> None:
    server = LiveServer(tmp_path, **database.settings)
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    assert agent.call("GET", "/v3/ping").status == 200
    database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    server.wait()
    assert isinstance(server.failed, DatabaseLost)
    with pytest.raises(OSError, match=r"refused|reset"):
        Client(server.url).call("GET", "/healthz")
    again = LiveServer(tmp_path, listen=server.settings.listen, **database.settings)
    assert agent.call("GET", "/v3/ping").status == 200
    again.close()


def test_a_server_outlives_a_restart_of_its_other_connections(
    tmp_path: Path, database: PostgresDatabase
) -> None:
    server = LiveServer(tmp_path, **database.settings)
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
    )
    server.create_build("true")
    agent.run()
    assert Client(server.url).call("GET", "/readyz").status == 200
    server.close()


def test_a_fresh_data_folder_does_not_go_with_a_used_database(
    tmp_path: Path, database: PostgresDatabase
) -> None:
    """Its keys are gone: what is sealed in it could not be opened, and no session would pass."""
    LiveServer(tmp_path, **database.settings).close()
    environment = {"WATCHWORD_DATABASE": database.url, "HOME": str(tmp_path), "PATH": ""}
    for command, code in (("serve", "no_installation"), ("up", "key_file")):
        done = subprocess.run(
            [sys.executable, "-m", "watchword", command, "--data", str(tmp_path / "fresh")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert code in done.stderr, json.dumps(done.stderr)
