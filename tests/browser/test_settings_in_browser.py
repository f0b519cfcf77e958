"""The organization's settings in a real browser: a policy foreseen, a webhook delivering, a trail checked."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from journeys import Begin, Journey, Witness
from receiver import Receiver
from support import LiveServer
from watchword.services.notifying import token_of


@pytest.fixture
def server(tmp_path: Path, witness: Witness) -> Iterator[LiveServer]:
    """A server whose webhooks may call this machine."""
    made = LiveServer(tmp_path, watch=witness.around, egress_allow=("127.0.0.0/8",))
    made.authority.following.pause = 0.05
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_member_and_an_administrator_see_different_settings(begin: Begin, server: LiveServer) -> None:
    admin, member = begin(), begin()
    member.expected.append("403")
    ben = admin.person("ben@example.com")
    admin.sign_in_as(server.first.admin)
    member.sign_in_as(ben)
    page = member.page
    member.go("clusters")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    tabs = page.get_by_role("navigation", name="Settings").get_by_role("link")
    expect(tabs).to_have_text(["Members", "Teams", "Dagster+", "Registries"])
    expect(page.get_by_role("link", name="Invite people")).to_have_count(0)
    member.go("settings")
    expect(page.get_by_role("heading", name="You may not do that")).to_be_visible()

    page = admin.page
    admin.go("settings/members?q=ben")
    page.get_by_role("link", name="Ben", exact=True).click()
    expect(page.get_by_role("link", name="Manage tokens for Ben")).to_be_visible()
    page.get_by_label("Administrator").check()
    press(page, "Change")
    assert admin.status == "The membership is changed."
    member.go("settings")
    expect(tabs).to_have_count(13)

    page.get_by_role("link", name="Remove").click()
    press(page, "Remove Ben")
    assert admin.status.startswith("The member is removed")
    member.expected.append("404")
    member.go("settings")
    expect(member.page.get_by_role("heading", name="There is nothing here")).to_be_visible()


def test_a_policy_is_foreseen_before_it_holds(journey: Journey) -> None:
    page = journey.page
    journey.expected.append("422")
    journey.go("settings")
    page.get_by_label("Allowed networks").fill("10.0.0.0/8")
    page.get_by_label("Agent token", exact=True).check()
    press(page, "Preview the change")
    expect(page.get_by_role("heading", name="You would be shut out")).to_be_visible()
    expect(page.get_by_role("main")).to_match_aria_snapshot("""
        - main:
          - heading "What this change would do" [level=1]
          - region "Changes":
            - table "Settings that change":
              - rowgroup:
                - row "Setting Now Afterwards"
              - rowgroup:
                - row "Allowed networks Anywhere 10.0.0.0/8"
                - 'row "Values: agent token Shown once May be revealed"'
          - heading "You would be shut out" [level=2]
          - checkbox "I know that this shuts me out"
          - button "Save the policy"
          - button "Change something else"
    """)
    press(page, "Save the policy")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("shuts_yourself_out")
    journey.require_accessible()
    press(page, "Change something else")
    expect(page.get_by_label("Allowed networks")).to_have_value("10.0.0.0/8")
    expect(page.get_by_label("Agent token", exact=True)).to_be_checked()
    page.get_by_label("Allowed networks").fill("127.0.0.0/8")
    press(page, "Preview the change")
    expect(page.get_by_text("You yourself would not be shut out.")).to_be_visible()
    press(page, "Save the policy")
    assert journey.status.startswith("The security policy is changed.")
    expect(page.get_by_label("Allowed networks")).to_have_value("127.0.0.0/8")


def test_settings_work_without_scripts(begin: Begin, server: LiveServer) -> None:
    journey = begin(java_script_enabled=False)
    journey.sign_in_as(server.first.admin)
    page = journey.page
    journey.go("settings")
    page.get_by_label("Longest life, in days").fill("30")
    press(page, "Preview the change")
    expect(page.get_by_role("row", name="Longest life of a new API access token")).to_contain_text("30 days")
    press(page, "Save the policy")
    expect(page.get_by_label("Longest life, in days")).to_have_value("30")
    journey.go("settings/banner")
    page.get_by_label("Message").fill("<b>Tonight</b> we move")
    press(page, "Show the banner")
    journey.go("clusters")
    expect(page.get_by_role("complementary")).to_have_text("<b>Tonight</b> we move")
    journey.go("settings/audit/verify")
    press(page, "Check the trail")
    expect(page.get_by_role("heading", name="The trail is intact")).to_be_visible()


def test_a_webhook_is_made_delivers_and_delivers_again(
    journey: Journey, server: LiveServer, receiver: Receiver
) -> None:
    page = journey.page
    journey.expected.append("422")
    journey.go("settings/webhooks/new")
    page.get_by_label("URL").fill("https://192.168.1.1/")
    press(page, "Create the webhook")
    expect(page.get_by_role("alert")).to_contain_text("names an address that must not be called (private)")
    page.get_by_label("URL").fill(receiver.url)
    press(page, "Create the webhook")
    field = page.get_by_label("Token of the webhook")
    value = field.input_value()
    journey.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy Token of the webhook").click()
    expect(page.get_by_role("status").first).to_have_text("Token of the webhook is copied.")
    page.get_by_role("link", name="I have kept it").click()
    _see(page, "Look again", "Delivered")
    page.get_by_role("link", name="ping").first.click()
    expect(page.get_by_text("thanks")).to_be_visible()
    expect(page.get_by_text("X-Buildkite-Signature")).to_be_visible()
    journey.require_accessible()
    press(page, "Send it again")
    _see(page, "Look again", "Delivered")
    assert [one.header("x-buildkite-event") for one in receiver.received] == ["ping", "ping"]
    journey.require_kept_secret(value)
    owner = server.first.organization.id
    context = server.authority.context
    (service,) = server.run(context.store.read(lambda tx: tx.hooks.services(owner)))
    assert token_of(context, service).reveal() == value


def _see(page: Page, link: str, text: str) -> None:
    """Look again until a page says what the worker has done meanwhile."""
    for _ in range(100):
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(50)
        page.get_by_role("link", name=link).click()
    raise AssertionError(text)


def test_the_trail_is_looked_through_checked_and_taken_away(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    server.run(server.application.sealer.seal())
    journey.go("settings/audit")
    page.get_by_role("link", name="Agent token created").click()
    page.get_by_role("link", name="All about this token").click()
    expect(page.get_by_role("table", name="Audit events, newest first").get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Verify").click()
    press(page, "Check the trail")
    expect(page.get_by_role("heading", name="The trail is intact")).to_be_visible()
    expect(page.get_by_text("compared with 1 signed head")).to_be_visible()
    page.get_by_role("link", name="Audit trail", exact=True).first.click()
    with page.expect_download() as exported:
        page.get_by_role("link", name="Export as JSON lines").click()
    lines = [json.loads(line) for line in exported.value.path().read_text().splitlines()]
    assert exported.value.suggested_filename == "acme-audit.jsonl"
    assert [line["event"]["sequence"] for line in lines if "event" in line][:3] == [1, 2, 3]
    assert sum("head" in line for line in lines) == 1

    journey.go("settings/access-audit?role=admin")
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download as CSV").click()
    with downloaded.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Owner Email"] for row in rows] == ["admin@example.com"]
    page.get_by_role("link", name="Remove access of Administrator's first API access token").click()
    press(page, "Remove access")
    journey.go("settings/access-audit")
    expect(page.get_by_role("heading", name="No tokens")).to_be_visible()
