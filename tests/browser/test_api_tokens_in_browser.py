"""API access tokens in a real browser: made, shown once, rotated, revoked; by keys; without scripts."""

import re

from playwright.sync_api import Dialog, Page, expect

from journeys import Begin, Journey
from support import LiveServer
from watchword.services.context import LOCAL
from watchword.services.issuing import issue_api_token

AT = "/user/api-access-tokens"


def value_of(page: Page) -> str:
    shown = page.get_by_label("Value of the token").input_value()
    assert re.fullmatch(r"bkua_MTA\.[0-9a-f]{40}", shown)
    return shown


def fill_in(page: Page, description: str) -> None:
    page.get_by_label("Description").fill(description)
    page.get_by_label("Read builds (read_builds)").check()


def test_a_token_is_made_its_value_shown_once_copied_and_never_seen_again(
    begin: Begin, server: LiveServer
) -> None:
    journey = begin(permissions=["clipboard-read", "clipboard-write"])
    journey.sign_in_as(server.first.admin)
    page = journey.page
    journey.go(AT)
    page.keyboard.press("n")
    page.get_by_label("Description").fill("Nightly report")
    page.get_by_role("button", name="Read only").click()
    assert "scopes are chosen" in journey.status
    page.get_by_label("Find a scope").fill("pause an agent")
    expect(page.get_by_role("group", name="Agents")).to_be_visible()
    expect(page.get_by_role("group", name="Builds")).to_be_hidden()
    page.get_by_label("Write agents (write_agents)").check()
    page.get_by_label("Find a scope").fill("")
    page.get_by_label("Expires").select_option("30")
    page.get_by_label("Networks").fill("127.0.0.0/8")
    summary = "It may read everything; change agents in Acme, from some networks alone, for 30 days."
    expect(page.get_by_role("region", name="What you are about to make")).to_contain_text(summary)
    journey.require_accessible()
    page.get_by_label("Description").press("Enter")  # makes the token: no preset's button is pressed

    expect(page.get_by_role("heading", name="Your new API access token")).to_be_visible()
    value = value_of(page)
    journey.require_accessible()
    expect(page.get_by_role("main")).to_match_aria_snapshot(
        """
        - main:
          - heading "Your new API access token" [level=1]
          - region "Nightly report":
            - heading "Nightly report" [level=2]
            - paragraph:
              - strong: The value has not been copied yet, and it is shown this once.
            - text: Value of the token
            - textbox "Value of the token"
            - button "Copy Value of the token"
            - button "Download as a file"
            - link "I have kept it"
        """
    )
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("link", name="API access tokens").first.click(no_wait_after=True)
    page.wait_for_timeout(100)
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Copy Value of the token").click()
    expect(page.get_by_role("status")).to_have_text("Value of the token is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == value
    journey.require_kept_secret(value)
    page.reload()
    expect(page.get_by_role("heading", name="The value was shown")).to_be_visible()
    journey.go(AT)
    expect(page.get_by_role("link", name="Nightly report")).to_have_count(1)
    journey.require_kept_secret(value)


def test_a_token_is_rotated_and_revoked(journey: Journey) -> None:
    page = journey.page
    journey.go(f"{AT}/new")
    fill_in(page, "Deploys")
    page.get_by_role("button", name="Create the token").click()
    page.get_by_role("link", name="I have kept it").click()
    expect(page.get_by_role("heading", name="What can this token do?")).to_be_visible()
    page.get_by_text("operations").last.click()

    page.get_by_role("link", name="Rotate").click()
    expect(page.get_by_role("main")).to_match_aria_snapshot(
        """
        - main:
          - heading "Rotate Deploys" [level=1]
          - region "How it goes":
            - heading "How it goes" [level=2]
            - combobox "The old value ends after at most"
            - button "Make the new value"
        """
    )
    page.get_by_role("button", name="Make the new value").click()
    value = value_of(page)
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_role("link", name="Rotation", exact=True).click()
    expect(page.get_by_role("region", name="Old value")).to_be_visible()
    expect(page.get_by_role("region", name="New value")).to_be_visible()
    journey.require_accessible()
    page.get_by_role("button", name="End the old value now").click()
    assert journey.status == "The old value has ended."

    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Description").fill("Deploys of <b>today</b>")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Revoke").click()
    expect(page.get_by_role("main")).to_match_aria_snapshot(
        """
        - main:
          - heading "Revoke Deploys of <b>today</b>" [level=1]
          - region "What breaks":
            - heading "What breaks" [level=2]
            - paragraph: /it was never used/
            - paragraph: /cannot be brought back/
          - button "Revoke the token"
          - link "Keep it"
        """
    )
    page.get_by_role("button", name="Revoke the token").click()
    assert "It passes nowhere any more." in journey.status
    journey.require_kept_secret(value)


