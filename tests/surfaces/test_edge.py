"""The edge: client addresses, limits, ids, errors, logs and metrics, on a real socket."""

import socket
from pathlib import Path

import pytest

from support import Client, FakeAgent, LiveServer
from watchword.app import Application
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.opening import DataInUse
from watchword.settings import SettingsError, load


def bound(server: LiveServer) -> str:
    return server.issue(restrictions=Restrictions(parse_networks("192.0.2.0/24"))).value.reveal()


def register(server: LiveServer, value: str, *forwarded: str) -> int:
    """Register with X-Forwarded-For lines as given, on a bare socket, so that lines can repeat."""
    body = b'{"name":"a","version":"3.137.0"}'
    lines = "".join(f"X-Forwarded-For: {line}\r\n" for line in forwarded)
    head = (
        f"POST /v3/register HTTP/1.1\r\nHost: x\r\nAuthorization: Token {value}\r\n{lines}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(server.settings.address, timeout=10) as connection:
        connection.sendall(head.encode() + body)
        return int(connection.makefile("rb").readline().split()[1])


def test_forwarded_header_of_an_untrusted_peer_is_ignored(server: LiveServer) -> None:
    value = bound(server)
    assert register(server, value, "192.0.2.7") == 403
    assert register(server, value, "192.0.2.7, 192.0.2.8", "192.0.2.9") == 403


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (("192.0.2.7",), 200),
        (("203.0.113.9, 192.0.2.7",), 200),
        (("203.0.113.9", "192.0.2.7"), 200),
        (("192.0.2.7, 203.0.113.9",), 403),  # what the client wrote itself stands on the left
        (("192.0.2.7", "203.0.113.9"), 403),
        (("192.0.2.7, 127.0.0.9",), 200),  # a second trusted proxy on the way
        (("192.0.2.7, unknown",), 403),
        (("192.0.2.7, ",), 403),
        (("127.0.0.5",), 403),  # only proxies in the chain: ambiguous
        ((), 403),
        (("::ffff:192.0.2.7",), 200),
        (("192.0.2.7:1234",), 403),
    ],
)
def test_right_most_untrusted_address_counts(tmp_path: Path, forwarded: tuple[str, ...], status: int) -> None:
    server = LiveServer(tmp_path, trusted_proxies="127.0.0.0/8")
    assert register(server, bound(server), *forwarded) == status
    assert register(server, server.first.agent_token.value.reveal(), *forwarded) == 200
    server.close()


def test_oversized_body_is_refused_and_nothing_is_half_done(server: LiveServer) -> None:
    value = server.first.agent_token.value.reveal()
    huge = Client(server.url, value).call("POST", "/v3/register", b'{"name":"' + b"x" * 200_000 + b'"}')
    assert (huge.status, huge.body["code"]) == (413, "body_too_large")
    assert not server.authority.fleet.agents


def test_truncated_body_is_no_request(server: LiveServer) -> None:
    value = server.first.agent_token.value.reveal()
    with socket.create_connection(server.settings.address, timeout=10) as connection:
        head = f"POST /v3/register HTTP/1.1\r\nHost: x\r\nAuthorization: Token {value}\r\n"
        connection.sendall(f'{head}Content-Length: 100\r\n\r\n{{"name"'.encode())
    assert Client(server.url).call("GET", "/healthz").status == 200
    assert not server.authority.fleet.agents


def test_oversized_headers_are_refused(server: LiveServer) -> None:
    with socket.create_connection(server.settings.address, timeout=10) as connection:
        connection.sendall(b"GET /v3/ping HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")
        # Refused before anything of ours runs: an error status, or the connection is closed.
        assert connection.recv(64).split()[1:2] in ([b"431"], [b"400"], [])
    assert not server.application.meter.answers
    assert Client(server.url).call("GET", "/healthz").status == 200


def test_doubled_authorization_is_refused(server: LiveServer) -> None:
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    with socket.create_connection(server.settings.address, timeout=10) as connection:
        line = f"Authorization: Token {agent.session}\r\n"
        connection.sendall(f"GET /v3/ping HTTP/1.1\r\nHost: x\r\n{line}{line}\r\n".encode())
        assert b"header_twice" in connection.recv(4096)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b"[1]", 422, "invalid_body"),
        (b'"text"', 422, "invalid_body"),
        (b'{"name": 5}', 422, "invalid_body"),
        (b'{"meta_data": "queue=default"}', 422, "invalid_body"),
        (b'{"priority": "high"}', 422, "invalid_priority"),
        (b'{"meta_data": ["queue=a", "queue=b"]}', 422, "two_queues"),
        (b'{"meta_data": [""]}', 422, "invalid_tag"),
        (b'{"name": "' + b"n" * 300 + b'"}', 422, "name_too_long"),
        (b'{"name": "\xff"}', 400, "bad_json"),
        (b"[" * 60_000, 422, "invalid_body"),
        (b'{"x": ' + b"[" * 60_000, 400, "bad_json"),
    ],
)
def test_bad_registrations(server: LiveServer, body: bytes, status: int, code: str) -> None:
    answer = Client(server.url, server.first.agent_token.value.reveal()).call("POST", "/v3/register", body)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert answer.body["message"]
    assert not server.authority.fleet.agents


