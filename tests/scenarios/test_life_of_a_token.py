"""The life of a token: join, work, revoke, expire, leave; each ends exactly when it should."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import Database
from support import MINUTE_US, Client, FakeAgent, FakeClock, LiveServer
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.services.context import LOCAL
from watchword.services.editing import edit_agent_token


@pytest.fixture
def clocked(tmp_path: Path, database: Database) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path, FakeClock(), **database.settings)
    yield made
    made.close()


def register(server: LiveServer, value: str, **fields: object) -> tuple[int, str]:
    agent = FakeAgent(server.url, value, **fields)  # type: ignore[arg-type]
    return agent.registered.status, agent.registered.body.get("code", "")


def test_revoked_token_starts_no_agent_and_the_connected_one_works_on(server: LiveServer) -> None:
    issued = server.issue(description="build machines")
    value = issued.value.reveal()
    connected = FakeAgent(server.url, value).connect()
    server.create_build("one")
    connected.run()
    server.revoke(issued.token)
    assert register(server, value) == (401, "token_revoked")
    server.create_build("two")
    assert connected.run()
    assert connected.call("POST", "/v3/heartbeat", {}).status == 200
    assert connected.call("POST", "/v3/disconnect").status == 200
    assert connected.call("GET", "/v3/ping").body["code"] == "session_ended"


def test_expired_token_starts_no_agent_and_the_connected_one_works_on(clocked: LiveServer) -> None:
    assert clocked.clock is not None
    issued = clocked.issue(expires_at=clocked.clock.now() + 10 * MINUTE_US)
    value = issued.value.reveal()
    connected = FakeAgent(clocked.url, value).connect()
    clocked.clock.forward(10 * MINUTE_US - 1)
    assert register(clocked, value, name="b") == (200, "")
    clocked.clock.forward(1)
    assert register(clocked, value, name="c") == (401, "token_expired")
    clocked.create_build("two")
    assert connected.run()


def test_not_before(clocked: LiveServer) -> None:
    assert clocked.clock is not None
    value = clocked.issue(not_before=clocked.clock.now() + MINUTE_US).value.reveal()
    assert register(clocked, value) == (401, "token_not_yet_valid")
    clocked.clock.forward(MINUTE_US)
    assert register(clocked, value) == (200, "")


def test_one_time_token_admits_one_agent_and_survives_a_lost_answer(clocked: LiveServer) -> None:
    assert clocked.clock is not None
    value = clocked.issue(max_uses=1).value.reveal()
    lost = FakeAgent(clocked.url, value, name="%random", hostname="h")
    repeated = FakeAgent(clocked.url, value, name="%random", hostname="h")
    assert lost.registered.status == repeated.registered.status == 200
    assert lost.call("POST", "/v3/connect").status == 401  # replaced: one use, one session
    repeated.connect()
    assert register(clocked, value, name="%random", hostname="h") == (401, "token_used_up")


def test_a_registration_that_never_connects_gives_its_use_back(clocked: LiveServer) -> None:
    assert clocked.clock is not None
    value = clocked.issue(max_uses=1).value.reveal()
    assert register(clocked, value, hostname="one") == (200, "")
    assert register(clocked, value, hostname="two") == (401, "token_used_up")
    clocked.clock.forward(7 * MINUTE_US)
    clocked.run(clocked.authority.sweep(LOCAL))
    assert register(clocked, value, hostname="two") == (200, "")


def test_networks_queue_and_tags_narrow_a_token(server: LiveServer) -> None:
    blocked = server.issue(restrictions=Restrictions(parse_networks("192.0.2.0/24 2001:db8::/32")))
    assert register(server, blocked.value.reveal()) == (403, "token_network_blocked")
    here = server.issue(restrictions=Restrictions(parse_networks("127.0.0.0/8")))
    assert register(server, here.value.reveal()) == (200, "")
    narrow = server.issue(restrictions=Restrictions(queue="default", tags=("env=prod",))).value.reveal()
    assert register(server, narrow) == (403, "token_restricted")
    assert register(server, narrow, meta_data=["env=prod", "queue=other"])[0] in (403, 422)
    assert register(server, narrow, meta_data=["env=prod"]) == (200, "")


def test_narrowed_networks_count_for_the_next_registration(server: LiveServer) -> None:
    issued = server.issue()
    value, context = issued.value.reveal(), server.authority.context
    assert register(server, value) == (200, "")
    server.run(
        context.store.write(
            lambda tx: edit_agent_token(context, tx, LOCAL, issued.token, None, "192.0.2.0/24")
        )
    )
    assert register(server, value, name="b") == (403, "token_network_blocked")


def test_unknown_queue_names_the_queue(server: LiveServer) -> None:
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal(), meta_data=["queue=nowhere"])
    assert (agent.registered.status, agent.registered.body["code"]) == (422, "unknown_queue")
    assert "nowhere" in agent.registered.body["message"]


def test_sessions_and_job_tokens_survive_a_restart_of_the_server(tmp_path: Path, database: Database) -> None:
    server = LiveServer(tmp_path, **database.settings)
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    server.create_build("one", "two")
    job = agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    first = server.first
    server.close()
    again = LiveServer(tmp_path, listen=server.settings.listen, **database.settings)
    again.first = first
    assert agent.call("POST", "/v3/heartbeat", {}).status == 200
    assert agent.on_job("GET", f"/v3/jobs/{job}").body == {"state": "running"}
    assert agent.finish(job).status == 200
    assert agent.run() != job
    again.close()


def introspect(server: LiveServer, value: str, **form: str) -> dict[str, object]:
    body = f"token={value}" + "".join(f"&{name}={text}" for name, text in form.items())
    caller = Client(server.url, server.first.api_token.value.reveal(), "Bearer")
    answer = caller.call("POST", "/oauth/introspect", body)
    assert answer.status == 200
    found: dict[str, object] = answer.body
    return found


def test_introspection_tells_what_is_alive(server: LiveServer) -> None:
    issued = server.issue()
    value = issued.value.reveal()
    agent = FakeAgent(server.url, value).connect()
    server.create_build("one")
    job = agent.accept()
    alive = introspect(server, value)
    assert alive["active"] is True
    assert alive["token_type"] == "agent"
    assert introspect(server, agent.session)["agent_id"] == agent.registered.body["id"]
    assert introspect(server, agent.job_token)["sub"] == job
    server.revoke(issued.token)
    assert introspect(server, value) == {"active": False}
    assert introspect(server, agent.session)["active"] is True
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    agent.finish(job)
    assert introspect(server, agent.job_token) == {"active": False}
    assert introspect(server, "nonsense") == {"active": False}


def test_introspection_of_a_network_bound_token_needs_the_holders_address(server: LiveServer) -> None:
    value = server.issue(restrictions=Restrictions(parse_networks("192.0.2.0/24"))).value.reveal()
    assert introspect(server, value) == {"active": False}
    assert introspect(server, value, client_address="198.51.100.7") == {"active": False}
    assert introspect(server, value, client_address="192.0.2.7")["active"] is True
