"""A leak in a real browser: it arrives while the inbox is open, is answered, and its new value taken once."""

import re

from playwright.sync_api import expect

from agent_token_journeys import value_of
from journeys import Journey
from support import LiveServer
from watchword.domain.leaks import LeakState, Outcome
from watchword.services.context import LOCAL
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Source


def test_a_leak_that_arrives_is_answered_and_its_new_value_taken(
    server: LiveServer, journey: Journey
) -> None:
    page, issued = journey.page, server.first.agent_token
    page.goto("/organizations/acme/leaks")
    expect(page.get_by_role("heading", name="No token has leaked")).to_be_visible()
    journey.require_accessible()
    item = Item(value=issued.value, url="https://example.com/acme/app/blob/1f2e3d/.env#L3", place="commit")
    server.run(server.authority.leak_reports.take(LOCAL, Source(name="github"), [item], body=b"1"))
    row = page.get_by_role("row", name=re.compile("Initial agent token"))
    expect(row).to_contain_text("Nothing done: still works")
    journey.require_accessible()
    journey.require_no_overflow()
    row.get_by_role("link", name="Initial agent token").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leak of Initial agent token")
    place = page.get_by_role("link", name=re.compile("env"))
    expect(place).to_have_attribute("rel", "noreferrer noopener")
    journey.require_accessible()
    journey.require_no_overflow()
    page.get_by_role("radio", name="Rotate it").check()
    page.get_by_role("button", name="Do it now").click()
    expect(page.get_by_role("status")).to_contain_text("The leak is answered")
    page.get_by_role("button", name="Show the new value").click()
    value = value_of(page)
    journey.require_accessible()
    page.get_by_role("button", name=re.compile("^Copy")).click()
    page.get_by_role("link", name="I have it: back to the leak").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leak of Initial agent token")
    page.get_by_role("textbox", name=re.compile("What you found out")).fill("an old fork")
    page.get_by_role("button", name="Close the case").click()
    expect(page.get_by_role("status")).to_have_text("The case is closed.")
    store, token = server.authority.context.store, issued.token
    leak = server.run(store.read(lambda tx: tx.leaks.of_token(token.organization_id, token.id)))
    assert leak is not None
    assert (leak.state, leak.outcome, leak.handover) == (LeakState.CLOSED, Outcome.ROTATING, b"")
    journey.require_kept_secret(value)
