"""The end of an agent token in a real browser: revoked in each mode, rotated until its value is unused."""

from playwright.sync_api import expect

from agent_token_journeys import first_token, leaves, refused, three_agents, value_of
from journeys import Begin, Journey
from support import FakeAgent, LiveServer
from watchword.services.context import LOCAL

REVOKE = """
- main:
  - status
  - navigation "Breadcrumb"
  - heading "Revoke Initial agent token" [level=1]
  - navigation "Default"
  - region "What breaks now":
    - heading "What breaks now" [level=2]
    - term: connected agents
    - definition: "3"
    - term: agents just joining
    - definition: "0"
    - term: running job
    - definition: "1"
    - term: live sessions
    - definition: "3"
    - term: caller of the last day
    - definition: "1"
    - heading "Running jobs" [level=3]
    - list:
      - listitem:
        - link "make test"
    - region "Connected agents":
      - table "Connected agents":
        - rowgroup:
          - row "Agent Host Version Address Does Joined"
        - rowgroup:
          - row /builder-0 host-0 3.137.0 127.0.0.1 Busy/
          - row /builder-1 host-1 3.137.0 127.0.0.1 Idle/
          - row /builder-2 host-2 3.137.0 127.0.0.1 Idle/
    - region "Callers of the last day":
      - table "Callers of the last day"
  - group "What becomes of connected agents":
    - radio "Stop joining" [checked]
    - paragraph: No new agent joins. 3 agents stay connected, and running jobs go on.
    - radio "Drain"
    - paragraph: No new agent joins. Connected ones take no new job, and leave after the one that they run.
    - radio "Cut"
    - paragraph: No new agent joins. Connected ones are cut off at once, and 1 running job is lost.
  - textbox "Reason optional"
  - paragraph: It stays with the token and in the audit trail.
  - textbox "Type the token's name to confirm"
  - paragraph: Initial agent token
  - paragraph: A revocation cannot be taken back. What needs a token afterwards gets another one.
  - button "Revoke the token"
  - link "Keep it"
"""
ROTATE = """
- main:
  - status
  - navigation "Breadcrumb"
  - heading "Rotation of Initial agent token" [level=1]
  - navigation "Default"
  - paragraph: /Both values work until no agent is left on the old one and the new one was used/
  - progressbar "0 of 3 agents moved"
  - region "Old value":
    - heading "Old value" [level=2]
    - term: Token
    - definition:
      - link /[0-9a-f-]{36}/
    - term: State
    - definition: Active
    - term: Agents
    - definition: "3"
    - term: Last used
    - definition: /from 127.0.0.1/
    - term: Expires
    - definition: never
  - region "New value":
    - heading "New value" [level=2]
    - term: Token
    - definition:
      - link /[0-9a-f-]{36}/
    - term: State
    - definition: Active
    - term: Agents
    - definition: "0"
    - term: Last used
    - definition: never
    - term: Expires
    - definition: never
  - region "Still on the old value":
    - table "Still on the old value"
  - combobox "Let both work, from now, for":
    - option "1 day"
    - option "7 days" [selected]
    - option "30 days"
    - option "90 days"
  - button "Set the deadline"
  - heading "Finish now" [level=2]
  - paragraph: /The old value ends at once/
  - checkbox "3 agents still hold the old value. Finish anyway."
  - 'button "Finish: end the old value"'
  - heading "Abort" [level=2]
  - paragraph: /The new value is revoked; the old one goes on/
  - 'button "Abort: revoke the new value"'
"""


def revoke(journey: Journey, mode: str) -> None:
    """Revoke the first token in a mode, with three agents connected."""
    page = journey.page
    journey.go(f"{first_token(journey.server)}/revoke")
    expect(page.get_by_role("table", name="Connected agents").get_by_role("link")).to_have_count(3)
    page.get_by_role("radio", name=mode).check()
    page.get_by_label("Reason").fill("the laptop is gone")
    page.get_by_label("Type the token's name to confirm").fill("Initial agent token")
    page.get_by_role("button", name="Revoke the token").click()
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    assert refused(journey.server, journey.server.first.agent_token.value.reveal())


