"""Agent tokens in a real browser: made, shown once, lost, edited, expired; by the keyboard alone."""

from pathlib import Path

from playwright.sync_api import Browser, Dialog, expect

from agent_token_journeys import (
    create,
    first_token,
    leaves,
    refused,
    tab_to,
    three_agents,
    tokens_at,
    value_of,
)
from journeys import Begin, Journey, Witness
from support import FakeAgent, FakeClock, LiveServer
from watchword.domain.tokens import DAY_US

CREATE = """
- main:
  - status
  - navigation "Breadcrumb"
  - heading "New agent token" [level=1]
  - navigation "Default"
  - textbox "Description"
  - paragraph: /Which environment is it for/
  - combobox "Queue":
    - option "Any queue of the cluster, later ones too"
    - option "default" [selected]
  - paragraph: /It cannot be changed later/
  - group "Expires":
    - radio "in 1 day"
    - radio "in 7 days"
    - radio "in 30 days" [checked]
    - radio "in 90 days"
    - radio "at a time of your own"
    - radio "never"
    - paragraph: Nobody joins after that; agents that are connected stay. It cannot be changed later.
  - group "How many agents may join":
    - radio "any number" [checked]
    - 'radio "one: a join token"'
    - radio "a number of them"
  - group: Networks, tags, a first moment
  - button "Create the token"
  - link "Cancel"
  - complementary "What it will do":
    - heading "What it will do" [level=2]
    - list:
      - listitem: Agents that hold the value may join the cluster Default.
      - listitem: They join the queue default and no other.
      - listitem: They join from any address.
      - listitem: As many agents as like may join with it.
      - listitem: /nobody joins with it; agents that are connected stay connected/
    - paragraph: The value is shown once, on the next page. Have the place ready where you will keep it.
"""
REVEAL = """
- main:
  - status
  - navigation "Breadcrumb"
  - 'heading "The token is created: keep its value now" [level=1]'
  - navigation "Default"
  - paragraph:
    - strong: It has not been copied yet.
    - text: /This is the one time that the value is shown/
  - textbox "Value": /^bkct_\\S+$/
  - button "Copy Value"
  - button "Download as a file"
  - 'link "I have it: show the token"'
  - term: Fingerprint
  - definition:
    - code: /^[0-9a-f]{12}$/
  - term: Token
  - definition: /[0-9a-f-]{36}/
  - term: Lost it?
  - definition: Nobody can show it again. Rotate the token, or make another one.
  - region "Give it to an agent":
    - heading "Give it to an agent" [level=2]
    - paragraph: /None of these commands takes the value as an argument/
    - radiogroup "Where the agent runs":
      - radio "Shell" [checked]
      - radio "buildkite-agent.cfg"
      - radio "systemd"
      - radio "Kubernetes"
      - radio "Docker"
      - radio "Terraform"
    - heading "Shell" [level=3]
    - textbox "Put the value into a file that you alone can read": (umask 077 && cat > agent-token)
    - button "Copy Put the value into a file that you alone can read"
    - textbox /Start an agent/: /watchword agent start --token-file agent-token --endpoint http/
    - textbox /unmodified buildkite-agent/: /cat agent-token.+ buildkite-agent start --endpoint http/
  - complementary "Linux builders in Frankfurt":
    - heading "Linux builders in Frankfurt" [level=2]
    - list
    - paragraph:
      - link "Create another like this"
"""


