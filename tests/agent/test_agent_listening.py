"""The stream of pings at the agent's end: what it does with messages, and when it asks instead."""

from pathlib import Path
from typing import Any

import pytest

from agent.agent_scene import Scene, one_job
from agent.agent_server import FakeJob, Held
from watchword.agent.config import load_settings
from watchword.agent.errors import ConfigError
from watchword.agent.listening import PATH
from watchword.domain.pingframes import Action, Told, read_request, told_frame

STREAM, PING = f"POST {PATH}", "GET ping"
IDLE = told_frame(Told(Action.RESUME))


def job(name: str) -> bytes:
    return told_frame(Told(Action.JOB, name))


def scene_of(folder: Path, mode: str = "auto", *answers: Any, **flags: str) -> Scene:
    scene = Scene(folder, **{"ping-mode": mode, **flags})
    if answers:
        scene.server.script(STREAM, *answers)
    return scene


def test_a_job_is_taken_from_the_stream_without_a_ping(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, "auto", (200, Held(IDLE, job("j1"))))
    scene.server.offer(FakeJob("j1", "echo told"))
    assert scene.play(one_job) == 0
    assert "told" in scene.server.jobs["j1"].log
    assert PING not in scene.called()
    (opened,) = scene.server.calls(STREAM)
    assert read_request(opened.body) == "agent-1"
    assert opened.headers["content-type"] == "application/grpc"


def test_where_there_are_no_streams_the_server_is_asked(tmp_path: Path) -> None:
    scene = scene_of(tmp_path)
    scene.server.offer(FakeJob("j1", "true"))
    assert scene.play(one_job) == 0
    assert len(scene.server.calls(STREAM)) == 1
    assert scene.called().index(STREAM) < scene.called().index(PING)
    assert "no stream of pings" in scene.printed


@pytest.mark.parametrize(
    "failure",
    [
        (503, {"message": "later"}),
        (200, {"no": "stream"}),
        (200, Held(None)),
        (200, Held(b"\0\0\0\0\2\x2a\0", None)),  # a job without an id
    ],
)
def test_a_stream_that_fails_is_opened_again_and_the_server_is_asked_meanwhile(
    tmp_path: Path, failure: Any
) -> None:
    held = Held(IDLE)
    scene = scene_of(tmp_path, "auto", failure, *[(503, {})] * 100)

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.calls(PING)))
        scene.server.script(STREAM, (200, held))
        scene.server.offer(FakeJob("j1", "true", offered_to="the stream"))
        held.pieces.put_nowait(job("j1"))
        await one_job(scene)

    assert scene.play(story) == 0


def test_with_streams_alone_a_server_without_them_ends_the_agent(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, "stream-only")
    assert scene.play() == 1
    assert PING not in scene.called()
    assert "the agent ends" in scene.printed


def test_with_streams_alone_a_failure_is_waited_out(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, "stream-only", (503, {}), (200, Held(IDLE, job("j1"))))
    scene.server.offer(FakeJob("j1", "true"))
    assert scene.play(one_job) == 0
    assert PING not in scene.called()


def test_the_stream_may_say_leave(tmp_path: Path) -> None:
    held = Held(IDLE, told_frame(Told(Action.DISCONNECT, "maintenance tonight")))
    scene = scene_of(tmp_path, "auto", (200, held))
    assert scene.play() == 0
    assert "maintenance tonight" in scene.printed
    assert scene.called()[-1] == "POST disconnect"


def test_a_job_that_comes_in_a_pause_waits_for_its_end(tmp_path: Path) -> None:
    held = Held(told_frame(Told(Action.PAUSE, "a while")), job("j1"))
    scene = scene_of(tmp_path, "auto", (200, held))
    scene.server.offer(FakeJob("j1", "true"))

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: len(scene.server.calls("POST heartbeat")) > 2)
        assert not scene.server.calls("PUT jobs/j1/accept")
        held.pieces.put_nowait(IDLE)
        await one_job(scene)

    assert scene.play(story) == 0
    assert "a while" in scene.printed


def test_messages_that_come_during_a_job_are_heeded_after_it(tmp_path: Path) -> None:
    held = Held(IDLE, job("j1"))
    scene = scene_of(tmp_path, "auto", (200, held))
    for name in ("j1", "j2"):
        scene.server.offer(FakeJob(name, "sleep 0.2"))

    async def story(scene: Scene) -> None:
        await scene.server.jobs["j1"].started.wait()
        for piece in (told_frame(Told(Action.PAUSE)), IDLE, job("j2")):
            held.pieces.put_nowait(piece)
        await scene.server.jobs["j2"].finished.wait()
        held.pieces.put_nowait(told_frame(Told(Action.DISCONNECT)))

    assert scene.play(story) == 0
    calls = scene.called()
    assert calls.index("PUT jobs/j1/finish") < calls.index("PUT jobs/j2/accept")


def test_an_idle_agent_leaves_without_being_told_again(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, "auto", (200, Held(IDLE)), **{"disconnect-after-idle-timeout": "0.01"})
    assert scene.play() == 0
    assert PING not in scene.called()


def test_after_its_one_job_an_agent_leaves_at_once(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, "auto", (200, Held(IDLE, job("j1"))), **{"disconnect-after-job": "true"})
    scene.server.offer(FakeJob("j1", "true"))
    assert scene.play() == 0
    assert scene.server.jobs["j1"].finish is not None


def test_modes_are_named_as_the_usual_agent_names_them(tmp_path: Path) -> None:
    def mode(text: str) -> str:
        return load_settings({"ping-mode": text}, {}, {}, home=tmp_path).ping_mode

    assert [mode(text) for text in ("auto", "stream-only", "poll-only", "ping-only")] == [
        "auto",
        "stream-only",
        "poll-only",
        "poll-only",
    ]
    with pytest.raises(ConfigError):
        mode("sometimes")
