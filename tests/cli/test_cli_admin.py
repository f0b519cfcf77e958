"""`watchword admin`: the same with a running server, over its socket, and without one."""

import getpass
import io
import json
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import Client, FakeAgent, LiveServer
from watchword.app import Application
from watchword.cli import hostcalls
from watchword.cli.main import app
from watchword.crypto.values import Secret
from watchword.domain.errors import Refused, WatchwordError
from watchword.domain.events import SYSTEM, Action, Event
from watchword.domain.people import LinkPurpose
from watchword.edge.logging import configure
from watchword.host.sockets import SOCKET, ask
from watchword.opening import lock_data
from watchword.services.arriving import arrive
from watchword.services.context import Caller
from watchword.services.passwords import set_password_of

EMAIL = "admin@example.com"
PASSWORD = "correct horse battery"
CALLER = Caller(SYSTEM, "192.0.2.1")


class Host:
    """An installation, and the command on it; `running` says whether its server runs meanwhile."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], *, running: bool) -> None:
        self.folder = folder
        self.capture = capture
        self.running = running
        self.live: LiveServer | None = LiveServer(folder)
        self.first = self.live.first
        if not running:
            self.stop()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def stop(self) -> None:
        if self.live is not None:
            self.live.close()
            self.live = None

    def server(self) -> LiveServer:
        """The server, started where it did not run while the command did."""
        if self.live is None:
            self.live = LiveServer(self.folder)
            self.live.first = self.first
        return self.live

    def __call__(self, *words: str) -> str:
        """What the command prints to standard output."""
        self.errors = ""
        app(["admin", *words, "--data", str(self.data)], exit_on_error=False, result_action="return_value")
        out, self.errors = self.capture.readouterr()
        return out.strip()

    def refusal(self, *words: str) -> str:
        with pytest.raises(WatchwordError) as refused:
            self(*words)
        self.capture.readouterr()
        return refused.value.code

    def events(self, action: Action) -> list[Event]:
        server = self.server()
        organization = self.first.organization.id
        found = server.run(
            server.authority.context.store.read(lambda tx: tx.audit.events(organization, 0, 10_000))
        )
        return [event for event in found if event.action is action]


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Commands set logging up for a stream that lasts as long as their test."""
    configure("warning", "text", ("bk",), io.StringIO())
    yield
    configure("warning", "text", ("bk",), sys.__stderr__)


@pytest.fixture(params=[True, False], ids=["running", "stopped"])
def host(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Host]:
    made = Host(tmp_path, capsys, running=request.param)
    yield made
    made.stop()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))


def test_the_first_link_lets_the_first_administrator_in_until_somebody_can_sign_in(host: Host) -> None:
    first, url = host("first-link"), host("first-link")
    assert "hand it to nobody else" in host.errors
    server = host.server()
    context = server.authority.context
    assert url.startswith(f"{server.url.rpartition(':')[0]}:")
    assert "/welcome#" in url
    with pytest.raises(Refused):
        server.run(arrive(context, Secret(first.rpartition("#")[2]), Secret(PASSWORD), CALLER))
    value = Secret(url.rpartition("#")[2])
    signed = server.run(arrive(context, value, Secret(PASSWORD), CALLER))
    assert signed.user.email == EMAIL
    assert {event.actor_name for event in host.events(Action.USER_FIRST_LINK_MADE)} == {getpass.getuser()}
    assert host.refusal("first-link") == "not_first"


def test_recovery_signs_the_person_in_and_names_who_ran_it(host: Host) -> None:
    url = host("recover", EMAIL)
    value = Secret(url.rpartition("#")[2])
    server = host.server()
    signed = server.run(server.authority.signing_in.sign_in_by_link(value, LinkPurpose.RECOVER, CALLER))
    assert signed.user.email == EMAIL
    (event,) = host.events(Action.USER_RECOVERED)
    assert (event.actor_kind, event.actor_name) == ("system", getpass.getuser())
    assert host.refusal("recover", "eve@example.com") == "unknown_user"


def test_a_password_comes_from_standard_input_and_ends_sessions(host: Host, typed: None) -> None:
    del typed
    assert host("password", EMAIL) == ""
    assert "0 sessions ended" in host.errors
    assert PASSWORD not in host.errors
    server = host.server()
    signing_in = server.authority.signing_in
    server.run(signing_in.sign_in(EMAIL, Secret(PASSWORD), CALLER))
    if not host.running:
        host.stop()
    shown = json.loads(host("sessions", EMAIL, "--json"))["sessions"]
    assert [one["address"] for one in shown] == [CALLER.address]
    assert "192.0.2.1" in host("sessions", EMAIL)
    host("sessions", EMAIL, "--end")
    assert "1 sessions" in host.errors
    assert json.loads(host("sessions", EMAIL, "--json")) == {"sessions": []}


