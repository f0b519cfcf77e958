"""The agent API around agents and running jobs: orders, acquiring, time-outs, promises, metrics."""

from collections.abc import Iterator

import pytest

from support import MINUTE_US, SECOND_US, Client, FakeAgent, FakeClock, LiveServer, put_into_state
from watchword.domain.errors import Unavailable
from watchword.domain.fleet import AgentState
from watchword.domain.pipelines import JobState
from watchword.services.context import LOCAL
from watchword.store.base import EVERYTHING


@pytest.fixture
def clocked(tmp_path: object) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path, FakeClock())  # type: ignore[arg-type]
    yield made
    made.close()


def join(server: LiveServer, **fields: object) -> FakeAgent:
    return FakeAgent(server.url, server.first.agent_token.value.reveal(), **fields).connect()  # type: ignore[arg-type]


def begin(agent: FakeAgent) -> str:
    job = agent.accept()
    assert agent.on_job("PUT", f"/v3/jobs/{job}/start", {}).status == 200
    return job


def set_state(server: LiveServer, job_id: str, state: JobState) -> None:
    """Put a job into a state that the steps of a build bring about."""
    server.run(put_into_state(server.authority.context.store, job_id, state))


@pytest.mark.parametrize("version", ["3.137.0", "4.0.0-beta.15", "3.38.0"])
def test_stop_pause_and_resume_come_with_the_tokens_of_the_job(server: LiveServer, version: str) -> None:
    """With the job token from new agents, with the session token from old ones (trap 25)."""
    agent = join(server, version=version)
    server.create_build("one", "two")
    job = begin(agent)
    assert agent.on_job("POST", "/v3/pause", {"note": "disks", "timeout_in_minutes": 9}).status == 200
    assert agent.on_job("POST", "/v3/pause", {}).status == 200  # a lost answer is asked for again
    assert agent.finish(job).status == 200
    ping = agent.call("GET", "/v3/ping").body
    assert ping["action"] == "pause"
    assert ping["message"]
    assert "job" not in ping
    assert agent.call("POST", "/v3/resume").status == 200
    assert agent.call("POST", "/v3/resume").status == 200
    second = begin(agent)
    assert agent.on_job("POST", "/v3/stop", {}).status == 200
    assert agent.on_job("GET", f"/v3/jobs/{second}").body == {"state": "running"}
    assert agent.finish(second).status == 200
    assert agent.call("GET", "/v3/ping").body["action"] == "disconnect"


def test_a_forced_stop_is_told_to_the_running_job_by_its_state(server: LiveServer) -> None:
    agent = join(server)
    server.create_build("one")
    job = begin(agent)
    assert agent.on_job("POST", "/v3/stop", {"force": True}).status == 200
    assert agent.on_job("GET", f"/v3/jobs/{job}").body == {"state": "canceling"}
    assert agent.finish(job, "-1").status == 200
    assert server.job(job).state is JobState.CANCELED
    assert agent.call("GET", "/v3/ping").body["action"] == "disconnect"
    assert agent.call("POST", "/v3/disconnect").status == 200


def test_orders_take_no_body_or_the_right_one(server: LiveServer) -> None:
    agent = join(server)
    for path in ("pause", "resume", "stop"):
        assert agent.call("POST", f"/v3/{path}").status == 200, path
    assert agent.call("POST", "/v3/pause", {"timeout_in_minutes": 1441}).status == 422
    assert agent.call("POST", "/v3/pause", {"timeout_in_minutes": "soon"}).status == 422
    assert agent.call("POST", "/v3/stop", b"nonsense").status == 400


def test_acquire_answers_the_job_object_again_and_again(server: LiveServer) -> None:
    agent = join(server, ignore_in_dispatches=True)
    _, (job,) = server.create_build("true")
    assert agent.offered() == ""
    headers = {"x-buildkite-lock-acquire-job": "1", "x-buildkite-backoff-sequence": "0"}
    first = agent.call("PUT", f"/v3/jobs/{job.id}/acquire", headers=headers)
    again = agent.call("PUT", f"/v3/jobs/{job.id}/acquire", headers=headers)
    assert first.status == again.status == 200
    assert first.body == again.body
    assert first.body["env"]["BUILDKITE_JOB_ID"] == job.id
    agent.job_token = first.body["token"]
    assert agent.on_job("PUT", f"/v3/jobs/{job.id}/start", {}).status == 200
    assert agent.finish(job.id).status == 200
    taken = agent.call("PUT", f"/v3/jobs/{job.id}/acquire")
    assert (taken.status, taken.body["code"]) == (422, "job_taken")
    assert agent.call("PUT", "/v3/jobs/nonsense/acquire").status == 404


