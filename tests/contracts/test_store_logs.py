"""The store's contract: log chunks, annotations, meta-data."""

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, JOB, ORGANIZATION, OTHER, TEXT
from watchword.domain.ids import AnnotationId, BuildId, JobId
from watchword.store.base import Transaction


def test_a_chunk_is_kept_once(shelf: Shelf) -> None:
    assert shelf.write(lambda tx: tx.logs.add_chunk(make.chunk()))
    assert not shelf.write(lambda tx: tx.logs.add_chunk(make.chunk(data=b"else", offset=9)))
    assert shelf.write(lambda tx: tx.logs.add_chunk(make.chunk(job_id=JobId("job-2"))))
    assert shelf.write(lambda tx: tx.logs.add_chunk(make.chunk(organization_id=OTHER)))
    assert list(shelf.read(lambda tx: tx.logs.chunks(ORGANIZATION, JOB))) == [make.chunk()]


def test_chunks_come_by_offset_then_sequence(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for sequence, offset in ((5, 0), (1, 8), (4, 4), (3, 4), (2, 0)):
            await tx.logs.add_chunk(make.chunk(sequence=sequence, offset=offset))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.logs.chunks(ORGANIZATION, JOB))
    assert [chunk.sequence for chunk in found] == [2, 5, 3, 4, 1]
    for position, expected in (
        (0, [2, 5, 3, 4, 1]),
        (3, [2, 5, 3, 4, 1]),
        (4, [3, 4, 1]),
        (11, [1]),
        (12, []),
    ):
        after = shelf.read(lambda tx, position=position: tx.logs.chunks_after(ORGANIZATION, JOB, position))  # type: ignore[misc]
        assert [chunk.sequence for chunk in after] == expected
        for count in (1, 3, 9):
            some = shelf.read(
                lambda tx, position=position, count=count: tx.logs.some_chunks_after(  # type: ignore[misc]
                    ORGANIZATION, JOB, position, count
                )
            )
            assert list(some) == list(after)[:count]


def test_a_log_grows(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.builds.add_job(make.job()))
    for size in (4, 0, 6):
        shelf.write(lambda tx, size=size: tx.logs.grow_log(ORGANIZATION, JOB, size))  # type: ignore[misc]
    shelf.write(lambda tx: tx.logs.grow_log(OTHER, JOB, 100))
    found = shelf.read(lambda tx: tx.builds.job(ORGANIZATION, JOB))
    assert found is not None
    assert found.log_size == 10


def test_annotations_are_one_by_context_and_scope(shelf: Shelf) -> None:
    of_job = make.annotation(id=AnnotationId("annotation-2"), scope="job", scope_id=JOB)
    again = make.annotation(id=AnnotationId("annotation-3"), body="new", style="error")
    for one in (make.annotation(), of_job, again):
        shelf.write(lambda tx, one=one: tx.logs.save_annotation(one))  # type: ignore[misc]

    async def get(tx: Transaction) -> list[object]:
        return [
            await tx.logs.annotation(ORGANIZATION, BUILD, "build", BUILD, "default"),
            await tx.logs.annotation(ORGANIZATION, BUILD, "job", JOB, "default"),
            await tx.logs.annotation(ORGANIZATION, BUILD, "build", BUILD, "another"),
            await tx.logs.annotation(OTHER, BUILD, "build", BUILD, "default"),
        ]

    assert shelf.read(get) == [again, of_job, None, None]


def test_annotations_come_by_priority_then_age(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for name, priority, created_at in (("a", 3, 5), ("b", 9, 7), ("c", 9, 6), ("d", 1, 1), ("e", 3, 4)):
            await tx.logs.save_annotation(
                make.annotation(id=AnnotationId(name), context=name, priority=priority, created_at=created_at)
            )
        await tx.logs.save_annotation(make.annotation(build_id=BuildId("build-2"), context="elsewhere"))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.logs.annotations(ORGANIZATION, BUILD))
    assert [one.context for one in found] == ["c", "b", "e", "a", "d"]


def test_an_annotation_is_deleted_once(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.logs.save_annotation(make.annotation()))

    async def delete(tx: Transaction) -> list[bool]:
        return [
            await tx.logs.delete_annotation(OTHER, BUILD, "build", BUILD, "default"),
            await tx.logs.delete_annotation(ORGANIZATION, BUILD, "job", JOB, "default"),
            await tx.logs.delete_annotation(ORGANIZATION, BUILD, "build", BUILD, "default"),
            await tx.logs.delete_annotation(ORGANIZATION, BUILD, "build", BUILD, "default"),
        ]

    assert shelf.write(delete) == [False, False, True, False]
    assert list(shelf.read(lambda tx: tx.logs.annotations(ORGANIZATION, BUILD))) == []


@pytest.mark.parametrize("value", [TEXT, " ", "x" * 100_000])
def test_meta_data_is_set_and_overwritten(shelf: Shelf, value: str) -> None:
    async def work(tx: Transaction) -> None:
        await tx.logs.set_meta_data(ORGANIZATION, BUILD, "b", "old")
        await tx.logs.set_meta_data(ORGANIZATION, BUILD, "b", value)
        await tx.logs.set_meta_data(ORGANIZATION, BUILD, TEXT, "odd key")
        await tx.logs.set_meta_data(ORGANIZATION, BUILD, "a", "first")
        await tx.logs.set_meta_data(OTHER, BUILD, "b", "foreign")
        await tx.logs.set_meta_data(ORGANIZATION, BuildId("build-2"), "b", "elsewhere")

    shelf.write(work)
    assert shelf.read(lambda tx: tx.logs.meta_data(ORGANIZATION, BUILD, "b")) == value
    assert shelf.read(lambda tx: tx.logs.meta_data(ORGANIZATION, BUILD, "B")) is None
    found = shelf.read(lambda tx: tx.logs.all_meta_data(ORGANIZATION, BUILD))
    assert list(found) == [("a", "first"), ("b", value), (TEXT, "odd key")]
