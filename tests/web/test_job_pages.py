"""A job's page and its log on the console: windows, lines, searches, what follows, and nothing that acts."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from console_client import Console
from support import World
from watchword.domain.errors import Refused
from watchword.domain.pipelines import Job
from watchword.services.house import House
from watchword.web import jobs
from web.build_scene import BuildScene

ENDS_WITH_SCRIPT = (
    b"<script>alert(1)</script> \x1b[31m<img src=x onerror=alert(1)>\x1b[0m &amp; \x1b]8;;javascript:x\x07y\n"
)


@pytest.fixture
def scene(world: World) -> BuildScene:
    made = BuildScene(world)
    world.authority.windows.pause = 0
    return made


@pytest.fixture
def job(scene: BuildScene) -> Job:
    """A job that waits for an agent."""
    pipeline = scene.pipeline("steps: [{label: Test <it>, command: 'make <test>'}]")
    return scene.jobs(scene.build_of(pipeline))[0]


def at(job: Job, *parts: str) -> str:
    return "/".join((f"/acme/app/builds/1/jobs/{job.id}", *parts))


class Lines(HTMLParser):
    """Number and text of each line of a log's HTML, and the elements in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[int, str] = {}
        self.elements: set[str] = set()
        self._number = 0
        self._text = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        named = dict(attrs)
        if "data-line" in named:
            self._number, self._text = int(named["data-line"] or 0), False
            self.found[self._number] = ""
        self._text = self._text or named.get("class") == "line-text"

    def handle_data(self, data: str) -> None:
        if self._text and self._number:
            self.found[self._number] += data

    def handle_endtag(self, tag: str) -> None:
        self._text = self._text and tag not in ("div", "summary")


def shown(console: Console) -> dict[int, str]:
    html = console.last.text
    return Lines(html[html.index('<div class="log"') : html.rindex("</ww-log>")]).found


def test_a_job_without_a_log_says_where_it_stands(scene: BuildScene, job: Job, admin: Console) -> None:
    admin.get(at(job))
    assert "Waiting for an agent" in admin.text()
    assert "Test <it>" in admin.text()
    assert "make &lt;test&gt;" in admin.last.text
    scene.run(scene.world.store.write(lambda tx: tx.builds.cancel(job, 1)))
    admin.get(at(job))
    assert "The job never ran." in admin.text()


def test_a_log_is_shown_with_its_colours_sections_and_numbers(
    scene: BuildScene, job: Job, admin: Console
) -> None:
    scene.ended(job, "2", b"first\r\n--- Set up\n\x1b[32mgreen\x1b[0m\n+++ Test\nred \x1b[31mhot")
    admin.get(at(job))
    assert shown(admin) == {1: "first", 2: "Set up", 3: "green", 4: "Test", 5: "red hot"}
    page = admin.last.text
    assert '<span class="t-fg-2">green</span>' in page
    assert re.findall(r'<details class="log-section" data-kind="([^"]+)"( open)?', page) == [
        ("---", ""),
        ("+++", " open"),
    ]
    assert f'href="{at(job)}?line=3#L3"' in page
    assert "Failed (2)" in admin.text()
    assert "Lines 1 to 5 of 5" in admin.text()
    assert "data-source" not in page


def test_nothing_in_a_log_acts(scene: BuildScene, job: Job, admin: Console) -> None:
    scene.ended(job, "0", b"+++ " + ENDS_WITH_SCRIPT + ENDS_WITH_SCRIPT)
    html = admin.get(at(job) + "?q=script").text
    log = Lines(html[html.index("<ww-log") : html.rindex("</ww-log>")])
    assert log.found[2] == "<script>alert(1)</script> <img src=x onerror=alert(1)> &amp; y"
    assert not log.elements & {"script", "img"}
    assert "javascript:" not in html


