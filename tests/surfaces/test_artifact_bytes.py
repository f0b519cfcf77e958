"""Signed addresses of artifacts: who may use them, for how long, and what a browser is given."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from support import SECOND_US, FakeClock, LiveServer
from surfaces.artifact_agent import Uploader, describe, exchange, form_of
from watchword.services.links import SEARCH_SECONDS, UPLOAD_SECONDS

DATA = bytes(range(200))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def job(tmp_path: Path, clock: FakeClock) -> Iterator[Uploader]:
    server = LiveServer(tmp_path, clock)
    yield Uploader(server)
    server.close()


@pytest.fixture
def url(job: Uploader) -> str:
    job.upload("dir/page.html", DATA, content_type="text/html")
    return str(job.search()[0]["url"])


def test_an_address_serves_until_it_expires(clock: FakeClock, url: str) -> None:
    clock.forward((SEARCH_SECONDS - 1) * SECOND_US)
    assert exchange("GET", url).status == 200
    clock.forward(SECOND_US)
    answer = exchange("GET", url)
    assert answer.status == 403
    assert b"link_expired" in answer.body


@pytest.mark.parametrize("name", ["expires", "key", "signature", "path"])
def test_a_changed_address_opens_nothing(job: Uploader, url: str, name: str) -> None:
    other = job.upload("other", b"x")
    split = urlsplit(url)
    query = dict(pair.split("=") for pair in split.query.split("&"))
    path = split.path
    if name == "path":
        path = path[: path.rindex("/") + 1] + other
    else:
        query[name] = {"expires": "99999999999", "key": "2", "signature": "A" * 43}[name]
    for changed in (query, {key: value for key, value in query.items() if key != name}):
        if name == "path" or changed != dict(pair.split("=") for pair in split.query.split("&")):
            answer = exchange("GET", split._replace(path=path, query=urlencode(changed)).geturl())
            assert answer.status == 403
            assert b"link_invalid" in answer.body


def test_an_address_is_for_one_thing(job: Uploader, url: str) -> None:
    big = describe("big", b"x" * 40_000_000)
    taken = job.announce(big, multipart_supported=True).body
    part = taken["per_artifact_instructions"][taken["artifact_ids"][0]]["actions"][0]["url"]
    split, other = urlsplit(url), urlsplit(part)
    as_download = other._replace(
        path=other.path.replace("artifact-parts", "artifact-downloads").rsplit("/", 1)[0]
    )
    assert exchange("GET", as_download.geturl()).status == 403
    as_part = split._replace(path=split.path.replace("artifact-downloads", "artifact-parts") + "/1")
    assert exchange("PUT", as_part.geturl(), b"x").status == 403
    second = other._replace(path=other.path[:-1] + "2")
    assert exchange("PUT", second.geturl(), b"x").status == 403


def test_a_form_serves_its_batch_alone_and_until_it_expires(job: Uploader, clock: FakeClock) -> None:
    mine = job.announce(describe("mine", b"1")).body["upload_instructions"]
    job.announce(describe("theirs", b"1"))
    url, kind, body = form_of(mine, "theirs", b"1")
    assert exchange("POST", url, body, content_type=kind).status == 404
    for name in ("batch", "job", "build", "organization", "expires", "key", "signature"):
        changed = mine | {"data": {**mine["data"], name: "7"}}
        url, kind, body = form_of(changed, "mine", b"1")
        assert exchange("POST", url, body, content_type=kind).status == 403, name
    clock.forward(UPLOAD_SECONDS * SECOND_US)
    url, kind, body = form_of(mine, "mine", b"1")
    assert exchange("POST", url, body, content_type=kind).status == 403


def test_a_browser_is_given_nothing_that_acts(url: str) -> None:
    headers = exchange("GET", url).headers
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "text/html"
    assert int(headers["content-length"]) == len(DATA)


def test_an_odd_content_type_is_not_passed_on(job: Uploader) -> None:
    job.upload("x", b"x", content_type="text/html\r\nset-cookie: a=b")
    headers = exchange("GET", job.search()[0]["url"]).headers
    assert headers["content-type"] == "application/octet-stream"
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=190-", 190, 199),
        ("bytes=190-900", 190, 199),
        ("bytes=-5", 195, 199),
        ("bytes=-900", 0, 199),
    ],
)
def test_ranges(url: str, asked: str, first: int, last: int) -> None:
    answer = exchange("GET", url, range=asked)
    assert (answer.status, answer.body) == (206, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/200"
    assert int(answer.headers["content-length"]) == last - first + 1


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=900-901", "bytes=-0"])
def test_ranges_beyond_the_end(url: str, asked: str) -> None:
    answer = exchange("GET", url, range=asked)
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["content-range"] == "bytes */200"


@pytest.mark.parametrize("asked", ["bytes=5-4", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "bytes=x-y"])
def test_what_is_no_range_means_the_whole(url: str, asked: str) -> None:
    answer = exchange("GET", url, range=asked)
    assert (answer.status, answer.body) == (200, DATA)


def test_bytes_that_are_gone_are_said_to_be(job: Uploader, url: str, tmp_path: Path) -> None:
    (file,) = (each for each in (tmp_path / "data" / "objects").rglob("1") if each.is_file())
    file.unlink()
    answer = exchange("GET", url)
    assert answer.status == 404
    assert b"object_missing" in answer.body
    assert job.search()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nno file\r\n--edge--\r\n',
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 20_000 + b"\r\n--edge--\r\n",
        b"--edge\r\n" + b"x" * 40_000,
    ],
)
def test_what_is_no_form_is_refused(job: Uploader, body: bytes) -> None:
    for kind in ("multipart/form-data; boundary=edge", "multipart/form-data", "text/plain"):
        answer = exchange("POST", f"{job.server.url}/artifact-uploads", body, content_type=kind)
        assert answer.status == 400
        assert b"bad_form" in answer.body


def test_a_form_that_is_cut_off_keeps_nothing(job: Uploader, tmp_path: Path) -> None:
    taken = job.announce(describe("a", b"1234")).body
    url, kind, body = form_of(taken["upload_instructions"], "a", b"1234")
    assert exchange("POST", url, body[:-20], content_type=kind).status in (400, 422)
    assert not list((tmp_path / "data" / "objects").rglob("1"))
