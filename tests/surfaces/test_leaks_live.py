"""Reports of leaks on a real socket: in whatever case, from whoever hangs up, and as the scanner asks."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leaks_client import make_key, match
from support import Client, LiveServer
from watchword.cli import client as client_module
from watchword.cli.client import Credentials
from watchword.cli.partnerstand import PartnerStand
from watchword.cli.scanserver import live
from watchword.crypto.values import Secret, digest, mint
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.services.context import LOCAL
from watchword.services.issuing import issue_api_token
from watchword.store.base import Transaction

MANY = 120


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    stand = PartnerStand([(make_key("current"), True)])
    reporters = json.dumps([{"name": "github", "type": "github", "keys": stand.url}])
    made = LiveServer(tmp_path, leak_reporters=reporters)
    yield made
    made.close()
    stand.close()


def issue(server: LiveServer, count: int) -> list[tuple[Token, Secret]]:
    context, first = server.authority.context, server.first

    async def work(tx: Transaction) -> list[tuple[Token, Secret]]:
        organization, admin = first.organization.id, first.admin.id
        made = [
            await issue_api_token(context, tx, LOCAL, organization, admin, "leaked", ("read_user",), 0)
            for _ in range(count)
        ]
        return [(one.token, one.value) for one in made]

    return server.run(context.store.write(work))


def raw(values: list[Secret]) -> bytes:
    """A report with its headers spelt as a proxy may spell them."""
    body = json.dumps([match(value) for value in values]).encode()
    key = make_key("current")
    return (
        "POST /leaks/partners/github HTTP/1.1\r\nHost: leaks.example.com\r\nAccept: */*\r\n"
        f"content-LENGTH: {len(body)}\r\nContent-Type: application/json\r\n"
        f"GITHUB-PUBLIC-KEY-IDENTIFIER: {key.id}\r\n"
        f"github-public-key-signature: {key.sign(body)}\r\n\r\n"
    ).encode() + body


def test_header_names_are_read_in_any_case_and_the_token_is_refused_when_the_answer_comes(
    server: LiveServer,
) -> None:
    ((_, value),) = issue(server, 1)
    client = Client(server.url, value.reveal(), "Bearer")
    assert client.call("GET", "/v2/access-token").status == 200
    with socket.create_connection(server.settings.address, timeout=10) as connection:
        connection.sendall(raw([value]))
        assert connection.recv(4096).split()[1] == b"200"
    assert client.call("GET", "/v2/access-token").status == 401


def test_a_report_is_worked_off_although_its_sender_hangs_up(server: LiveServer) -> None:
    issued = issue(server, MANY)
    with socket.create_connection(server.settings.address, timeout=10) as connection:
        connection.sendall(raw([value for _, value in issued]))
    store = server.authority.context.store

    async def states(tx: Transaction) -> set[State]:
        found = [await tx.tokens.find(token.organization_id, token.id) for token, _ in issued]
        return {one.state for one in found if one is not None}

    until = time.monotonic() + 20
    while (found := server.run(store.read(states))) != {State.REVOKED} and time.monotonic() < until:
        time.sleep(0.02)
    assert found == {State.REVOKED}


def test_the_scanner_asks_and_is_answered(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ((token, value),) = issue(server, 1)
    known, strange = digest(value.reveal()), digest(mint(Kind.AGENT).reveal())
    monkeypatch.chdir(server.settings.data)  # where no credentials lie about
    for name in ("CREDENTIALS", "TOKEN"):
        monkeypatch.delenv(f"WATCHWORD_{name}", raising=False)
    monkeypatch.setenv("WATCHWORD_URL", server.url)
    opened: list[httpx.Client] = []  # a command ends with its process; here they are closed
    real = client_module.open_http

    def opening(where: Credentials) -> httpx.Client:
        opened.append(real(where))
        return opened[-1]

    monkeypatch.setattr(client_module, "open_http", opening)
    found = live([known, strange], None)
    assert set(found) == {known}
    assert (found[known].kind, found[known].state, found[known].token) == ("api_access", "active", None)
    monkeypatch.setenv("WATCHWORD_TOKEN", server.first.api_token.value.reveal())
    told = live([known], None)[known].token
    assert told is not None
    assert told["id"] == token.id
    assert Client(server.url).call("POST", "/leaks/revoke", {"token": value.reveal()}).status == 200
    assert live([known], None)[known].state == "revoked"
    for each in opened:
        each.close()