def test_acquiring_a_job_that_waits_is_423_with_seconds_to_wait(server: LiveServer) -> None:
    agent = join(server, ignore_in_dispatches=True)
    _, (job,) = server.create_build("true")
    set_state(server, job.id, JobState.WAITING)
    locked = agent.call("PUT", f"/v3/jobs/{job.id}/acquire")
    assert (locked.status, locked.body["code"]) == (423, "job_waits")
    assert int(locked.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("version", "state"),
    [("4.0.0-beta.15", "timing_out"), ("3.127.0", "timing_out"), ("3.126.9", "canceling")],
)
def test_a_time_out_is_told_in_the_words_that_the_agent_knows(
    clocked: LiveServer, version: str, state: str
) -> None:
    """Agents before 3.127 do not heed `timing_out` (trap 16)."""
    assert clocked.clock is not None
    agent = join(clocked, version=version)
    clocked.create_build("sleep")
    job = begin(agent)
    update = agent.on_job("PUT", f"/v3/jobs/{job}", {"timeout": "2"})
    assert update.status == 200
    assert update.body["id"] == job
    assert agent.on_job("GET", f"/v3/jobs/{job}").body == {"state": "running"}
    clocked.clock.forward(2 * MINUTE_US)
    clocked.run(clocked.authority.sweep(LOCAL))
    assert agent.on_job("GET", f"/v3/jobs/{job}").body == {"state": state}
    assert agent.on_job("PUT", f"/v3/jobs/{job}", {"timeout": "9"}).status == 422
    chunk = f"/v3/jobs/{job}/chunks?sequence=1&offset=0&size=1"
    assert agent.on_job("POST", chunk, b"x").status == 200
    assert agent.finish(job, "-1").status == 200
    assert clocked.job(job).state is JobState.TIMED_OUT
    assert agent.on_job("POST", chunk, b"x").status == 401


def test_a_finish_after_the_server_gave_up_is_refused_for_good(clocked: LiveServer) -> None:
    assert clocked.clock is not None
    agent = join(clocked)
    clocked.create_build("sleep")
    job = begin(agent)
    agent.on_job("PUT", f"/v3/jobs/{job}", {"timeout_in_minutes": "1"})
    for _ in range(4):
        clocked.clock.forward(MINUTE_US)
        agent.call("POST", "/v3/heartbeat", {})
        clocked.run(clocked.authority.sweep(LOCAL))
    ended = clocked.job(job)
    assert (ended.state, ended.exit_status) == (JobState.TIMED_OUT, "-1")
    late = agent.finish(job, "0")
    assert (late.status, late.body["code"]) == (401, "job_finished")
    assert clocked.job(job) == ended


@pytest.mark.parametrize(
    "body",
    [
        {"timeout": "0"},
        {"timeout": "-1"},
        {"timeout": "soon"},
        {"timeout": ""},
        {"priority": "3"},
        {"timeout": "5", "timeout_in_minutes": "5"},
        {},
        {"timeout": "9999999999"},
    ],
)
def test_a_job_update_that_cannot_be_is_422_with_a_message(server: LiveServer, body: object) -> None:
    agent = join(server)
    server.create_build("one")
    job = begin(agent)
    refused = agent.on_job("PUT", f"/v3/jobs/{job}", body)
    assert refused.status == 422
    assert refused.body["message"]


def test_a_promised_failure_is_204_204_409_and_422_or_403_elsewhere(server: LiveServer) -> None:
    agent, other = join(server), join(server, name="b")
    server.create_build("one", "two")
    job, foreign = begin(agent), begin(other)
    path = f"/v3/jobs/{job}/promise_failure"
    first = agent.on_job("PUT", path, {"exit_status": 1, "reason": "lint"})
    assert (first.status, first.body) == (204, "")
    assert agent.on_job("PUT", path, {"exit_status": 1}).status == 204
    other_status = agent.on_job("PUT", path, {"exit_status": 2})
    assert (other_status.status, other_status.body["code"]) == (409, "failure_promised")
    assert agent.on_job("PUT", f"/v3/jobs/{foreign}/promise_failure", {"exit_status": 1}).status == 403
    assert server.job(job).state is JobState.RUNNING
    accepted_only = join(server, name="c")
    server.create_build("three")
    waiting = accepted_only.accept()
    refused = accepted_only.on_job("PUT", f"/v3/jobs/{waiting}/promise_failure", {"exit_status": 1})
    assert refused.status == 422


