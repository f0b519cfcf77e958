"""The store's contract: agents."""

from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, CLUSTER, JOB, ORGANIZATION, OTHER, TOKEN, USER
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import AgentId, ClusterId, TokenId
from watchword.store.base import Page, Transaction
from watchword.store.base_fleet import JoinedCounts

LIVE = (AgentState.REGISTERED, AgentState.CONNECTED)
ENDED = tuple(state for state in AgentState if state.ended)


def find(shelf: Shelf, agent_id: AgentId = AGENT) -> Agent | None:
    return shelf.read(lambda tx: tx.fleet.find(ORGANIZATION, agent_id))


def test_an_agent_is_kept_whole(shelf: Shelf) -> None:
    kept = make.agent(cluster_id=None, queue_id=None, features=(), tags=(), script_eval=False)
    shelf.write(lambda tx: tx.fleet.add(kept))
    shelf.write(lambda tx: tx.fleet.add(make.agent(organization_id=OTHER)))
    assert find(shelf) == kept
    assert shelf.read(lambda tx: tx.fleet.find(OTHER, AGENT)) == make.agent(organization_id=OTHER)
    assert find(shelf, AgentId("nobody")) is None


def test_agents_are_listed_by_state_and_cluster_oldest_first(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place, state in enumerate([*AgentState, AgentState.CONNECTED]):
            await tx.fleet.add(make.agent(id=AgentId(f"agent-{9 - place}"), state=state))
        await tx.fleet.add(
            make.agent(id=AgentId("other"), cluster_id=ClusterId("c2"), state=AgentState.CONNECTED)
        )
        await tx.fleet.add(make.agent(organization_id=OTHER, state=AgentState.CONNECTED))

    shelf.write(work)

    def ids(cluster_id: ClusterId | None, *states: AgentState, page: Page = Page()) -> list[str]:  # noqa: B008
        found = shelf.read(lambda tx: tx.fleet.list(ORGANIZATION, cluster_id, states, page))
        return [agent.id for agent in found]

    assert ids(None, AgentState.CONNECTED) == ["agent-4", "agent-8", "other"]
    assert ids(CLUSTER, AgentState.CONNECTED) == ["agent-4", "agent-8"]
    assert ids(CLUSTER, *LIVE) == ["agent-4", "agent-8", "agent-9"]
    assert ids(CLUSTER, *LIVE, page=Page(1, 1)) == ["agent-8"]
    assert ids(CLUSTER, AgentState.LOST) == ["agent-6"]
    live = shelf.read(lambda tx: tx.fleet.live())
    assert sorted((agent.organization_id, agent.id) for agent in live) == [
        (ORGANIZATION, "agent-4"),
        (ORGANIZATION, "agent-8"),
        (ORGANIZATION, "agent-9"),
        (ORGANIZATION, "other"),
        (OTHER, AGENT),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": AgentState.CONNECTED},
        {"state": AgentState.REPLACED},
        {"requested_name": "another"},
        {"hostname": "another"},
        {"token_id": TokenId("another")},
        {"organization_id": OTHER},
    ],
)
def test_only_the_same_registration_is_a_repeated_one(shelf: Shelf, changes: dict[str, object]) -> None:
    async def repeated(tx: Transaction) -> Agent | None:
        return await tx.fleet.never_connected(ORGANIZATION, TOKEN, "agent %n", "host")

    shelf.write(lambda tx: tx.fleet.add(make.agent(**({"id": AgentId("agent-0")} | changes))))
    assert shelf.read(repeated) is None
    shelf.write(lambda tx: tx.fleet.add(make.agent()))
    assert shelf.read(repeated) == make.agent()


@pytest.mark.parametrize("state", list(AgentState))
def test_a_registered_agent_alone_connects(shelf: Shelf, state: AgentState) -> None:
    shelf.write(lambda tx: tx.fleet.add(make.agent(state=state)))
    registered = state is AgentState.REGISTERED
    assert not shelf.write(lambda tx: tx.fleet.connect(OTHER, AGENT, 9))
    assert shelf.write(lambda tx: tx.fleet.connect(ORGANIZATION, AGENT, 9)) is registered
    assert not shelf.write(lambda tx: tx.fleet.connect(ORGANIZATION, AGENT, 10))
    changed = make.agent(state=AgentState.CONNECTED, connected_at=9, seen_at=9)
    assert find(shelf) == (changed if registered else make.agent(state=state))


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("before", list(AgentState))
def test_a_live_agent_ends_once(shelf: Shelf, before: AgentState, state: AgentState) -> None:
    shelf.write(lambda tx: tx.fleet.add(make.agent(state=before, job_id=JOB)))
    assert not shelf.write(lambda tx: tx.fleet.end(OTHER, AGENT, state, 9))
    assert shelf.write(lambda tx: tx.fleet.end(ORGANIZATION, AGENT, state, 9)) is not before.ended
    assert not shelf.write(lambda tx: tx.fleet.end(ORGANIZATION, AGENT, AgentState.LOST, 10))
    ended = make.agent(state=state, ended_at=9)
    assert find(shelf) == (make.agent(state=before, job_id=JOB) if before.ended else ended)