def test_people_are_created_listed_disabled_and_enabled(host: Host) -> None:
    url = host("user", "create", "bob@example.com", "--name", "Bob", "--role", "admin")
    assert "/welcome#" in url
    host("user", "disable", "bob@example.com")
    rows = host("user", "list").splitlines()
    assert rows[1].split("\t")[:5] == [EMAIL, "Ada Admin", "acme (admin)", "no", "no"]
    bob = json.loads(host("user", "list", "--json"))["users"][1]
    assert (bob["email"], bob["organizations"]) == ("bob@example.com", {"acme": "admin"})
    assert bob["disabled_at"] is not None
    host("user", "enable", "bob@example.com")
    assert json.loads(host("user", "list", "--json"))["users"][1]["disabled_at"] is None
    assert host.refusal("user", "create", "BOB@example.com", "--name", "B") == "taken"
    named = ("user", "create", "c@example.com", "--name", "C", "--organization", "umbrella")
    assert host.refusal(*named) == "unknown_organization"


def test_a_lost_administrators_token_is_replaced(host: Host) -> None:
    value = host("api-token", "create", "--days", "1")
    assert EMAIL in host.errors
    answer = Client(host.server().url, value, "Bearer").call("GET", "/v2/organizations/acme")
    assert answer.status == 200
    if not host.running:
        host.stop()
    assert host.refusal("api-token", "create", "--days", "0") == "invalid_days"
    assert host.refusal("api-token", "create", "--email", "eve@example.com") == "unknown_user"
    host("user", "disable", EMAIL)
    assert host.refusal("api-token", "create") == "no_administrator"
    assert host.refusal("api-token", "create", "--email", EMAIL) == "user_disabled"


def test_the_second_factor_is_reset(host: Host) -> None:
    host("two-factor", "reset", EMAIL)
    assert "off already" in host.errors


def test_reveals_follow_the_policy(host: Host) -> None:
    shown = json.loads(host("reveal-policy", "--json"))
    assert {one["kind"]: one["policy"] for one in shown["kinds"]}["agent"] == "once"
    assert host.refusal("reveal-policy", "api_access", "revealable") == "never_revealable"
    assert host.refusal("reveal-policy", "nothing", "once") == "unknown_kind"
    assert host.refusal("reveal-policy", "agent") == "choice_missing"
    first = host.first.agent_token.token.id
    assert host.refusal("reveal", first, "--reason", "lost") == "not_revealable"
    host("reveal-policy", "agent", "revealable")
    issued = host.server().issue()
    if not host.running:
        host.stop()
    assert host("reveal", issued.token.id, "--reason", "lost") == issued.value.reveal()
    assert issued.value.reveal() not in host.errors
    host("reveal-policy", "agent", "once", "--organization", "acme")
    assert "1 copies destroyed" in host.errors
    assert host.refusal("reveal", issued.token.id, "--reason", "lost") == "not_revealable"
    (event,) = host.events(Action.TOKEN_REVEALED)
    assert event.subject_id == issued.token.id


def test_mail_is_listed_with_what_became_of_it(host: Host) -> None:
    server = host.server()
    context = server.authority.context
    server.run(set_password_of(context, CALLER, EMAIL, Secret(PASSWORD)))
    if not host.running:
        host.stop()
    (mail,) = json.loads(host("mail", "--json"))["mail"]
    assert (mail["to"], mail["subject"]) == (EMAIL, "Your password was changed")
    assert mail["state"] in ("waiting", "sent")
    assert "Your password was changed" in host("mail", "--limit", "1")


# -- the socket --------------------------------------------------------------------------------------


@pytest.fixture
def deep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Host]:
    """A running server whose folder has a longer name than a socket's address may."""
    folder = tmp_path / ("long-" * 40)
    folder.mkdir()
    made = Host(folder, capsys, running=True)
    yield made
    made.stop()


def test_only_the_servers_user_reaches_the_socket_and_it_goes_with_the_server(deep: Host) -> None:
    path = deep.data / SOCKET
    assert len(str(path)) > 107
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert EMAIL in deep("user", "list")
    deep.stop()
    assert not path.exists()
    assert ask(deep.data, b"{}") is None


