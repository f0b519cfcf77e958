"""TLS by certificate and key, on HTTP/1.1 and with the agents' ALPN."""

import datetime as dt
import http.client
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support import LiveServer


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


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
