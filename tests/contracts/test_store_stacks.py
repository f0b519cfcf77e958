"""The store's contract: stacks, the jobs that they reserve, what they say of them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, CLUSTER, JOB, ORGANIZATION, OTHER, QUEUE
from watchword.domain.ids import AgentId, ClusterId, JobId, QueueId, StackId
from watchword.domain.pipelines import Job, JobState
from watchword.domain.stacks import Cursor, Stack, StackNotification, StackType
from watchword.store.base import EVERYTHING, Duplicate, Page, Store, Transaction

STACK, SECOND = StackId("stack-1"), StackId("stack-2")


def stack(**changes: Any) -> Stack:
    made = Stack(ORGANIZATION, STACK, CLUSTER, "k8s", StackType.KUBERNETES, QUEUE, {"a": make.TEXT}, 7, 7)
    return replace(made, **changes)


async def furnish(tx: Transaction, count: int = 0) -> None:
    await tx.accounts.add_queue(make.queue(dispatch_paused=False))
    await tx.builds.add_pipeline(make.pipeline())
    await tx.builds.add_build(make.build())
    for number in range(count):
        await tx.builds.add_job(make.job(id=JobId(f"job-{number:02}")))


def job(shelf: Shelf, job_id: str = JOB) -> Job:
    found = shelf.read(lambda tx: tx.builds.job(ORGANIZATION, JobId(job_id)))
    assert found is not None
    return found


async def reserve(
    tx: Transaction, *job_ids: str, by: StackId = STACK, until: int = 90, queue: QueueId | None = None
) -> list[str]:
    asked = [JobId(each) for each in job_ids]
    got = await tx.reservations.reserve(ORGANIZATION, CLUSTER, queue, by, asked, until)
    return sorted(each.id for each in got)


def test_a_stack_is_kept_by_its_key_within_the_cluster(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await tx.stacks.add(stack())
        await tx.stacks.add(stack(id=SECOND, key="another"))
        await tx.stacks.add(stack(id=StackId("stack-3"), cluster_id=ClusterId("cluster-2")))

    shelf.write(work)
    assert shelf.read(lambda tx: tx.stacks.by_key(ORGANIZATION, CLUSTER, "k8s")) == stack()
    assert shelf.read(lambda tx: tx.stacks.by_key(OTHER, CLUSTER, "k8s")) is None
    found = shelf.read(lambda tx: tx.stacks.of_cluster(ORGANIZATION, CLUSTER, EVERYTHING))
    assert [each.key for each in found] == ["another", "k8s"]
    assert len(shelf.read(lambda tx: tx.stacks.of_cluster(ORGANIZATION, CLUSTER, Page(1, 1)))) == 1
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.stacks.add(stack(id=StackId("stack-4"))))


def test_a_stack_leaves_once_comes_back_and_is_forgotten_in_time(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.stacks.add(stack()))
    assert shelf.read(lambda tx: tx.stacks.count(ORGANIZATION)) == 1
    assert [shelf.write(lambda tx: tx.stacks.deregister(ORGANIZATION, STACK, 9)) for _ in range(2)] == [
        True,
        False,
    ]
    assert shelf.read(lambda tx: tx.stacks.count(ORGANIZATION)) == 0
    assert shelf.write(lambda tx: tx.stacks.forget(ORGANIZATION, 9)) == 0
    again = stack(type=StackType.CUSTOM, queue_id=QueueId("queue-2"), metadata={}, updated_at=12)
    shelf.write(lambda tx: tx.stacks.save(again))
    assert shelf.read(lambda tx: tx.stacks.find(ORGANIZATION, STACK)) == again
    assert shelf.write(lambda tx: tx.stacks.forget(ORGANIZATION, 99)) == 0
    shelf.write(lambda tx: tx.stacks.deregister(ORGANIZATION, STACK, 20))
    assert shelf.write(lambda tx: tx.stacks.forget(OTHER, 99)) == 0
    assert shelf.write(lambda tx: tx.stacks.forget(ORGANIZATION, 99)) == 1


def test_polls_only_move_forward(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.stacks.add(stack()))
    for at in (30, 20):
        shelf.write(lambda tx, at=at: tx.stacks.touch([(ORGANIZATION, STACK, at)]))  # type: ignore[misc]
    found = shelf.read(lambda tx: tx.stacks.find(ORGANIZATION, STACK))
    assert found is not None
    assert found.polled_at == 30


def test_waiting_jobs_come_oldest_first_page_by_page(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await furnish(tx)
        for job_id, at in (("c", 5), ("a", 9), ("b", 9), ("d", 12)):
            await tx.builds.add_job(make.job(id=JobId(job_id), runnable_at=at))
        await tx.builds.add_job(make.job(id=JobId("e"), runnable_at=1, state=JobState.RUNNING))
        await tx.builds.add_job(make.job(id=JobId("f"), runnable_at=1, queue_id=QueueId("queue-2")))
        await tx.builds.add_job(make.job(id=JobId("g"), runnable_at=1, organization_id=OTHER))

    shelf.write(work)
    seen, after = [], Cursor()
    while page := shelf.read(lambda tx, a=after: tx.reservations.waiting(ORGANIZATION, QUEUE, a, 2)):  # type: ignore[misc]
        seen.append([each.id for each in page])
        after = Cursor.parse(str(Cursor(page[-1].runnable_at, page[-1].id)))
    assert seen == [["c", "a"], ["b", "d"]]
    first = shelf.read(lambda tx: tx.reservations.waiting(ORGANIZATION, QUEUE, Cursor(), 1))[0]
    assert (first.pipeline_slug, first.build_id, first.build_number, first.branch) == (
        "app",
        BUILD,
        1,
        "main",
    )
    assert (first.rules, first.priority, first.step_key) == (make.job().rules, 2, "key")


def test_a_reservation_takes_what_waits_and_nothing_else(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await furnish(tx)
        await tx.accounts.add_queue(make.queue(id=QueueId("paused"), key="paused"))
        await tx.builds.add_job(make.job())
        others: dict[str, dict[str, Any]] = {
            "running": {"state": JobState.RUNNING},
            "held": {"queue_id": QueueId("paused")},
            "loose": {"queue_id": None, "cluster_id": None},
            "elsewhere": {"cluster_id": ClusterId("cluster-2")},
            "foreign": {"organization_id": OTHER},
        }
        for job_id, changes in others.items():
            await tx.builds.add_job(make.job(id=JobId(job_id), **changes))

    shelf.write(work)
    every = (JOB, "running", "held", "loose", "elsewhere", "foreign", "unknown")
    assert shelf.write(lambda tx: reserve(tx, *every, queue=QueueId("paused"))) == []
    assert shelf.write(lambda tx: reserve(tx, *every)) == [JOB]
    found = job(shelf)
    assert found == make.job(state=JobState.RESERVED, fence=1, reserved_by=STACK, reserved_until=90)
    assert shelf.write(lambda tx: reserve(tx, *every, by=SECOND)) == []
    assert job(shelf) == found
    states = shelf.read(
        lambda tx: tx.reservations.states(ORGANIZATION, CLUSTER, [JobId(each) for each in every])
    )
    assert {each: state.value for each, _, state in states} == {
        JOB: "reserved",
        "running": "running",
        "held": "scheduled",
    }
    assert shelf.read(lambda tx: tx.reservations.count_by_stack(ORGANIZATION)) == [(STACK, 1)]
    counted = shelf.read(lambda tx: tx.reservations.count_reserved(ORGANIZATION))
    assert [tuple(each) for each in counted] == [(CLUSTER, QUEUE, make.job().rules, 1)]


def test_a_reserved_job_is_not_claimed_and_may_be_acquired(shelf: Shelf) -> None:
    shelf.write(lambda tx: furnish(tx, 1))
    before = job(shelf, "job-00")
    shelf.write(lambda tx: reserve(tx, "job-00"))
    agent = AgentId("agent-1")
    claim = shelf.write(lambda tx: tx.builds.claim_next(ORGANIZATION, QUEUE, before.rules, agent, 9, 1, 99))
    assert claim is None
    assert not shelf.write(lambda tx: tx.builds.accept(before, agent, 9, 1, 99))  # what was offered before
    reserved = job(shelf, "job-00")
    assert shelf.write(lambda tx: tx.builds.accept(reserved, agent, 9, 1, 99))
    assert (job(shelf, "job-00").state, job(shelf, "job-00").agent_id) == (JobState.ACCEPTED, agent)


def test_a_reservation_ends_by_time_and_then_only(shelf: Shelf) -> None:
    shelf.write(lambda tx: furnish(tx, 2))
    shelf.write(lambda tx: reserve(tx, "job-00", "job-01"))
    assert list(shelf.read(lambda tx: tx.reservations.overdue(89, 9))) == []
    job_now = job(shelf, "job-00")
    assert not shelf.write(lambda tx: tx.reservations.give_back(job_now, 89))
    assert [each.id for each in shelf.read(lambda tx: tx.reservations.overdue(90, 9))] == ["job-00", "job-01"]
    assert [shelf.write(lambda tx: tx.reservations.give_back(job_now, 90)) for _ in range(2)] == [True, False]
    given = job(shelf, "job-00")
    assert (given.state, given.runnable_at) == (JobState.SCHEDULED, 7)
    shelf.write(lambda tx: reserve(tx, "job-00", by=SECOND, until=200))
    assert not shelf.write(lambda tx: tx.reservations.give_back(job_now, 999))  # in other hands since
    assert job(shelf, "job-00").reserved_by == SECOND


def test_a_reserved_job_is_cancelled_dropped_or_failed_like_a_waiting_one(shelf: Shelf) -> None:
    shelf.write(lambda tx: furnish(tx, 3))
    shelf.write(lambda tx: reserve(tx, "job-00", "job-01", "job-02"))
    first, second, third = (job(shelf, f"job-0{number}") for number in range(3))
    assert shelf.write(lambda tx: tx.builds.cancel(first, 50)) is JobState.CANCELED
    assert shelf.write(lambda tx: tx.builds.drop_job(second))
    failed = replace(
        third, exit_status="-1", signal_reason="stack_error", finished_at=50, stack_error="no node"
    )
    assert [shelf.write(lambda tx: tx.reservations.fail(failed)) for _ in range(2)] == [True, False]
    assert job(shelf, "job-02") == replace(failed, state=JobState.FINISHED)
    assert not shelf.write(lambda tx: tx.reservations.fail(first))


def test_each_job_is_reserved_once_however_many_stacks_reach_for_it(shelf: Shelf) -> None:
    """Several stores on one database at the same time, with agents that claim among them."""
    others = [shelf.open() for _ in range(2)]
    shelf.write(lambda tx: furnish(tx, 60))
    names = [f"job-{number:02}" for number in range(60)]

    async def take(store: Store, number: int) -> list[str]:
        wanted = names[number % 7 :] + names[: number % 7]
        return await store.write(lambda tx: reserve(tx, *wanted[:40], by=StackId(f"stack-{number}")))

    async def claim(store: Store, number: int) -> list[str]:
        agent = AgentId(f"agent-{number}")
        got = await store.write(
            lambda tx: tx.builds.claim_next(ORGANIZATION, QUEUE, make.job().rules, agent, 9, 1, 99)
        )
        return [got.id] if got is not None else []

    async def scenario() -> list[list[str]]:
        stores = [shelf.store, *others] * 8
        units = [(claim if number % 3 else take)(store, number) for number, store in enumerate(stores)]
        return await asyncio.gather(*units)

    got = [each for batch in shelf.run(scenario()) for each in batch]
    assert len(got) == len(set(got))
    for name in names:
        found = job(shelf, name)
        assert (found.state is JobState.SCHEDULED) == (name not in got)
        assert found.fence == (name in got)
    for other in others:
        shelf.run(other.close())


def test_notifications_are_kept_by_number(shelf: Shelf) -> None:
    def note(number: int) -> StackNotification:
        return StackNotification(ORGANIZATION, JOB, number, STACK, make.TEXT, 8, 9)

    for number in (2, 1):
        assert shelf.write(lambda tx, n=number: tx.stacks.add_notification(note(n)))  # type: ignore[misc]
    assert not shelf.write(lambda tx: tx.stacks.add_notification(note(1)))
    assert shelf.read(lambda tx: tx.stacks.count_notifications(ORGANIZATION, JOB)) == 2
    assert list(shelf.read(lambda tx: tx.stacks.notifications(ORGANIZATION, JOB))) == [note(1), note(2)]
    assert shelf.read(lambda tx: tx.stacks.notifications(OTHER, JOB)) == []
