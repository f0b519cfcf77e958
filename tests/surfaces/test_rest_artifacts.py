"""REST: artifacts of builds and jobs (contract rest-graphql §2.17)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import Client, LiveServer
from surfaces.artifact_agent import Uploader, describe, exchange
from watchword.domain.events import Action

BASE = "/v2/organizations/acme"


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Uploader]:
    server = LiveServer(tmp_path)
    yield Uploader(server)
    server.close()


def rest(job: Uploader) -> Client:
    return Client(job.server.url, job.server.first.api_token.value.reveal(), "Bearer")


def test_artifacts_are_listed_of_a_build_and_a_job_on_both_paths(job: Uploader) -> None:
    first = job.upload("logs/a b.log", b"12", content_type="text/plain; charset=utf-8")
    job.announce(describe("waiting", b"1"))
    client, build = rest(job), f"{BASE}/pipelines/app/builds/1"
    listed = client.call("GET", f"{build}/artifacts").body
    assert [(one["path"], one["state"]) for one in listed] == [
        ("logs/a b.log", "finished"),
        ("waiting", "new"),
    ]
    shown = listed[0]
    assert (shown["dirname"], shown["filename"], shown["file_size"]) == ("logs", "a b.log", 2)
    assert shown["mime_type"] == "text/plain; charset=utf-8"
    assert (shown["id"], shown["job_id"]) == (first, job.job)
    for path in (f"{build}/jobs/{job.job}/artifacts", f"{BASE}/jobs/{job.job}/artifacts"):
        assert client.call("GET", path).body == listed
        assert client.call("GET", f"{path}/{first}").body == shown
        assert [one["path"] for one in client.call("GET", f"{path}?state=new").body] == ["waiting"]
        assert [one["path"] for one in client.call("GET", f"{path}?path=logs/*").body] == ["logs/a b.log"]
        wrong = client.call("GET", f"{path}?state=odd")
        assert (wrong.status, wrong.body["code"]) == (422, "invalid_state")
        page = client.call("GET", f"{path}?per_page=1")
        assert [one["id"] for one in page.body] == [first]
        assert 'rel="next"' in page.headers["link"]


def test_a_download_leads_to_the_bytes_without_a_token(job: Uploader) -> None:
    artifact_id = job.upload("a", b"1234")
    path = f"{BASE}/jobs/{job.job}/artifacts/{artifact_id}/download"
    answer = rest(job).call("GET", path)
    assert answer.status == 302
    assert answer.headers["location"] == answer.body["url"]
    assert "bkua_" not in answer.body["url"]
    assert exchange("GET", answer.body["url"]).body == b"1234"


def test_what_is_elsewhere_is_pointed_to(job: Uploader) -> None:
    file = describe("a", b"1234", url="https://bucket.example/a")
    (artifact_id,) = job.announce(file, upload_destination="s3://bucket").body["artifact_ids"]
    path = f"{BASE}/jobs/{job.job}/artifacts/{artifact_id}/download"
    assert rest(job).call("GET", path).status == 422
    job.settle({"id": artifact_id, "state": "finished"})
    assert rest(job).call("GET", path).headers["location"] == "https://bucket.example/a"


def test_deleting_takes_the_bytes_and_leaves_a_mark(job: Uploader, tmp_path: Path) -> None:
    artifact_id = job.upload("a", b"1234")
    (found,) = job.search()
    path = f"{BASE}/jobs/{job.job}/artifacts/{artifact_id}"
    for _ in range(2):
        assert rest(job).call("DELETE", path).status == 204
    assert rest(job).call("GET", path).body["state"] == "deleted"
    assert exchange("GET", found["url"]).status == 404
    assert job.search() == []
    assert not list((tmp_path / "data" / "objects").rglob("1"))
    context, build = job.server.authority.context, job.build
    owner = build.organization_id
    events = job.server.run(context.store.read(lambda tx: tx.audit.events(owner, 0, 1000)))
    assert [event.subject_id for event in events if event.action is Action.ARTIFACT_DELETED] == [artifact_id]
    room = job.server.run(context.store.read(lambda tx: tx.artifacts.room_of_build(owner, build.id)))
    assert room == (0, 0)


def test_unknown_artifacts_and_those_of_other_jobs_are_not_found(job: Uploader) -> None:
    artifact_id = job.upload("a", b"1234")
    other = Uploader(job.server, name="other")
    for path in (
        f"{BASE}/jobs/{other.job}/artifacts/{artifact_id}",
        f"{BASE}/jobs/{job.job}/artifacts/{job.job}",
        f"{BASE}/jobs/{job.job}/artifacts/x",
    ):
        for method, more in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
            answer = rest(job).call(method, path + more)
            assert (answer.status, answer.body["message"]) == (404, "No artifact found")
    assert job.search()
