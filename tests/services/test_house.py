"""Retention on a real database and a real folder: what has ended long ago goes, and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.leak_scene import LeakScene
from services.scene import Scene
from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.errors import NotFound, Unavailable
from watchword.domain.events import Action
from watchword.domain.fleet import AgentState
from watchword.domain.pipelines import Job
from watchword.domain.retention import Retention
from watchword.domain.tokens import DAY_US
from watchword.objects.base import Nowhere
from watchword.services.artifactbytes import take
from watchword.services.artifacts import Announcement, File, Outcome, announce, settle
from watchword.services.context import LOCAL
from watchword.services.house import House, require_log
from watchword.services.logs import add_chunk, read_log
from watchword.services.sealing import Sealer
from watchword.store.base import Page, Transaction

DAY = DAY_US // 1_000_000
BATCH = "01900000-0000-7000-8000-00000000000"


def keep(scene: Scene, **days: int) -> None:
    """One round with these days; everything else is kept for ever."""
    none = dict.fromkeys(("logs", "artifacts", "builds", "agents", "uses", "audit"), 0)
    scene.configure(retention=Retention(**{**none, **days}))
    scene.run(House(scene.authority.context).keep())


async def source(data: bytes) -> AsyncIterator[bytes]:
    yield data


def leave(scene: Scene, job: Job, number: int = 0, *, sent: bool = True) -> Artifact:
    """An artifact of a running job."""
    context = scene.authority.context
    asked = Announcement(f"{BATCH}{number}", [File(f"file {number}", 4)])
    (artifact,) = scene.run(announce(context, job, asked, "")).artifacts
    if sent:
        scene.run(take(context, artifact, 1, source(b"data")))
        scene.run(settle(context, job, [Outcome(artifact.id, finished=True, receipts={})]))
    return artifact


def a_run(scene: Scene, *, finish: bool = True, chunks: int = 60, sent: bool = True) -> tuple[Job, Artifact]:
    """A job with a log and an artifact, ended unless it is to run on."""
    joined = scene.agent()
    job = scene.running(joined).job
    for sequence in range(chunks):
        scene.run(add_chunk(scene.authority.context, job, sequence, sequence * 4, b"line"))
    artifact = leave(scene, job, sent=sent)
    if finish:
        scene.finish(job)
    return scene.job(job), artifact


def state_of(scene: Scene, artifact: Artifact) -> ArtifactState:
    async def work(tx: Transaction) -> Artifact | None:
        return await tx.artifacts.find(artifact.organization_id, artifact.id)

    found = scene.run(scene.authority.context.store.read(work))
    assert found is not None
    return found.state


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]


def room(scene: Scene) -> bool:
    """Whether the organization's counter says that it holds 4 bytes."""

    async def work(tx: Transaction) -> bool:
        taken = await tx.artifacts.take_room(scene.organization_id, 1, 4)
        if taken:
            await tx.artifacts.give_room(scene.organization_id, 1)
        return not taken

    return scene.run(scene.authority.context.store.write(work))


def test_logs_go_after_their_days_and_say_so(scene: Scene) -> None:
    job, _ = a_run(scene)
    context = scene.authority.context
    scene.forward(10 * DAY)
    keep(scene, logs=10)
    assert len(scene.run(read_log(context, job))) == 240
    scene.run(require_log(context, job))
    scene.forward(1)
    keep(scene, logs=10)
    assert scene.run(read_log(context, job)) == b""
    with pytest.raises(NotFound) as caught:
        scene.run(require_log(context, job))
    assert (caught.value.status, caught.value.code) == (410, "log_expired")
    assert scene.job(job).log_size == 240  # what it was stays known


def test_artifacts_go_after_their_days_bytes_and_room(scene: Scene, tmp_path: Path) -> None:
    _, artifact = a_run(scene)
    assert room(scene)
    scene.forward(10 * DAY)
    keep(scene, artifacts=10)
    assert (state_of(scene, artifact), len(files(tmp_path))) == (ArtifactState.FINISHED, 1)
    scene.forward(1)
    keep(scene, artifacts=10)
    assert (state_of(scene, artifact), len(files(tmp_path))) == (ArtifactState.EXPIRED, 0)
    assert not room(scene)


def test_nothing_of_a_build_that_runs_is_touched(scene: Scene, tmp_path: Path) -> None:
    job, artifact = a_run(scene, finish=False)
    scene.forward(1000 * DAY)
    keep(scene, logs=1, artifacts=1, builds=1)
    assert scene.job(job) == job
    assert (state_of(scene, artifact), len(files(tmp_path))) == (ArtifactState.FINISHED, 1)
    assert scene.run(read_log(scene.authority.context, job))