def test_tokens_are_made_without_scripts_on_a_small_screen(begin: Begin, server: LiveServer) -> None:
    journey = begin(java_script_enabled=False, viewport={"width": 320, "height": 640})
    journey.expected.append("422")
    journey.sign_in_as(server.first.admin)
    page = journey.page
    journey.go(f"{AT}/new")
    page.get_by_label("Description").fill("Without scripts")
    page.get_by_role("button", name="Read and write").click()
    expect(page.get_by_label("Description")).to_have_value("Without scripts")
    expect(page.get_by_label("Write builds (write_builds)")).to_be_checked()
    expect(page.get_by_label("Delete packages (delete_packages)")).not_to_be_checked()
    expect(page.get_by_text("It may read everything; change everything in Acme")).to_be_visible()
    page.get_by_label("Expires").select_option("date")
    page.get_by_label("Description").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Say when the token is to expire.")
    page.get_by_label("Expires").select_option("7")
    page.get_by_role("button", name="Create the token").click()
    value_of(page)
    journey.require_no_overflow()
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the token").click()
    expect(page.get_by_text("token_revoked")).to_be_visible()


def test_by_keys_alone_a_token_is_made(journey: Journey) -> None:
    page = journey.page
    keys = page.keyboard
    journey.go(AT)
    keys.press("n")
    expect(page.get_by_label("Description")).to_be_focused()
    keys.type("By keys")
    page.get_by_label("Read builds (read_builds)").focus()
    keys.press("Space")
    page.get_by_role("button", name="Create the token").focus()
    keys.press("Enter")
    copy = page.get_by_role("button", name="Copy Value of the token")
    expect(copy).to_be_visible()
    page.get_by_label("Value of the token").focus()
    keys.press("Tab")
    expect(copy).to_be_focused()
    keys.press("Tab")
    expect(page.get_by_role("button", name="Download as a file")).to_be_focused()
    with page.expect_download() as download:
        keys.press("Enter")
    assert download.value.suggested_filename == "api-access-token.txt"
    assert download.value.path().read_text() == page.get_by_label("Value of the token").input_value() + "\n"
    assert journey.status == "The value is downloaded."


def test_an_administrator_manages_another_members_tokens(journey: Journey, server: LiveServer) -> None:
    person = journey.person("mia@example.com")
    context, owner = server.authority.context, server.first.organization.id
    server.run(
        context.store.write(
            lambda tx: issue_api_token(context, tx, LOCAL, owner, person.id, "Mia's script", ("read_builds",))
        )
    )
    page = journey.page
    journey.go(f"members/{server.first.admin.id}/tokens")
    page.get_by_label("Member", exact=True).select_option("Mia (mia@example.com)")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Manage tokens for Mia")).to_be_visible()
    page.get_by_role("link", name="Mia's script").click()
    page.get_by_text("operations").click()
    expect(page.get_by_text("See builds, jobs and annotations")).to_be_visible()
    page.get_by_role("link", name="Remove access").click()
    page.get_by_role("button", name="Remove access").click()
    assert "reaches this organization no more" in journey.status
    expect(page.get_by_role("heading", name="No tokens")).to_be_visible()
