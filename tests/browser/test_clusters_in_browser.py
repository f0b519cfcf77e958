"""Clusters, queues and agents in a real browser: live, by the keyboard, without scripts, on small screens."""

from playwright.sync_api import expect

from journeys import Begin, Journey, axe_on
from support import FakeAgent, LiveServer
from watchword.services.accounts import add_cluster
from watchword.services.context import LOCAL


def _agent(server: LiveServer, name: str = "builder") -> FakeAgent:
    token = server.first.agent_token.value.reveal()
    made = FakeAgent(server.url, token, name=name, hostname="h" * 80, meta_data=["queue=default", "x" * 60])
    return made.connect()


def _id(agent: FakeAgent) -> str:
    return str(agent.registered.body["id"])


def _cluster(server: LiveServer) -> str:
    return f"clusters/{server.first.cluster.id}"


def _queue(server: LiveServer) -> str:
    return f"{_cluster(server)}/queues/{server.first.queue.id}"


def test_a_queue_is_paused_and_resumed_while_others_watch(
    begin: Begin, journey: Journey, server: LiveServer
) -> None:
    agent = _agent(server)
    server.create_build("make test")
    watching = begin()
    watching.sign_in_as(server.first.admin)
    watching.go(_cluster(server))
    row = watching.page.get_by_role("row", name="default")
    expect(row.get_by_text("Dispatching")).to_be_visible()
    page = journey.page
    journey.go(_cluster(server))
    page.get_by_role("link", name="default", exact=True).click()
    page.get_by_role("link", name="Pause dispatch").click()
    page.get_by_label("Note").fill("upgrade")
    page.get_by_role("button", name="Pause dispatch").click()
    assert journey.status == "Dispatch is paused."
    expect(row.get_by_text("Paused")).to_be_visible()
    expect(row.get_by_text("upgrade")).to_be_visible()
    assert agent.offered() == ""
    page.get_by_role("button", name="Resume dispatch").click()
    assert journey.status == "Jobs are dispatched again."
    expect(row.get_by_text("Dispatching")).to_be_visible()
    agent.accept()
    expect(row.get_by_role("link", name="1 busy agents in default")).to_be_visible()


def test_an_agent_appears_works_stops_and_leaves_before_ones_eyes(
    journey: Journey, server: LiveServer
) -> None:
    page = journey.page
    journey.go(f"{_cluster(server)}/agents")
    expect(page.get_by_role("heading", name="No agents are connected")).to_be_visible()
    agent = _agent(server)
    row = page.get_by_role("row", name="builder")
    expect(row.get_by_text("Idle")).to_be_visible()
    expect(page.get_by_role("link", name="Idle 1")).to_be_visible()
    server.create_build("make test")
    job = agent.accept()
    expect(row.get_by_text("Busy")).to_be_visible()
    expect(row.get_by_role("link", name="make test")).to_have_attribute(
        "href", f"/acme/app/builds/1/jobs/{job}"
    )
    row.get_by_role("link", name="builder").click()
    page.get_by_role("link", name="Stop").click()
    expect(page.get_by_text("It runs one job: make test")).to_be_visible()
    page.get_by_role("button", name="Stop the agent").click()
    assert journey.status == "The agent is asked to stop."
    expect(page.get_by_text("leaves after its job")).to_be_visible()
    assert agent.call("GET", "/v3/ping").body["action"] == "disconnect"
    agent.on_job("PUT", f"/v3/jobs/{job}/start", {"started_at": "2026-01-01T00:00:00Z"})
    agent.finish(job)
    agent.call("POST", "/v3/disconnect")
    expect(page.get_by_text("Left")).to_be_visible()


