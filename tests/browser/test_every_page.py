"""Every page of the console, with one thing of each sort on it, in both themes and on a small screen.

The pages are made in process, in a thread of their own; the browser gets them as if from a server, so that
no page can be forgotten: they are the routes of the application.
"""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, Route

from console_client import Console
from console_things import Things
from journeys import AXE, AXE_TAGS
from support import World
from watchword.web.app import ROUTES

BASE = "https://watchword.example"
# Streams, files, challenges for the script, and ways to other sites are no pages.
NO_PAGE = re.compile(
    r"/events$|^/static/|\.txt$|\.csv$|\.jsonl$|/artifacts/{artifact}$|/download$|/export$"
    r"|/passkey$|/challenge$|/{provider}"
)
_PARAMETER = re.compile(r"{(\w+)}")
IN_LIGHT = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": AXE_TAGS}}
IN_DARK = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
PATHS = [route.path for route in ROUTES if route.method == "GET" and not NO_PAGE.search(route.path)]


class Made(NamedTuple):
    """What the console answered."""

    status: int
    kind: str
    body: bytes


def _render(folder: Path) -> dict[str, Made]:
    """All pages by their path's pattern, the files by their address."""
    world = World(folder)
    try:
        world.authority.following.stop()
        world.authority.windows.stop()
        things = Things(world, world.first)
        admin, nobody = Console(world), Console(world)
        admin.sign_in_as(world.first.admin)
        found: dict[str, Made] = {}
        for route in ROUTES:
            if route.method != "GET" or NO_PAGE.search(route.path):
                continue
            console = admin if route.operation is not None else nobody
            known = things.named(route.path)
            path = _PARAMETER.sub(lambda part, known=known: known[part[1]], route.path)  # type: ignore[misc]
            answer = console.get(path, follow=True)
            found[route.path] = Made(answer.status_code, answer.headers["content-type"], answer.content)
            for link in console.files():
                file = console.get(link)
                found[link] = Made(file.status_code, file.headers["content-type"], file.content)
        return found
    finally:
        world.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Everything that is shown, made once."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_render, tmp_path_factory.mktemp("pages")).result()


@pytest.fixture(scope="module")
def page(browser: Browser, made: dict[str, Made]) -> Iterator[Page]:
    """A browser that gets the pages by their patterns."""
    context = browser.new_context(base_url=BASE, reduced_motion="reduce")
    context.set_default_timeout(10_000)

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(BASE)
        found = made.get(path.replace("%7B", "{").replace("%7D", "}"))
        if found is None:
            route.abort()
        else:
            route.fulfill(status=found.status, content_type=found.kind, body=found.body)

    context.route("**/*", serve)
    yield context.new_page()
    context.close()


def _wrong(page: Page, rules: Mapping[str, object]) -> list[str]:
    found = page.evaluate("rules => axe.run(document, rules)", rules)
    return [
        f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_for_everybody(path: str, page: Page, made: dict[str, Made]) -> None:
    """WCAG 2.2 AA as far as axe sees it, in light and dark; one h1; no scrolling to the side at 320 px."""
    assert made[path].status == 200
    page.set_viewport_size({"width": 1180, "height": 760})
    page.emulate_media(color_scheme="light")
    page.goto(path)
    page.evaluate(AXE)
    assert not _wrong(page, IN_LIGHT)
    page.emulate_media(color_scheme="dark")
    assert not _wrong(page, IN_DARK)
    assert page.locator("h1").count() == 1
    assert page.title().endswith(" · Watchword")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