def test_a_token_is_made_copied_and_used(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    journey.context.grant_permissions(["clipboard-read", "clipboard-write"])
    journey.go(tokens_at(server))
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="New agent token")).to_be_visible()
    expect(page.get_by_role("main")).to_match_aria_snapshot(CREATE)
    page.get_by_label("Description").fill("Linux builders in Frankfurt")
    summary = page.get_by_role("complementary", name="What it will do")
    page.get_by_label("one: a join token").check()
    expect(summary).to_contain_text("The first agent that connects uses it up: a join token.")
    page.get_by_label("any number").check()
    page.get_by_text("Networks, tags, a first moment").click()
    page.get_by_label("Allowed networks").fill("127.0.0.0/8 not-a-network")
    expect(summary).to_contain_text("no CIDR block in 'not-a-network'")
    page.get_by_label("Allowed networks").fill("127.0.0.0/8")
    expect(summary).to_contain_text("from 127.0.0.0/8 and from nowhere else")
    page.get_by_role("button", name="Create the token").click()

    field = page.get_by_label("Value", exact=True)
    expect(page.get_by_text("It has not been copied yet.")).to_be_visible()
    value = field.input_value()
    expect(page.get_by_role("main")).to_match_aria_snapshot(REVEAL)
    journey.require_accessible()
    field.focus()
    assert page.evaluate("getSelection().toString()") == value
    page.get_by_role("button", name="Copy Value").click()
    expect(page.get_by_text("You have taken it.")).to_be_visible()
    expect(page.locator("#status")).to_have_text("Value is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == value
    page.get_by_role("link", name="I have it: show the token").click()
    FakeAgent(server.url, value, name="builder-1").connect()
    expect(page.get_by_role("table", name="Connected agents")).to_contain_text("builder-1")
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
    assert value not in page.content()
    journey.require_accessible()
    journey.go(tokens_at(server))
    expect(page.get_by_role("row", name="Linux builders in Frankfurt")).to_have_count(1)
    journey.require_kept_secret(value)


def test_a_lost_value_is_replaced_by_a_rotation(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    three_agents(server)
    journey.go(first_token(server))
    expect(page.get_by_role("main")).to_contain_text("nobody can show it again")
    page.get_by_role("link", name="Rotate the token").click()
    page.get_by_role("button", name="Make the new value").click()
    value = value_of(page)
    assert not refused(server, value)
    journey.require_kept_secret(value)
    page.on("dialog", lambda dialog: dialog.accept())


def test_a_token_is_edited_and_narrower_networks_ask_first(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    agents = three_agents(server)
    journey.go(f"{first_token(server)}/edit")
    page.get_by_label("Description").fill("Linux builders")
    page.get_by_label("Allowed networks").fill("10.0.0.0/8")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is changed yet")
    journey.require_accessible()
    page.get_by_role("radio", name="Drain").check()
    page.get_by_role("button", name="Change it so").click()
    expect(page.get_by_role("heading", name="Linux builders")).to_be_visible()
    assert journey.status == "The agent token is changed."
    expect(page.get_by_role("heading", name="3 agents still to leave")).to_be_visible()
    assert leaves(agents[1])
    expect(page.get_by_role("heading", name="2 agents still to leave")).to_be_visible()


def test_a_token_that_expired_yesterday_is_replaced_by_another_like_it(
    tmp_path: Path, witness: Witness, browser: Browser
) -> None:
    clock = FakeClock()
    server = LiveServer(tmp_path, clock, watch=witness.around)
    try:
        issued = server.issue(description="Night builders", expires_at=clock.now() + DAY_US)
        clock.forward(2 * DAY_US)
        assert refused(server, issued.value.reveal())
        journey = Journey.begin(server, witness, browser)
        journey.sign_in_as(server.first.admin)
        page = journey.page
        journey.go(tokens_at(server))
        expect(page.get_by_role("row", name="Night builders")).to_contain_text("Expired")
        page.get_by_role("link", name="Night builders").click()
        expect(page.get_by_role("heading", name="This token has expired")).to_be_visible()
        journey.require_accessible()
        page.get_by_role("link", name="Create another like this").last.click()
        expect(page.get_by_label("Description")).to_have_value("Night builders")
        expect(page.get_by_label("in 1 day")).to_be_checked()
        page.get_by_role("button", name="Create the token").click()
        value = value_of(page)
        assert not refused(server, value)
        journey.require_kept_secret(value)
        journey.end()
    finally:
        server.close()


def test_everything_is_done_with_the_keyboard_alone(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    journey.context.grant_permissions(["clipboard-read", "clipboard-write"])
    journey.go(tokens_at(server))
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="New agent token")).to_be_visible()
    tab_to(page, page.get_by_label("Description"))
    page.keyboard.type("By keyboard")
    tab_to(page, page.get_by_label("in 30 days"))
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("in 7 days")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Value", exact=True)).to_be_visible()
    value = value_of(page)
    tab_to(page, page.get_by_role("button", name="Copy Value"))
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Value is copied.")
    tab_to(page, page.get_by_role("radio", name="Shell"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Set these two lines in it")).to_be_visible()
    tab_to(page, page.get_by_role("link", name="Create another like this"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Description")).to_have_value("By keyboard")
    tab_to(page, page.get_by_role("link", name="Cancel"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="By keyboard")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    tab_to(page, page.get_by_role("link", name="Revoke"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("radio", name="Stop joining"))
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name="Cut")).to_be_checked()
    tab_to(page, page.get_by_label("Reason"))
    page.keyboard.type("typed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    assert refused(server, value)


def test_environments_are_tabs_that_need_no_script(begin: Begin, server: LiveServer) -> None:
    journey = begin(java_script_enabled=False, viewport={"width": 320, "height": 640})
    journey.sign_in_as(server.first.admin)
    page = journey.page
    value = create(journey)
    shell = page.get_by_label("Put the value into a file that you alone can read").first
    expect(shell).to_be_visible()
    page.get_by_role("radio", name="Shell").press("ArrowRight")
    expect(page.get_by_role("radio", name="buildkite-agent.cfg")).to_be_checked()
    expect(page.get_by_label("Set these two lines in it")).to_be_visible()
    expect(shell).to_be_hidden()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    assert len(journey.witness.bodies_with(value)) == 1


def test_a_page_with_a_value_fits_a_small_screen(begin: Begin, server: LiveServer) -> None:
    journey = begin(viewport={"width": 320, "height": 640})
    journey.sign_in_as(server.first.admin)
    create(journey)
    for name in ("buildkite-agent.cfg", "systemd", "Kubernetes", "Docker", "Terraform"):
        journey.page.get_by_text(name, exact=True).first.click()
        journey.require_no_overflow()
    journey.page.on("dialog", lambda dialog: dialog.accept())
