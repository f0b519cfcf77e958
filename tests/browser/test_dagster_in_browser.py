"""Dagster+'s tokens in a browser: made, revealed, copied by a click, narrowed in the dialog, revoked."""

import re

from playwright.sync_api import expect

from journeys import Journey
from support import LiveServer
from watchword.domain.deployments import Permitted
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.store.base import EVERYTHING, Transaction


def only_token(server: LiveServer) -> tuple[Token, Permitted]:
    organization = server.first.organization.id

    async def work(tx: Transaction) -> tuple[Token, Permitted]:
        (token,) = await tx.deployments.tokens(organization, Kind.DAGSTER_AGENT, None, EVERYTHING)
        return token, Permitted.of(await tx.deployments.grants(organization, token.id))

    return server.run(server.authority.context.store.read(work))


def test_an_agent_token_from_the_click_that_makes_it_to_the_one_that_ends_it(
    journey: Journey, server: LiveServer
) -> None:
    page = journey.page
    journey.go("dagster/tokens")
    page.get_by_role("button", name="+ Create agent token").click()
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("Org Agent")
    journey.require_accessible()

    page.get_by_label(re.compile("^Edit the description of")).click()
    page.get_by_role("textbox", name="Description").fill("for the eu agents")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("for the eu agents")

    page.get_by_role("button", name="Reveal token for the eu agents").click()
    shown = page.get_by_role("textbox", name="Value")
    value = shown.input_value()
    assert re.fullmatch(rf"agent:{server.first.organization.slug}:[0-9a-f]{{32}}", value)
    shown.click()
    assert journey.status == "Value is copied."
    journey.context.grant_permissions(["clipboard-read"])
    assert page.evaluate("navigator.clipboard.readText()") == value
    journey.require_accessible()
    journey.require_kept_secret(value)

    journey.go("dagster/tokens")
    page.get_by_role("link", name="Edit for the eu agents").click()
    dialog = page.get_by_role("dialog")
    toggle = dialog.get_by_role("switch", name="Org Agent")
    expect(toggle).to_be_checked()
    expect(dialog.get_by_label("prod")).to_be_disabled()
    toggle.uncheck()
    dialog.get_by_label("prod").check()
    journey.require_accessible()
    dialog.get_by_role("button", name="Save permissions").click()
    assert journey.status.startswith("The permissions are changed.")
    token, permitted = only_token(server)
    assert not permitted.everything
    assert len(permitted.deployments) == 1

    journey.go("dagster/tokens")
    page.get_by_role("link", name="Edit for the eu agents").click()
    page.get_by_role("dialog").get_by_role("link", name="Revoke").click()
    page.get_by_label("I know what stops").check()
    page.get_by_role("button", name="Revoke the token").click()
    expect(row).to_contain_text("Revoked")
    assert only_token(server)[0].state is State.REVOKED
    assert token.id == only_token(server)[0].id
    journey.require_no_overflow()
