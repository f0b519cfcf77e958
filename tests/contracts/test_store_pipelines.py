"""The store's contract: the work of pipelines, searches over their builds, their deletion."""

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, ORGANIZATION, OTHER, PIPELINE
from watchword.domain.ids import BuildId, JobId, PipelineId
from watchword.domain.pipelines import BuildState, JobState, PipelineWork
from watchword.store.base import EVERYTHING, Transaction

SECOND = PipelineId("pipeline-2")


def fill(shelf: Shelf) -> None:
    """Two pipelines: the first has work in every state, the second one ended build."""

    async def work(tx: Transaction) -> None:
        await tx.builds.add_pipeline(make.pipeline())
        await tx.builds.add_pipeline(make.pipeline(id=SECOND, slug="second"))
        await tx.builds.add_pipeline(make.pipeline(organization_id=OTHER))
        await tx.builds.add_build(make.build(state=BuildState.SCHEDULED))
        await tx.builds.add_build(make.build(id=BuildId("b-2"), number=2, state=BuildState.RUNNING))
        await tx.builds.add_build(make.build(id=BuildId("b-3"), number=3, state=BuildState.BLOCKED))
        ended = make.build(
            id=BuildId("b-4"), pipeline_id=SECOND, state=BuildState.PASSED, finished_at=9, started_at=8
        )
        await tx.builds.add_build(ended)
        await tx.builds.add_build(make.build(organization_id=OTHER))
        for place, (build, state) in enumerate(
            (
                (BUILD, JobState.SCHEDULED),
                (BUILD, JobState.WAITING),
                (BuildId("b-2"), JobState.RUNNING),
                (BuildId("b-2"), JobState.CANCELING),
                (BuildId("b-2"), JobState.LIMITED),
                (BuildId("b-2"), JobState.FINISHED),
                (BuildId("b-4"), JobState.FINISHED),
            )
        ):
            await tx.builds.add_job(make.job(id=JobId(f"job-{place}"), build_id=build, state=state))
        await tx.logs.set_meta_data(ORGANIZATION, BUILD, "release", "1")
        await tx.logs.set_meta_data(ORGANIZATION, BuildId("b-2"), "release", "2")
        await tx.logs.set_meta_data(ORGANIZATION, BuildId("b-3"), "other", "1")
        await tx.logs.set_meta_data(OTHER, BUILD, "release", "1")

    shelf.write(work)


def test_work_that_has_not_ended_is_counted_by_pipeline(shelf: Shelf) -> None:
    fill(shelf)
    counted = PipelineWork(PIPELINE, 1, 2, 1, 2, 2)
    assert list(shelf.read(lambda tx: tx.pipelines.work(ORGANIZATION, None))) == [counted]
    assert list(shelf.read(lambda tx: tx.pipelines.work(ORGANIZATION, PIPELINE))) == [counted]
    assert list(shelf.read(lambda tx: tx.pipelines.work(ORGANIZATION, SECOND))) == []
    assert list(shelf.read(lambda tx: tx.pipelines.work(OTHER, None))) == [PipelineWork(PIPELINE, 1)]


def test_builds_are_found_by_their_meta_data(shelf: Shelf) -> None:
    fill(shelf)
    assert list(shelf.read(lambda tx: tx.pipelines.builds_with(ORGANIZATION, "release", "1"))) == [BUILD]
    assert list(shelf.read(lambda tx: tx.pipelines.builds_with(ORGANIZATION, "release", "3"))) == []


def test_a_deleted_pipeline_is_found_nowhere_and_its_slug_is_free(shelf: Shelf) -> None:
    fill(shelf)
    second = make.pipeline(id=SECOND, slug="second")
    assert shelf.write(lambda tx: tx.pipelines.mark_deleted(second, 50)) is True
    assert shelf.write(lambda tx: tx.pipelines.mark_deleted(second, 51)) is False
    assert shelf.read(lambda tx: tx.builds.pipeline(ORGANIZATION, SECOND)) is None
    assert shelf.read(lambda tx: tx.builds.pipeline_by_slug(ORGANIZATION, "second")) is None
    assert shelf.read(lambda tx: tx.builds.pipeline_by_slug(ORGANIZATION, SECOND)) is None
    assert [one.id for one in shelf.read(lambda tx: tx.builds.pipelines(ORGANIZATION, EVERYTHING))] == [
        PIPELINE
    ]
    listed = shelf.read(lambda tx: tx.builds.builds(ORGANIZATION, None, EVERYTHING))
    assert {one.pipeline_id for one in listed} == {PIPELINE}
    assert len(listed) == 3
    shelf.write(lambda tx: tx.builds.add_pipeline(make.pipeline(id=PipelineId("third"), slug="second")))


def test_what_a_deleted_pipeline_leaves_is_found_and_dropped(shelf: Shelf) -> None:
    fill(shelf)
    assert list(shelf.read(lambda tx: tx.pipelines.deleted(9))) == []
    second = make.pipeline(id=SECOND, slug="second")
    assert shelf.write(lambda tx: tx.pipelines.drop(ORGANIZATION, SECOND)) is False  # not deleted
    shelf.write(lambda tx: tx.pipelines.mark_deleted(second, 50))
    assert list(shelf.read(lambda tx: tx.pipelines.deleted(9))) == [(ORGANIZATION, SECOND)]
    assert shelf.write(lambda tx: tx.pipelines.drop(ORGANIZATION, SECOND)) is False  # has a build
    (build,) = shelf.read(lambda tx: tx.pipelines.ended_builds(ORGANIZATION, SECOND, 9))
    assert build.id == "b-4"
    assert list(shelf.read(lambda tx: tx.pipelines.ended_builds(ORGANIZATION, PIPELINE, 9))) == []
    assert shelf.write(lambda tx: tx.house.drop_build(build)) is True
    assert shelf.write(lambda tx: tx.pipelines.drop(ORGANIZATION, SECOND)) is True
    assert list(shelf.read(lambda tx: tx.pipelines.deleted(9))) == []
