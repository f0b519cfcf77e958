"""Tokens and the overview in a browser: pasted values, who sees what, keys, live parts, small screens."""

from playwright.sync_api import expect

from journeys import Begin, Journey
from support import FakeAgent, LiveServer
from watchword.domain.accounts import User
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token


def own_token(server: LiveServer, user: User, name: str) -> Issued:
    context, organization = server.authority.context, server.first.organization.id
    return server.run(
        context.store.write(
            lambda tx: issue_api_token(context, tx, LOCAL, organization, user.id, name, ("read_builds",), 0)
        )
    )


def test_a_pasted_value_finds_its_token_and_is_left_nowhere(journey: Journey, server: LiveServer) -> None:
    value = server.issue(description="The one that was found").value.reveal()
    page = journey.page
    journey.go("tokens")
    page.get_by_text("Find a token by its value").click()
    page.get_by_label("Value").fill(f"Authorization: Token {value}")
    page.get_by_role("button", name="Find the token").click()
    expect(page.get_by_role("link", name="The one that was found")).to_be_visible()
    assert journey.status == "This is the token whose value you pasted."
    expect(page.get_by_role("row")).to_have_count(2)
    journey.require_kept_secret(value, shown=0)
    page.go_back()
    assert value not in page.content()
    journey.go("tokens")
    page.get_by_text("Find a token by its value").click()
    page.get_by_label("Value").fill(value[:-1])
    page.get_by_role("button", name="Find the token").click()
    expect(page.get_by_role("alert")).to_contain_text("No token that you may see here has this value.")
    expect(page.get_by_role("alert")).to_be_focused()
    journey.require_accessible()
    journey.require_kept_secret(value[:-1], shown=0)


def test_a_member_finds_own_tokens_where_an_administrator_finds_all(
    begin: Begin, journey: Journey, server: LiveServer
) -> None:
    bob = journey.person("bob@example.com")
    own_token(server, bob, "Laptop of Bob")
    journey.go("tokens")
    names = [journey.page.get_by_role("link", name=name) for name in ("Laptop of Bob", "Initial agent token")]
    for name in names:
        expect(name).to_be_visible()
    member = begin()
    member.sign_in_as(bob)
    member.expected.append("403")
    member.go("tokens")
    expect(member.page.get_by_role("link", name="Laptop of Bob")).to_be_visible()
    expect(member.page.get_by_role("link", name="Initial agent token")).to_have_count(0)
    expect(member.page.get_by_role("link", name="Hygiene")).to_have_count(0)
    member.go("hygiene")
    expect(member.page.get_by_role("heading", name="You may not do that")).to_be_visible()
    member.go("")
    expect(member.page.get_by_role("heading", name="Needs attention")).to_have_count(0)


def test_an_administrator_manages_tokens_for_another(journey: Journey, server: LiveServer) -> None:
    bob = journey.person("bob@example.com")
    for name in ("Laptop of Bob", "Forgotten script"):
        own_token(server, bob, name)
    page = journey.page
    journey.go("tokens?tab=user")
    page.get_by_role("row", name="Forgotten script").get_by_role("link", name="Bob").click()
    expect(page.get_by_role("heading", name="Manage tokens for Bob")).to_be_visible()
    page.get_by_label("Choose Forgotten script").check()
    page.get_by_role("button", name="Remove access of the chosen tokens").click()
    expect(page.get_by_role("status")).to_contain_text("reach this organization no more")
    expect(page.get_by_role("link", name="Laptop of Bob")).to_be_visible()
    expect(page.get_by_role("link", name="Forgotten script")).to_have_count(0)
    page.get_by_label("Member", exact=True).select_option(label="Ada Admin (admin@example.com)")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Manage tokens for Ada Admin")).to_be_visible()


def test_the_list_is_searched_and_walked_by_keys_alone(journey: Journey, server: LiveServer) -> None:
    for name in ("Alpha", "Beta"):
        server.issue(description=f"{name} builders")
    page = journey.page
    journey.go("tokens")
    page.keyboard.press("/")
    expect(page.get_by_label("Name or id")).to_be_focused()
    page.keyboard.type("builders")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=builders**")
    expect(page.get_by_role("row")).to_have_count(3)
    for key, name in (("j", "Beta"), ("j", "Alpha"), ("k", "Beta")):
        page.keyboard.press(key)
        expect(page.get_by_role("link", name=f"{name} builders")).to_be_focused()
    page.get_by_role("link", name="Token", exact=True).press("Enter")
    expect(page.get_by_role("columnheader", name="Token")).to_have_attribute("aria-sort", "ascending")


def test_everything_is_found_without_scripts(begin: Begin, server: LiveServer) -> None:
    issued = server.issue(description="Found without scripts")
    journey = begin(java_script_enabled=False)
    journey.sign_in_as(server.first.admin)
    page = journey.page
    journey.go("tokens")
    page.get_by_label("Name or id").fill("WITHOUT")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Clear").click()
    page.get_by_text("Find a token by its value").click()
    page.get_by_label("Value").fill(issued.value.reveal())
    page.get_by_role("button", name="Find the token").click()
    expect(page.get_by_role("status")).to_contain_text("whose value you pasted")
    journey.go("")
    page.get_by_role("link", name="Last 30 days").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_the_overview_follows_what_happens(journey: Journey, server: LiveServer) -> None:
    page = journey.page
    journey.go("")
    expect(page.get_by_role("heading", name="No agent is connected")).to_be_visible()
    FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    expect(page.get_by_text("1 idle")).to_be_visible()
    expect(page.get_by_role("heading", name="No agent is connected")).to_have_count(0)
    picture = page.get_by_role("img", name="Agents that registered")
    expect(picture).to_be_visible()
    page.get_by_text("The same as a table").first.click()
    expect(page.get_by_role("table", name="Agents that registered")).to_be_visible()
    journey.require_accessible()


def test_pages_about_tokens_are_accessible_and_fit_a_small_screen(begin: Begin, server: LiveServer) -> None:
    journey = begin(viewport={"width": 320, "height": 640})
    journey.sign_in_as(server.first.admin)
    server.issue(
        description="Linux builders with a name that goes on for longer than anybody would like " * 2
    )
    FakeAgent(server.url, server.first.agent_token.value.reveal()).connect()
    admin, own = server.first.admin.id, server.first.api_token.token.id
    for path in (
        "",
        "tokens",
        "hygiene",
        "hygiene/calendar",
        "incidents",
        f"tokens/api/{own}",
        f"tokens/api/{own}/remove",
        f"members/{admin}/tokens",
    ):
        journey.go(path)
        journey.require_no_overflow()
        journey.require_accessible()
