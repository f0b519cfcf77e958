"""Backups while the server runs, and bringing them back: nothing is lost, nothing revoked comes back."""

import json
import shutil
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import Client, FakeAgent, LiveServer
from surfaces.artifact_agent import Uploader, exchange
from watchword.app import Application, run
from watchword.cli.main import app
from watchword.crypto.keys import KeyRing, Purpose
from watchword.domain.errors import WatchwordError
from watchword.settings import load


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path)
    yield made
    made.close()


def watchword(*arguments: object) -> int:
    """Run the command; its exit status."""
    try:
        app([str(argument) for argument in arguments], exit_on_error=False, result_action="return_value")
    except WatchwordError as error:
        sys.stderr.write(error.message)
        return 1
    return 0


class Place:
    """Folders of one test, and the command on them."""

    def __init__(self, folder: Path) -> None:
        self.data, self.backup, self.again = folder / "data", folder / "backup", folder / "again" / "data"

    def back_up(self, *more: object) -> int:
        return watchword("backup", self.backup, "--data", self.data, *more)

    def restore(self, *more: object) -> int:
        return watchword("restore", self.backup, "--data", self.again, *more)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def modes(folder: Path) -> set[int]:
    paths = [folder, *folder.rglob("*")]
    return {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in paths}


def test_a_backup_of_a_running_server_is_served_again(live: LiveServer, place: Place) -> None:
    job = Uploader(live)
    job.upload("dir/a.txt", b"1234")
    value = live.first.api_token.value.reveal()
    assert place.back_up("--with-keys", "--quiet") == 0
    assert modes(place.backup) == {0}
    assert place.restore("--tokens", "keep") == 0
    again = LiveServer(place.again.parent)
    again.first = live.first
    path = f"/v2/organizations/acme/jobs/{job.job}/artifacts"
    client = Client(again.url, value, "Bearer")
    (found,) = client.call("GET", path).body
    download = client.call("GET", f"{path}/{found['id']}/download").body["url"]
    assert exchange("GET", download).body == b"1234"
    assert again.job(job.job) == live.job(job.job)
    again.close()


