"""An agent whose token changes while it runs: it moves over, and is never away."""

from pathlib import Path

import pytest

from agent.agent_scene import Scene, one_job
from agent.agent_server import SESSION_TOKEN, FakeJob, quick
from watchword.agent.tokensource import TokenSource, find_source
from watchword.crypto.values import Secret

SECOND = f"{SESSION_TOKEN}-2"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An agent whose token is in a file."""
    scene = Scene(tmp_path / "builds", **{"token-refresh": "0"})
    rotate(tmp_path, "bkct_old")
    scene.source = find_source({"token-file": str(tmp_path / "token")}, {}, {})
    return scene


def rotate(folder: Path, value: str) -> None:
    (folder / "token").write_text(value)


async def pinging(scene: Scene, token: str = SESSION_TOKEN) -> None:
    before = len(scene.server.calls("GET ping"))
    await scene.server.until(
        lambda: any(request.token == token for request in scene.server.calls("GET ping")[before:])
    )


def test_an_idle_agent_joins_with_the_new_value_before_it_leaves_with_the_old(
    scene: Scene, tmp_path: Path
) -> None:
    async def story(scene: Scene) -> None:
        await pinging(scene)
        rotate(tmp_path, "bkct_new")
        scene.keeper.ask()
        await pinging(scene, SECOND)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert [request.token for request in scene.server.calls("POST register")] == ["bkct_old", "bkct_new"]
    life = [(r.call, r.token) for r in scene.server.requests if "connect" in r.call]
    assert life == [
        ("POST connect", SESSION_TOKEN),
        ("POST connect", SECOND),
        ("POST disconnect", SESSION_TOKEN),
        ("POST disconnect", SECOND),
    ]
    assert "bkct_" not in scene.printed


def test_the_schedule_finds_a_new_value_too(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "builds", **{"token-refresh": "5"})
    rotate(tmp_path, "bkct_old")
    scene.source = find_source({"token": f"file:{tmp_path / 'token'}"}, {}, {})

    async def story(scene: Scene) -> None:
        await pinging(scene)
        rotate(tmp_path, "bkct_new")
        await pinging(scene, SECOND)
        scene.stop.ask()

    assert scene.play(story) == 0


def test_a_running_job_ends_with_the_session_it_began_with(scene: Scene, tmp_path: Path) -> None:
    job = scene.server.offer(FakeJob("j1", "while [ ! -e go ]; do sleep 0.01; done"))

    async def story(scene: Scene) -> None:
        await job.started.wait()
        rotate(tmp_path, "bkct_new")
        scene.keeper.ask()
        await quick(30)
        assert len(scene.server.calls("POST register")) == 1
        (folder,) = scene.settings.build_path.glob("builder-1/acme/app")
        (folder / "go").touch()
        await pinging(scene, SECOND)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert job.finish is not None
    assert job.finish["exit_status"] == "0"


def test_a_new_value_that_does_not_work_changes_nothing_and_is_tried_again_later(
    scene: Scene, tmp_path: Path
) -> None:
    scene.server.refused_tokens.add("bkct_new")

    async def story(scene: Scene) -> None:
        await pinging(scene)
        rotate(tmp_path, "bkct_new")
        scene.keeper.ask()
        await scene.server.until(lambda: len(scene.server.calls("POST register")) == 2)
        for _ in range(3):
            await pinging(scene)
        assert len(scene.server.calls("POST register")) == 2
        rotate(tmp_path, "bkct_newer")
        scene.keeper.ask()
        await pinging(scene, f"{SESSION_TOKEN}-3")
        scene.stop.ask()

    assert scene.play(story) == 0
    assert "does not work yet" in scene.printed


def test_a_source_that_cannot_be_read_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await pinging(scene)
        (tmp_path / "token").unlink()
        scene.keeper.ask()
        await pinging(scene)
        await pinging(scene)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert len(scene.server.calls("POST register")) == 1
    assert "cannot be read again" in scene.printed


def test_a_refused_registration_reads_the_token_again(scene: Scene) -> None:
    scene.server.refused_tokens.add("bkct_old")
    values = iter(["bkct_old", "bkct_new"])
    scene.source = TokenSource("a test", lambda: Secret(next(values)))
    job = scene.server.offer(FakeJob("j1", "true"))
    assert scene.play(one_job) == 0
    assert job.finish is not None
    assert [request.token for request in scene.server.calls("POST register")] == ["bkct_old", "bkct_new"]


def test_a_token_that_is_refused_and_has_not_changed_ends_the_agent(scene: Scene) -> None:
    scene.server.refused_tokens.add("bkct_old")
    assert scene.play() == 1
    assert len(scene.server.calls("POST register")) == 1


def test_a_session_that_is_cut_goes_on_if_the_token_has_changed(scene: Scene, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await pinging(scene)
        rotate(tmp_path, "bkct_new")
        scene.server.script("GET ping", (401, {"message": "This session is over"}))
        await pinging(scene, SECOND)
        scene.stop.ask()

    assert scene.play(story) == 0


def test_a_paused_agent_stays_paused_and_moves_when_it_is_resumed(scene: Scene, tmp_path: Path) -> None:
    """A new session would take jobs: whoever paused this agent did not mean that."""

    async def story(scene: Scene) -> None:
        scene.server.script("GET ping", *[(200, {"action": "pause"})] * 8)
        await pinging(scene)
        rotate(tmp_path, "bkct_new")
        scene.keeper.ask()
        await scene.server.until(lambda: len(scene.server.scripts["GET ping"]) == 1)
        assert len(scene.server.calls("POST register")) == 1
        await pinging(scene, SECOND)
        scene.stop.ask()

    assert scene.play(story) == 0


def test_a_fault_in_a_source_does_not_end_the_schedule(scene: Scene) -> None:
    answers = iter(["bkct_old", RuntimeError("a fault in a library"), "bkct_new"])

    def read() -> Secret:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, str)
        return Secret(answer)

    scene.source = TokenSource("a test", read)

    async def story(scene: Scene) -> None:
        await pinging(scene)
        scene.keeper.ask()
        await pinging(scene)
        scene.keeper.ask()
        await pinging(scene, SECOND)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert "a fault in a library" in scene.printed


SUPERSEDED = (401, {"message": "This token was rotated", "code": "token_superseded"})


async def said(scene: Scene, text: str) -> None:
    while text not in scene.printed:
        await quick(1)


def test_a_rotated_token_is_no_end_and_its_source_is_read_until_the_new_value_is_there(
    scene: Scene, tmp_path: Path
) -> None:
    scene.server.script("POST register", SUPERSEDED)

    async def story(scene: Scene) -> None:
        await said(scene, "waiting for its new value")
        await quick(30)
        assert len(scene.server.calls("POST register")) == 1  # the retired value is not shown again
        rotate(tmp_path, "bkct_new")
        await pinging(scene)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert [request.token for request in scene.server.calls("POST register")] == ["bkct_old", "bkct_new"]


def test_an_agent_that_waits_for_the_new_value_can_be_stopped(scene: Scene) -> None:
    scene.server.script("POST register", SUPERSEDED)

    async def story(scene: Scene) -> None:
        await said(scene, "waiting for its new value")
        scene.stop.ask()

    assert scene.play(story) == 0


def test_a_rotated_token_that_nothing_can_renew_ends_the_agent(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "builds")
    scene.server.script("POST register", SUPERSEDED)
    assert scene.play() == 1


def test_a_new_value_that_was_rotated_meanwhile_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await pinging(scene)
        scene.server.script("POST register", SUPERSEDED)
        rotate(tmp_path, "bkct_new")
        scene.keeper.ask()
        await said(scene, "does not work yet")
        await pinging(scene)
        rotate(tmp_path, "bkct_newer")
        scene.keeper.ask()
        await pinging(scene, SECOND)
        scene.stop.ask()

    assert scene.play(story) == 0
