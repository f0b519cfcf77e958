"""Agents on the console: lists, one agent, and the orders that it takes."""

from typing import Any

import pytest

from console_client import Console
from console_places import NOWHERE, cluster_at, maintainer_of, member_of
from services.scene import Scene
from support import MINUTE_US, World
from watchword.domain.fleet import AgentState
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import JobState
from watchword.services.context import LOCAL
from watchword.services.exchanging import Joined
from watchword.services.queries import Unit
from watchword.store.engine import Statement
from watchword.store.sqlite import SqliteConnection


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def names(console: Console, path: str) -> list[str]:
    """Names of the agents that a list shows, in order."""
    answer = console.get(path)
    assert answer.status_code == 200, answer.text
    found = answer.text.split('<th scope="row"><a href="/organizations/acme/agents/')[1:]
    return [one.partition('">')[2].partition("</a>")[0] for one in found]


def end(scene: Scene, joined: Joined, state: AgentState) -> None:
    """End an agent's session."""
    fleet = scene.authority.fleet

    async def work(tx: Unit) -> None:
        await fleet.end_in(tx, LOCAL, joined.agent, state)

    scene.run(scene.authority.context.store.write(work))
    fleet.forget(joined.agent.id)


@pytest.fixture
def crew(scene: Scene) -> dict[str, Joined]:
    """One agent in each state that a list tells apart."""
    scene.queue("linux")
    made = {name: scene.agent(name=name) for name in ("idle", "busy", "paused", "stopping", "lost")}
    made["joining"] = scene.register(name="joining", hostname="elsewhere", tags=("queue=linux",))
    scene.running(made["busy"])
    admin = scene.first.admin
    console = Console(scene.world)
    console.sign_in_as(admin)
    assert console.post(f"agents/{made['paused'].agent.id}/pause", {"minutes": "5"}).status_code == 303
    assert console.post(f"agents/{made['stopping'].agent.id}/stop", {"when": "after"}).status_code == 303
    end(scene, made["lost"], AgentState.LOST)
    return made


