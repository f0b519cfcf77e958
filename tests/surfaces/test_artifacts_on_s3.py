"""Artifacts in a bucket: agents exchange bytes with it by addresses that we sign; old ones by way of us."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from s3_stand_in import s3_server
from support import LiveServer
from surfaces.artifact_agent import Uploader, describe, exchange

DATA = b"by way of a bucket" * 1000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with s3_server() as made:
        yield made


@pytest.fixture
def job(tmp_path: Path, address: str) -> Iterator[Uploader]:
    server = LiveServer(tmp_path, object_store=address)
    yield Uploader(server)
    server.close()


def test_bytes_go_to_the_bucket_and_come_from_it(job: Uploader) -> None:
    taken = job.announce(describe("a", DATA), multipart_supported=True).body
    (artifact_id,) = taken["artifact_ids"]
    (action,) = taken["per_artifact_instructions"][artifact_id]["actions"]
    assert not action["url"].startswith(job.server.url)
    done = {"id": artifact_id, "state": "finished"}
    assert job.settle(done).status == 422  # nothing has arrived
    put = exchange(action["method"], action["url"], DATA, content_type="text/plain")
    assert put.status == 200
    etags = [{"part_number": 1, "etag": put.headers["etag"]}]
    assert job.settle(done | {"multipart_etags": etags}).status == 200
    (found,) = job.search()
    sent_on = exchange("GET", found["url"])
    assert sent_on.status == 302
    assert not sent_on.headers["location"].startswith(job.server.url)
    assert exchange("GET", sent_on.headers["location"]).body == DATA


def test_bytes_of_another_size_than_announced_do_not_finish(job: Uploader) -> None:
    taken = job.announce(describe("a", DATA), multipart_supported=True).body
    (artifact_id,) = taken["artifact_ids"]
    (action,) = taken["per_artifact_instructions"][artifact_id]["actions"]
    assert exchange("PUT", action["url"], DATA[1:]).status == 200
    answer = job.settle({"id": artifact_id, "state": "finished"})
    assert (answer.status, answer.body["code"]) == (422, "artifact_incomplete")


def test_agents_that_know_no_parts_send_a_form_to_us(job: Uploader) -> None:
    job.upload("dir/a", DATA)
    sent_on = exchange("GET", job.search()[0]["url"])
    assert exchange("GET", sent_on.headers["location"]).body == DATA


def test_a_bucket_kept_to_us_is_passed_through(tmp_path: Path, address: str) -> None:
    server = LiveServer(tmp_path, object_store=address, object_store_direct=False)
    job = Uploader(server)
    taken = job.announce(describe("a", DATA), multipart_supported=True).body
    assert taken["per_artifact_instructions"] == {}
    job.upload("a", DATA)
    answer = exchange("GET", job.search()[0]["url"], range="bytes=5-9")
    assert (answer.status, answer.body) == (206, DATA[5:10])
    server.close()
