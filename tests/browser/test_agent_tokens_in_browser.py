"""Agent tokens in a real browser: made, shown once, lost, edited, rotated, revoked."""

from pathlib import Path

from playwright.sync_api import Dialog, expect

from journeys import Begin, Journey
from support import FakeAgent, LiveServer


def tokens_at(server: LiveServer) -> str:
    """Where the first cluster's tokens are."""
    return f"clusters/{server.first.cluster.id}/tokens"


def create(journey: Journey, description: str = "Linux builders in Frankfurt") -> str:
    """Create a token with the preselected choices; the value that the page shows."""
    page = journey.page
    journey.go(f"{tokens_at(journey.server)}/new")
    page.get_by_label("Description").fill(description)
    page.get_by_role("button", name="Create the token").click()
    expect(page.get_by_role("heading", name="The token is created: keep its value now")).to_be_visible()
    return page.get_by_label("Value", exact=True).input_value()


def test_a_token_is_made_copied_and_used(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    journey.context.grant_permissions(["clipboard-read", "clipboard-write"])
    journey.go(tokens_at(server))
    journey.require_accessible()
    page.keyboard.press("n")
    page.get_by_label("Description").fill("Linux builders in Frankfurt")
    summary = page.get_by_role("complementary", name="What it will do")
    expect(summary).to_contain_text("As many agents as like may join with it.")
    page.get_by_label("one: a join token").check()
    expect(summary).to_contain_text("The first agent that connects uses it up: a join token.")
    page.get_by_label("any number").check()
    page.get_by_text("Networks, tags, a first moment").click()
    page.get_by_label("Allowed networks").fill("127.0.0.0/8 not-a-network")
    expect(summary).to_contain_text("no CIDR block in 'not-a-network'")
    page.get_by_label("Allowed networks").fill("127.0.0.0/8")
    expect(summary).to_contain_text("from 127.0.0.0/8 and from nowhere else")
    journey.require_accessible()
    page.get_by_role("button", name="Create the token").click()

    field = page.get_by_label("Value", exact=True)
    expect(page.get_by_text("It has not been copied yet.")).to_be_visible()
    journey.require_accessible()
    value = field.input_value()
    field.focus()
    assert page.evaluate("getSelection().toString()") == value
    page.get_by_role("button", name="Copy Value").click()
    expect(page.get_by_text("You have taken it.")).to_be_visible()
    assert journey.status == "Value is copied."
    assert page.evaluate("navigator.clipboard.readText()") == value
    page.get_by_role("link", name="I have it: show the token").click()
    journey.expected.append("404")
    agent = FakeAgent(server.url, value).connect()
    journey.go(tokens_at(server))
    row = page.get_by_role("row", name="Linux builders in Frankfurt")
    expect(row).to_contain_text("from 127.0.0.1")
    assert agent.session
    journey.require_kept_secret(value)


def test_leaving_without_the_value_asks_once_and_a_download_is_enough(
    journey: Journey, tmp_path: Path
) -> None:
    page = journey.page
    value = create(journey)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_label("Value", exact=True)).to_have_value(value)
    assert asked == ["beforeunload"]
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as a file").click()
    started.value.save_as(tmp_path / "token")
    assert (tmp_path / "token").read_text() == value + "\n"
    expect(page.get_by_text("You have taken it.")).to_be_visible()
    page.get_by_role("link", name="Clusters").click()
    expect(page.get_by_role("heading", name="Clusters")).to_be_visible()
    journey.require_kept_secret(value)


def test_a_reload_neither_mints_again_nor_shows_the_value(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    value = create(journey)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("heading", name="This form was sent before")).to_be_visible()
    journey.require_accessible()
    assert value not in page.content()
    journey.go(tokens_at(server))
    expect(page.get_by_role("row", name="Linux builders in Frankfurt")).to_have_count(1)
    journey.require_kept_secret(value)


def test_environments_are_tabs_that_need_no_script(begin: Begin, server: LiveServer) -> None:
    journey = begin(java_script_enabled=False, viewport={"width": 320, "height": 640})
    journey.sign_in_as(server.first.admin)
    page = journey.page
    value = create(journey)
    assert value.startswith("bkct_")
    expect(page.get_by_role("radio", name="Shell")).to_be_checked()
    shell = page.get_by_label("Put the value into a file that you alone can read")
    expect(shell.first).to_be_visible()
    page.get_by_role("radio", name="Shell").press("ArrowRight")
    expect(page.get_by_role("radio", name="buildkite-agent.cfg")).to_be_checked()
    expect(page.get_by_label("Set these two lines in it")).to_be_visible()
    expect(shell.first).to_be_hidden()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    assert len(journey.witness.bodies_with(value)) == 1
