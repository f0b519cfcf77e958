"""Streaming pings on the wire (contract agent-api §3.3): what comes, when, and how a stream ends."""

import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ping_listener import PATH, PingListener
from support import Client, FakeAgent, LiveServer
from watchword.domain.fleet import AgentState
from watchword.domain.ids import AgentId
from watchword.domain.kinds import Kind
from watchword.domain.pingframes import Action, Told, frame, request_frame
from watchword.services.context import LOCAL

IDLE = Told(Action.RESUME)
PATIENCE = 5.0


def join(server: LiveServer, **fields: Any) -> FakeAgent:
    return FakeAgent(server.url, server.first.agent_token.value.reveal(), **fields).connect()


def agent_id(agent: FakeAgent) -> AgentId:
    return AgentId(agent.registered.body["id"])


def wait_for(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def agent(server: LiveServer) -> FakeAgent:
    return join(server)


@pytest.fixture
def listener(agent: FakeAgent) -> Iterator[PingListener]:
    opened = PingListener(agent)
    assert opened.hears() == IDLE
    yield opened
    opened.leave()


def test_a_job_is_told_the_moment_it_is_there(
    server: LiveServer, agent: FakeAgent, listener: PingListener
) -> None:
    assert listener.status == 200
    assert listener.headers["content-type"] == "application/grpc"
    assert listener.headers["x-accel-buffering"] == "no"
    _, (job, other) = server.create_build("one", "two")
    told = listener.hears()
    assert told is not None
    assert told.action is Action.JOB
    assert told.text in (job.id, other.id)
    assert agent.run() == told.text
    rest = listener.hears()
    assert rest == Told(Action.JOB, other.id if told.text == job.id else job.id)
    agent.run()
    assert listener.hears() == IDLE


def test_a_pending_job_is_repeated_on_every_connect(server: LiveServer, agent: FakeAgent) -> None:
    _, (job,) = server.create_build("one")
    former: PingListener | None = None
    for _ in range(3):
        current = PingListener(agent)
        assert [current.hears(), current.hears()] == [IDLE, Told(Action.JOB, job.id)]
        if former is not None:
            assert former.hears() is None  # the newer one took its place
            former.leave()
        former = current
    assert former is not None
    former.leave()


def test_a_session_that_is_cut_ends_its_stream_at_once(
    server: LiveServer, agent: FakeAgent, listener: PingListener
) -> None:
    server.run(server.authority.finisher.disconnect(LOCAL, agent_id(agent), AgentState.DISCONNECTED))
    assert listener.hears() is None
    # Clients take status 0 for "nothing to do" and would not poll (trap 4): there is none.
    assert "grpc-status" not in listener.headers | listener.trailers
    again = PingListener(agent)
    assert again.status == 401
    again.leave()


def test_an_end_of_the_session_token_alone_is_enough(
    server: LiveServer, agent: FakeAgent, listener: PingListener
) -> None:
    verifier = server.authority.verifier
    presented = server.run(verifier.verify(agent.session, (Kind.AGENT_SESSION,), address=None))
    server.revoke(presented.holder)
    assert listener.hears() is None


def test_a_client_that_goes_away_is_forgotten(
    server: LiveServer, agent: FakeAgent, listener: PingListener
) -> None:
    streams = server.authority.streams
    assert agent_id(agent) in streams.by_agent
    listener.leave()
    wait_for(lambda: not streams.by_agent and not streams.by_key and not streams.lines)
    assert server.authority.fleet.agents[agent_id(agent)].bell is None


def test_a_server_that_stops_ends_streams_and_never_cleanly(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    listener = PingListener(join(server))
    assert listener.hears() == IDLE
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < PATIENCE
    assert listener.hears() is None
    assert "grpc-status" not in listener.headers | listener.trailers
    listener.leave()


def test_a_compressed_request_is_read(agent: FakeAgent) -> None:
    plain = request_frame(agent_id(agent))[5:]
    packed = gzip.compress(plain)
    opened = PingListener(agent, b"\1" + len(packed).to_bytes(4, "big") + packed, {"grpc-encoding": "gzip"})
    assert opened.hears() == IDLE
    opened.leave()


def test_what_is_no_request_of_this_kind_is_refused(server: LiveServer, agent: FakeAgent) -> None:
    good = request_frame(agent_id(agent))
    cases: list[tuple[bytes, dict[str, str], int, str]] = [
        (b"", {}, 400, "bad_frame"),
        (good[:-1], {}, 400, "bad_frame"),
        (good + good, {}, 400, "bad_frame"),
        (b"\1" + good[1:], {}, 400, "bad_frame"),
        (frame(b"\x0a\x01\xff"), {}, 400, "bad_frame"),
        (request_frame("x" * 9000), {}, 413, "body_too_large"),
        (good, {"content-type": "application/json"}, 415, "grpc_only"),
        (good, {"content-type": "application/grpc-web"}, 415, "grpc_only"),
        (request_frame("01900000-0000-7000-8000-000000000000"), {}, 403, "other_agent"),
        (frame(b""), {}, 403, "other_agent"),
    ]
    for body, headers, status, code in cases:
        opened = PingListener(agent, body, headers)
        assert (opened.status, opened.body()["code"]) == (status, code), body[:20]
        opened.leave()
    answer = Client(server.url, agent.session).call("GET", PATH)
    assert answer.status == 405
    assert not server.authority.streams.by_agent


def test_over_the_limit_agents_are_sent_to_poll(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, ping_streams=1)
    first = PingListener(join(server, name="one"))
    assert first.hears() == IDLE
    second = PingListener(join(server, name="two"))
    assert (second.status, second.body()["code"]) == (429, "stream_limit")
    first.leave()
    second.leave()
    server.close()
