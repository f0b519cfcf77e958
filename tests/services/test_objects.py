"""Objects on a folder and on a real S3 server: one contract."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from s3_stand_in import BUCKET, s3_server
from support import World
from watchword.domain.errors import Unavailable
from watchword.objects.base import Missing
from watchword.objects.stored import StoredObjects, open_objects


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> StoredObjects:
    address = request.getfixturevalue("s3") if request.param == "s3" else ""
    return open_objects(address, tmp_path / "objects", direct=True)


async def source(*pieces: bytes, failing: bool = False) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if failing:
        raise KeyError("the client went away")


async def whole(objects: StoredObjects, key: str, first: int, count: int) -> bytes:
    return b"".join([piece async for piece in await objects.read(key, first, count)])


@pytest.mark.parametrize("size", [0, 1, 300_000, 11 * 1024 * 1024])
def test_what_was_put_is_read_by_range(world: World, objects: StoredObjects, size: int) -> None:
    data = os.urandom(size)
    half = size // 2
    world.run(objects.put("a/b/1", source(data[:half], data[half:])))
    assert world.run(objects.size("a/b/1")) == size
    assert world.run(whole(objects, "a/b/1", 0, size)) == data
    assert world.run(whole(objects, "a/b/1", half, size - half)) == data[half:]
    assert world.run(whole(objects, "a/b/1", half, min(1, size - half))) == data[half : half + 1]


@pytest.mark.parametrize("size", [10, 12 * 1024 * 1024])
def test_a_source_that_fails_leaves_what_was_there(world: World, objects: StoredObjects, size: int) -> None:
    world.run(objects.put("broken/old", source(b"old")))
    for key in ("broken/old", "broken/new"):
        with pytest.raises(KeyError):
            world.run(objects.put(key, source(bytes(size), failing=True)))
    assert world.run(whole(objects, "broken/old", 0, 3)) == b"old"
    assert world.run(objects.size("broken/new")) is None


def test_what_is_not_there_is_missing(world: World, objects: StoredObjects) -> None:
    assert world.run(objects.size("nothing")) is None
    with pytest.raises(Missing):
        world.run(objects.read("nothing", 0, 1))


def test_deleting_takes_all_below_a_prefix_and_may_be_repeated(world: World, objects: StoredObjects) -> None:
    for key in ("x/1/1", "x/1/2", "x/10/1"):
        world.run(objects.put(key, source(b"data")))
    for _ in range(2):
        world.run(objects.delete("x/1"))
    assert [world.run(objects.size(key)) for key in ("x/1/1", "x/1/2", "x/10/1")] == [None, None, 4]


def test_a_bucket_gives_addresses_that_need_no_credentials(world: World, s3: str, tmp_path: Path) -> None:
    objects = open_objects(s3, tmp_path, direct=True)
    put = world.run(objects.sign("PUT", "signed/1", 60))
    assert put is not None
    assert "secret" not in put
    answer = httpx.put(put, content=b"by an agent")
    assert answer.status_code == 200
    assert answer.headers["etag"]
    assert world.run(whole(objects, "signed/1", 0, 11)) == b"by an agent"
    get = world.run(objects.sign("GET", "signed/1", 60))
    assert get is not None
    assert httpx.get(get).content == b"by an agent"


def test_a_folder_and_a_bucket_kept_to_us_give_none(world: World, s3: str, tmp_path: Path) -> None:
    for objects in (open_objects("", tmp_path / "o", direct=True), open_objects(s3, tmp_path, direct=False)):
        assert world.run(objects.sign("GET", "any", 60)) is None
        assert world.run(objects.sign("PUT", "any", 60)) is None


def test_a_store_that_fails_is_unavailable(world: World, s3: str, tmp_path: Path) -> None:
    objects = open_objects(s3.replace(BUCKET, "no-such-bucket"), tmp_path, direct=True)
    with pytest.raises(Unavailable) as caught:
        world.run(objects.put("a", source(b"x")))
    assert caught.value.code == "objects_unavailable"


def test_a_folder_is_for_its_owner_alone_and_keeps_no_trace(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    objects = open_objects("", folder, direct=True)
    assert folder.stat().st_mode & 0o777 == 0o700
    world.run(objects.put("a/b/1", source(b"data")))
    world.run(objects.delete("a"))
    assert list(folder.rglob("*")) == []
