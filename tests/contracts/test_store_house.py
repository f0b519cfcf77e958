"""The store's contract: what retention finds due, and what its deletions leave."""

from dataclasses import replace

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, ORGANIZATION, OTHER, TOKEN
from watchword.domain.artifacts import ArtifactState
from watchword.domain.fleet import AgentState
from watchword.domain.ids import AgentId, ArtifactId, BuildId, JobId, OrganizationId, TokenId
from watchword.domain.pipelines import Build, BuildState, Job, JobState
from watchword.store.base import Transaction


def a_build(name: str, finished_at: int, *, state: BuildState = BuildState.PASSED, number: int = 0) -> Build:
    return replace(
        make.build(id=BuildId(name), number=number or make.number(), state=state), finished_at=finished_at
    )


def a_job(name: str, build: str, finished_at: int, state: JobState = JobState.FINISHED) -> Job:
    made = make.job(id=JobId(name), build_id=BuildId(build), state=state)
    return replace(made, finished_at=finished_at)


def test_logs_of_ended_jobs_are_due_until_they_are_gone(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        for name, finished_at in (("c", 30), ("a", 10), ("b", 20), ("open", 0), ("silent", 5)):
            await tx.builds.add_job(a_job(name, BUILD, finished_at))
            if name != "silent":
                await tx.logs.grow_log(ORGANIZATION, JobId(name), 9)
                for sequence in range(3):
                    await tx.logs.add_chunk(make.chunk(job_id=JobId(name), sequence=sequence))

    shelf.write(fill)
    due = shelf.read(lambda tx: tx.house.due_logs(30, 10))
    assert list(due) == [(ORGANIZATION, "a"), (ORGANIZATION, "b")]
    assert list(shelf.read(lambda tx: tx.house.due_logs(30, 1))) == [(ORGANIZATION, "a")]
    drops = [shelf.write(lambda tx: tx.house.drop_chunks(ORGANIZATION, JobId("a"), 2)) for _ in range(3)]
    assert drops == [2, 1, 0]
    assert shelf.read(lambda tx: tx.house.log_ended_at(ORGANIZATION, JobId("a"))) == 0
    shelf.write(lambda tx: tx.house.end_log(ORGANIZATION, JobId("a"), 77))
    assert shelf.read(lambda tx: tx.house.log_ended_at(ORGANIZATION, JobId("a"))) == 77
    assert list(shelf.read(lambda tx: tx.house.due_logs(30, 10))) == [(ORGANIZATION, "b")]
    assert len(shelf.read(lambda tx: tx.logs.chunks(ORGANIZATION, JobId("b")))) == 3


def test_artifacts_are_due_once_their_build_has_ended(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        await tx.builds.add_build(a_build("done", 50))
        await tx.builds.add_build(a_build("running", 0, state=BuildState.RUNNING))
        for place, (name, build, created_at, state) in enumerate(
            (
                ("b", "done", 20, ArtifactState.FINISHED),
                ("a", "done", 10, ArtifactState.ERROR),
                ("late", "done", 30, ArtifactState.FINISHED),
                ("gone", "done", 1, ArtifactState.EXPIRED),
                ("deleted", "done", 1, ArtifactState.DELETED),
                ("held", "running", 1, ArtifactState.FINISHED),
            )
        ):
            artifact = make.artifact(
                id=ArtifactId(name), build_id=BuildId(build), created_at=created_at, state=state, place=place
            )
            await tx.artifacts.add(artifact)

    shelf.write(fill)
    assert [one.id for one in shelf.read(lambda tx: tx.house.due_artifacts(30, 10))] == ["a", "b"]
    assert [one.id for one in shelf.read(lambda tx: tx.house.due_artifacts(30, 1))] == ["a"]


def test_artifacts_are_abandoned_once_their_job_has_ended(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        await tx.builds.add_job(a_job("ended", BUILD, 5))
        await tx.builds.add_job(a_job("running", BUILD, 0, JobState.RUNNING))
        for place, (name, job, state) in enumerate(
            (
                ("a", "ended", ArtifactState.NEW),
                ("b", "running", ArtifactState.NEW),
                ("c", "ended", ArtifactState.FINISHED),
            )
        ):
            artifact = make.artifact(id=ArtifactId(name), job_id=JobId(job), state=state, place=place)
            await tx.artifacts.add(artifact)

    shelf.write(fill)
    assert [one.id for one in shelf.read(lambda tx: tx.house.abandoned_artifacts(8, 10))] == ["a"]
    assert not shelf.read(lambda tx: tx.house.abandoned_artifacts(7, 10))


def test_only_builds_that_have_ended_with_all_jobs_are_due(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        for name, finished_at in (("b", 20), ("a", 10), ("late", 30), ("revived", 5), ("running", 0)):
            await tx.builds.add_build(a_build(name, finished_at))
        await tx.builds.add_job(a_job("1", "a", 9))
        await tx.builds.add_job(a_job("2", "revived", 0, JobState.SCHEDULED))

    shelf.write(fill)
    due = shelf.read(lambda tx: tx.house.due_builds(30, 10))
    assert [one.id for one in due] == ["a", "b"]


def test_open_builds_and_jobs_of_a_build_are_counted(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        for name, finished_at in (("a", 0), ("b", 10), ("c", 0)):
            await tx.builds.add_build(a_build(name, finished_at))
        await tx.builds.add_build(replace(a_build("a", 0), organization_id=OTHER))
        for name, build in (("1", "a"), ("2", "a"), ("3", "b")):
            await tx.builds.add_job(a_job(name, build, 5))

    shelf.write(fill)
    assert shelf.read(lambda tx: tx.house.open_builds(ORGANIZATION)) == 2
    assert shelf.read(lambda tx: tx.house.open_builds(OTHER)) == 1
    assert shelf.read(lambda tx: tx.house.jobs_of_build(ORGANIZATION, BuildId("a"))) == 2
    assert shelf.read(lambda tx: tx.house.jobs_of_build(OTHER, BuildId("a"))) == 0


def test_a_build_goes_with_everything_in_it_and_nothing_else(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        for name in (BUILD, BuildId("other")):
            await tx.builds.add_build(a_build(name, 10))
            job = JobId(f"job of {name}")
            await tx.builds.add_job(a_job(job, name, 9))
            await tx.logs.add_chunk(make.chunk(job_id=job))
            await tx.logs.set_meta_data(ORGANIZATION, name, "k", "v")
            await tx.logs.save_annotation(make.annotation(build_id=name))
            await tx.artifacts.add(
                make.artifact(id=ArtifactId(f"artifact of {name}"), build_id=name, job_id=job)
            )

    async def left(tx: Transaction, name: BuildId) -> list[int]:
        job = JobId(f"job of {name}")
        return [
            int(await tx.builds.build(ORGANIZATION, name) is not None),
            len(await tx.builds.jobs(ORGANIZATION, name)),
            len(await tx.logs.chunks(ORGANIZATION, job)),
            len(await tx.logs.all_meta_data(ORGANIZATION, name)),
            len(await tx.logs.annotations(ORGANIZATION, name)),
            len(await tx.artifacts.of_build(ORGANIZATION, name)),
        ]

    shelf.write(fill)
    build = shelf.read(lambda tx: tx.builds.build(ORGANIZATION, BUILD))
    assert build is not None
    assert not shelf.write(lambda tx: tx.house.drop_build(replace(build, finished_at=9)))
    assert shelf.write(lambda tx: tx.house.drop_build(build))
    assert not shelf.write(lambda tx: tx.house.drop_build(build))
    assert shelf.read(lambda tx: left(tx, BUILD)) == [0] * 6
    assert shelf.read(lambda tx: left(tx, BuildId("other"))) == [1] * 6


def test_a_build_that_came_back_to_life_stays(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> bool:
        await tx.builds.add_build(a_build("b", 10))
        await tx.builds.add_job(a_job("j", "b", 0, JobState.RUNNING))
        return await tx.house.drop_build(a_build("b", 10))

    assert not shelf.write(work)


def test_agents_that_left_go_oldest_first(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        for name, ended_at in (("b", 20), ("a", 10), ("late", 30), ("here", 0)):
            state = AgentState.LOST if ended_at else AgentState.CONNECTED
            await tx.fleet.add(make.agent(id=AgentId(name), ended_at=ended_at, state=state))

    shelf.write(fill)
    assert [shelf.write(lambda tx: tx.house.drop_agents(30, 1)) for _ in range(3)] == [1, 1, 0]
    names = ("a", "b", "late", "here")
    found = [shelf.read(lambda tx, n=n: tx.fleet.find(ORGANIZATION, AgentId(n))) for n in names]  # type: ignore[misc]
    assert [one is not None for one in found] == [False, False, True, True]


def test_the_last_use_of_a_token_stays(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        old = [make.use(hour=hour, last_at=hour * 10) for hour in (1, 2, 3)]
        await tx.audit.add_uses([*old, make.use(token_id=TokenId("token-2"), hour=2, last_at=20)])
        await tx.audit.add_uses([make.use(organization_id=OTHER, hour=1, last_at=10)])

    shelf.write(fill)
    start = (OrganizationId(""), TokenId(""))
    everyone = list(shelf.read(lambda tx: tx.house.use_holders(start, 10)))
    assert everyone == [(ORGANIZATION, TOKEN), (ORGANIZATION, "token-2"), (OTHER, TOKEN)]
    assert list(shelf.read(lambda tx: tx.house.use_holders(everyone[0], 1))) == everyone[1:2]
    hour = 3_600_000_000
    for owner, token_id in everyone:
        shelf.write(lambda tx, o=owner, t=token_id: tx.house.drop_uses(o, t, 3 * hour))  # type: ignore[misc]
    left = [
        [use.hour for use in shelf.read(lambda tx, o=owner, t=token_id: tx.audit.uses(o, t))]  # type: ignore[misc]
        for owner, token_id in everyone
    ]
    assert left == [[3], [2], [1]]


def test_refusals_go_by_the_hour(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.audit.add_refusals([make.refused(hour=hour) for hour in (1, 2, 3)]))
    hour = 3_600_000_000
    drops = [shelf.write(lambda tx: tx.house.drop_refusals(3 * hour, 1)) for _ in range(3)]
    assert drops == [1, 1, 0]


def test_notices_go_in_their_order(shelf: Shelf) -> None:
    async def fill(tx: Transaction) -> None:
        for at in (10, 11, 30, 12):
            await tx.audit.post(ORGANIZATION, "topic", str(at), at)

    shelf.write(fill)
    drops = [shelf.write(lambda tx: tx.house.drop_notices(20, limit)) for limit in (1, 10, 10)]  # noqa: B023
    assert drops == [1, 1, 0]
    left = shelf.read(lambda tx: tx.audit.notices(0, 10))
    assert [notice.at for notice in left] == [30, 12]
