"""The life of an agent against a server on a real socket."""

from pathlib import Path
from typing import Any

import pytest

from agent.agent_scene import Scene, one_job
from agent.agent_server import AGENT_TOKEN, JOB_TOKEN, SESSION_TOKEN, FakeJob, FakeServer, quick


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "builds")


def test_one_job_from_register_to_disconnect(scene: Scene) -> None:
    job = scene.server.offer(FakeJob("j1", "echo hello; echo world >&2"))
    assert scene.play(one_job) == 0
    called = [call for call in scene.called() if call not in ("POST heartbeat", "GET jobs/j1")]
    assert called[:5] == [
        "POST register",
        "POST connect",
        "GET ping",
        "PUT jobs/j1/accept",
        "PUT jobs/j1/start",
    ]
    assert called[-1] == "POST disconnect"
    assert called.index("PUT jobs/j1/finish") > max(i for i, c in enumerate(called) if c.endswith("chunks"))
    assert "hello\nworld\n" in job.log
    assert job.finish is not None
    assert job.finish["exit_status"] == "0"
    assert job.finish["chunks_failed_count"] == 0
    assert "signal" not in job.finish
    assert "signal_reason" not in job.finish


def test_each_call_carries_its_own_token(scene: Scene) -> None:
    scene.server.offer(FakeJob("j1", "echo hello"))
    scene.play(one_job)
    for request in scene.server.requests:
        if request.call == "POST register":
            assert request.token == AGENT_TOKEN
        elif request.path.startswith("jobs/") and not request.path.endswith("accept"):
            assert request.token == JOB_TOKEN
        else:
            assert request.token == SESSION_TOKEN


def test_what_the_agent_says_of_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tags="os=linux", queue="big", priority="-1")
    scene.server.script("GET ping", (200, {"action": "disconnect"}))
    assert scene.play() == 0
    sent = scene.server.calls("POST register")[0].json
    assert sent["name"] == "%hostname-1"
    assert sent["meta_data"] == ["os=linux", "queue=big"]
    assert sent["priority"] == "-1"
    assert sent["version"].startswith("4.0.0-watchword.")
    assert (sent["build"], sent["features"], sent["ignore_in_dispatches"]) == ("1", [], False)
    assert sent["pid"] > 0


def test_a_refused_registration_ends_at_once_and_says_why(scene: Scene) -> None:
    refusal = {"message": f"The agent token {AGENT_TOKEN} is revoked", "code": "token_revoked"}
    scene.server.script("POST register", (401, refusal))
    assert scene.play() == 1
    assert scene.called() == ["POST register"]
    printed = scene.output.getvalue()
    assert "is revoked" in printed
    assert "token_revoked" in printed
    assert AGENT_TOKEN not in printed


def test_registration_waits_for_a_server_that_is_not_ready(scene: Scene) -> None:
    scene.server.script("POST register", (503, {}), (429, {}), (200, b"<html>"))
    scene.server.script("POST connect", (500, {}), (404, {}))
    scene.server.script("GET ping", (200, {"action": "disconnect"}))
    assert scene.play() == 0
    assert len(scene.server.calls("POST register")) == 4
    assert len(scene.server.calls("POST connect")) == 3


@pytest.mark.parametrize(
    "missing", ["access_token", "ping_interval", "job_status_interval", "heartbeat_interval"]
)
def test_an_answer_to_the_registration_that_cannot_be_worked_with(scene: Scene, missing: str) -> None:
    scene.server.session.pop(missing)
    assert scene.play() == 1
    assert missing in scene.output.getvalue()


def test_a_stop_during_registration(scene: Scene) -> None:
    scene.server.script("POST register", *[(503, {})] * 30)

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.requests))
        scene.stop.ask()

    assert scene.play(story) == 0


def test_the_servers_messages_are_printed_without_control_characters(scene: Scene) -> None:
    scene.server.script(
        "GET ping", (200, {"message": "maintenance\x1b[2J at noon"}), (200, {"action": "disconnect"})
    )
    assert scene.play() == 0
    assert "maintenance [2J at noon" in scene.output.getvalue()


def test_a_final_answer_to_a_ping_ends_the_agent(scene: Scene) -> None:
    scene.server.script("GET ping", (503, {}), (200, b""), (401, {"message": "This session is over"}))
    assert scene.play() == 1
    assert len(scene.server.calls("GET ping")) == 3
    assert "This session is over" in scene.output.getvalue()
    assert scene.called()[-1] == "POST disconnect"


def test_a_paused_agent_takes_no_job(scene: Scene) -> None:
    scene.server.offer(FakeJob("j1", "echo hello"))
    pause: dict[str, Any] = {"action": "pause", "message": "wait", "job": {"id": "j1"}}
    scene.server.script(
        "GET ping", (200, pause), (200, pause), (200, {"action": "disconnect", "job": {"id": "j1"}})
    )
    assert scene.play() == 0
    assert "PUT jobs/j1/accept" not in scene.called()
    assert scene.output.getvalue().count("paused") == 1


