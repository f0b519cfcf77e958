"""Builds in a real browser: from the form to a live log; nothing that a job prints runs."""

import pytest
from playwright.sync_api import Page, expect

from journeys import Begin, Journey
from support import FakeAgent, LiveServer
from watchword.domain.pipelines import Build, Job
from watchword.services.builds import create_pipeline
from watchword.services.context import LOCAL
from watchword.services.queries import Page as Window
from watchword.services.queries import builds_of, jobs_of
from watchword.services.steps import read_configuration
from watchword.store.base import Transaction
from watchword.web import jobs

STEPS = """
steps:
  - { label: Test, command: make test }
  - block: Release?
    fields: [{ text: Version, key: version }]
  - { label: Deploy, command: make deploy }
"""
HOSTILE = (
    "<img src=x onerror=\"document.body.dataset.ran='1'\"><script>document.body.dataset.ran='1'</script>"
)


class Work:
    """An agent that works off jobs, a piece of log at a time."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        server.authority.windows.pause = 0.05
        self.agent = FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
        self.job = ""
        self._chunks = self._size = 0

    def pipeline(self, steps: str = STEPS, name: str = "App") -> None:
        async def make() -> None:
            authority, first = self.server.authority, self.server.first
            kept = (await read_configuration(steps)).checked()

            async def work(tx: Transaction) -> None:
                await create_pipeline(
                    authority.context,
                    tx,
                    LOCAL,
                    first.organization.id,
                    name,
                    cluster_id=first.cluster.id,
                    configuration=kept.text,
                    document=kept.document,
                )

            await authority.context.store.write(work)

        self.server.run(make())

    def begin(self) -> str:
        """Accept and start the next job; its id."""
        self.job, self._chunks, self._size = self.agent.accept(), 0, 0
        started = {"started_at": "2030-01-01T00:00:00Z"}
        assert self.agent.on_job("PUT", f"/v3/jobs/{self.job}/start", started).status == 200
        return self.job

    def write(self, text: str) -> None:
        data = text.encode()
        self._chunks += 1
        query = f"sequence={self._chunks}&offset={self._size}&size={len(data)}"
        answer = self.agent.on_job("POST", f"/v3/jobs/{self.job}/chunks?{query}", data)
        assert answer.status < 300, answer
        self._size += len(data)

    def annotate(self, body: str) -> None:
        answer = self.agent.on_job(
            "POST", f"/v3/jobs/{self.job}/annotations", {"body": body, "style": "error"}
        )
        assert answer.status < 300, answer

    def end(self, exit_status: str = "0") -> None:
        assert self.agent.finish(self.job, exit_status).status == 200

    def jobs(self) -> tuple[Build, list[Job]]:
        async def work(tx: Transaction) -> tuple[Build, list[Job]]:
            build = (await builds_of(tx, self.server.first.organization.id, None, Window(1), None))[0]
            return build, await jobs_of(tx, build)

        return self.server.run(self.server.authority.context.store.read(work))


@pytest.fixture
def work(server: LiveServer) -> Work:
    return Work(server)


def lines(page: Page) -> list[str]:
    found: list[str] = page.locator(".line .line-text").all_inner_texts()
    return [text.removeprefix("▾ ").removeprefix("▸ ") for text in found]


def test_the_live_log_of_a_running_job(journey: Journey, work: Work) -> None:
    work.pipeline()
    work.server.create_build("make test")
    job = work.begin()
    work.write("one\ntwo\n\x1b[31mthr")
    page = journey.page
    journey.go(f"/acme/app/builds/1/jobs/{job}")
    expect(page.locator("#L3")).to_contain_text("thr")
    follow = page.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.evaluate("document.getElementById('L1').kept = true")
    work.write("ee\n--- Section\n")
    expect(page.locator("#L4")).to_contain_text("Section")
    journey.require_accessible()
    assert lines(page) == ["one", "two", "three", "Section"]
    work.write("".join(f"line {number}\n" for number in range(5, 205)))
    expect(page.locator("#L204")).to_be_in_viewport()
    expect(page.get_by_text("Lines 1 to 204 of 204").last).to_be_visible()
    page.mouse.wheel(0, -2000)
    expect(follow).to_have_attribute("aria-pressed", "false")
    work.write("+++ Last\nmore")
    expect(page.locator("#L206")).to_have_count(1)
    expect(page.locator("#L206")).not_to_be_in_viewport()
    follow.click()
    expect(page.locator("#L206")).to_be_in_viewport()
    work.end()
    expect(page.locator("#job-head")).to_contain_text("Passed")
    expect(page.locator("#status")).to_have_text("The log has ended.")
    expect(follow).to_be_hidden()
    assert len(lines(page)) == 206
    assert page.evaluate("document.getElementById('L1').kept"), "what was there was put in anew"


def test_a_log_can_be_searched_and_its_lines_have_addresses(
    journey: Journey, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LINES", 50)
    work.server.create_build("make test")
    job = work.begin()
    work.write("--- Set up\n" + "".join(f"line {number}\n" for number in range(2, 3001)))
    work.end("1")
    page = journey.page
    journey.go(f"/acme/app/builds/1/jobs/{job}")
    page.keyboard.press("/")
    page.keyboard.type("LINE 77\n")
    expect(page.get_by_role("heading", name="11 lines with “LINE 77”")).to_be_visible()
    page.get_by_role("link", name="Line 777").click()
    expect(page.locator("#L777")).to_be_in_viewport()
    assert "line=777#L777" in page.url
    journey.require_accessible()
    page.locator("#L780 a").click()
    assert page.url.endswith("?line=780#L780")
    expect(page.locator("#L780.marked")).to_be_visible()
    page.get_by_role("link", name="Latest").first.click()
    expect(page.locator("#L3000")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"job-{job}.log"


def test_a_build_from_the_form_to_its_end(journey: Journey, work: Work) -> None:
    work.pipeline()
    page = journey.page
    journey.go("pipelines")
    page.get_by_role("link", name="App").first.click()
    page.wait_for_url("**/acme/app")  # a click does not wait for the page that it leads to; keys need it
    page.keyboard.press("n")
    page.get_by_label("Message").fill("Ship it")
    page.get_by_role("button", name="Create the build").click()
    expect(page.get_by_role("heading", name="Ship it")).to_be_visible()
    work.begin()
    work.end("1")
    expect(page.get_by_text("Failed (1)")).to_be_visible()
    page.get_by_role("button", name="Retry Test").click()
    expect(page.get_by_text("This is the new attempt.")).to_be_visible()
    page.get_by_role("link", name="Build 1").click()
    work.begin()
    work.end()
    page.get_by_role("link", name="Unblock… Release?").click()
    journey.require_accessible()
    page.get_by_role("button", name="Unblock").click()
    page.get_by_label("Version").fill("1.2.3")
    page.get_by_role("button", name="Unblock").click()
    assert journey.status == "The step is unblocked."
    work.begin()
    work.end()
    expect(page.locator(".line-of-facts").get_by_text("Passed")).to_be_visible()
    journey.require_accessible()
    page.get_by_role("button", name="Rebuild").click()
    assert journey.status == "This build repeats the one you came from."
    page.get_by_role("button", name="Cancel the build").click()
    assert journey.status == "The build is canceled."


def test_nothing_that_a_job_says_runs(journey: Journey, work: Work) -> None:
    work.pipeline(f"steps: [{{label: '{HOSTILE.replace(chr(39), chr(34))}', command: 'x'}}]", "Evil")
    page = journey.page
    journey.go("/acme/evil/builds/new")
    page.get_by_label("Message").fill(HOSTILE)
    page.get_by_label("Branch").fill(HOSTILE)
    page.get_by_role("button", name="Create the build").click()
    job = work.begin()
    work.annotate(
        f"{HOSTILE}\n\n[x](javascript:alert(1)) ![x](https://elsewhere.example/x.png)\n\n{HOSTILE * 3}"
    )
    work.write(f"{HOSTILE}\n--- {HOSTILE}\n")
    for path in ("/acme/evil", "/acme/evil/builds/1", f"/acme/evil/builds/1/jobs/{job}?q=img"):
        journey.go(path)
        assert page.evaluate("document.body.dataset.ran") is None
    journey.go(f"/acme/evil/builds/1/jobs/{job}")
    work.write(f"{HOSTILE}\n+++ {HOSTILE}\n\x1b]8;;javascript:alert(1)\x07link{HOSTILE}")
    expect(page.locator("#L5")).to_contain_text("link<img")
    work.end("1")
    expect(page.locator("#job-head")).to_contain_text("Failed")
    assert page.evaluate("document.body.dataset.ran") is None
    assert page.locator("main img, main script, main a[href^='javascript']").count() == 0


def test_builds_and_logs_without_scripts_and_on_a_small_screen(begin: Begin, work: Work) -> None:
    journey = begin(java_script_enabled=False, viewport={"width": 320, "height": 640})
    journey.sign_in_as(work.server.first.admin)
    work.pipeline()
    page = journey.page
    journey.go("/acme/app")
    page.get_by_role("link", name="New build").first.click()
    page.get_by_role("button", name="Create the build").click()
    job = work.begin()
    work.write("".join(f"line {number}\n" for number in range(1, 1501)) + "x" * 500)
    page.get_by_role("link", name="Test").click()
    assert page.url.endswith(f"/jobs/{job}")
    expect(page.get_by_text("Lines 502 to 1 501 of 1 501").first).to_be_visible()
    page.get_by_role("link", name="Older").first.click()
    expect(page.get_by_text("line 10", exact=True)).to_be_visible()
    work.write("\nlate\n")
    page.get_by_role("link", name="Reload").first.click()
    expect(page.get_by_text("late", exact=True)).to_be_visible()
    work.end()
    page.get_by_role("link", name="Reload").first.click()
    expect(page.get_by_text("Passed").first).to_be_visible()


def test_pages_of_builds_fit_a_small_screen(begin: Begin, work: Work) -> None:
    journey = begin(viewport={"width": 320, "height": 640})
    journey.sign_in_as(work.server.first.admin)
    work.pipeline(STEPS.replace("Test", "Test " + "x" * 60))
    journey.go("/acme/app/builds/new")
    journey.page.get_by_role("button", name="Create the build").click()
    job = work.begin()
    work.annotate("|" + "wide|" * 30 + "\n|" + "-|" * 30)
    work.write("x" * 400 + "\n")
    for path in ("", "/settings", "/builds/new", "/builds/1", f"/builds/1/jobs/{job}", "/builds/1/artifacts"):
        journey.go(f"/acme/app{path}")
        journey.require_no_overflow()
