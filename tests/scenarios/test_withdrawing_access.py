"""Cut and drain with real agents on real sockets, and a registration from outside of the networks."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import Client, FakeAgent, LiveServer
from watchword.domain.events import Action, Event
from watchword.domain.pipelines import JobState
from watchword.domain.restrictions import Restrictions, parse_networks

AGENTS = 14


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path, sweep_interval=1)
    yield made
    made.close()


def rest(server: LiveServer) -> Client:
    return Client(server.url, server.first.api_token.value.reveal(), "Bearer")


def path(server: LiveServer, token_id: str) -> str:
    first = server.first
    return f"/v2/organizations/acme/clusters/{first.cluster.id}/tokens/{token_id}"


def events(server: LiveServer, action: Action) -> list[Event]:
    store, owner = server.authority.context.store, server.first.organization.id
    found = server.run(store.read(lambda tx: tx.audit.events(owner, 0, 10_000)))
    return [event for event in found if event.action is action]


def test_after_a_cut_is_answered_no_agent_passes(server: LiveServer) -> None:
    issued = server.issue()
    agents = [FakeAgent(server.url, issued.value.reveal()).connect() for _ in range(AGENTS)]
    server.create_build("true")
    busy = next(agent for agent in agents if agent.offered())
    job = busy.accept()
    assert busy.on_job("PUT", f"/v3/jobs/{job}/start", {"started_at": "2026-01-01T00:00:00Z"}).status == 200
    cut = rest(server).call("DELETE", path(server, issued.token.id) + "?mode=cut&receipt=true")
    assert cut.status == 200
    assert (cut.body["agents_cut"], cut.body["jobs_lost"]) == (AGENTS, 1)
    for agent in agents:  # the first call of each after the answer
        refused = agent.call("GET", "/v3/ping")
        assert (refused.status, refused.body["code"]) == (401, "session_ended")
    assert busy.on_job("GET", f"/v3/jobs/{job}").status == 401
    assert busy.finish(job).status == 401
    assert server.job(job).state is JobState.FINISHED
    assert FakeAgent(server.url, issued.value.reveal()).registered.status == 401


def test_in_a_drain_every_job_is_finished_by_its_agent(server: LiveServer) -> None:
    issued = server.issue()
    agents = [FakeAgent(server.url, issued.value.reveal()).connect() for _ in range(3)]
    server.create_build("true")
    busy = next(agent for agent in agents if agent.offered())
    job = busy.accept()
    assert busy.on_job("PUT", f"/v3/jobs/{job}/start", {"started_at": "2026-01-01T00:00:00Z"}).status == 200
    api = rest(server)
    drained = api.call("DELETE", path(server, issued.token.id) + "?mode=drain&receipt=true")
    assert drained.body["remaining"] == 3
    server.create_build("true")
    for agent in agents:
        if agent is not busy:
            assert agent.call("GET", "/v3/ping").body["action"] == "disconnect"
            assert agent.call("POST", "/v3/disconnect").status == 200
    assert busy.finish(job).status == 200
    assert busy.call("GET", "/v3/ping").body["action"] == "disconnect"
    assert busy.call("POST", "/v3/disconnect").status == 200
    assert server.job(job).passed
    until = time.monotonic() + 10
    while not (receipt := api.call("GET", path(server, issued.token.id) + "/revocation").body)["finished"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert (receipt["remaining"], receipt["agents_cut"], receipt["jobs_lost"]) == (0, 0, 0)


def test_a_registration_from_outside_is_heard_of_once(server: LiveServer) -> None:
    issued = server.issue(restrictions=Restrictions(networks=parse_networks("10.0.0.0/8")))
    for _ in range(3):
        refused = FakeAgent(server.url, issued.value.reveal()).registered
        assert (refused.status, refused.body["code"]) == (403, "token_network_blocked")
    until = time.monotonic() + 10
    while not events(server, Action.TOKEN_REGISTRATION_BLOCKED):  # the sweep writes it
        assert time.monotonic() < until
        time.sleep(0.05)
    (event,) = events(server, Action.TOKEN_REGISTRATION_BLOCKED)
    assert event.subject_id == issued.token.id
    assert "127.0.0.1" in event.data
