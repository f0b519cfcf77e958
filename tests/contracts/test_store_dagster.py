"""The store's contract for Dagster's agents: work that is handed out once, locations, runs, uploads."""

import asyncio
from dataclasses import replace

from contracts.store_backends import Shelf
from watchword.domain.codelocations import CodeLocation, LoadState
from watchword.domain.dagsteragents import AgentFault, DagsterAgent
from watchword.domain.dagsterruns import DagsterEvent, DagsterRun, RunStatus
from watchword.domain.dagsteruploads import DagsterUpload, UploadKind, UploadState
from watchword.domain.ids import DagsterUploadId, DeploymentId, OrganizationId, TokenId, WorkItemId
from watchword.domain.workitems import ItemState, WorkItem
from watchword.store.base import EVERYTHING, Page, Transaction

OURS, THEIRS = OrganizationId("o1"), OrganizationId("o2")
PROD = DeploymentId("d1")
TOKEN = TokenId("t1")


def item(number: int, owner: OrganizationId = OURS, queue: str = "", expires: int = 100) -> WorkItem:
    id_ = WorkItemId(f"w{number:03}")
    return WorkItem(
        owner, id_, PROD, False, queue, "PING_LOCATION", "null", ItemState.WAITING, number, expires
    )


def location(name: str, owner: OrganizationId = OURS) -> CodeLocation:
    return CodeLocation(owner, PROD, name, "{}", "", True, LoadState.LOADING, "", "{}", 1, 0, 1, None, 1)


def run(number: int, status: RunStatus = RunStatus.STARTING) -> DagsterRun:
    return DagsterRun(
        OURS, PROD, f"r{number}", number, "l", "p", "j", status, "{}", {"a": "b"}, number, number
    )


def upload(number: int, kind: UploadKind = UploadKind.LOG, at: int = 0) -> DagsterUpload:
    id_ = DagsterUploadId(f"u{number}")
    return DagsterUpload(OURS, id_, PROD, kind, "name", "", 1, UploadState.OPEN, 0, at or number)