def test_a_long_log_is_read_in_parts(
    scene: BuildScene, job: Job, admin: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LINES", 100)
    scene.ended(job, "0", b"".join(b"line %d\n" % number for number in range(1, 351)))
    admin.get(at(job))
    assert list(shown(admin)) == list(range(251, 351))
    links = [unescape(link) for link in admin.links()]
    assert {f"{at(job)}?from=1", f"{at(job)}?from=151"} <= set(links)
    admin.get(f"{at(job)}?from=151")
    assert list(shown(admin)) == list(range(151, 251))
    assert f"{at(job)}?from=251" in admin.links()
    admin.get(f"{at(job)}?line=30")
    assert list(shown(admin)) == list(range(10, 110))
    admin.get(f"{at(job)}?from=9999999")
    assert "The log does not reach so far" in admin.text()
    admin.get(f"{at(job)}?from=nonsense&line=-4")
    assert list(shown(admin))[-1] == 350


def test_a_search_leads_to_lines_and_marks_what_was_looked_for(
    scene: BuildScene, job: Job, admin: Console
) -> None:
    log = (
        b"nothing\n" * 40
        + b"a <b>Needle</b>, \x1b[31mnee\x1b[0mdle\n"
        + b"x" * 1000
        + b"needle"
        + b"y" * 1000
    )
    scene.ended(job, "0", log)
    admin.get(f"{at(job)}?q=needle")
    assert "2 lines with “needle”" in admin.text()
    page = admin.last.text
    assert "a &lt;b&gt;<mark>Needle</mark>&lt;/b&gt;, <mark>needle</mark>" in page
    assert "x" * 100 + "<mark>needle</mark>" + "y" * 100 in page
    assert "x" * 101 + "<mark>" not in page
    assert f"{at(job)}?q=needle&line=41#L41" in admin.links()
    admin.get(f"{at(job)}?q=absent")
    assert "No line of the log shows it." in admin.text()
    admin.get(f"{at(job)}?q={'x' * 201}")
    assert "invalid_search" in admin.text()
    assert shown(admin)


def test_a_deleted_log_is_said_to_be_gone(scene: BuildScene, job: Job, admin: Console) -> None:
    ended = scene.ended(job, "0", b"one\n")
    scene.run(House(scene.authority.context).drop_log(ended.organization_id, ended.id))
    assert admin.get(at(job)).status_code == 200
    assert "This log is gone" in admin.text()
    assert admin.get(at(job, "log.txt")).status_code == 404


def test_the_log_is_downloaded_as_it_was_written(scene: BuildScene, job: Job, admin: Console) -> None:
    scene.ended(job, "0", b"\x1b[31mred\x1b[0m <script>\n\xff")
    answer = admin.get(at(job, "log.txt"))
    assert answer.content == b"\x1b[31mred\x1b[0m <script>\n\xff"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="job-{job.id}.log"'
    assert answer.headers["x-content-type-options"] == "nosniff"


def events(text: str) -> list[tuple[str, str, str]]:
    """Id, name and data of server-sent events."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "event" in fields:
            found.append((fields.get("id", ""), fields["event"], fields["data"]))
    return found


def test_a_running_job_names_where_what_follows_comes_from(
    scene: BuildScene, job: Job, admin: Console
) -> None:
    running = scene.begin(job)
    scene.write(running, b"one\ntwo\nthr")
    page = admin.get(at(job)).text
    assert f'data-source="{at(job, "log", "events")}?from=3"' in page
    assert "Reload" in admin.text()
    scene.write(running, b"ee <b>\n--- four\n")
    scene.finish(running, "1")
    answer = admin.get(at(job, "log", "events") + "?from=3")
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines, head, ended = events(answer.text)
    assert (lines[0], lines[1], ended[1]) == ("4", "lines", "ended")
    said = json.loads(lines[2])
    assert (said["first"], said["total"], Lines(said["html"]).found) == (3, 4, {3: "three <b>", 4: "four"})
    assert "Failed (1)" in json.loads(head[2])["html"]
    assert "Retry the job" in json.loads(head[2])["html"]
    again = events(admin.http.get(at(job, "log", "events"), headers={"last-event-id": "3"}).text)
    assert Lines(json.loads(again[0][2])["html"]).found == {4: "four"}


def test_a_stream_ends_with_the_session(scene: BuildScene, job: Job, admin: Console) -> None:
    running = scene.begin(job)
    scene.write(running, b"one\n")
    signing_in = scene.world.authority.signing_in
    seen = []
    authenticate = type(signing_in).authenticate

    class Ending:
        """Lets the request in and the session end right after."""

        def __getattr__(self, name: str) -> object:
            return getattr(signing_in, name)

        async def authenticate(self, key: object) -> object:
            seen.append(key)
            if len(seen) > 1:
                raise Refused("Sign in to go on.", code="session_ended")
            return await authenticate(signing_in, key)  # type: ignore[arg-type]

    object.__setattr__(scene.world.authority, "signing_in", Ending())
    found = events(admin.get(at(job, "log", "events")).text)
    assert [name for _, name, _ in found] == ["ended"]
