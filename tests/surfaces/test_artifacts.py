"""Artifacts as agents send, find and fetch them (contract agent-api §2.5, traps 11 and 12)."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import FakeClock, LiveServer
from surfaces.artifact_agent import Uploader, describe, exchange, form_of
from watchword.domain.artifacts import PART_SIZE, ArtifactState
from watchword.domain.ids import ArtifactId


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path, FakeClock())
    yield made
    made.close()


@pytest.fixture
def job(live: LiveServer) -> Uploader:
    return Uploader(live)


def state_of(job: Uploader, artifact_id: str) -> ArtifactState:
    store = job.server.authority.context.store
    owner = job.server.first.organization.id
    found = job.server.run(store.read(lambda tx: tx.artifacts.find(owner, ArtifactId(artifact_id))))
    assert found is not None
    return found.state


ODD = ["a.txt", "deep/er/b.txt", "päth/with space.txt", 'quo"te.txt', "back\\slash.txt", "$&;=%2F+.txt"]


@pytest.mark.parametrize("path", ODD)
@pytest.mark.parametrize("data", [b"", b"\r\n--edge\r\n--not quite\r\n", b"x" * 300_000])
def test_a_form_brings_a_file_and_a_search_finds_it(job: Uploader, path: str, data: bytes) -> None:
    if b"--edge\r\n" in data:
        data = data.replace(b"--edge", b"--edg")
    artifact_id = job.upload(path, data)
    (found,) = job.search()
    assert (found["id"], found["path"], found["job_id"]) == (artifact_id, path, job.job)
    assert (found["file_size"], found["upload_destination"]) == (len(data), "")
    assert found["created_at"] == "2027-01-15T08:00:00.000Z"
    got = exchange("GET", found["url"])
    assert (got.status, got.body) == (200, data)


def test_instructions_fit_every_agent_version(job: Uploader) -> None:
    answer = job.announce(describe("a", b"1"), describe("b", b"2")).body
    assert len(answer["artifact_ids"]) == 2
    instructions = answer["upload_instructions"]
    assert instructions["action"]["path"] == "/artifact-uploads"
    assert instructions["action"]["method"] == "POST"
    assert instructions["data"]["path"] == "${artifact:path}"
    assert answer["per_artifact_instructions"] == {}
    assert all(isinstance(value, str) for value in instructions["data"].values())


def test_an_announcement_repeated_with_its_id_changes_nothing(job: Uploader) -> None:
    batch = str(uuid.uuid4())
    files = [describe("a", b"1"), describe("b", b"2")]
    first = job.announce(*files, batch=batch)
    again = job.announce(*files, batch=batch.upper())
    assert again.body["artifact_ids"] == first.body["artifact_ids"]
    other = job.announce(files[0], batch=batch)
    assert (other.status, other.body["code"]) == (422, "batch_differs")


def test_a_large_file_comes_in_parts_with_receipts(job: Uploader) -> None:
    data = bytes(range(256)) * (PART_SIZE // 128) + b"rest"
    assert len(data) == 2 * PART_SIZE + 4
    taken = job.announce(describe("big", data), describe("small", b"s"), multipart_supported=True)
    big, small = taken.body["artifact_ids"]
    actions = taken.body["per_artifact_instructions"][big]["actions"]
    assert [action["part_number"] for action in actions] == [1, 2, 3]
    assert small not in taken.body["per_artifact_instructions"]
    size, more = divmod(len(data), len(actions))
    etags, start = [], 0
    for action in actions:
        end = start + size + (action["part_number"] <= more)
        put = exchange(action["method"], action["url"], data[start:end], content_type="text/plain")
        assert put.status == 200
        etags.append({"part_number": action["part_number"], "etag": put.headers["etag"]})
        start = end
    done = {"id": big, "state": "finished", "multipart": True, "multipart_etags": etags}
    for incomplete in (
        etags[:2],
        [etags[1], etags[0], etags[2]],
        [*etags[:2], etags[0] | {"part_number": 3}],
    ):
        wrong = [{"part_number": n, "etag": each["etag"]} for n, each in enumerate(incomplete, 1)]
        answer = job.settle(done | {"multipart_etags": wrong})
        assert (answer.status, answer.body["code"]) == (422, "artifact_incomplete")
    assert job.settle(done).status == 200
    assert job.settle(done).status == 200
    (found,) = job.search("big")
    assert exchange("GET", found["url"]).body == data
    span = f"bytes={size - 2}-{2 * size + 5}"
    part = exchange("GET", found["url"], range=span)
    assert (part.status, part.body) == (206, data[size - 2 : 2 * size + 6])


@pytest.mark.parametrize(
    ("sent", "code"), [(b"12345", "size_mismatch"), (b"123", "size_mismatch"), (b"4321", "digest_mismatch")]
)
def test_other_bytes_than_announced_are_refused_and_nothing_is_kept(
    job: Uploader, sent: bytes, code: str
) -> None:
    taken = job.announce(describe("a", b"1234"))
    (artifact_id,) = taken.body["artifact_ids"]
    url, kind, body = form_of(taken.body["upload_instructions"], "a", sent)
    answer = exchange("POST", url, body, content_type=kind)
    assert answer.status == 422
    assert code.encode() in answer.body
    assert job.settle({"id": artifact_id, "state": "finished"}).status == 422
    assert state_of(job, artifact_id) is ArtifactState.NEW
    assert job.search() == []
    url, kind, body = form_of(taken.body["upload_instructions"], "a", b"1234")
    assert exchange("POST", url, body, content_type=kind).status == 201
    assert job.settle({"id": artifact_id, "state": "finished"}).status == 200


def test_sha1_holds_a_file_of_agents_that_know_no_other(job: Uploader) -> None:
    taken = job.announce(describe("a", b"1234", sha256sum=None))
    url, kind, body = form_of(taken.body["upload_instructions"], "a", b"4321")
    assert exchange("POST", url, body, content_type=kind).status == 422


def test_a_failed_artifact_frees_its_room_and_is_not_found(job: Uploader) -> None:
    artifact_id = job.announce(describe("a", b"1234")).body["artifact_ids"][0]
    for _ in range(2):
        assert job.settle({"id": artifact_id, "state": "error"}).status == 200
    assert job.search() == []
    store, build = job.server.authority.context.store, job.build
    room = job.server.run(store.read(lambda tx: tx.artifacts.room_of_build(build.organization_id, build.id)))
    assert room == (0, 0)


def test_a_finished_artifact_takes_no_more_bytes(job: Uploader) -> None:
    taken = job.announce(describe("a", b"1234", sha1sum="", sha256sum=""))
    url, kind, body = form_of(taken.body["upload_instructions"], "a", b"1234")
    assert exchange("POST", url, body, content_type=kind).status == 201
    assert job.settle({"id": taken.body["artifact_ids"][0], "state": "finished"}).status == 200
    url, kind, body = form_of(taken.body["upload_instructions"], "a", b"evil")
    assert exchange("POST", url, body, content_type=kind).status == 422
    assert exchange("GET", job.search()[0]["url"]).body == b"1234"


def test_nothing_comes_after_the_job_has_ended(job: Uploader) -> None:
    taken = job.announce(describe("a", b"1234"))
    assert job.agent.finish(job.job).status == 200
    url, kind, body = form_of(taken.body["upload_instructions"], "a", b"1234")
    answer = exchange("POST", url, body, content_type=kind)
    assert answer.status == 404
    assert b"job_ended" in answer.body


def test_another_jobs_artifacts_are_not_settled(live: LiveServer, job: Uploader) -> None:
    artifact_id = job.announce(describe("a", b"1234")).body["artifact_ids"][0]
    other = Uploader(live, name="other")
    answer = other.settle({"id": artifact_id, "state": "error"})
    assert (answer.status, answer.body["code"]) == (404, "no_such_artifact")
    assert state_of(job, artifact_id) is ArtifactState.NEW


def test_what_an_agent_keeps_elsewhere_is_only_noted(job: Uploader) -> None:
    for place, destination in enumerate(
        ("s3://bucket/x", "gs://bucket/x", "rt://x", "https://account.blob.core.windows.net/container/x")
    ):
        url = f"https://example.com/{place}"
        file = describe(f"f{place}", b"1234", url=url, file_size=2**40)
        taken = job.announce(file, upload_destination=destination, multipart_supported=True)
        assert taken.status == 201
        assert taken.body["per_artifact_instructions"] == {}
        assert job.settle({"id": taken.body["artifact_ids"][0], "state": "finished"}).status == 200
        (found,) = job.search(f"f{place}")
        assert (found["url"], found["upload_destination"]) == (url, destination)


@pytest.mark.parametrize(
    ("changes", "fields", "code"),
    [
        ({"path": ""}, {}, "invalid_path"),
        ({"path": "x" * 5000}, {}, "invalid_path"),
        ({"file_size": -1}, {}, "artifact_too_large"),
        ({"file_size": 5 * 1024**3 + 1}, {}, "artifact_too_large"),
        ({"sha1sum": "xyz"}, {}, "invalid_digest"),
        ({"sha256sum": "A" * 64}, {}, "invalid_digest"),
        ({"url": "javascript:alert(1)"}, {"upload_destination": "s3://b"}, "invalid_url"),
        ({}, {"upload_destination": "ftp://b"}, "invalid_destination"),
        ({}, {"id": "no uuid"}, "invalid_batch"),
        ({}, {"artifacts": []}, "batch_too_long"),
        ({}, {"artifacts": [describe(str(n), b"") for n in range(31)]}, "batch_too_long"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    job: Uploader, changes: dict[str, Any], fields: dict[str, Any], code: str
) -> None:
    answer = job.announce(describe("a", b"1") | changes, **fields)
    assert (answer.status, answer.body["code"]) == (422, code)


def test_search_by_pattern_scope_and_age(live: LiveServer, job: Uploader) -> None:
    old = job.upload("logs/deep/a.log", b"old")
    new = job.upload("logs/deep/a.log", b"new")
    job.upload("logs/b.txt", b"b")
    assert [one["id"] for one in job.search("logs/*.log")] == [new]
    assert [one["id"] for one in job.search("*.log", include_duplicates="true")] == [old, new]
    assert len(job.search("*")) == 2
    assert len(job.search("*", scope=job.job)) == 2
    assert len(job.search("*", scope=job.job.upper())) == 2
    assert job.search("*", scope="no-such-step") == []
    assert job.search("logs/?.txt") == []
    assert job.search("nothing*") == []
    other = Uploader(live, name="other")
    assert other.search() == []
    assert len(Uploader.search(_seeing(other, job))) == 2


def test_artifacts_of_a_retried_job_are_left_out_unless_asked_for(live: LiveServer) -> None:
    step = {"command": "make", "key": "made", "label": "Make it", "retry": {"automatic": True}}
    job = Uploader(live, steps=[step])
    job.upload("a", b"first")
    assert job.agent.finish(job.job, "1").status == 200
    failed, retry = job.job, job.agent.accept()
    assert job.search() == []
    (found,) = job.search(include_retried_jobs="true")
    assert found["job_id"] == failed
    job.job = retry
    assert job.agent.on_job("PUT", f"/v3/jobs/{retry}/start", {}).status == 200
    job.upload("a", b"second")
    assert [one["job_id"] for one in job.search()] == [retry]
    assert len(job.search(include_retried_jobs="true", include_duplicates="true")) == 2
    for scope in ("made", "Make%20it", retry):
        assert [one["job_id"] for one in job.search(scope=scope)] == [retry]
    assert job.search(scope="Make") == []


def _seeing(reader: Uploader, owner: Uploader) -> Uploader:
    """One job's eyes on another job's build."""
    reader.build = owner.build
    return reader


@pytest.mark.parametrize("build", ["nonsense", "01900000-0000-7000-8000-000000000000"])
def test_search_never_answers_not_found(job: Uploader, build: str) -> None:
    answer = job.agent.on_job("GET", f"/v3/builds/{build}/artifacts/search?query=x&state=finished")
    assert (answer.status, answer.body) == (200, [])


def test_an_old_agent_does_it_all_on_its_session(live: LiveServer) -> None:
    old = Uploader(live, "3.38.0")
    assert old.agent.job_token == ""
    old.upload("a", b"1234")
    assert exchange("GET", old.search()[0]["url"]).body == b"1234"


def test_quotas_refuse_with_their_code(tmp_path: Path) -> None:
    server = LiveServer(
        tmp_path,
        max_build_artifacts=3,
        max_build_artifact_bytes=100,
        max_organization_artifact_bytes=150,
    )
    job = Uploader(server)
    assert job.announce(describe("a", b"x" * 90)).status == 201
    over = job.announce(describe("b", b"x" * 11))
    assert (over.status, over.body["code"]) == (403, "artifact_quota")
    assert job.announce(describe("b", b"x" * 10), describe("c", b"")).status == 201
    assert job.announce(describe("d", b"")).status == 403
    assert job.agent.finish(job.job).status == 200
    other = Uploader(server, name="other")
    assert other.announce(describe("a", b"x" * 51)).status == 403
    assert other.announce(describe("a", b"x" * 50)).status == 201
    server.close()
