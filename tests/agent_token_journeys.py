"""Short words for journeys about agent tokens."""

from playwright.sync_api import Locator, Page, expect

from journeys import Journey
from support import FakeAgent, LiveServer


def tokens_at(server: LiveServer) -> str:
    """Where the first cluster's tokens are."""
    return f"clusters/{server.first.cluster.id}/tokens"


def first_token(server: LiveServer) -> str:
    """The page of the first agent token."""
    return f"{tokens_at(server)}/{server.first.agent_token.token.id}"


def value_of(page: Page) -> str:
    """The value that a page shows."""
    return page.get_by_label("Value", exact=True).input_value()


def create(journey: Journey, description: str = "Linux builders in Frankfurt") -> str:
    """Create a token with the preselected choices; the value that the page shows."""
    page = journey.page
    journey.go(f"{tokens_at(journey.server)}/new")
    page.get_by_label("Description").fill(description)
    page.get_by_role("button", name="Create the token").click()
    expect(page.get_by_role("heading", name="The token is created: keep its value now")).to_be_visible()
    return value_of(page)


def three_agents(server: LiveServer) -> list[FakeAgent]:
    """Three connected agents that joined with the first token; the first of them runs a job."""
    value = server.first.agent_token.value.reveal()
    agents = [
        FakeAgent(server.url, value, name=f"builder-{place}", hostname=f"host-{place}").connect()
        for place in range(3)
    ]
    server.create_build("make test")
    job = agents[0].accept()
    started = {"started_at": "2026-01-01T00:00:00Z"}
    assert agents[0].on_job("PUT", f"/v3/jobs/{job}/start", started).status == 200
    return agents


def refused(server: LiveServer, value: str) -> bool:
    """Whether nobody can join with a value."""
    return FakeAgent(server.url, value).registered.status == 401


def leaves(agent: FakeAgent) -> bool:
    """Whether an agent is told to leave; it does."""
    told = agent.call("GET", "/v3/ping").body.get("action") == "disconnect"
    return told and agent.call("POST", "/v3/disconnect").status == 200


def tab_to(page: Page, target: Locator) -> None:
    """Move the focus to something as somebody does who has no mouse."""
    for _ in range(60):
        if target.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the keyboard does not reach it")
