"""The traps of the agent API contract (§11) that touch this surface, and its repeated calls."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import (
    MINUTE_US,
    SECOND_US,
    FakeAgent,
    FakeClock,
    IdleConnection,
    LiveServer,
    put_into_state,
)
from watchword.domain.environment import AGENT_OWNED
from watchword.domain.pipelines import JobState
from watchword.services.context import LOCAL


@pytest.fixture
def clocked(tmp_path: object) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path, FakeClock())  # type: ignore[arg-type]
    yield made
    made.close()


def join(server: LiveServer, **fields: object) -> FakeAgent:
    return FakeAgent(server.url, server.first.agent_token.value.reveal(), **fields).connect()  # type: ignore[arg-type]


def test_register_answers_positive_intervals_and_expands_the_name(server: LiveServer) -> None:
    agent = FakeAgent(
        server.url,
        server.first.agent_token.value.reveal(),
        name="%hostname-%pid-1",
        hostname="builder",
        pid=7,
        priority="-1",
        meta_data=None,
        features=None,
    )
    body = agent.registered.body
    assert body["name"] == "builder-7-1"
    assert body["meta_data"] == ["queue=default"]
    assert min(body["ping_interval"], body["job_status_interval"], body["heartbeat_interval"]) > 0
    assert "endpoint" not in body


def test_an_empty_name_gets_one(server: LiveServer) -> None:
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal(), name="")
    assert agent.registered.body["name"].startswith("agent-")


def test_streaming_is_404_at_the_root_of_the_host_where_it_is_off(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, ping_streams=0)
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    answer = agent.call("POST", "/agentedge.v1.AgentEdgeService/StreamPings", b"")
    assert answer.status == 404
    assert answer.body["message"]
    server.close()


def test_ping_and_heartbeat_answer_json_whatever_is_sent(server: LiveServer) -> None:
    agent = join(server)
    assert agent.call("GET", "/v3/ping").body == {}
    for body in (b"", b"{}", b"nonsense", b'{"sent_at": 5}', b"[]", b"\xff", b"x" * 100_000):
        answer = agent.call("POST", "/v3/heartbeat", body)
        assert answer.status == 200, (body[:20], answer)
        assert isinstance(answer.body, dict)


def test_bodies_may_be_empty_where_clients_send_none(server: LiveServer) -> None:
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal())
    assert agent.call("POST", "/v3/connect").status == 200
    assert agent.call("POST", "/v3/connect").status == 200
    server.create_build("true")
    job = agent.accept()
    assert agent.on_job("POST", f"/v3/jobs/{job}/data/keys").body == []


def test_offer_is_repeated_until_accepted_and_accept_until_started(server: LiveServer) -> None:
    agent = join(server)
    _, (job,) = server.create_build("true")
    assert agent.offered() == job.id
    assert agent.offered() == job.id
    first = agent.call("PUT", f"/v3/jobs/{job.id}/accept")
    again = agent.call("PUT", f"/v3/jobs/{job.id}/accept")
    assert first.status == again.status == 200
    assert first.body["token"] == again.body["token"]
    assert agent.offered() == ""


def test_job_object_is_what_agents_need(server: LiveServer) -> None:
    agent = join(server, meta_data=["queue=default", "os=linux"])
    server.create_build("echo 'hi'")
    job = agent.offered()
    body = agent.call("PUT", f"/v3/jobs/{job}/accept").body
    assert body["chunks_max_size_bytes"] > 0
    env = body["env"]
    assert all(isinstance(value, str) for value in env.values())
    for name in ("JOB_ID", "REPO", "COMMIT", "BRANCH", "AGENT_NAME", "ORGANIZATION_SLUG", "PIPELINE_SLUG",
                 "PIPELINE_PROVIDER", "COMMAND", "BUILD_ID"):  # fmt: skip
        assert env[f"BUILDKITE_{name}"], name
    assert env["BUILDKITE_PULL_REQUEST"] == "false"
    assert env["BUILDKITE_AGENT_META_DATA_OS"] == "linux"
    assert env["BUILDKITE_AGENT_META_DATA_QUEUE"] == "default"
    assert not {"BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_AGENT_TOKEN", "BUILDKITE_AGENT_ENDPOINT"} & set(
        env
    )
    assert "exit_status" not in body


def test_two_agents_never_get_one_job(server: LiveServer) -> None:
    one, two = join(server), join(server, name="b")
    _, (job,) = server.create_build("true")
    assert one.offered() == job.id
    assert two.offered() == ""
    assert two.call("PUT", f"/v3/jobs/{job.id}/accept").status == 422
    assert one.accept() == job.id
    assert two.call("PUT", f"/v3/jobs/{job.id}/accept").body["code"] == "job_taken"


def test_log_chunks_out_of_order_doubled_and_cut_inside_a_character(server: LiveServer) -> None:
    agent = join(server)
    _, (job,) = server.create_build("true")
    agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job.id}/start", {"started_at": "2026-01-01T00:00:00Z"})
    text = "héllo wörld\r\n".encode()
    parts = [(1, 0, text[:2]), (2, 2, text[2:9]), (3, 9, text[9:])]
    for sequence, offset, data in (parts[2], parts[0], parts[0], parts[1]):
        path = f"/v3/jobs/{job.id}/chunks?sequence={sequence}&offset={offset}&size={len(data)}"
        headers = {"content-type": "text/plain", "content-encoding": "gzip"}
        assert agent.on_job("POST", path, gzip.compress(data), headers=headers).status == 200
    from watchword.services.logs import read_log  # noqa: PLC0415 - this test alone reads it

    assert server.run(read_log(server.authority.context, server.job(job.id))) == text


def test_finish_repeated_with_the_same_values_is_answered_alike_and_does_nothing(server: LiveServer) -> None:
    agent = join(server)
    server.create_build("true")
    job = agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    assert agent.finish(job, "3").status == 200
    assert agent.finish(job, "3").status == 200
    other = agent.finish(job, "0")
    assert (other.status, other.body["code"]) == (401, "job_finished")
    assert server.job(job).exit_status == "3"


def test_finish_takes_numbers_as_text_and_as_numbers(server: LiveServer) -> None:
    agent = join(server)
    for sent in ("-1", -1):
        server.create_build("true")
        job = agent.accept()
        agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
        assert agent.on_job("PUT", f"/v3/jobs/{job}/finish", {"exit_status": sent}).status == 200
        assert server.job(job).exit_status == "-1"


def test_ignore_agent_in_dispatches_is_kept(server: LiveServer) -> None:
    agent = join(server)
    server.create_build("true", "true")
    job = agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {})
    agent.on_job("PUT", f"/v3/jobs/{job}/finish", {"exit_status": "0", "ignore_agent_in_dispatches": True})
    assert agent.offered() == ""


def test_cancelled_job_says_so_until_finish_and_its_token_lives_until_then(server: LiveServer) -> None:
    agent = join(server)
    build, (job,) = server.create_build("sleep 9")
    agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job.id}/start", {})
    server.run(server.authority.builder.cancel(LOCAL, build))
    assert agent.on_job("GET", f"/v3/jobs/{job.id}").body == {"state": "canceling"}
    assert agent.finish(job.id, "-1").status == 200
    assert server.job(job.id).state == "canceled"


def test_start_of_a_cancelled_job_is_refused_and_the_server_cleans_up(server: LiveServer) -> None:
    agent = join(server)
    build, (job,) = server.create_build("sleep 9")
    agent.accept()
    server.run(server.authority.builder.cancel(LOCAL, build))
    assert agent.on_job("PUT", f"/v3/jobs/{job.id}/start", {}).status == 422
    assert server.job(job.id).state == "canceled"
    server.create_build("true")
    assert agent.run()


def test_disconnect_is_idempotent_and_ends_the_session(server: LiveServer) -> None:
    agent = join(server)
    assert agent.call("POST", "/v3/disconnect").status == 200
    assert agent.call("POST", "/v3/disconnect").status == 200
    ended = agent.call("GET", "/v3/ping")
    assert (ended.status, ended.body["code"]) == (401, "session_ended")


def test_disconnect_gives_an_unstarted_job_back_and_fails_a_started_one(server: LiveServer) -> None:
    _, (first,) = server.create_build("true")
    agent = join(server)
    agent.accept()
    agent.call("POST", "/v3/disconnect")
    assert server.job(first.id).state == "scheduled"
    second = join(server)
    assert second.accept() == first.id
    second.on_job("PUT", f"/v3/jobs/{first.id}/start", {})
    second.call("POST", "/v3/disconnect")
    assert (server.job(first.id).exit_status, server.job(first.id).signal_reason) == ("-1", "agent_stop")


def test_silent_agent_is_lost_after_three_minutes_and_its_job_fails(clocked: LiveServer) -> None:
    assert clocked.clock is not None
    agent = join(clocked)
    _, (job,) = clocked.create_build("true")
    agent.accept()
    agent.on_job("PUT", f"/v3/jobs/{job.id}/start", {})
    clocked.clock.forward(2 * MINUTE_US)
    agent.call("POST", "/v3/heartbeat", {"sent_at": "2026-08-21T11:02:03+10:00"})
    clocked.clock.forward(2 * MINUTE_US)
    clocked.run(clocked.authority.sweep(LOCAL))
    assert agent.call("GET", "/v3/ping").status == 200
    clocked.clock.forward(3 * MINUTE_US + SECOND_US)
    clocked.run(clocked.authority.sweep(LOCAL))
    assert agent.call("GET", "/v3/ping").body["code"] == "session_ended"
    assert (clocked.job(job.id).exit_status, clocked.job(job.id).signal_reason) == ("-1", "agent_lost")
    assert agent.on_job("GET", f"/v3/jobs/{job.id}").status == 401


def test_agents_before_3_39_work_on_the_session_token_for_their_job_alone(server: LiveServer) -> None:
    old = join(server, version="3.38.0")
    _, (mine, other) = server.create_build("true", "true")
    job = old.offered()
    body = old.call("PUT", f"/v3/jobs/{job}/accept").body
    assert "token" not in body
    assert old.call("PUT", f"/v3/jobs/{job}/start", {}).status == 200
    foreign = other.id if job == mine.id else mine.id
    assert old.call("GET", f"/v3/jobs/{foreign}").status == 403
    assert old.call("PUT", f"/v3/jobs/{job}/finish", {"exit_status": "0"}).status == 200
    assert old.call("GET", f"/v3/jobs/{job}").status in (401, 403)


def test_a_new_agents_session_token_is_no_job_token(server: LiveServer) -> None:
    agent = join(server)
    server.create_build("true")
    job = agent.accept()
    refused = agent.call("GET", f"/v3/jobs/{job}")
    assert (refused.status, refused.body["code"]) == (401, "token_wrong_kind")


def test_annotation_context_with_slash_and_dots_escaped_or_not(server: LiveServer) -> None:
    agent = join(server)
    build, (job,) = server.create_build("true")
    agent.accept()
    for path in ("a%2Eb%2Fc", "a.b/c"):
        note = {"body": "x", "context": "a.b/c", "style": "info", "priority": 3, "scope": "build"}
        assert agent.on_job("POST", f"/v3/jobs/{job.id}/annotations", note).status == 200
        assert agent.on_job("DELETE", f"/v3/jobs/{job.id}/annotations/{path}?scope=build").status == 200
        store = server.authority.context.store
        left = server.run(store.read(lambda tx: tx.logs.annotations(build.organization_id, build.id)))
        assert not left


def test_meta_data_unset_key_is_404_and_exists_is_200(server: LiveServer) -> None:
    agent = join(server)
    build, (job,) = server.create_build("true")
    agent.accept()
    base = f"/v3/jobs/{job.id}/data"
    assert agent.on_job("POST", f"{base}/get", {"key": "k"}).status == 404
    assert agent.on_job("POST", f"{base}/exists", {"key": "k"}).body == {"exists": False}
    batch = {"items": [{"key": "k", "value": "v"}, {"key": "", "value": "v"}]}
    assert agent.on_job("POST", f"{base}/set-batch", batch).status == 422
    assert agent.on_job("POST", f"{base}/exists", {"key": "k"}).body == {"exists": False}
    assert agent.on_job("POST", f"{base}/set", {"key": "k", "value": "v"}).status == 200
    assert agent.on_job("POST", f"/v3/builds/{build.id}/data/get", {"key": "k"}).body == {
        "key": "k",
        "value": "v",
    }
    assert agent.on_job("POST", f"/v3/builds/{build.id}/data/keys").body == ["k"]


def test_no_answer_redirects(server: LiveServer) -> None:
    """A redirect would carry the token to wherever it points (trap 23)."""
    agent = join(server)
    paths = (
        "/v3/ping/",
        "//v3/ping",
        "/v3//ping",
        "/v3",
        "/v3/jobs/",
        "/v3/../v3/ping",
        "/V3/ping",
        "/v2/user/",
    )
    for path in paths:
        for method in ("GET", "POST", "PUT"):
            answer = agent.call(method, path)
            assert not 300 <= answer.status < 400, (method, path)
            assert "location" not in answer.headers


def test_no_other_endpoint_is_named(server: LiveServer) -> None:
    """Agents would send everything but acquire and disconnect there (trap 26)."""
    agent = FakeAgent(server.url, server.first.agent_token.value.reveal())
    assert "endpoint" not in agent.registered.body
    agent.connect()
    assert "endpoint" not in agent.call("GET", "/v3/ping").body
    server.create_build("true")
    job = agent.offered()
    assert "endpoint" not in agent.call("GET", "/v3/ping").body
    assert "endpoint" not in agent.call("PUT", f"/v3/jobs/{job}/accept").body


def test_variables_that_agents_own_are_never_sent(server: LiveServer) -> None:
    """Agents overwrite them and list them to the user as ignored (trap 19)."""
    agent = join(server)
    server.create_build("true")
    job = agent.offered()
    env = agent.call("PUT", f"/v3/jobs/{job}/accept").body["env"]
    flags = {f"BUILDKITE_GIT_{name}_FLAGS" for name in ("CHECKOUT", "CLONE", "FETCH", "CLEAN")}
    assert not (AGENT_OWNED | flags) & set(env)


def test_waits_are_named_in_whole_seconds(server: LiveServer) -> None:
    """Dates are ignored by clients (trap 17)."""
    agent = join(server, ignore_in_dispatches=True)
    _, (job,) = server.create_build("true")
    server.run(put_into_state(server.authority.context.store, job.id, JobState.LIMITED))
    answer = agent.call("PUT", f"/v3/jobs/{job.id}/acquire")
    assert answer.headers["retry-after"].isdecimal()


def test_a_batch_that_cannot_be_is_refused_whole_and_at_once(server: LiveServer) -> None:
    """Clients try it again for four minutes, so that the message must say what to do (trap 20)."""
    agent = join(server)
    server.create_build("true")
    job = agent.accept()
    batch = {"items": [{"key": "k", "value": "v"}, {"key": " ", "value": "v"}]}
    answer = agent.on_job("POST", f"/v3/jobs/{job}/data/set-batch", batch)
    assert answer.status == 422
    assert answer.body["message"]
    assert agent.on_job("POST", f"/v3/jobs/{job}/data/keys").body == []


NUL = "a" + chr(0) + "b"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "finish", {"exit_status": "0", "signal": NUL}),
        ("PUT", "start", {"started_at": NUL}),
        ("PUT", "promise_failure", {"exit_status": 1, "reason": NUL}),
        ("POST", "annotations", {"body": NUL}),
        ("POST", "annotations", {"body": "x", "context": NUL}),
        ("POST", "data/set", {"key": "k", "value": NUL}),
        ("POST", "data/set", {"key": NUL, "value": "v"}),
        ("POST", "data/get", {"key": NUL}),
        ("DELETE", "annotations/a%00b?scope=build", None),
        ("DELETE", "annotations/a?scope=b%00", None),
        ("GET", "%00", None),
    ],
)
def test_a_nul_in_any_text_is_refused_with_a_message(
    server: LiveServer, method: str, path: str, body: object
) -> None:
    agent = join(server)
    server.create_build("true")
    job = agent.accept()
    refused = agent.on_job(method, f"/v3/jobs/{job}/{path}", body)
    assert (refused.status, refused.body["code"]) == (422, "nul_character")
    assert "NUL" in refused.body["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": NUL},
        {"hostname": NUL},
        {"meta_data": [NUL]},
        {"os": NUL},
        {"features": [NUL]},
        {"version": NUL},
    ],
)
def test_an_agent_that_names_itself_with_a_nul_is_refused(server: LiveServer, fields: dict[str, Any]) -> None:
    refused = FakeAgent(
        server.url, server.first.agent_token.value.reveal(), **({"name": "a"} | fields)
    ).registered
    assert (refused.status, refused.body["code"]) == (422, "nul_character")
    literal = FakeAgent(server.url, server.first.agent_token.value.reveal(), hostname="\\u0000")
    assert literal.registered.status == 200


# Where each trap of contract agent-api §11 is tested: here, or in another file of this folder.
TRAPS = {
    1: "test_register_answers_positive_intervals_and_expands_the_name",
    2: "test_job_object_is_what_agents_need",
    3: "test_ping_and_heartbeat_answer_json_whatever_is_sent",
    4: "test_streaming_is_404_at_the_root_of_the_host_where_it_is_off",
    5: "test_a_pending_job_is_repeated_on_every_connect",
    6: "test_job_object_is_what_agents_need",
    7: "test_job_object_is_what_agents_need",
    8: "test_job_object_is_what_agents_need",
    9: "test_register_answers_positive_intervals_and_expands_the_name",
    10: "test_finish_takes_numbers_as_text_and_as_numbers",
    13: "test_log_chunks_out_of_order_doubled_and_cut_inside_a_character",
    14: "test_offer_is_repeated_until_accepted_and_accept_until_started",
    15: "test_start_of_a_cancelled_job_is_refused_and_the_server_cleans_up",
    16: "test_a_time_out_is_told_in_the_words_that_the_agent_knows",
    17: "test_waits_are_named_in_whole_seconds",
    18: "test_bodies_may_be_empty_where_clients_send_none",
    19: "test_variables_that_agents_own_are_never_sent",
    20: "test_a_batch_that_cannot_be_is_refused_whole_and_at_once",
    22: "test_connection_survives_95_idle_seconds",
    23: "test_no_answer_redirects",
    25: "test_stop_pause_and_resume_come_with_the_tokens_of_the_job",
    26: "test_no_other_endpoint_is_named",
}
# Traps of what this version does not offer, or of other files.
ELSEWHERE = {
    11: "test_artifacts.py",
    12: "test_artifacts.py",
    21: "there are no cache registries",
    24: "steps with signatures: pipeline upload",
    27: "there are no stacks",
}


def test_every_trap_has_its_test() -> None:
    assert sorted([*TRAPS, *ELSEWHERE]) == list(range(1, 28))
    folder = Path(__file__).parent
    text = "".join(path.read_text() for path in folder.glob("test_*.py"))
    missing = [name for name in TRAPS.values() if f"def {name}(" not in text]
    assert not missing
    assert not [name for name in ELSEWHERE.values() if name.endswith(".py") and not (folder / name).exists()]


def test_connection_survives_95_idle_seconds(idle_connection: IdleConnection) -> None:
    """The connection was opened when the run began; this test comes last and waits for the rest."""
    assert idle_connection.first.startswith(b"HTTP/1.1 200")
    assert idle_connection.wait().startswith(b"HTTP/1.1 200")