def test_work_waits_in_its_line_until_it_is_taken_or_expires(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for one in (item(1), item(2), item(3, queue="gpu"), item(4, expires=5), item(5, THEIRS)):
            await tx.work_items.add(one)

    shelf.write(work)
    lines = shelf.read(lambda tx: tx.work_items.lines(6))
    assert sorted(lines) == [(OURS, PROD, False, ""), (OURS, PROD, False, "gpu"), (THEIRS, PROD, False, "")]
    waiting = shelf.read(lambda tx: tx.work_items.waiting(OURS, PROD, "", 6, 10))
    assert [one.id for one in waiting] == ["w001", "w002"]
    assert not shelf.write(lambda tx: tx.work_items.take(OURS, WorkItemId("w004"), TOKEN, 6))
    assert not shelf.write(lambda tx: tx.work_items.take(THEIRS, WorkItemId("w001"), TOKEN, 6))
    assert not shelf.write(lambda tx: tx.work_items.answer(OURS, WorkItemId("w001"), "{}", 7))
    assert shelf.write(lambda tx: tx.work_items.take(OURS, WorkItemId("w001"), TOKEN, 6))
    assert shelf.write(lambda tx: tx.work_items.answer(OURS, WorkItemId("w001"), "{}", 7))
    assert not shelf.write(lambda tx: tx.work_items.answer(OURS, WorkItemId("w001"), "[]", 8))
    found = shelf.read(lambda tx: tx.work_items.find(OURS, WorkItemId("w001")))
    expected = replace(
        item(1), state=ItemState.ANSWERED, taken_at=6, taken_by=TOKEN, answer="{}", answered_at=7
    )
    assert found == expected
    assert shelf.write(lambda tx: tx.work_items.forget(3)) == 2
    assert [one.id for one in shelf.read(lambda tx: tx.work_items.list(OURS, PROD, 9))] == ["w004", "w003"]


def test_many_at_once_take_each_piece_of_work_once(shelf: Shelf) -> None:
    async def add(tx: Transaction) -> None:
        for number in range(40):
            await tx.work_items.add(item(number))

    shelf.write(add)

    async def pop(token: int) -> list[str]:
        async def work(tx: Transaction) -> list[str]:
            waiting = await tx.work_items.waiting(OURS, PROD, "", 1, 7)
            return [
                one.id for one in waiting if await tx.work_items.take(OURS, one.id, TokenId(f"t{token}"), 1)
            ]

        taken: list[str] = []
        while found := await shelf.store.write(work):
            taken += found
        return taken

    async def everybody() -> list[list[str]]:
        return list(await asyncio.gather(*(pop(number) for number in range(8))))

    taken = shelf.run(everybody())
    assert sorted(id_ for one in taken for id_ in one) == [f"w{number:03}" for number in range(40)]


def test_a_location_is_written_in_place_of_the_one_of_its_name(shelf: Shelf) -> None:
    changed = replace(location("b"), state=LoadState.LOADED, outdated=False, created_at=9, updated_at=9)

    async def work(tx: Transaction) -> None:
        for one in (location("b"), location("a"), location("b", THEIRS), changed):
            await tx.code_locations.put(one)

    shelf.write(work)
    found = shelf.read(lambda tx: tx.code_locations.list(OURS, PROD))
    assert list(found) == [location("a"), replace(changed, created_at=1)]
    assert shelf.write(lambda tx: tx.code_locations.delete(OURS, PROD, "b"))
    assert not shelf.write(lambda tx: tx.code_locations.delete(OURS, PROD, "b"))
    assert shelf.read(lambda tx: tx.code_locations.find(THEIRS, PROD, "b")) == location("b", THEIRS)


def test_agents_are_kept_as_they_were_heard_of_last(shelf: Shelf) -> None:
    errors = (AgentFault(3, "first"), AgentFault(0, "second"))
    agent = DagsterAgent(OURS, "a", TOKEN, "one", "t", {PROD: 5}, ("", "gpu"), {"version": "1"}, errors, 1, 5)
    later = replace(agent, seen_at=9, errors=(), first_at=9, label="two")
    shelf.write(lambda tx: tx.dagster_agents.save([agent, replace(agent, id="b", seen_at=2)]))
    assert list(shelf.read(lambda tx: tx.dagster_agents.since(5))) == [agent]
    shelf.write(lambda tx: tx.dagster_agents.save([later]))
    assert shelf.write(lambda tx: tx.dagster_agents.forget(3)) == 1
    assert list(shelf.read(lambda tx: tx.dagster_agents.since(0))) == [replace(later, first_at=1)]


def test_runs_are_listed_by_their_states_the_latest_first(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> list[bool]:
        made = [await tx.dagster_runs.add(run(number)) for number in (1, 2, 3, 3)]
        await tx.dagster_runs.save(run(2, RunStatus.SUCCESS))
        return made

    assert shelf.write(work) == [True, True, True, False]

    def ids(*statuses: RunStatus, page: Page = EVERYTHING) -> list[str]:
        return [one.id for one in shelf.read(lambda tx: tx.dagster_runs.list(OURS, PROD, statuses, page))]

    assert ids() == ["r3", "r2", "r1"]
    assert ids(RunStatus.SUCCESS) == ["r2"]
    assert ids(RunStatus.SUCCESS, RunStatus.STARTING) == ["r3", "r2", "r1"]
    assert ids(RunStatus.STARTED) == []
    assert ids(page=Page(limit=1, offset=1)) == ["r2"]
    assert shelf.read(lambda tx: tx.dagster_runs.find(THEIRS, PROD, "r1")) is None


def test_events_of_a_run_come_in_order_and_old_ones_go(shelf: Shelf) -> None:
    events = [DagsterEvent(OURS, PROD, "r1", number, "T", "", number, "{}") for number in (1, 2, 3)]
    shelf.write(lambda tx: tx.dagster_runs.add_events(events))
    assert list(shelf.read(lambda tx: tx.dagster_runs.events(OURS, PROD, "r1", 1, 9))) == events[1:]
    assert shelf.read(lambda tx: tx.dagster_runs.count_events(OURS, PROD, "r1")) == 3
    numbers = [shelf.write(lambda tx: tx.dagster_runs.next_number(OURS, PROD, "run")) for _ in range(2)]
    assert numbers[1] == numbers[0] + 1
    shelf.write(lambda tx: tx.dagster_runs.add(run(1)))
    assert shelf.write(lambda tx: tx.dagster_runs.forget(3)) == 3


def test_bytes_of_an_upload_come_once(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> list[bool]:
        for one in (upload(1), upload(2), upload(3, UploadKind.JOB)):
            await tx.dagster_uploads.add(one)
        ids = [DagsterUploadId(id_) for id_ in ("u1", "u1", "u2")]
        return [await tx.dagster_uploads.fill(OURS, id_, 4, 8) for id_ in ids]

    assert shelf.write(work) == [True, False, True]
    filled = shelf.read(lambda tx: tx.dagster_uploads.filled(OURS, PROD, UploadKind.LOG, "name"))
    assert [(one.id, one.stored, one.filled_at) for one in filled] == [("u2", 4, 8), ("u1", 4, 8)]

    def due(before: int, logs: int) -> set[str]:
        return {one.id for one in shelf.read(lambda tx: tx.dagster_uploads.due(before, logs, 9))}

    assert (due(0, 0), due(9, 0), due(0, 2), due(9, 9)) == (set(), {"u3"}, {"u1"}, {"u1", "u2", "u3"})
    assert shelf.write(lambda tx: tx.dagster_uploads.delete(OURS, DagsterUploadId("u1")))
    assert shelf.read(lambda tx: tx.dagster_uploads.find(OURS, DagsterUploadId("u1"))) is None
