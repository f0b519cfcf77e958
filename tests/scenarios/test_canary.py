"""Canary scan: no secret in logs, errors, database, use ledger or a job's environment and log."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import Database
from support import Client, FakeAgent, LiveServer
from watchword.crypto.values import Secret, digest
from watchword.edge.logging import configure
from watchword.services.logs import read_log


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure("debug", "json", ("bk",), stream)
    yield stream
    configure("warning", "text", ("bk",))


def disguises(value: str) -> list[bytes]:
    """A value as it might leak: plain, its random part alone, and in the usual encodings."""
    raw = value.encode()
    tail = value[-32:].encode()
    return [raw, tail, raw.hex().encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw)]


def test_no_secret_anywhere(tmp_path: Path, log: io.StringIO, database: Database) -> None:
    server = LiveServer(tmp_path, log_level="debug", **database.settings)
    configure("debug", "json", ("bk",), log)
    values: list[str] = [server.first.agent_token.value.reveal(), server.first.api_token.value.reveal()]
    answers: list[str] = []

    def call(value: str, method: str, path: str, body: object = None) -> None:
        answer = Client(server.url, value).call(method, path, body)
        answers.append(f"{answer.body} {answer.headers}")

    revoked = server.issue(expires_at=0)
    server.revoke(revoked.token)
    used_up = server.issue(max_uses=1)
    values += [revoked.value.reveal(), used_up.value.reveal()]
    agent = FakeAgent(server.url, values[0]).connect()
    FakeAgent(server.url, used_up.value.reveal())
    server.create_build("true", "true")
    job = agent.accept()
    values += [agent.session, agent.job_token]
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    agent.on_job("POST", f"/v3/jobs/{job}/annotations", {"body": "note"})
    agent.on_job("POST", f"/v3/jobs/{job}/data/set", {"key": "k", "value": "v"})
    agent.finish(job)
    for value in values:
        for method, path in (
            ("POST", "/v3/register"),
            ("GET", "/v3/ping"),
            ("GET", "/v3/token"),
            ("GET", f"/v3/jobs/{job}"),
            ("GET", f"/v3/nothing/{value}"),
            ("POST", "/oauth/introspect"),
            ("GET", "/v2/access-token"),
            ("GET", f"/v2/organizations?token={value}"),
            ("GET", f"/v2/organizations/{value}"),
        ):
            if path != "/v3/register" or value == revoked.value.reveal():
                call(value, method, path, "token=" + value if "introspect" in path else None)
    agent.call("POST", "/v3/disconnect")
    server.run(server.authority.flush())
    answers.append(Client(server.url).call("GET", "/metrics").body)
    server.close()
    written = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir() if path.is_file()}
    content = database.content()
    assert content
    places = {
        "database": content,
        "log": log.getvalue().encode(),
        "answers": "\n".join(answers).encode(),
        **written,
    }
    assert len(places["log"]) > 500
    leaks = [
        (name, Secret(value))
        for name, content in places.items()
        for value in values
        for disguise in disguises(value)
        if disguise in content
    ]
    assert not leaks
    digests = [digest(value) for value in values if not value.startswith("bkaj_")]
    assert all(one in content or one.hex().encode() in content for one in digests)


def test_the_scan_would_find_a_leak() -> None:
    value = "bkct_MTA." + "x" * 77
    for shown in (value, value[-40:], value.encode().hex(), base64.b64encode(value.encode()).decode()):
        assert any(disguise in shown.encode() for disguise in disguises(value))


def test_unhandled_errors_show_no_secret(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = LiveServer(tmp_path, log_level="debug")
    configure("debug", "json", ("bk",), log)
    value = server.first.agent_token.value.reveal()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"something with {value} in it")

    monkeypatch.setattr("watchword.agentapi.sessions.describe", broken)
    answer = Client(server.url, value).call("GET", "/v3/token")
    assert (answer.status, answer.body["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"] in answer.body["message"]
    server.close()
    assert "RuntimeError" in log.getvalue()
    assert value not in log.getvalue() + str(answer.body)


def test_a_job_log_is_what_the_agent_sent(server: LiveServer) -> None:
    """Redaction is the agent's; what it sends is kept byte for byte (contract agent-api §2.4)."""
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    server.create_build("true")
    job = agent.accept()
    agent.on_job("POST", f"/v3/jobs/{job}/chunks?sequence=1&offset=0&size=5", b"plain")
    assert server.run(read_log(server.authority.context, server.job(job))) == b"plain"
