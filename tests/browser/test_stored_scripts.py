"""Scripts that people and jobs leave in names and descriptions: a browser opens every page and runs none."""

from typing import Any

import pytest
from playwright.sync_api import Dialog, Error, Page, Route, expect

from console_things import Things, pages_of
from journeys import Begin, Journey
from stored_scripts import CANARY, RUN, Texts
from support import LiveServer
from watchword.domain.ids import JobId
from watchword.services import logs
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL

_LISTEN = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
_ASK = f"""() => ({{
  ran: window.{CANARY} ?? window.top.{CANARY} ?? null,
  violations: window.violations,
  links: [...document.links].map((one) => one.protocol)
    .filter((one) => !["http:", "https:", "mailto:"].includes(one)),
  forms: [...document.forms].map((one) => new URL(one.getAttribute("action") ?? "", location).origin)
    .filter((one) => one !== location.origin),
  clobbered: document.getElementById instanceof Element || document.body instanceof HTMLBodyElement === false,
}})"""
_INERT: dict[str, Any] = {"ran": None, "violations": [], "links": [], "forms": [], "clobbered": False}


@pytest.fixture
def things(server: LiveServer) -> Things:
    """An organization full of scripts, on a live server."""
    texts = Texts(0, 5, marked=True)
    context = server.authority.context
    first = server.run(
        create_organization(context, LOCAL, "full", texts("organization")[:255], "f@example.com", "Fay")
    )
    return Things(server, first, say=texts)


@pytest.fixture
def journey(begin: Begin, things: Things) -> Journey:
    """The way of that organization's administrator, in a browser that tells what it held back."""
    made = begin()
    made.sign_in_as(things.first.admin)
    made.page.add_init_script(_LISTEN)
    return made


def require_inert(page: Page, path: str) -> None:
    found: dict[str, Any] = page.evaluate(_ASK)
    assert found == _INERT, (path, found)


def test_no_stored_script_runs_on_any_page(journey: Journey, things: Things) -> None:
    page = journey.page
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    opened = 0
    for path in pages_of(things).values():
        try:
            answer = page.goto(path)
        except Error as error:
            if "Download is starting" not in error.message:
                raise
            continue
        assert answer is not None
        assert answer.status == 200, path
        require_inert(page, path)
        opened += 1
    assert opened > 50
    assert asked == []
    assert len(journey.context.pages) == 1


def test_what_comes_while_a_page_is_open_runs_no_script_either(
    journey: Journey, things: Things, server: LiveServer
) -> None:
    page = journey.page
    page.goto("/organizations/full/clusters")
    name = f"now <img src=x onerror={RUN}>"
    things.made(f"clusters/{things.ids['cluster']}", {"name": name}, 200, "PATCH")
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    require_inert(page, "clusters")

    organization_id = things.first.organization.id
    context = server.authority.context
    job = server.run(context.store.read(lambda tx: tx.builds.job(organization_id, JobId(things.ids["job"]))))
    assert job is not None
    page.goto(f"/full/{things.ids['pipeline']}/builds/{things.ids['number']}/jobs/{job.id}")
    line = f"later <svg/onload={RUN}>"
    server.run(logs.add_chunk(context, job, 2, job.log_size, f"{line}\n".encode()))
    expect(page.get_by_text(line)).to_be_visible()
    require_inert(page, "log")


def test_what_would_act_is_noticed(journey: Journey) -> None:
    """What the tests above look for can be seen: an image with a handler, put into a page on its way."""
    page = journey.page
    journey.expected += ["Content Security Policy", "404"]

    def spoil(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace("<h1>", f"<img src=x onerror={RUN}><a href=javascript:{RUN}>x</a><h1>")
        route.fulfill(response=answer, body=body)

    page.route("**/user/api-access-tokens", spoil)
    page.goto("/user/api-access-tokens")
    page.wait_for_function("window.violations.length > 0")
    found = page.evaluate(_ASK)
    assert "script-src" in found["violations"][0]
    assert found["links"] == ["javascript:"]
    assert found["ran"] is None, "the policy holds even then"