def test_after_stop_joining_agents_stay_and_no_other_joins(journey: Journey, server: LiveServer) -> None:
    agents = three_agents(server)
    revoke(journey, "Stop joining")
    assert [agent.call("GET", "/v3/ping").body.get("action") for agent in agents] == [None] * 3
    expect(journey.page.get_by_role("main")).to_contain_text("Stop joining: connected agents stay")
    journey.go(first_token(server))
    expect(journey.page.get_by_role("heading", name="This token is revoked")).to_be_visible()
    expect(journey.page.get_by_role("table", name="Connected agents").get_by_role("link")).to_have_count(3)


def test_drained_agents_finish_their_jobs_and_leave(journey: Journey, server: LiveServer) -> None:
    agents, main = three_agents(server), journey.page.get_by_role("main")
    revoke(journey, "Drain")
    expect(main).to_contain_text("0 of 3 agents have left")
    busy, *idle = agents
    assert all(leaves(agent) for agent in idle)
    expect(main).to_contain_text("2 of 3 agents have left")
    (job,) = running_jobs(server)
    assert busy.finish(job).status == 200
    assert leaves(busy)
    server.run(server.authority.sweep(LOCAL))
    expect(main).to_contain_text("3 of 3 agents have left")
    expect(main).to_contain_text("0 lost, 0 returned to their queue")


def running_jobs(server: LiveServer) -> list[str]:
    """Started jobs of the first token's agents."""
    first = server.first
    store = server.authority.context.store
    found = server.run(
        store.read(lambda tx: tx.revocations.running_jobs(first.organization.id, first.agent_token.token.id))
    )
    return [job for _, job in found]


def test_cut_agents_are_refused_at_once(journey: Journey, server: LiveServer) -> None:
    agents, main = three_agents(server), journey.page.get_by_role("main")
    journey.go(f"{first_token(server)}/revoke")
    expect(main).to_match_aria_snapshot(REVOKE)
    revoke(journey, "Cut")
    assert [agent.call("GET", "/v3/ping").status for agent in agents] == [401] * 3
    expect(main).to_contain_text("3 told to leave, 3 of them cut")
    expect(main).to_contain_text("1 lost, 0 returned to their queue")
    journey.require_accessible()


def test_a_rotation_is_followed_until_the_old_value_is_unused(journey: Journey, server: LiveServer) -> None:
    agents, page = three_agents(server), journey.page
    main = page.get_by_role("main")
    journey.go(f"{first_token(server)}/rotate")
    page.get_by_role("button", name="Make the new value").click()
    expect(page.get_by_role("heading", name="The rotation has begun: keep the new value now")).to_be_visible()
    journey.require_accessible()
    value = value_of(page)
    page.get_by_label("Value", exact=True).focus()
    page.keyboard.press("Control+C")
    expect(page.get_by_text("You have taken it.")).to_be_visible()
    page.get_by_role("link", name="I have it: show the token").click()
    expect(main).to_contain_text("0 of 3 agents moved")
    expect(main).to_match_aria_snapshot(ROTATE)
    for place, agent in enumerate(agents):
        FakeAgent(server.url, value, name=f"moved-{place}").connect()
        agent.call("POST", "/v3/disconnect")
        expect(main).to_contain_text(f"{place + 1} of 3 agents moved")
    expect(main).to_contain_text("every agent has moved")
    assert refused(server, server.first.agent_token.value.reveal())
    page.reload()
    expect(page.get_by_role("button", name="Finish")).to_have_count(0)
    journey.require_kept_secret(value)


def test_rotation_and_revocation_need_no_script(begin: Begin, server: LiveServer) -> None:
    journey = begin(java_script_enabled=False)
    journey.sign_in_as(server.first.admin)
    page = journey.page
    three_agents(server)
    journey.go(f"{first_token(server)}/rotate")
    page.get_by_role("button", name="Make the new value").click()
    value = value_of(page)
    journey.go(f"{first_token(server)}/rotate")
    page.get_by_label("3 agents still hold the old value.").check()
    page.get_by_role("button", name="Finish: end the old value").click()
    expect(page.get_by_role("main")).to_contain_text("somebody finished it")
    assert not refused(server, value)
    page.get_by_role("link", name="Agent Tokens", exact=True).first.click()
    page.get_by_role("link", name="Initial agent token").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("radio", name="Drain").check()
    page.get_by_label("Minutes after which a drain cuts what is left").fill("30")
    page.get_by_label("Type the token's name").fill("Initial agent token")
    page.get_by_role("button", name="Revoke the token").click()
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
