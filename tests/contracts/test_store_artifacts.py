"""The store's contract: artifacts, and the room they take."""

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, JOB, ORGANIZATION, OTHER
from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.ids import ArtifactId, BuildId, JobId
from watchword.store.base import Duplicate, Transaction


def add(shelf: Shelf, *artifacts: Artifact) -> None:
    async def work(tx: Transaction) -> None:
        for artifact in artifacts:
            await tx.artifacts.add(artifact)

    shelf.write(work)


def one(name: str, place: int = 0, **changes: object) -> Artifact:
    return make.artifact(id=ArtifactId(name), place=place, **changes)


def test_an_artifact_is_kept_as_it_is(shelf: Shelf) -> None:
    add(shelf, make.artifact())
    artifact_id = ArtifactId("artifact-1")
    assert shelf.read(lambda tx: tx.artifacts.find(ORGANIZATION, artifact_id)) == make.artifact()
    assert shelf.read(lambda tx: tx.artifacts.find(OTHER, artifact_id)) is None


def test_a_place_in_a_batch_is_taken_once(shelf: Shelf) -> None:
    add(shelf, one("b", 1), one("a", 2), one("c", 0), one("d", 0, batch_id="other"))
    with pytest.raises(Duplicate):
        add(shelf, one("e", 1))
    add(shelf, one("f", 1, job_id=JobId("job-2")), one("g", 1, organization_id=OTHER))
    found = shelf.read(lambda tx: tx.artifacts.of_batch(ORGANIZATION, JOB, "batch-1"))
    assert [artifact.id for artifact in found] == ["c", "b", "a"]


def test_artifacts_of_a_build_come_oldest_first(shelf: Shelf) -> None:
    add(shelf, one("b", 1), one("a", 2, state=ArtifactState.DELETED), one("c", 3, build_id=BuildId("other")))
    add(shelf, one("d", organization_id=OTHER))
    found = shelf.read(lambda tx: tx.artifacts.of_build(ORGANIZATION, BUILD))
    assert [artifact.id for artifact in found] == ["a", "b"]


def test_an_artifact_moves_only_from_the_state_it_was_seen_in(shelf: Shelf) -> None:
    add(shelf, make.artifact())

    async def twice(tx: Transaction) -> list[bool]:
        first = await tx.artifacts.move(make.artifact(), ArtifactState.FINISHED, 9)
        return [first, await tx.artifacts.move(make.artifact(), ArtifactState.ERROR, 10)]

    assert shelf.write(twice) == [True, False]
    found = shelf.read(lambda tx: tx.artifacts.find(ORGANIZATION, ArtifactId("artifact-1")))
    assert found == make.artifact(state=ArtifactState.FINISHED, ended_at=9)


def test_the_room_of_a_build_is_what_we_keep(shelf: Shelf) -> None:
    states = list(ArtifactState)
    add(shelf, *(one(f"a{place}", place, state=state) for place, state in enumerate(states)))
    add(shelf, one("elsewhere", 10, upload_destination="s3://bucket"), one("b", 11, build_id=BuildId("b")))
    assert shelf.read(lambda tx: tx.artifacts.room_of_build(ORGANIZATION, BUILD)) == (2, 14)
    assert shelf.read(lambda tx: tx.artifacts.room_of_build(ORGANIZATION, BuildId("none"))) == (0, 0)


def test_room_is_taken_up_to_the_limit_and_given_back(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> list[bool]:
        taken = [await tx.artifacts.take_room(ORGANIZATION, size, 10) for size in (6, 5, 4, 1)]
        await tx.artifacts.give_room(ORGANIZATION, 6)
        taken += [await tx.artifacts.take_room(ORGANIZATION, size, 10) for size in (7, 6)]
        return [
            *taken,
            await tx.artifacts.take_room(OTHER, 11, 10),
            await tx.artifacts.take_room(OTHER, 10, 10),
        ]

    assert shelf.write(work) == [True, False, True, False, False, True, False, True]
