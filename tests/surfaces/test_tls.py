"""TLS by certificate and key, on HTTP/1.1 and with the agents' ALPN."""

import http.client
import ssl
import subprocess
from pathlib import Path

from ping_listener import PATH
from support import LiveServer
from tls_stand_in import certificate
from watchword.domain.kinds import Kind
from watchword.domain.pingframes import Action, Told, request_frame, told_frame
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register


def test_tls_serves_and_refuses_plain_text(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    server = LiveServer(tmp_path, tls_cert=cert, tls_key=key)
    assert server.url.startswith("https://")
    context = ssl.create_default_context(cafile=str(cert))
    connection = http.client.HTTPSConnection(server.url.removeprefix("https://"), context=context, timeout=10)
    connection.request(
        "GET", "/v3/token", headers={"authorization": f"Token {server.first.agent_token.value.reveal()}"}
    )
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"Initial agent token" in answer.read()
    connection.close()
    plain = http.client.HTTPConnection(server.url.removeprefix("https://"), timeout=10)
    try:
        plain.request("GET", "/healthz")
        plain.getresponse()
    except (http.client.HTTPException, OSError):
        pass
    else:
        raise AssertionError("plain text was answered on the TLS port")
    finally:
        plain.close()
    server.close()


def test_alpn_offers_http2(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    server = LiveServer(tmp_path, tls_cert=cert, tls_key=key)
    context = ssl.create_default_context(cafile=str(cert))
    context.set_alpn_protocols(["h2", "http/1.1"])
    import socket  # noqa: PLC0415 - this test alone

    with (
        socket.create_connection(server.settings.address, timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"
    server.close()


def test_streams_of_pings_run_over_http2(tmp_path: Path) -> None:
    """As agents open them where the endpoint is https: their client negotiates HTTP/2."""
    cert, key = certificate(tmp_path)
    server = LiveServer(tmp_path, tls_cert=cert, tls_key=key)
    context, first = server.authority.context, server.first
    presented = server.run(
        server.authority.verifier.verify(first.agent_token.value.reveal(), (Kind.AGENT,), address=None)
    )
    asked = Registration(name="one", hostname="host", version="3.137.0")
    joined = server.run(register(context, server.authority.fleet, LOCAL, presented, asked))
    server.run(server.authority.fleet.connect(LOCAL, first.organization.id, joined.agent.id))
    _, (job,) = server.create_build("one")
    (tmp_path / "request").write_bytes(request_frame(joined.agent.id))
    head, body = tmp_path / "head", told_frame(Told(Action.RESUME)) + told_frame(Told(Action.JOB, job.id))
    words = ["curl", "--silent", "--no-buffer", "--http2", "--cacert", str(cert), "--dump-header", str(head)]
    words += ["--header", f"Authorization: Token {joined.value.reveal()}", "--header", "Te: trailers"]
    words += ["--header", "Content-Type: application/grpc", "--data-binary", f"@{tmp_path / 'request'}"]
    client = subprocess.Popen([*words, f"{server.url}{PATH}"], stdout=subprocess.PIPE)
    try:
        assert client.stdout is not None
        assert client.stdout.read(len(body)) == body
    finally:
        client.kill()
        client.communicate()
        server.close()
    assert head.read_text().startswith("HTTP/2 200")