@pytest.mark.parametrize("request_line", [b"", b"{", b"[]", b'{"operation":"no such thing"}', b'{"x":1}'])
def test_what_is_no_request_is_answered_with_an_error(deep: Host, request_line: bytes) -> None:
    answer = json.loads(ask(deep.data, request_line) or b"")
    assert (answer["result"], answer["code"]) == (None, "unknown")
    broken = json.loads(ask(deep.data, b'{"operation":"recover","arguments":{"who":"eve"}}') or b"")
    assert broken["code"] == "internal_error"


def test_a_socket_that_a_killed_server_left_is_no_server(tmp_path: Path, capsys: Any) -> None:
    host = Host(tmp_path, capsys, running=False)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(host.data / SOCKET))
    left.close()
    assert EMAIL in host("user", "list")
    host.server()
    assert EMAIL in host("user", "list")
    host.stop()


def test_a_folder_that_is_held_by_a_server_that_does_not_listen_is_left_alone(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, capsys, running=False)
    monkeypatch.setattr(hostcalls, "_PAUSE_SECONDS", 0.001)
    with lock_data(host.data):
        assert host.refusal("user", "list") == "data_in_use"


def test_no_installation_is_made_by_looking_for_one(tmp_path: Path, capsys: Any) -> None:
    host = Host(tmp_path, capsys, running=False)
    host.folder = tmp_path / "elsewhere"
    assert host.refusal("user", "list") == "no_installation"
    assert not host.folder.exists()


def test_a_used_link_is_refused_by_the_server(deep: Host) -> None:
    value = Secret(deep("recover", EMAIL).rpartition("#")[2])
    server = deep.server()
    signing_in = server.authority.signing_in
    server.run(signing_in.sign_in_by_link(value, LinkPurpose.RECOVER, CALLER))
    with pytest.raises(Refused, match="not valid"):
        server.run(signing_in.sign_in_by_link(value, LinkPurpose.RECOVER, CALLER))


def test_the_command_in_process_is_the_servers_own_code(tmp_path: Path, capsys: Any) -> None:
    """What is asked without a server goes through the same desk as what its socket hears."""
    host = Host(tmp_path, capsys, running=False)
    opened: list[object] = []
    original = Application.close

    async def close(application: Application) -> None:
        opened.append(application)
        await original(application)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Application, "close", close)
        host("user", "list")
    assert len(opened) == 1


def keys_of(host: Host, purpose: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(host("keys", "list", "--json"))["keys"] if one["purpose"] == purpose]


def published(server: LiveServer) -> list[str]:
    found = Client(server.url).call("GET", "/.well-known/jwks").body["keys"]
    return [key["kid"] for key in found]


def test_a_new_key_of_job_identity_is_published_before_it_signs(host: Host) -> None:
    (first,) = keys_of(host, "identity")
    assert "signs from 20" in (host("keys", "rotate", "identity") + host.errors)
    _, second = keys_of(host, "identity")
    assert [first["state"], second["state"]] == ["signing", "coming"]
    assert published(host.server()) == [first["kid"], second["kid"]]
    (event,) = host.events(Action.SIGNING_KEY_ROTATED)
    assert second["kid"] in event.data


def test_a_key_that_others_have_is_replaced_at_once_and_withdrawn(host: Host) -> None:
    assert host.refusal("keys", "withdraw", "1") == "key_signs"
    host("keys", "rotate", "identity", "--now")
    assert [one["state"] for one in keys_of(host, "identity")] == ["published", "signing"]
    host("keys", "withdraw", "1")
    first, second = keys_of(host, "identity")
    assert [first["state"], second["state"]] == ["withdrawn", "signing"]
    assert published(host.server()) == [second["kid"]]
    assert host.refusal("keys", "withdraw", "9") == "unknown_key"
    assert len(host.events(Action.SIGNING_KEY_WITHDRAWN)) == 1


def test_the_other_keys_take_over_at_once_and_a_running_job_goes_on(host: Host) -> None:
    server = host.server()
    server.create_build("true")
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    job = agent.accept()
    if not host.running:
        host.stop()
    host("keys", "rotate", "job-token")
    assert [one["state"] for one in keys_of(host, "job-token")] == ["verifying", "signing"]
    agent.url = host.server().url
    assert agent.on_job("PUT", f"/v3/jobs/{job}/start", {}).status == 200
    assert host.refusal("keys", "rotate", "identity", "--hours", "721") == "invalid_hours"