def test_bad_bodies_on_job_routes_change_nothing(server: LiveServer) -> None:
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    server.create_build("true")
    job = agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    base = f"/v3/jobs/{job}"
    for method, path, body, status in (
        ("PUT", f"{base}/finish", b"{}", 422),
        ("PUT", f"{base}/finish", b'{"exit_status": "zero"}', 422),
        ("PUT", f"{base}/finish", b'{"exit_status": null}', 422),
        ("PUT", f"{base}/finish", b"not json", 400),
        ("POST", f"{base}/annotations", b'{"style": "loud", "body": "x"}', 422),
        ("POST", f"{base}/annotations", b'{"body": "x", "priority": 11}', 422),
        ("POST", f"{base}/annotations", b'{"context": "none here"}', 422),
        ("POST", f"{base}/annotations", b'{"body": "x", "scope": "world"}', 422),
        ("DELETE", f"{base}/annotations/x?scope=world", b"", 422),
        ("POST", f"{base}/data/set", b'{"key": " ", "value": "v"}', 422),
        ("POST", f"{base}/data/set", b'{"key": "k", "value": ""}', 422),
        ("POST", f"{base}/data/set", b'{"key": "k"}', 422),
        ("POST", f"{base}/data/get", b"{}", 422),
        ("POST", f"{base}/chunks", b"x", 400),
        ("POST", f"{base}/chunks?sequence=1&offset=-1", b"x", 400),
        ("POST", f"{base}/chunks?sequence=1&offset=0&size=9", b"x", 400),
    ):
        answer = agent.on_job(method, path, body)
        assert answer.status == status, (path, body, answer)
        assert answer.body["code"], (path, body)
        assert answer.body["message"], (path, body)
    gzipped = {"content-encoding": "gzip"}
    assert agent.on_job("POST", f"{base}/chunks?sequence=1&offset=0", b"junk", headers=gzipped).status == 400
    assert server.job(job).state == "running"
    assert server.job(job).log_size == 0


def test_a_gzip_bomb_is_refused(server: LiveServer) -> None:
    import gzip  # noqa: PLC0415 - this test alone

    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    server.create_build("true")
    job = agent.accept()
    bomb = gzip.compress(b"\0" * 50_000_000)
    headers = {"content-encoding": "gzip"}
    answer = agent.on_job("POST", f"/v3/jobs/{job}/chunks?sequence=1&offset=0", bomb, headers=headers)
    assert (answer.status, answer.body["code"]) == (413, "chunk_too_large")


def test_unknown_paths_and_methods(server: LiveServer) -> None:
    client = Client(server.url)
    assert client.call("GET", "/v3/nothing").status == 404
    wrong = client.call("DELETE", "/v3/ping")
    assert (wrong.status, wrong.headers["allow"], wrong.body["code"]) == (405, "GET", "method_not_allowed")
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    assert agent.call("GET", "/v3/ping/").status == 200
    assert agent.call("GET", "//v3//ping").status == 200


def test_answers_carry_request_ids_and_are_never_kept(server: LiveServer) -> None:
    answer = Client(server.url).call("GET", "/v3/ping", headers={"x-request-id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.headers["cache-control"] == "no-store"
    strange = Client(server.url).call("GET", "/v3/ping", headers={"x-request-id": "a b\t<script>"})
    assert strange.headers["x-request-id"] != "a b\t<script>"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_metrics_count_answers_and_refusals(server: LiveServer) -> None:
    client = Client(server.url)
    client.call("GET", "/v3/ping")
    text = client.call("GET", "/metrics").body
    assert 'watchword_requests_total{route="GET /v3/ping",status="401"} 1.0' in text
    assert 'watchword_refusals_total{code="token_missing"} 1.0' in text
    assert "watchword_agents 0.0" in text
    assert client.call("GET", "/readyz").body == {"status": "ready"}


def test_one_server_per_data_folder(server: LiveServer) -> None:
    with pytest.raises(DataInUse):
        server.run(Application.open(server.settings))


@pytest.mark.parametrize(
    "given",
    [
        {"listen": "8080"},
        {"listen": "127.0.0.1:99999"},
        {"ping_interval": 0},
        {"tls_cert": "a.pem"},
        {"brand": "No Brand"},
        {"trusted_proxies": "10.0.0.1/8"},
        {"log_level": "loud"},
        {"ping_interval": "soon"},
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment={}, given=given)
    assert next(iter(given)).split("_")[0] in caught.value.message


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    file = tmp_path / "watchword.toml"
    file.write_text('ping_interval = 3\nheartbeat_interval = 30\ncell = 7\nbrand = "ww"\n')
    environment = {"WATCHWORD_PING_INTERVAL": "4", "WATCHWORD_CELL": "8"}
    settings = load(file, environment, {"cell": 9})
    found = (settings.heartbeat_interval, settings.ping_interval, settings.cell, settings.brand)
    assert found == (30, 4, 9, "ww")
    file.write_text("nonsense = 1\n")
    with pytest.raises(SettingsError, match="nonsense"):
        load(file, {}, {})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_in_pieces_is_one_body(server: LiveServer, chunked: bool) -> None:  # noqa: FBT001
    value = server.first.agent_token.value.reveal()
    body = b'{"name": "in pieces", "version": "3.137.0", "os": "' + b"o" * 30_000 + b'"}'
    pieces = [body[:1], body[1:10], body[10:20_000], body[20_000:]]
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = f"POST /v3/register HTTP/1.1\r\nHost: x\r\nAuthorization: Token {value}\r\n{length}\r\n\r\n"
    with socket.create_connection(server.settings.address, timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head.encode())
        for piece in pieces:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        answer = connection.makefile("rb")
        assert answer.readline().split()[1] == b"200"
        # The connection is whole afterwards: nothing of the body is taken for the next request.
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'{"status":"ok"}' in answer.read()
    assert [agent.id for agent in server.authority.fleet.agents.values()]