def test_a_refused_accept_is_offered_again(scene: Scene) -> None:
    job = scene.server.offer(FakeJob("j1", "echo hello"))
    scene.server.script("PUT jobs/j1/accept", (422, {"message": "not now"}), (500, {}))
    assert scene.play(one_job) == 0
    assert len(scene.server.calls("PUT jobs/j1/accept")) == 3
    assert job.finish is not None


def test_a_refused_start_leaves_the_job_alone(scene: Scene) -> None:
    job = scene.server.offer(FakeJob("j1", "touch ran"))
    scene.server.script("PUT jobs/j1/start", (422, {"message": "too late"}))

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: len(scene.server.calls("GET ping")) > 2)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert job.finish is None
    assert not job.chunks


def test_the_agent_leaves_after_one_job_if_told_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path, **{"disconnect-after-job": "true"})
    job = scene.server.offer(FakeJob("j1", "exit 3"))
    assert scene.play() == 0
    assert scene.server.calls("POST register")[0].json["features"] == ["disconnect-after-job"]
    assert job.finish is not None
    assert job.finish["ignore_agent_in_dispatches"] is True
    assert job.finish["exit_status"] == "3"


def test_a_polite_stop_lets_the_job_finish(scene: Scene) -> None:
    job = scene.server.offer(FakeJob("j1", "while [ ! -e go ]; do sleep 0.01; done; echo done"))
    scene.server.offer(FakeJob("j2", "echo never"))

    async def story(scene: Scene) -> None:
        await job.started.wait()
        scene.stop.ask()
        await quick(10)
        (scene.settings.build_path / "builder-1/acme/app").mkdir(parents=True, exist_ok=True)
        (scene.settings.build_path / "builder-1/acme/app/go").touch()

    assert scene.play(story) == 0
    assert job.log.endswith("done\n")
    assert job.finish is not None
    assert job.finish["exit_status"] == "0"
    assert "PUT jobs/j2/accept" not in scene.called()
    assert scene.called()[-1] == "POST disconnect"


def test_a_second_stop_cancels_the_job(scene: Scene) -> None:
    job = scene.server.offer(FakeJob("j1", "echo up; sleep 60"))

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: job.seen("up\n"))
        scene.stop.ask()
        scene.stop.ask()

    assert scene.play(story) == 0
    assert job.finish is not None
    assert job.finish["exit_status"] == "-1"
    assert job.finish["signal"] == "SIGTERM"
    assert job.finish["signal_reason"] == "agent_stop"


def test_a_final_answer_to_a_heartbeat_cancels_the_job_and_ends_the_agent(scene: Scene) -> None:
    job = scene.server.offer(FakeJob("j1", "sleep 60"))

    async def story(scene: Scene) -> None:
        await job.started.wait()
        scene.server.script("POST heartbeat", (503, {}), (401, {"message": "Unknown session"}))

    assert scene.play(story) == 1
    assert job.finish is not None
    assert job.finish["signal_reason"] == "agent_stop"
    assert "Unknown session" in scene.output.getvalue()


def test_the_agent_follows_the_server_to_another_endpoint(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        other = FakeServer()
        async with other.listening():
            other.script("GET ping", (200, {"request_headers": {"Buildkite-Shard": "7", "Host": "x"}}))
            scene.server.script("GET ping", (200, {"endpoint": other.url}))
            await other.until(lambda: len(other.calls("GET ping")) > 2)
            scene.stop.ask()
            await scene.server.until(lambda: "POST disconnect" in scene.called())
        assert other.calls("GET ping")[-1].headers["buildkite-shard"] == "7"
        assert other.calls("GET ping")[-1].token == SESSION_TOKEN

    assert scene.play(story) == 0


def test_an_endpoint_that_does_not_answer_is_not_followed(scene: Scene) -> None:
    nowhere = "http://127.0.0.1:9/v3"
    scene.server.script("GET ping", (200, {"endpoint": nowhere}), (200, {"action": "disconnect"}))
    assert scene.play() == 0
    assert "cannot move" in scene.output.getvalue()


def test_a_job_without_a_job_token_is_refused_and_never_sees_the_session_token(scene: Scene) -> None:
    job = scene.server.offer(FakeJob("j1", "env", token=None))
    assert scene.play(one_job) == 0
    assert job.finish is not None
    assert (job.finish["exit_status"], job.finish["signal_reason"]) == ("-1", "agent_refused")
    assert scene.server.calls("PUT jobs/j1/finish")[0].token == SESSION_TOKEN
    assert not scene.server.calls("PUT jobs/j1/start")
    assert not job.chunks