@pytest.mark.usefixtures("crew")
def test_a_list_shows_live_agents_newest_first_by_what_they_do(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/agents"
    assert names(admin, at) == ["joining", "stopping", "paused", "busy", "idle"]
    assert "All live 5" in admin.text()
    for state in ("idle", "busy", "paused", "stopping", "joining", "lost"):
        assert names(admin, f"{at}?state={state}") == [state]
        assert f"{state.capitalize()}" in admin.text()
    assert names(admin, f"{at}?state=nonsense") == ["joining", "stopping", "paused", "busy", "idle"]


@pytest.mark.usefixtures("crew")
def test_a_list_is_narrowed_by_queue_and_by_a_part_of_the_name(admin: Console, world: World) -> None:
    at = f"{cluster_at(world)}/agents"
    assert names(admin, f"{at}?queue=linux") == ["joining"]
    assert "All live 1" in admin.text()
    assert names(admin, f"{at}?queue=nowhere") == []
    assert names(admin, f"{at}?q=US") == ["paused", "busy"]
    assert names(admin, f"{at}?q=US&state=busy") == ["busy"]
    assert names(admin, f"{at}?q=elsewh") == ["joining"]
    assert names(admin, f"{at}?q=elsewh&state=idle") == []
    assert "No agent fits" in admin.text()
    assert names(admin, f"{at}?state=lost&q=LOS") == ["lost"]
    assert names(admin, f"{at}?state=lost&queue=default") == ["lost"]
    assert names(admin, f"{at}?state=lost&queue=linux") == []
    assert names(admin, f"{at}?state=lost&q=nobody") == []


def test_a_long_list_is_cut_into_pages_and_reads_their_rows_alone(admin: Console, scene: Scene) -> None:
    for number in range(53):
        scene.agent(name=f"agent-{number:02}")
    at = f"{cluster_at(scene.world)}/agents"
    first, second = names(admin, at), names(admin, f"{at}?page=2")
    assert (len(first), first[0], first[-1]) == (50, "agent-52", "agent-03")
    assert second == ["agent-02", "agent-01", "agent-00"]
    names(admin, f"{at}?q=agent")
    assert f"/organizations/acme/{at}?q=agent&page=2" in admin.links()


def test_an_empty_list_says_how_agents_join(admin: Console, world: World) -> None:
    assert names(admin, f"{cluster_at(world)}/agents") == []
    assert "No agents are connected" in admin.text()
    assert f"/organizations/acme/{cluster_at(world)}/tokens/new" in admin.links()


def test_an_agent_shows_its_session_machine_networks_and_jobs(admin: Console, scene: Scene) -> None:
    joined = scene.agent(
        name="<b>builder</b>",
        hostname="host-7",
        os="linux",
        arch="arm64",
        version="3.137.0",
        tags=("queue=default", "disk=<i>ssd</i>"),
        priority=7,
    )
    scene.present(joined.value.reveal(), kinds=(Kind.AGENT_SESSION,))
    first = scene.running(joined).job
    scene.finish(first)
    second = scene.running(joined).job
    scene.forward(120)
    answer = admin.get(f"agents/{joined.agent.id}")
    text = admin.text()
    assert "<b>builder</b>" in text
    assert "<b>builder" not in answer.text
    assert "disk=<i>ssd</i>" in text
    assert "linux/arm64" in text
    assert "Session age 2 min" in text
    assert "Joined with Initial agent token" in text
    assert f"/organizations/acme/{cluster_at(scene.world)}/tokens/{joined.agent.token_id}" in admin.links()
    assert "192.0.2.1" in text.partition("Networks")[2]
    assert f"/acme/app/builds/2/jobs/{second.id}" in admin.links()
    assert f"/acme/app/builds/1/jobs/{first.id}" in admin.links()
    assert joined.value.reveal() not in answer.text


@pytest.mark.parametrize(("when", "state"), [("after", JobState.RUNNING), ("now", JobState.CANCELING)])
def test_a_stop_says_what_it_does_to_the_job_and_does_it(
    admin: Console, scene: Scene, when: str, state: JobState
) -> None:
    joined = scene.agent()
    job = scene.running(joined).job
    at = f"agents/{joined.agent.id}"
    admin.get(f"{at}/stop")
    assert "It runs one job: true" in admin.text()
    admin.post(f"{at}/stop", {"when": when}, follow=True)
    assert "The agent is asked to stop." in admin.text()
    assert scene.job(job).state is state
    order = scene.authority.fleet.order(joined.agent.id)
    assert order is not None
    assert order.stop


def test_a_stop_of_an_agent_that_has_left_says_so(admin: Console, scene: Scene) -> None:
    joined = scene.agent()
    end(scene, joined, AgentState.DISCONNECTED)
    at = f"agents/{joined.agent.id}"
    admin.get(f"{at}/stop")
    assert "there is nothing to stop" in admin.text()
    assert admin.post(f"{at}/stop", {"when": "now"}).status_code == 400
    assert "agent_not_connected" in admin.text()
    admin.get(at)
    assert "/stop" not in " ".join(admin.links())


def test_a_pause_has_a_note_and_an_end_and_is_lifted(admin: Console, scene: Scene) -> None:
    joined = scene.agent()
    scene.one_job()
    at = f"agents/{joined.agent.id}"
    assert 'value="5" selected' in admin.get(f"{at}/pause").text
    assert admin.post(f"{at}/pause", {"minutes": "2000"}).status_code == 422
    assert admin.post(f"{at}/pause", {"minutes": "x"}).status_code == 422
    admin.post(f"{at}/pause", {"minutes": "30", "note": "<i>disk</i>"}, follow=True)
    assert "The agent is paused." in admin.text()
    assert "ends in 30 min" in admin.text()
    assert "by Ada Admin: <i>disk</i>" in admin.text()
    assert scene.row(joined.agent.id).paused_until == scene.world.clock.now() + 30 * MINUTE_US
    assert scene.ping(joined) is None
    assert admin.post(f"{at}/pause", {"minutes": "5"}).status_code == 422
    assert "agent_paused" in admin.text()
    admin.post(f"{at}/resume", follow=True)
    assert "The agent takes jobs again." in admin.text()
    assert scene.ping(joined) is not None
    assert admin.post(f"{at}/resume").status_code == 303


def test_members_see_agents_and_neither_tokens_nor_orders(scene: Scene) -> None:
    joined, member = scene.agent(), member_of(scene.world)
    at = f"agents/{joined.agent.id}"
    for page in (f"{cluster_at(scene.world)}/agents", at):
        assert member.get(page).status_code == 200
        assert joined.agent.name in member.text()
        assert "Initial agent token" not in member.text()
        assert not [
            link for link in member.links() if link.endswith(("/stop", "/pause")) or "/tokens/" in link
        ]
    for page in ("stop", "pause", "resume"):
        for agent in (at, f"agents/{NOWHERE}"):
            assert member.post(f"{agent}/{page}").status_code == 403


def test_maintainers_give_orders_in_their_cluster_alone(scene: Scene) -> None:
    maintainer = maintainer_of(scene.world)
    own, loose = scene.agent(), scene.agent(scene.token(unclustered=True))
    assert maintainer.get(f"agents/{own.agent.id}/stop").status_code == 200
    assert maintainer.post(f"agents/{own.agent.id}/pause", {"minutes": "5"}).status_code == 303
    assert maintainer.get(f"agents/{loose.agent.id}/stop").status_code == 403
    assert maintainer.post(f"agents/{loose.agent.id}/stop").status_code == 403


def test_agents_that_are_nowhere_are_absent(admin: Console, world: World) -> None:
    for agent in (NOWHERE, "nonsense"):
        for page in ("", "/stop", "/pause"):
            assert admin.get(f"agents/{agent}{page}").status_code == 404
        assert admin.post(f"agents/{agent}/stop").status_code == 404
    assert admin.get(f"clusters/{NOWHERE}/agents").status_code == 404
    assert admin.get(f"clusters/{world.first.cluster.id}/agents?page=99999").status_code == 200


def test_unclustered_agents_have_a_page_with_their_tokens(admin: Console, scene: Scene) -> None:
    token = scene.token(unclustered=True)
    scene.agent(token, name="loose", tags=("queue=gpu",))
    scene.agent(name="clustered")
    assert names(admin, "unclustered") == ["loose"]
    assert names(admin, "unclustered?queue=gpu&state=idle") == ["loose"]
    assert f"/organizations/acme/unclustered/tokens/{token.token.id}" in admin.links()
    member = member_of(scene.world)
    assert names(member, "unclustered") == ["loose"]
    assert "for a test" not in member.text()


def test_many_agents_cost_a_page_no_more_statements(
    admin: Console, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def count(kind: str) -> None:
        ask = getattr(SqliteConnection, kind)

        async def counted(self: SqliteConnection, statement: Statement, parameters: Any) -> Any:
            asked.append(1)
            return await ask(self, statement, parameters)

        monkeypatch.setattr(SqliteConnection, kind, counted)

    for each in ("one", "all", "run"):
        count(each)

    def statements(path: str) -> int:
        asked.clear()
        assert admin.get(path).status_code == 200
        return len(asked)

    for _ in range(3):
        scene.running(scene.agent())
    paths = (f"{cluster_at(scene.world)}/agents", cluster_at(scene.world), "clusters")
    few = [statements(path) for path in paths]
    for _ in range(20):
        scene.running(scene.agent())
    assert [statements(path) for path in paths] == few
