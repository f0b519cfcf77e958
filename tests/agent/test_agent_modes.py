"""Several agents in one process, and the ways in which agents leave by themselves."""

import asyncio
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from agent.agent_scene import Scene
from agent.agent_server import SESSION_TOKEN, FakeJob, quick
from watchword.agent.acquiring import REJECTED


def tokens(scene: Scene, call: str) -> set[str]:
    return {request.token for request in scene.server.calls(call)}


def test_spawned_agents_register_ping_and_leave_each_by_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spawn="3", name="vm-%spawn", **{"spawn-with-priority": "descending"})

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: len(tokens(scene, "GET ping")) == 3)
        scene.stop.ask()

    assert scene.play(story) == 0
    sent = [request.json for request in scene.server.calls("POST register")]
    assert sorted(each["name"] for each in sent) == ["vm-1", "vm-2", "vm-3"]
    assert sorted(each["priority"] for each in sent) == ["-1", "-2", "-3"]
    assert tokens(scene, "POST connect") == tokens(scene, "POST disconnect") == tokens(scene, "GET ping")


def test_one_refused_registration_ends_the_process_and_the_others_say_good_bye(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spawn="3")
    scene.server.script("POST register", (422, {"message": "too many agents"}))
    assert scene.play() == 1
    assert "too many agents" in scene.printed
    assert not scene.server.calls("POST connect")
    assert len(tokens(scene, "POST disconnect")) == 2


def test_one_agents_end_is_not_the_others(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spawn="2")

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: len(tokens(scene, "GET ping")) == 2)
        scene.server.script("POST heartbeat", (401, {"message": "Unknown session"}))
        await scene.server.until(lambda: bool(scene.server.calls("POST disconnect")))
        (gone,) = tokens(scene, "POST disconnect")
        before = len(scene.server.calls("GET ping"))
        await scene.server.until(lambda: len(scene.server.calls("GET ping")) > before + 2)
        assert {request.token for request in scene.server.calls("GET ping")[before + 1 :]} == {
            *tokens(scene, "GET ping")
        } - {gone}
        scene.stop.ask()

    assert scene.play(story) == 1
    assert "Unknown session" in scene.printed


def test_a_stop_while_registering_leaves_no_agent_behind(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spawn="2")
    scene.server.script("POST register", *[(503, {})] * 3)

    async def story(scene: Scene) -> None:
        scene.server.scripts["POST register"][1:1] = [(200, scene.server.session)]
        await scene.server.until(lambda: len(scene.server.calls("POST register")) >= 3)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert not scene.server.calls("POST connect")
    assert SESSION_TOKEN in tokens(scene, "POST disconnect")


def test_an_acquired_job_is_run_and_the_agent_leaves(tmp_path: Path) -> None:
    scene = Scene(tmp_path, **{"acquire-job": "j1"})
    job = scene.server.offer(FakeJob("j1", "exit 3"))
    scene.server.offer(FakeJob("j2", "echo never"))
    assert scene.play() == 0
    sent = scene.server.calls("POST register")[0].json
    assert (sent["ignore_in_dispatches"], sent["features"]) == (True, ["acquire-job"])
    asked = scene.server.calls("PUT jobs/j1/acquire")[0]
    assert asked.headers["x-buildkite-lock-acquire-job"] == "1"
    assert asked.headers["x-buildkite-backoff-sequence"] == "0"
    assert job.finish is not None
    assert job.finish["exit_status"] == "3"
    assert len(scene.server.calls("GET ping")) == 1
    assert "PUT jobs/j2/accept" not in scene.called()


def test_the_status_of_an_acquired_job_can_be_that_of_the_process(tmp_path: Path) -> None:
    scene = Scene(tmp_path, **{"acquire-job": "j1", "reflect-exit-status": "true"})
    scene.server.offer(FakeJob("j1", "exit 3"))
    assert scene.play() == 3


def test_a_job_that_is_not_to_be_had_gives_a_status_of_its_own(tmp_path: Path) -> None:
    scene = Scene(tmp_path, **{"acquire-job": "j1"})
    scene.server.script("PUT jobs/j1/acquire", (422, {"message": "The job is already taken"}))
    assert scene.play() == REJECTED == 27
    assert "already taken" in scene.printed
    assert scene.called()[-1] == "POST disconnect"


