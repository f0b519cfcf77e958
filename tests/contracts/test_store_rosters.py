"""The store's contract: lists of agents, of their jobs, and of clusters."""

from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, CLUSTER, JOB, ORGANIZATION, OTHER, TEXT, TOKEN
from watchword.domain.fleet import AgentState
from watchword.domain.ids import AgentId, ClusterId, JobId, QueueId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import JobState
from watchword.domain.tokens import State
from watchword.store.base import EVERYTHING, Page, Transaction
from watchword.store.base_rosters import ListedAgent, ListedJob

LISTED = ListedJob(JOB, "label", TEXT, JobState.RUNNING, "", 7, 0, 0, 1, "app", TEXT)


@pytest.fixture
def build(shelf: Shelf) -> None:
    """A pipeline, a build and a running job in each of two organizations."""

    async def work(tx: Transaction) -> None:
        for owner in (ORGANIZATION, OTHER):
            await tx.builds.add_pipeline(make.pipeline(organization_id=owner))
            await tx.builds.add_build(make.build(organization_id=owner))
        await tx.builds.add_job(make.job(state=JobState.RUNNING, agent_id=AGENT))

    shelf.write(work)


@pytest.mark.usefixtures("build")
def test_agents_come_with_their_token_and_job_by_one_statement(shelf: Shelf) -> None:
    busy = make.agent(job_id=JOB)
    idle = make.agent(id=AgentId("agent-2"), token_id=TokenId("gone"))

    async def work(tx: Transaction) -> None:
        await tx.tokens.add(make.token())
        for agent in (busy, idle, make.agent(organization_id=OTHER, id=AgentId("foreign"))):
            await tx.fleet.add(agent)

    shelf.write(work)
    asked = [idle.id, AGENT, AgentId("foreign"), AgentId("none' OR 1=1")]
    found = shelf.read(lambda tx: tx.rosters.agents(ORGANIZATION, asked))
    assert dict(found) == {AGENT: ListedAgent(busy, TEXT, LISTED), idle.id: ListedAgent(idle, "", None)}
    assert dict(shelf.read(lambda tx: tx.rosters.agents(ORGANIZATION, []))) == {}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("AGENT ONE", ["agent-1"]),
        ("host", ["agent-1", "agent-2"]),
        ("198.51", ["agent-2"]),
        ("50%_\\x", ["agent-2"]),
        ("%", ["agent-2"]),
        ("_", ["agent-2"]),
        ("nothing", []),
    ],
)
def test_live_agents_are_found_by_a_part_of_name_host_or_address(
    shelf: Shelf, part: str, expected: list[str]
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fleet.add(make.agent(name="Agent One", hostname="HOST"))
        await tx.fleet.add(make.agent(id=AgentId("agent-2"), name="50%_\\x", address="198.51.100.7"))
        await tx.fleet.add(make.agent(id=AgentId("agent-3"), state=AgentState.LOST, ended_at=9))
        await tx.fleet.add(make.agent(id=AgentId("agent-4"), organization_id=OTHER))

    shelf.write(work)
    assert sorted(shelf.read(lambda tx: tx.rosters.matching(ORGANIZATION, part))) == expected


def test_lost_agents_are_listed_latest_first_by_cluster_or_without(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        lost = {"state": AgentState.LOST}
        for place, at in enumerate((20, 40, 30, 10)):
            await tx.fleet.add(make.agent(id=AgentId(f"lost-{place}"), ended_at=at, **lost))
        await tx.fleet.add(make.agent(id=AgentId("left"), state=AgentState.DISCONNECTED, ended_at=50))
        await tx.fleet.add(make.agent(id=AgentId("loose"), cluster_id=None, ended_at=50, **lost))
        await tx.fleet.add(make.agent(id=AgentId("else"), cluster_id=ClusterId("c-2"), ended_at=50, **lost))
        await tx.fleet.add(make.agent(id=AgentId("foreign"), organization_id=OTHER, ended_at=50, **lost))

    shelf.write(work)

    def lost(cluster_id: ClusterId | None, page: Page = EVERYTHING) -> list[str]:
        return list(shelf.read(lambda tx: tx.rosters.lost(ORGANIZATION, cluster_id, 10, page)))

    assert lost(CLUSTER) == ["lost-1", "lost-2", "lost-0"]
    assert lost(CLUSTER, Page(1, 1)) == ["lost-2"]
    assert lost(None) == ["loose"]


@pytest.mark.usefixtures("build")
def test_jobs_are_found_by_id_and_by_agent_among_the_newest(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place in range(2, 6):
            agent = AGENT if place != 3 else AgentId("agent-2")
            await tx.builds.add_job(make.job(id=JobId(f"job-{place}"), agent_id=agent))
        await tx.builds.add_job(make.job(organization_id=OTHER, id=JobId("job-9"), agent_id=AGENT))

    shelf.write(work)

    def had(before: str, within: int, limit: int = 10) -> list[str]:
        found = shelf.read(lambda tx: tx.rosters.jobs_of_agent(ORGANIZATION, AGENT, before, within, limit))
        return [job.id for job in found]

    assert had("job-9", 100) == ["job-5", "job-4", "job-2", "job-1"]
    assert had("job-5", 100) == ["job-4", "job-2", "job-1"]
    assert had("job-9", 4) == ["job-5", "job-4", "job-2"]
    assert had("job-9", 100, 2) == ["job-5", "job-4"]
    found = shelf.read(lambda tx: tx.rosters.jobs(ORGANIZATION, [JOB, JobId("job-9"), JobId("none")]))
    assert dict(found) == {JOB: LISTED}


def test_queues_of_all_clusters_are_listed_oldest_first(shelf: Shelf) -> None:
    made = [
        make.queue(),
        make.queue(id=QueueId("queue-2"), cluster_id=ClusterId("c-2")),
        make.queue(id=QueueId("queue-3"), key="third"),
    ]
    for each in (*reversed(made), make.queue(organization_id=OTHER, id=QueueId("queue-0"))):
        shelf.write(lambda tx, each=each: tx.accounts.add_queue(each))  # type: ignore[misc]
    assert list(shelf.read(lambda tx: tx.rosters.queues(ORGANIZATION))) == made


def test_agent_tokens_that_let_agents_join_now_are_counted_by_cluster(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        changes: list[dict[str, Any]] = [
            {},
            {"expires_at": 101},
            {"cluster_id": ClusterId("c-2")},
            {"expires_at": 100},
            {"not_before": 101},
            {"state": State.REVOKED},
            {"state": State.SUPERSEDED},
            {"kind": Kind.AGENT_SESSION},
            {"kind": Kind.API_ACCESS, "cluster_id": None},
            {"kind": Kind.UNCLUSTERED_AGENT, "cluster_id": None},
            {"organization_id": OTHER},
        ]
        for place, each in enumerate(changes):
            await tx.tokens.add(make.token(id=TokenId(f"{TOKEN}-{place}"), **each))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.rosters.agent_tokens(ORGANIZATION, 100))
    assert dict(found) == {CLUSTER: 2, ClusterId("c-2"): 1, None: 1}
