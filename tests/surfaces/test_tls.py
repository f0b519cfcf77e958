"""TLS by certificate and key, on HTTP/1.1 and with the agents' ALPN."""

import http.client
import ssl
from pathlib import Path

from support import LiveServer
from tls_stand_in import certificate


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
