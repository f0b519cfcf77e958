"""The store's contract: what is there once is taken once, however many reach for it at the same time."""

import asyncio
from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, JOB, ORGANIZATION, QUEUE, TOKEN
from watchword.domain.ids import AgentId, JobId, TokenId
from watchword.domain.pipelines import Job, JobState
from watchword.domain.tokens import State
from watchword.store.base import Store, Transaction


def test_a_one_time_token_has_one_winner_in_every_round(shelf: Shelf) -> None:
    async def scenario() -> list[int]:
        wins = []
        for number in range(25):
            token_id = TokenId(f"token-{number:03}")
            await shelf.store.write(
                lambda tx, token_id=token_id: tx.tokens.add(make.token(id=token_id, max_uses=1))  # type: ignore[misc]
            )
            takes = (
                shelf.store.write(lambda tx, token_id=token_id: tx.tokens.take_use(ORGANIZATION, token_id, 9))  # type: ignore[misc]
                for _ in range(64)
            )
            wins.append(sum(await asyncio.gather(*takes)))
        return wins

    assert shelf.run(scenario()) == [1] * 25


@pytest.mark.parametrize("uses", [2, 17])
def test_a_counted_token_has_as_many_winners_as_uses(shelf: Shelf, uses: int) -> None:
    shelf.write(lambda tx: tx.tokens.add(make.token(max_uses=uses)))

    async def scenario() -> int:
        takes = (shelf.store.write(lambda tx: tx.tokens.take_use(ORGANIZATION, TOKEN, 9)) for _ in range(100))
        return sum(await asyncio.gather(*takes))

    assert shelf.run(scenario()) == uses
    found = shelf.read(lambda tx: tx.tokens.find(ORGANIZATION, TOKEN))
    assert found is not None
    assert found.uses == uses


def test_a_revocation_among_takers_is_a_clean_cut(shelf: Shelf) -> None:
    """Takes that were queued before the revocation win, those behind it lose; none is in between."""
    shelf.write(lambda tx: tx.tokens.add(make.token()))

    async def scenario() -> list[bool]:
        units = [
            shelf.store.write(lambda tx: tx.tokens.end(ORGANIZATION, TOKEN, State.REVOKED, 9, None, ""))
            if place == 40
            else shelf.store.write(lambda tx: tx.tokens.take_use(ORGANIZATION, TOKEN, 9))
            for place in range(100)
        ]
        return list(await asyncio.gather(*units))

    assert shelf.run(scenario()) == [True] * 41 + [False] * 59


def test_a_job_has_one_holder(shelf: Shelf) -> None:
    async def scenario(job_id: JobId) -> tuple[list[bool], str | None]:
        row = make.job(id=job_id)
        await shelf.store.write(lambda tx: tx.builds.add_job(row))
        accepts = (
            shelf.store.write(
                lambda tx, number=number: tx.builds.accept(row, AgentId(f"agent-{number}"), 9, 1, 99)  # type: ignore[misc]
            )
            for number in range(200)
        )
        won = await asyncio.gather(*accepts)
        found = await shelf.store.read(lambda tx: tx.builds.job(ORGANIZATION, job_id))
        assert found is not None
        assert found.fence == 1
        return won, found.agent_id

    for number in range(5):
        won, holder = shelf.run(scenario(JobId(f"job-{number}")))
        assert sum(won) == 1
        assert holder == f"agent-{won.index(True)}"