def test_a_job_that_waits_is_asked_for_again(tmp_path: Path) -> None:
    """423 and 5xx are tried again, in their own time; a 404 is not."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await quick(seconds)

    scene = Scene(tmp_path, **{"acquire-job": "j1"})
    scene.policy = {"sleep": sleep, "uniform": lambda low, _high: low}
    job = scene.server.offer(FakeJob("j1", "true"))
    scene.server.script("PUT jobs/j1/acquire", (423, {}), (503, {}, {"Retry-After": "7.5"}), (429, {}))
    assert scene.play() == 0
    assert job.finish is not None
    asked = scene.server.calls("PUT jobs/j1/acquire")
    assert [request.headers["x-buildkite-backoff-sequence"] for request in asked] == ["0", "1", "2", "3"]
    assert {0.0, 7.5, 3.0} <= set(waits)


def test_a_job_that_is_refused_for_good_ends_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, **{"acquire-job": "j1"})
    scene.server.script("PUT jobs/j1/acquire", (404, {"message": "No such job"}))
    assert scene.play() == 0
    assert len(scene.server.calls("PUT jobs/j1/acquire")) == 1
    assert len(scene.server.calls("GET ping")) == 1


def test_each_spawned_agent_runs_one_job_and_leaves(tmp_path: Path) -> None:
    scene = Scene(tmp_path, spawn="2", **{"disconnect-after-job": "true"})
    jobs = [scene.server.offer(FakeJob(f"j{number}", "true")) for number in (1, 2)]
    assert scene.play() == 0
    assert all(job.finish for job in jobs)
    runners = [tokens(scene, f"PUT jobs/{job.id}/accept") for job in jobs]
    assert runners[0] != runners[1]


class Clock:
    """The event loop's clock, which a test may put forward."""

    def __init__(self) -> None:
        self.extra = 0.0

    def tick(self) -> float:
        return asyncio.get_running_loop().time() + self.extra


def test_idle_agents_leave_together_and_not_while_one_works(tmp_path: Path) -> None:
    clock = Clock()
    scene = Scene(tmp_path, spawn="2", **{"disconnect-after-idle-timeout": "600"})
    scene.policy = {"tick": clock.tick}
    job = scene.server.offer(FakeJob("j1", "while [ ! -e go ]; do sleep 0.01; done"))

    async def pings(count: int) -> None:
        before = len(scene.server.calls("GET ping"))
        await scene.server.until(lambda: len(scene.server.calls("GET ping")) >= before + count)

    async def story(scene: Scene) -> None:
        await job.started.wait()
        clock.extra = 1000.0
        await pings(5)
        assert not scene.server.calls("POST disconnect")
        (folder,) = scene.settings.build_path.glob("builder-*/acme/app")
        (folder / "go").touch()
        await job.finished.wait()
        await pings(8)
        assert not scene.server.calls("POST disconnect")
        clock.extra = 2000.0

    assert scene.play(story) == 0
    assert len(tokens(scene, "POST disconnect")) == 2


def test_uptime_ends_an_idle_agent(tmp_path: Path) -> None:
    clock = Clock()
    scene = Scene(tmp_path, **{"disconnect-after-uptime": "600"})
    scene.policy = {"tick": clock.tick}

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.calls("GET ping")))
        clock.extra = 1000.0

    assert scene.play(story) == 0
    assert scene.called()[-1] == "POST disconnect"


def hook(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(stat.S_IRWXU)


def test_hooks_at_the_begin_and_the_end_of_the_process(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    for name in ("agent-startup", "agent-shutdown"):
        hook(hooks, name, f"#!/bin/sh\necho {name} of $BUILDKITE_AGENT_NAMES $BUILDKITE_AGENT_IDS\n")
    scene = Scene(tmp_path / "builds", **{"hooks-path": str(hooks)})
    scene.server.script("GET ping", (200, {"action": "disconnect"}))
    assert scene.play() == 0
    assert "agent-startup of builder-1 agent-1" in scene.printed
    assert "agent-shutdown of builder-1 agent-1" in scene.printed
    assert SESSION_TOKEN not in scene.printed


def test_a_failing_hook_at_the_begin_is_a_failing_start(tmp_path: Path) -> None:
    hook(tmp_path / "hooks", "agent-startup", "#!/bin/sh\necho no disk; exit 4\n")
    scene = Scene(tmp_path / "builds", **{"hooks-path": str(tmp_path / "hooks")})
    assert scene.play() == 1
    assert "no disk" in scene.printed
    assert scene.called() == ["POST register", "POST disconnect"]


def test_the_health_check_tells_late_heartbeats(tmp_path: Path, unused_port: int) -> None:
    address = f"127.0.0.1:{unused_port}"
    scene = Scene(tmp_path, **{"health-check-addr": address})
    clock = Clock()
    scene.policy = {"tick": clock.tick}

    def status() -> int:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.calls("GET ping")))
        assert await asyncio.to_thread(status) == 200
        scene.server.script("POST heartbeat", *[(503, {})] * 1000)
        await scene.server.until(lambda: len(scene.server.scripts["POST heartbeat"]) < 999)
        clock.extra = 60.0
        assert await asyncio.to_thread(status) == 500
        scene.stop.ask()

    assert scene.play(story) == 0


def test_an_address_of_the_health_check_that_cannot_be_used(tmp_path: Path) -> None:
    scene = Scene(tmp_path, **{"health-check-addr": "127.0.0.1:no"})
    assert scene.play() == 1
    assert "health-check-addr" in scene.printed
    assert not scene.called()


@pytest.fixture
def unused_port() -> int:
    import socket  # noqa: PLC0415 - only here

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
