"""A whole server tells a receiver of an agent's day, signed, while the agent works."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver import Receiver
from support import Client, FakeAgent, LiveServer

EVENTS = ["agent.connected", "build.scheduled", "job.started", "job.finished", "build.finished"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_an_agents_day_is_told_by_a_whole_server(tmp_path: Path, receiver: Receiver) -> None:
    server = LiveServer(tmp_path, egress_allow="127.0.0.0/8")
    try:
        people = Client(server.url, server.first.api_token.value.reveal(), "Bearer")
        settings = {"url": receiver.url, "events": EVENTS, "token_mode": "signature"}
        made = people.call(
            "POST", "/v2/organizations/acme/services", {"provider": "webhook", "settings": settings}
        )
        assert made.status == 201, made
        agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
        server.create_build("true")
        job = agent.run()
        deadline = time.monotonic() + 20
        while len(receiver.received) < len(EVENTS) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [got.header("x-buildkite-event") for got in receiver.received] == EVENTS
        for got in receiver.received:
            said = dict(part.split("=") for part in (got.header("x-buildkite-signature") or "").split(","))
            key = made.body["settings"]["token"].encode()
            signed = hmac.new(key, f"{said['timestamp']}.".encode() + got.body, hashlib.sha256)
            assert said["signature"] == signed.hexdigest()
            for secret in (made.body["settings"]["token"], agent.session, agent.job_token):
                assert secret not in got.body.decode() + str(got.headers)
        finished = json.loads(receiver.received[3].body)
        assert (finished["job"]["id"], finished["job"]["state"]) == (job, "passed")
        assert finished["job"]["agent"]["id"] == agent.registered.body["id"]
    finally:
        server.close()


def test_a_server_as_it_comes_calls_nothing_inside(tmp_path: Path, receiver: Receiver) -> None:
    server = LiveServer(tmp_path)
    try:
        people = Client(server.url, server.first.api_token.value.reveal(), "Bearer")
        for url in (receiver.url, receiver.url.replace("http:", "https:"), f"{server.url}/v2/meta"):
            made = people.call(
                "POST",
                "/v2/organizations/acme/services",
                {"provider": "webhook", "settings": {"url": url}},
            )
            assert (made.status, made.body["code"]) == (422, "invalid_url")
        assert receiver.connections == 0
    finally:
        server.close()