def test_header_times_are_taken(server: LiveServer) -> None:
    agent = join(server, version="3.137.0")
    server.create_build("one")
    job = begin(agent)
    times = {"header_times": {"0": "2026-01-01T00:00:00.123456789Z"}}
    assert agent.on_job("POST", f"/v3/jobs/{job}/header_times", times).status == 200


def test_metrics_are_what_the_scaling_tool_reads(server: LiveServer) -> None:
    agent = join(server)
    join(server, name="b")
    server.create_build("one", "two", "three")
    begin(agent)
    client = Client(server.url, server.first.agent_token.value.reveal())
    answer = client.call("GET", "/v3/metrics")
    assert answer.status == 200
    assert int(answer.headers["buildkite-agent-metrics-poll-duration"]) > 0
    agents = {"idle": 1, "busy": 1, "total": 2}
    jobs = {"scheduled": 2, "running": 1, "waiting": 0, "total": 3}
    names = {"organization": {"slug": "acme"}, "cluster": {"name": server.first.cluster.name}}
    assert answer.body == {
        "agents": agents | {"queues": {"default": agents}},
        "jobs": jobs | {"queues": {"default": jobs}},
        **names,
    }
    one = client.call("GET", "/v3/metrics/queue?name=default")
    assert one.body == {"agents": agents, "jobs": jobs, **names}
    assert client.call("GET", "/v3/metrics/queue?name=nope").status == 404
    assert client.call("GET", "/v3/metrics/queue").status == 422


def test_orders_survive_the_server(tmp_path: object) -> None:
    first = LiveServer(tmp_path)  # type: ignore[arg-type]
    agent = join(first)
    assert agent.call("POST", "/v3/pause", {"note": "disks"}).status == 200
    first.close()
    second = LiveServer(tmp_path, listen=first.settings.listen)  # type: ignore[arg-type]
    answer = agent.call("GET", "/v3/ping")
    assert answer.body == {"action": "pause", "message": "disks"}
    second.close()


def test_a_silent_agent_is_not_lost_before_a_whole_lost_timeout_after_a_start(tmp_path: object) -> None:
    clock = FakeClock()
    first = LiveServer(tmp_path, clock)  # type: ignore[arg-type]
    agent = join(first)
    first.create_build("one")
    job = begin(agent)
    first.close()
    clock.forward(60 * MINUTE_US)
    second = LiveServer(tmp_path, clock, listen=first.settings.listen)  # type: ignore[arg-type]
    second.first = first.first
    clock.forward(3 * MINUTE_US - SECOND_US)
    second.run(second.authority.sweep(LOCAL))
    assert agent.on_job("GET", f"/v3/jobs/{job}").body == {"state": "running"}
    assert agent.finish(job).status == 200
    assert second.job(job).passed
    clock.forward(SECOND_US)
    second.run(second.authority.sweep(LOCAL))
    assert not second.authority.fleet.agents
    (row,) = second.run(
        second.authority.context.store.read(
            lambda tx: tx.fleet.list(first.first.organization.id, None, (AgentState.LOST,), EVERYTHING)
        )
    )
    assert row.name == "a"
    second.close()


def test_without_a_database_agents_are_told_to_try_again_and_none_ends(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pings and heartbeats go on; whatever must be written is 503 with a message and seconds to wait."""
    agent = join(server)
    server.create_build("one", "two")
    job = begin(agent)
    other = join(server, name="b")
    waiting = other.offered()

    async def fail(*_: object) -> None:
        raise Unavailable("The database cannot take this now; try again.")

    store = type(server.authority.context.store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "write", fail)
        patch.setattr(store, "read", fail)
        assert other.offered() == waiting
        assert agent.call("POST", "/v3/heartbeat", {}).status == 200
        refused = [
            other.call("PUT", f"/v3/jobs/{waiting}/accept"),
            other.call("PUT", f"/v3/jobs/{waiting}/acquire"),
            agent.on_job("GET", f"/v3/jobs/{job}"),
            agent.on_job("POST", f"/v3/jobs/{job}/chunks?sequence=1&offset=0&size=1", b"x"),
            agent.finish(job),
            agent.call("POST", "/v3/stop"),
            other.call("POST", "/v3/disconnect"),
        ]
    for answer in refused:
        assert answer.status == 503, answer
        assert answer.body["message"]
        assert answer.headers["retry-after"] == "1"
    assert agent.finish(job).status == 200
    assert other.accept() == waiting