def test_a_backup_is_one_moment_while_much_is_written(live: LiveServer, place: Place) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            live.create_build("one", "two")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert place.back_up("--quiet") == 0
    finally:
        stop.set()
        writer.join()
    connection = sqlite3.connect(place.backup / "watchword.db")
    (builds,) = connection.execute("SELECT count(*) FROM builds").fetchone()
    (jobs,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
    (number,) = connection.execute("SELECT max(number) FROM builds").fetchone()
    connection.close()
    assert (jobs, number or 0) == (2 * builds, builds)


def test_revoked_tokens_do_not_come_back(
    live: LiveServer, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    leaked = live.issue()
    agent = FakeAgent(live.url, live.first.agent_token.value.reveal()).connect()
    live.create_build("true")
    agent.accept()
    assert place.back_up("--with-keys", "--quiet") == 0
    live.revoke(leaked.token)
    assert place.restore() == 1
    assert "--tokens" in capsys.readouterr().err
    assert not place.again.exists()
    assert place.restore("--tokens", "revoke") == 0
    printed = capsys.readouterr().out
    fresh = printed.partition("shown once: ")[2].split()[0]
    again = LiveServer(place.again.parent)
    first = live.first
    for value in (leaked.value, first.agent_token.value):
        assert FakeAgent(again.url, value.reveal()).registered.status == 401
    old = Client(again.url, first.api_token.value.reveal(), "Bearer")
    assert old.call("GET", "/v2/user").status == 401
    for text in (agent.session, agent.job_token):
        answer = Client(again.url, text).call("GET", "/v3/ping")
        assert answer.status == 401
    new = Client(again.url, fresh, "Bearer")
    assert new.call("GET", "/v2/user").body["email"] == "admin@example.com"
    again.close()


def test_keys_of_job_identity_that_may_have_been_withdrawn_do_not_come_back(
    live: LiveServer, place: Place
) -> None:
    assert place.back_up("--with-keys", "--quiet") == 0
    assert place.restore("--tokens", "revoke") == 0
    kept = KeyRing.load(place.again / "keys.json")
    assert [key.withdrawn for key in kept.all(Purpose.IDENTITY)] == [True, False]
    again = LiveServer(place.again.parent)
    (before,) = Client(live.url).call("GET", "/.well-known/jwks").body["keys"]
    (after,) = Client(again.url).call("GET", "/.well-known/jwks").body["keys"]
    again.close()
    assert before["kid"] != after["kid"]


@pytest.mark.usefixtures("live")
def test_a_restore_that_was_cut_off_is_not_served(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.back_up("--with-keys", "--quiet") == 0

    async def fail(_authority: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr("watchword.cli.backups.renew", fail)
        with pytest.raises(InterruptedError):
            place.restore("--tokens", "revoke")

    async def serve() -> None:
        application = await Application.open(load(environment={}, given={"data": place.again}))
        try:
            await application.serve()
        finally:
            await application.close()

    with pytest.raises(Exception, match="did not end"):
        run(serve())
    assert place.restore("--tokens", "revoke", "--force") == 0
    LiveServer(place.again.parent).close()


@pytest.mark.parametrize("damage", ["database", "manifest", "artifact", "keys"])
def test_a_backup_that_is_not_whole_is_refused_before_anything_is_touched(
    live: LiveServer, place: Place, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Uploader(live).upload("a", b"1234")
    assert place.back_up("--with-keys", "--quiet") == 0
    if damage == "database":
        with (place.backup / "watchword.db").open("r+b") as file:
            file.seek(5000)
            file.write(b"\xff" * 100)
    elif damage == "manifest":
        document = json.loads((place.backup / "manifest.json").read_text())
        (place.backup / "manifest.json").write_text(json.dumps(document | {"schema": "9999"}))
    elif damage == "artifact":
        next(path for path in (place.backup / "objects").rglob("*") if path.is_file()).unlink()
    else:
        (place.backup / "keys.json").unlink()
    assert place.restore("--tokens", "keep") == 1
    assert str(place.backup) in capsys.readouterr().err
    assert not place.again.exists()


@pytest.mark.usefixtures("live")
def test_keys_kept_apart_are_named(place: Place, tmp_path: Path) -> None:
    assert place.back_up("--quiet") == 0
    assert not (place.backup / "keys.json").exists()
    assert place.restore("--tokens", "keep") == 1
    kept = tmp_path / "kept.json"
    shutil.copy(place.data / "keys.json", kept)
    assert place.restore("--tokens", "keep", "--keys", kept) == 0
    assert (place.again / "keys.json").read_bytes() == kept.read_bytes()


@pytest.mark.usefixtures("live")
def test_what_is_there_is_left_alone_or_moved_aside(place: Place) -> None:
    assert place.back_up("--with-keys", "--quiet") == 0
    assert place.back_up("--quiet") == 1  # a backup is a new folder
    assert place.restore("--tokens", "keep") == 0
    (place.again / "note").write_text("mine")
    assert place.restore("--tokens", "keep") == 1
    assert (place.again / "note").exists()
    assert place.restore("--tokens", "keep", "--force") == 0
    (aside,) = place.again.glob("before-restore-*")
    assert {path.name for path in aside.iterdir()} >= {"note", "watchword.db", "keys.json"}
    assert modes(place.again / "watchword.db") | modes(place.again / "keys.json") == {0}


def test_nothing_is_restored_under_a_running_server(live: LiveServer, place: Place) -> None:
    assert place.back_up("--with-keys", "--quiet") == 0
    place.again = place.data
    assert place.restore("--tokens", "keep", "--force") == 1
    assert live.create_build("true")


def test_a_folder_without_an_installation_has_no_backup(place: Place) -> None:
    assert place.back_up() == 1
    assert not place.backup.exists()