def test_by_default_a_year_and_the_trail_are_safe(scene: Scene) -> None:
    job, _ = a_run(scene)
    scene.forward(365 * DAY)
    before = scene.run(scene.world.store.read(lambda tx: tx.audit.events(scene.organization_id, 0, 1000)))
    scene.run(House(scene.authority.context).keep())
    assert scene.job(job) == job
    assert scene.run(read_log(scene.authority.context, job))
    after = scene.run(scene.world.store.read(lambda tx: tx.audit.events(scene.organization_id, 0, 1000)))
    assert after == before


def test_a_build_goes_with_its_bytes_logs_and_rows(scene: Scene, tmp_path: Path) -> None:
    job, _ = a_run(scene)
    stays, _ = a_run(scene, finish=False)
    scene.forward(30 * DAY + 1)
    keep(scene, builds=30)
    assert len(files(tmp_path)) == 1

    async def left(tx: Transaction) -> tuple[Any, ...]:
        owner = job.organization_id
        build = await tx.builds.build(owner, job.build_id)
        return build, await tx.builds.job(owner, job.id), list(await tx.logs.chunks(owner, job.id))

    assert scene.run(scene.world.store.read(left)) == (None, None, [])
    assert scene.job(stays) == stays
    (event,) = scene.events(Action.BUILD_EXPIRED)
    assert (event.subject_id, event.actor_kind) == (job.build_id, "system")
    assert room(scene)  # the other build's four bytes


def test_bytes_go_before_their_records_and_an_interrupted_round_is_repeated(
    scene: Scene, tmp_path: Path
) -> None:
    class Broken(Nowhere):
        async def delete(self, prefix: str) -> None:
            raise Unavailable(prefix)

    _, artifact = a_run(scene)
    scene.forward(30 * DAY + 1)
    scene.configure(retention=Retention(artifacts=30, builds=30))
    broken = replace(scene.authority.context, objects=Broken())
    for _ in range(2):
        with pytest.raises(Unavailable):
            scene.run(House(broken).keep())
        assert state_of(scene, artifact) is ArtifactState.FINISHED
    scene.run(House(scene.authority.context).keep())
    assert files(tmp_path) == []
    assert scene.events(Action.BUILD_EXPIRED)


def test_files_that_never_came_are_given_up_a_day_after_their_job(scene: Scene) -> None:
    _, artifact = a_run(scene, sent=False)
    scene.forward(DAY - 1)
    keep(scene)
    assert state_of(scene, artifact) is ArtifactState.NEW
    scene.forward(2)
    keep(scene)
    assert state_of(scene, artifact) is ArtifactState.ERROR
    assert not room(scene)


def test_agents_that_left_go_and_tokens_never_do(scene: Scene) -> None:
    joined, here = scene.agent(name="gone"), scene.agent(name="here")
    scene.run(scene.authority.finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))
    session = joined.value.reveal()
    scene.forward(90 * DAY + 1)
    keep(scene, agents=90)

    async def find(tx: Transaction) -> list[bool]:
        both = (joined, here)
        return [await tx.fleet.find(scene.organization_id, one.agent.id) is not None for one in both]

    assert scene.run(scene.world.store.read(find)) == [False, True]
    assert scene.reason(session) == "session_ended"


def test_a_trail_that_is_cut_says_up_to_where_and_goes_on_counting(scene: Scene) -> None:
    scene.agent()
    before = scene.run(scene.world.store.read(lambda tx: tx.audit.events(scene.organization_id, 0, 1000)))
    scene.forward(400 * DAY)
    keep(scene, audit=365)
    read = scene.world.store.read
    assert scene.run(read(lambda tx: tx.audit.events(scene.organization_id, 0, 1000))) == before  # not sealed
    scene.run(Sealer(scene.authority.context, ()).seal())
    keep(scene, audit=365)
    events = scene.run(scene.world.store.read(lambda tx: tx.audit.events(scene.organization_id, 0, 1000)))
    assert [event.action for event in events] == [Action.AUDIT_EXPIRED]
    assert events[0].sequence == before[-1].sequence + 1
    assert f'"last":{before[-1].sequence}' in events[0].data
    keep(scene, audit=365)
    assert (
        scene.run(scene.world.store.read(lambda tx: tx.audit.events(scene.organization_id, 0, 9))) == events
    )


def test_reports_of_leaks_go_after_400_days_and_their_cases_stay(scene: Scene) -> None:
    leaks = LeakScene(scene.world)
    issued = leaks.token()
    leaks.report(issued.value)
    store = scene.authority.context.store
    for days, left in ((399, 1), (2, 0)):
        scene.forward(days * DAY)
        keep(scene)
        assert len(scene.run(store.read(lambda tx: tx.leaks.reports(Page())))) == left
    assert leaks.leak(issued.token) is not None
    leaks.report(issued.value)
    assert leaks.the_leak(issued.token).count == 2