def test_live_agents_of_a_token_are_counted_by_what_they_do(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place, state in enumerate((*LIVE, *LIVE, AgentState.CONNECTED, *ENDED)):
            ended = {"ended_at": 9} if state.ended else {}
            job = JOB if place in (2, 3, 4) else None
            await tx.fleet.add(make.agent(id=AgentId(f"agent-{place}"), state=state, job_id=job, **ended))
        await tx.fleet.add(make.agent(id=AgentId("other"), token_id=TokenId("token-2")))
        await tx.fleet.add(make.agent(organization_id=OTHER))

    shelf.write(work)
    assert shelf.read(lambda tx: tx.fleet.count_joined(ORGANIZATION, TOKEN)) == JoinedCounts(3, 2, 3)
    assert shelf.read(lambda tx: tx.fleet.count_joined(ORGANIZATION, TokenId("none"))) == JoinedCounts()


def test_a_job_is_noted_and_an_agent_ignored(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.fleet.add(make.agent()))
    shelf.write(lambda tx: tx.fleet.give_job(ORGANIZATION, AGENT, JOB))
    shelf.write(lambda tx: tx.fleet.ignore(ORGANIZATION, AGENT))
    assert find(shelf) == make.agent(job_id=JOB, ignore_in_dispatches=True)
    shelf.write(lambda tx: tx.fleet.give_job(ORGANIZATION, AGENT, None))
    assert find(shelf) == make.agent(ignore_in_dispatches=True)


def test_signs_of_life_only_move_forward(shelf: Shelf) -> None:
    second = make.agent(id=AgentId("agent-2"))
    shelf.write(lambda tx: tx.fleet.add(make.agent()))
    shelf.write(lambda tx: tx.fleet.add(second))
    seen = [(ORGANIZATION, AGENT, 50), (ORGANIZATION, second.id, 3), (OTHER, second.id, 90)]
    shelf.write(lambda tx: tx.fleet.touch(seen))
    shelf.write(lambda tx: tx.fleet.touch([(ORGANIZATION, AGENT, 40)]))
    shelf.write(lambda tx: tx.fleet.touch([]))
    assert find(shelf) == replace(make.agent(), seen_at=50)
    assert find(shelf, second.id) == second


@pytest.mark.parametrize("state", list(AgentState))
def test_a_connected_agent_alone_is_asked_to_stop(shelf: Shelf, state: AgentState) -> None:
    shelf.write(lambda tx: tx.fleet.add(make.agent(state=state)))
    connected = state is AgentState.CONNECTED
    assert not shelf.write(lambda tx: tx.fleet.stop(OTHER, AGENT, 9, force=False))
    assert shelf.write(lambda tx: tx.fleet.stop(ORGANIZATION, AGENT, 9, force=False)) is connected
    asked = make.agent(state=state, stopping_at=9) if connected else make.agent(state=state)
    assert find(shelf) == asked
    assert shelf.write(lambda tx: tx.fleet.stop(ORGANIZATION, AGENT, 10, force=True)) is connected
    forced = replace(asked, stop_forced=True) if connected else asked
    assert find(shelf) == forced
    assert shelf.write(lambda tx: tx.fleet.stop(ORGANIZATION, AGENT, 11, force=False)) is connected
    assert find(shelf) == forced


@pytest.mark.parametrize("state", list(AgentState))
def test_a_connected_agent_alone_is_paused_and_resumed_once(shelf: Shelf, state: AgentState) -> None:
    kept = make.agent(state=state)
    shelf.write(lambda tx: tx.fleet.add(kept))
    connected = state is AgentState.CONNECTED
    assert not shelf.write(lambda tx: tx.fleet.resume(ORGANIZATION, AGENT))
    assert not shelf.write(lambda tx: tx.fleet.pause(OTHER, AGENT, 9, 20, "why", USER))
    assert shelf.write(lambda tx: tx.fleet.pause(ORGANIZATION, AGENT, 9, 20, "why", USER)) is connected
    paused = replace(kept, paused_at=9, paused_until=20, paused_note="why", paused_by=USER)
    assert find(shelf) == (paused if connected else kept)
    assert shelf.write(lambda tx: tx.fleet.pause(ORGANIZATION, AGENT, 10, 30, "", None)) is connected
    assert find(shelf) == (replace(kept, paused_at=10, paused_until=30) if connected else kept)
    assert not shelf.write(lambda tx: tx.fleet.resume(OTHER, AGENT))
    assert shelf.write(lambda tx: tx.fleet.resume(ORGANIZATION, AGENT)) is connected
    assert not shelf.write(lambda tx: tx.fleet.resume(ORGANIZATION, AGENT))
    assert find(shelf) == kept