def test_jobs_are_claimed_once_each_in_their_order(shelf: Shelf) -> None:
    """Several stores reach for one queue at the same time: SKIP LOCKED on PostgreSQL."""
    others = [shelf.open() for _ in range(3)]

    async def add(tx: Transaction) -> None:
        for number in range(60):
            await tx.builds.add_job(make.job(id=JobId(f"job-{number:02}"), priority=number % 3))

    async def claim(store: Store, number: int) -> Job | None:
        agent_id = AgentId(f"agent-{number}")
        return await store.write(
            lambda tx: tx.builds.claim_next(ORGANIZATION, QUEUE, make.job().rules, agent_id, 9, 1, 99)
        )

    async def scenario() -> list[Job | None]:
        await shelf.store.write(add)
        stores = [shelf.store, *others] * 20
        return list(await asyncio.gather(*(claim(store, number) for number, store in enumerate(stores))))

    claimed = [job for job in shelf.run(scenario()) if job is not None]
    assert len(claimed) == 60
    assert len({job.id for job in claimed}) == 60
    for job in claimed:
        assert shelf.read(lambda tx, job=job: tx.builds.job(ORGANIZATION, job.id)) == job  # type: ignore[misc]
        assert (job.state, job.fence) == (JobState.ACCEPTED, 1)
    for other in others:
        shelf.run(other.close())


def test_a_job_ends_once_whoever_ends_it(shelf: Shelf) -> None:
    row = make.job(state=JobState.ACCEPTED, fence=1, agent_id=AgentId("agent-1"))

    async def one(tx: Transaction, place: int) -> bool:
        match place % 4:
            case 0:
                return await tx.builds.finish(replace(row, exit_status=str(place)), JobState.FINISHED)
            case 1:
                return await tx.builds.release(row)
            case 2:
                return await tx.builds.start(row, 9)
            case _:
                return await tx.builds.finish(replace(row, exit_status=str(place)), JobState.CANCELED)

    async def scenario() -> list[bool]:
        await shelf.store.write(lambda tx: tx.builds.add_job(row))
        units = (shelf.store.write(lambda tx, place=place: one(tx, place)) for place in (2, *range(40)))  # type: ignore[misc]
        return list(await asyncio.gather(*units))

    won = shelf.run(scenario())
    assert won == [True, True, *([False] * 39)]  # started, then ended by the first; released by none
    found = shelf.read(lambda tx: tx.builds.job(ORGANIZATION, JOB))
    assert found is not None
    assert (found.state, found.exit_status, found.fence) == (JobState.FINISHED, "0", 1)


def test_numbers_have_neither_gaps_nor_doubles(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> tuple[int, int]:
        sequence = await tx.audit.next_sequence(ORGANIZATION)
        await tx.audit.add(make.event(sequence))
        return sequence, await tx.builds.next_build_number(ORGANIZATION, make.PIPELINE)

    async def scenario() -> list[tuple[int, int]]:
        return list(await asyncio.gather(*(shelf.store.write(work) for _ in range(300))))

    assert shelf.run(scenario()) == [(number, number) for number in range(1, 301)]


def test_two_stores_on_one_database_take_turns(shelf: Shelf) -> None:
    other = shelf.open()
    shelf.write(lambda tx: tx.tokens.add(make.token(max_uses=5)))

    async def scenario() -> int:
        stores = [shelf.store, other] * 50
        takes = (store.write(lambda tx: tx.tokens.take_use(ORGANIZATION, TOKEN, 9)) for store in stores)
        return sum(await asyncio.gather(*takes))

    assert shelf.run(scenario()) == 5
    shelf.run(other.close())


def test_reads_among_writes_see_each_write_once_it_is_answered(shelf: Shelf) -> None:
    async def writer() -> None:
        for number in range(100):
            await shelf.store.write(
                lambda tx, number=number: tx.logs.set_meta_data(ORGANIZATION, BUILD, "count", str(number))  # type: ignore[misc]
            )
            found = await shelf.store.read(lambda tx: tx.logs.meta_data(ORGANIZATION, BUILD, "count"))
            assert found == str(number)

    async def reader() -> None:
        last = -1
        for _ in range(300):
            found = await shelf.store.read(lambda tx: tx.logs.meta_data(ORGANIZATION, BUILD, "count"))
            now = int(found) if found is not None else -1
            assert now >= last
            last = now
            await asyncio.sleep(0)

    async def scenario() -> None:
        await asyncio.gather(writer(), reader())

    shelf.run(scenario())