def test_everything_is_done_by_the_keyboard_alone(journey: Journey, server: LiveServer) -> None:
    agent = _agent(server)
    page = journey.page
    journey.go(_cluster(server))
    page.keyboard.press("n")
    page.get_by_role("heading", name="New queue").wait_for()
    page.keyboard.press("Tab")
    page.get_by_label("Key").focus()
    page.keyboard.type("linux")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="linux")).to_be_visible()
    journey.go(f"{_cluster(server)}/agents")
    page.keyboard.press("/")
    expect(page.get_by_label("Name, host or address")).to_be_focused()
    page.keyboard.type("build")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=build*")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="builder")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="builder").wait_for()
    page.get_by_role("link", name="Stop").focus()
    page.keyboard.press("Enter")
    page.get_by_label("After its job").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Now", exact=True)).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop the agent")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("leaves at once")).to_be_visible()
    assert agent.call("GET", "/v3/ping").body["action"] == "disconnect"


def test_agents_are_paused_and_maintainers_added_without_scripts(begin: Begin, server: LiveServer) -> None:
    agent = _agent(server)
    journey = begin(java_script_enabled=False)
    journey.sign_in_as(server.first.admin)
    journey.person("grace@example.com")
    page = journey.page
    journey.go(f"agents/{_id(agent)}")
    page.get_by_role("link", name="Pause").click()
    page.get_by_label("For how long").select_option("1 hour")
    page.get_by_role("button", name="Pause the agent").click()
    assert journey.status == "The agent is paused."
    page.get_by_role("button", name="Resume").click()
    assert journey.status == "The agent takes jobs again."
    journey.go(f"{_cluster(server)}/maintainers")
    page.get_by_label("Email of a member, or a team's slug").fill("grace@example.com")
    page.get_by_role("button", name="Add maintainer").click()
    expect(page.get_by_role("row", name="grace@example.com")).to_be_visible()


def test_a_secrets_value_leaves_the_browser_once_and_never_comes_back(
    journey: Journey, server: LiveServer
) -> None:
    value = "hunter2-hunter2"
    page = journey.page
    journey.go(f"{_cluster(server)}/secrets/new")
    page.get_by_label("Key").fill("DEPLOY")
    page.get_by_label("Value").fill(value)
    page.get_by_role("button", name="Create the secret").click()
    expect(page.get_by_role("link", name="DEPLOY", exact=True)).to_be_visible()
    page.get_by_role("link", name="New value of DEPLOY").click()
    expect(page.get_by_label("Value")).to_have_value("")
    journey.require_kept_secret(value, shown=0)


def _other(server: LiveServer) -> str:
    """Another cluster, which may be deleted."""
    context = server.authority.context
    organization_id = server.first.organization.id
    return server.run(
        context.store.write(lambda tx: add_cluster(context, tx, LOCAL, organization_id, "x" * 60))
    ).id


def _pages(server: LiveServer, agent: FakeAgent) -> list[str]:
    cluster, queue = _cluster(server), _queue(server)
    return [
        "clusters",
        "clusters/new",
        cluster,
        queue,
        *(f"{queue}/{each}" for each in ("edit", "pause", "delete")),
        f"{cluster}/agents",
        f"agents/{_id(agent)}",
        *(f"agents/{_id(agent)}/{each}" for each in ("stop", "pause")),
        *(f"{cluster}/{each}" for each in ("maintainers", "settings", "secrets", "secrets/new")),
        f"clusters/{_other(server)}/delete",
        "unclustered",
    ]


def test_every_page_is_accessible_in_both_themes(journey: Journey, server: LiveServer) -> None:
    agent = _agent(server)
    server.create_build("make test", "make lint")
    agent.accept()
    axe_on(journey, _pages(server, agent))


def test_no_page_needs_scrolling_to_the_side_on_a_small_screen(begin: Begin, server: LiveServer) -> None:
    agent = _agent(server, "a-name-without-any-place-to-break-it-" * 5)
    journey = begin(viewport={"width": 320, "height": 640})
    journey.sign_in_as(server.first.admin)
    for path in _pages(server, agent):
        journey.go(path)
        journey.require_no_overflow()
