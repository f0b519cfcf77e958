"""The store's contract: revocations, what they ask of agents and uses, and blocked registrations."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import AGENT, JOB, ORGANIZATION, OTHER, TEXT, TOKEN, USER
from watchword.domain.fleet import AgentState
from watchword.domain.ids import AgentId, ClusterId, JobId, RevocationId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import Change, Mode, Revocation
from watchword.domain.pipelines import JobState
from watchword.domain.tokens import State
from watchword.store.base import Page, Transaction

ONE, TWO = RevocationId("revocation-1"), RevocationId("revocation-2")


def revocation(**changes: Any) -> Revocation:
    made = Revocation(
        organization_id=ORGANIZATION,
        id=ONE,
        token_id=TOKEN,
        change=Change.REVOKE,
        mode=Mode.DRAIN,
        networks="",
        deadline=0,
        committed_at=7,
        effective_at=0,
        finished_at=0,
        by=USER,
        reason=TEXT,
    )
    return replace(made, **changes)


def find(shelf: Shelf) -> Revocation | None:
    return shelf.read(lambda tx: tx.revocations.find(ORGANIZATION, ONE))


def test_a_revocation_is_kept_whole_and_only_in_its_organization(shelf: Shelf) -> None:
    kept = revocation(by=None, deadline=2**60, agents=1, agents_cut=2, jobs_lost=3, jobs_returned=4)
    foreign = revocation(organization_id=OTHER)
    shelf.write(lambda tx: tx.revocations.add(kept))
    shelf.write(lambda tx: tx.revocations.add(foreign))
    assert find(shelf) == kept
    assert shelf.read(lambda tx: tx.revocations.find(OTHER, ONE)) == foreign
    assert list(shelf.read(lambda tx: tx.revocations.of_token(ORGANIZATION, TOKEN))) == [kept]
    assert list(shelf.read(lambda tx: tx.revocations.of_token(ORGANIZATION, TokenId("none")))) == []


def test_those_of_a_token_come_newest_first_and_open_ones_oldest_first(shelf: Shelf) -> None:
    rows = [
        revocation(id=RevocationId("r1"), finished_at=9),  # not effective yet
        revocation(id=RevocationId("r2"), effective_at=9),  # not finished
        revocation(id=RevocationId("r3"), effective_at=9, finished_at=9),
        revocation(id=RevocationId("r4"), token_id=TokenId("other"), organization_id=OTHER),
    ]
    for row in rows:
        shelf.write(lambda tx, row=row: tx.revocations.add(row))  # type: ignore[misc]
    of_token = shelf.read(lambda tx: tx.revocations.of_token(ORGANIZATION, TOKEN))
    assert [row.id for row in of_token] == ["r3", "r2", "r1"]
    assert [row.id for row in shelf.read(lambda tx: tx.revocations.open())] == ["r1", "r2", "r4"]


def test_it_is_saved_only_as_long_as_it_is_what_was_known(shelf: Shelf) -> None:
    known = revocation()
    shelf.write(lambda tx: tx.revocations.add(known))
    cut = replace(known, mode=Mode.CUT, finished_at=9, by=None, reason="more", agents_cut=2, jobs_lost=1)
    assert shelf.write(lambda tx: tx.revocations.save(known, cut))
    assert find(shelf) == cut
    assert not shelf.write(lambda tx: tx.revocations.save(known, replace(known, reason="late")))
    assert find(shelf) == cut
    foreign = replace(cut, organization_id=OTHER)
    assert not shelf.write(lambda tx: tx.revocations.save(foreign, foreign))


def test_it_takes_effect_once(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.revocations.add(revocation()))
    assert shelf.write(lambda tx: tx.revocations.take_effect(ORGANIZATION, ONE, 8))
    assert not shelf.write(lambda tx: tx.revocations.take_effect(ORGANIZATION, ONE, 9))
    found = find(shelf)
    assert found is not None
    assert found.effective_at == 8


def test_many_take_effect_together(shelf: Shelf) -> None:
    known, second = revocation(), replace(revocation(), id=TWO)
    for one in (known, second):
        shelf.write(lambda tx, one=one: tx.revocations.add(one))  # type: ignore[misc]
    assert shelf.write(lambda tx: tx.revocations.take_effect(ORGANIZATION, ONE, 8))
    shelf.write(lambda tx: tx.revocations.take_effect_all([known, second], 9))
    shelf.write(lambda tx: tx.revocations.take_effect_all([], 10))
    found = shelf.read(lambda tx: tx.revocations.of_token(ORGANIZATION, known.token_id))
    assert {one.id: one.effective_at for one in found} == {ONE: 8, TWO: 9}


def test_running_jobs_are_those_that_live_agents_of_the_token_have_started(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place, state in enumerate(JobState):
            agent_id, job_id = AgentId(f"agent-{place:02}"), JobId(f"job-{place:02}")
            await tx.fleet.add(make.agent(id=agent_id, job_id=job_id, state=AgentState.CONNECTED))
            await tx.builds.add_job(make.job(id=job_id, agent_id=agent_id, state=state))
        await tx.fleet.add(make.agent(id=AgentId("gone"), job_id=JOB, ended_at=9, state=AgentState.LOST))
        await tx.fleet.add(make.agent(id=AgentId("other"), job_id=JOB, token_id=TokenId("other")))
        await tx.builds.add_job(make.job(state=JobState.RUNNING))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.revocations.running_jobs(ORGANIZATION, TOKEN))
    states = list(JobState)
    started = (JobState.RUNNING, JobState.CANCELING, JobState.TIMING_OUT)
    places = sorted(states.index(state) for state in started)
    assert list(found) == [(f"agent-{place:02}", f"job-{place:02}") for place in places]
    assert list(shelf.read(lambda tx: tx.revocations.running_jobs(OTHER, TOKEN))) == []


def test_uses_from_an_hour_on(shelf: Shelf) -> None:
    uses = [make.use(hour=hour) for hour in (99, 100, 101)]
    foreign = [make.use(organization_id=OTHER), make.use(token_id=TokenId("other"))]
    shelf.write(lambda tx: tx.audit.add_uses([*uses, *foreign]))
    found = shelf.read(lambda tx: tx.revocations.uses_since(ORGANIZATION, TOKEN, 100))
    assert sorted(found, key=lambda use: use.hour) == uses[1:]


def test_a_blocked_registration_is_noted_once_in_its_hour_and_up_to_a_limit(shelf: Shelf) -> None:
    def block(address: str, hour: int = 5) -> bool:
        return shelf.write(lambda tx: tx.revocations.block(ORGANIZATION, TOKEN, hour, address, 2))

    assert [block(address) for address in ("a", "a", "b", "c")] == [True, False, True, False]
    assert block("a", hour=6)
    assert shelf.write(lambda tx: tx.revocations.block(OTHER, TOKEN, 5, "a", 2))
    assert shelf.write(lambda tx: tx.revocations.forget_blocked(6)) == 3
    assert block("c")
    assert not block("a", hour=6)


def test_who_joined_with_a_token_is_found_while_it_lives(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place, state in enumerate(AgentState):
            ended = 9 if state.ended else 0
            await tx.fleet.add(make.agent(id=AgentId(f"agent-{9 - place}"), state=state, ended_at=ended))
        await tx.fleet.add(make.agent(id=AgentId("elsewhere"), token_id=TokenId("other")))
        await tx.fleet.add(make.agent(organization_id=OTHER))

    shelf.write(work)
    found = shelf.read(lambda tx: tx.fleet.joined(ORGANIZATION, TOKEN))
    assert [agent.id for agent in found] == ["agent-8", "agent-9"]


@pytest.mark.parametrize("state", list(AgentState))
def test_a_live_agent_is_told_to_leave_once(shelf: Shelf, state: AgentState) -> None:
    shelf.write(lambda tx: tx.fleet.add(make.agent(state=state, ended_at=9 if state.ended else 0)))
    shelf.write(lambda tx: tx.fleet.add(make.agent(organization_id=OTHER)))
    assert shelf.write(lambda tx: tx.fleet.drain(ORGANIZATION, AGENT, 8)) is not state.ended
    assert not shelf.write(lambda tx: tx.fleet.drain(ORGANIZATION, AGENT, 9))
    told = shelf.read(lambda tx: tx.fleet.find(ORGANIZATION, AGENT))
    assert told is not None
    assert told.stopping_at == (0 if state.ended else 8)
    other = shelf.read(lambda tx: tx.fleet.find(OTHER, AGENT))
    assert other is not None
    assert not other.stopping_at


def test_tokens_are_listed_by_their_state_at_a_moment(shelf: Shelf) -> None:
    tokens = {
        "t1": make.token(id=TokenId("t1")),
        "t2": make.token(id=TokenId("t2"), expires_at=50),
        "t3": make.token(id=TokenId("t3"), expires_at=51),
        "t4": make.token(id=TokenId("t4"), expires_at=50, state=State.REVOKED),
        "t5": make.token(id=TokenId("t5"), state=State.SUPERSEDED),
        "t6": make.token(id=TokenId("t6"), cluster_id=ClusterId("other")),
        "t7": make.token(id=TokenId("t7"), kind=Kind.UNCLUSTERED_AGENT, cluster_id=None),
        "t8": make.token(id=TokenId("t8"), organization_id=OTHER),
    }

    async def work(tx: Transaction) -> None:
        for token in tokens.values():
            await tx.tokens.add(token)

    shelf.write(work)

    def ids(state: State | None, cluster: str | None = "cluster-1", page: Page = Page()) -> list[str]:  # noqa: B008
        cluster_id = ClusterId(cluster) if cluster else None
        found = shelf.read(
            lambda tx: tx.tokens.list_in(ORGANIZATION, Kind.AGENT, cluster_id, state, 50, page)
        )
        return [token.id for token in found]

    assert ids(None) == ["t1", "t2", "t3", "t4", "t5"]
    assert ids(State.ACTIVE) == ["t1", "t3"]
    assert ids(State.EXPIRED) == ["t2"]
    assert ids(State.REVOKED) == ["t4"]
    assert ids(State.SUPERSEDED) == ["t5"]
    assert ids(State.ACTIVE, None) == ["t1", "t3", "t6"]
    assert ids(None, page=Page(2, 1)) == ["t2", "t3"]


def test_digests_of_imported_values_are_found_in_any_state(shelf: Shelf) -> None:
    imported = [
        make.token(id=TokenId("t1"), imported=True),
        make.token(id=TokenId("t2"), imported=True, state=State.REVOKED),
        make.token(id=TokenId("t3"), imported=True, organization_id=OTHER),
    ]

    async def work(tx: Transaction) -> None:
        for token in [*imported, make.token()]:
            await tx.tokens.add(token)

    shelf.write(work)
    assert shelf.read(lambda tx: tx.tokens.find(ORGANIZATION, TokenId("t1"))) == imported[0]
    found = shelf.read(lambda tx: tx.tokens.imported())
    assert sorted(found) == sorted(token.digest for token in imported)
