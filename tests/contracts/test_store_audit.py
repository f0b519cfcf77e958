"""The store's contract: audit trail, outbox, remembered answers, use ledger."""

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TOKEN
from watchword.domain.events import Notice
from watchword.domain.ids import TokenId
from watchword.store.base import Duplicate, Transaction


def test_sequences_count_up_by_organization_and_leave_no_gap(shelf: Shelf) -> None:
    async def fails(tx: Transaction) -> None:
        await tx.audit.next_sequence(ORGANIZATION)
        raise LookupError

    async def take(tx: Transaction) -> int:
        return await tx.audit.next_sequence(ORGANIZATION)

    assert shelf.write(take) == 1
    with pytest.raises(LookupError):
        shelf.write(fails)
    assert shelf.write(take) == 2
    assert shelf.write(lambda tx: tx.audit.next_sequence(OTHER)) == 1
    shelf.restart()
    assert shelf.write(take) == 3


def test_many_events_and_notices_are_written_together_and_leave_no_gap(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.audit.next_sequence(ORGANIZATION))

    async def work(tx: Transaction) -> int:
        first = await tx.audit.take_sequences(ORGANIZATION, 3)
        await tx.audit.add_all([make.event(first + place) for place in range(3)])
        await tx.audit.post_all([Notice(0, place, ORGANIZATION, "topic", str(place)) for place in range(3)])
        await tx.audit.add_all([])
        await tx.audit.post_all([])
        return first

    assert shelf.write(work) == 2
    found = shelf.read(lambda tx: tx.audit.events(ORGANIZATION, 0, 10))
    assert list(found) == [make.event(sequence) for sequence in (2, 3, 4)]
    notices = shelf.read(lambda tx: tx.audit.notices(0, 10))
    assert [notice.payload for notice in notices] == ["0", "1", "2"]
    assert shelf.write(lambda tx: tx.audit.next_sequence(ORGANIZATION)) == 5
    assert shelf.write(lambda tx: tx.audit.take_sequences(OTHER, 2)) == 1


def test_events_are_kept_whole_and_read_from_a_position(shelf: Shelf) -> None:
    events = [make.event(sequence) for sequence in (1, 2, 3, 4)]

    async def work(tx: Transaction) -> None:
        for one in events:
            await tx.audit.add(one)
        await tx.audit.add(make.event(1, organization_id=OTHER))

    shelf.write(work)
    assert list(shelf.read(lambda tx: tx.audit.events(ORGANIZATION, 0, 10))) == events
    assert list(shelf.read(lambda tx: tx.audit.events(ORGANIZATION, 2, 1))) == events[2:3]
    assert list(shelf.read(lambda tx: tx.audit.events(ORGANIZATION, 4, 10))) == []
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.audit.add(make.event(4)))


def test_the_outbox_is_read_in_order(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place in range(5):
            await tx.audit.post(ORGANIZATION, "topic", f"payload {place}", place)

    shelf.write(work)
    found = shelf.read(lambda tx: tx.audit.notices(0, 10))
    assert [notice.payload for notice in found] == [f"payload {place}" for place in range(5)]
    assert [notice.at for notice in found] == [0, 1, 2, 3, 4]
    assert {(notice.organization_id, notice.topic) for notice in found} == {(ORGANIZATION, "topic")}
    ids = [notice.id for notice in found]
    assert ids == sorted(set(ids))
    later = shelf.read(lambda tx: tx.audit.notices(ids[1], 2))
    assert [notice.payload for notice in later] == ["payload 2", "payload 3"]


def test_an_answer_is_remembered_until_it_expires(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.audit.remember(make.replay()))

    async def get(tx: Transaction, now: int = 19) -> list[object]:
        return [
            await tx.audit.replay(ORGANIZATION, "caller", "key", now),
            await tx.audit.replay(ORGANIZATION, "another", "key", now),
            await tx.audit.replay(ORGANIZATION, "caller", "another", now),
            await tx.audit.replay(OTHER, "caller", "key", now),
        ]

    assert shelf.read(get) == [make.replay(), None, None, None]
    assert shelf.read(lambda tx: get(tx, 20)) == [None] * 4
    again = make.replay(answer=b"new", created_at=20, expires_at=30)
    shelf.write(lambda tx: tx.audit.remember(again))
    assert shelf.read(lambda tx: get(tx, 20)) == [again, None, None, None]


def test_expired_answers_are_forgotten(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place in range(5):
            await tx.audit.remember(make.replay(key=f"key {place}", expires_at=20 + place))

    shelf.write(work)
    assert shelf.write(lambda tx: tx.audit.forget(22)) == 3
    assert shelf.write(lambda tx: tx.audit.forget(22)) == 0
    assert shelf.read(lambda tx: tx.audit.replay(ORGANIZATION, "caller", "key 3", 22)) is not None


def test_uses_are_added_up_by_hour_address_agent_and_version(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.audit.add_uses([make.use()]))
    others = [
        make.use(hour=101, last_at=50),
        make.use(address="", last_at=49),
        make.use(agent="another", last_at=48),
        make.use(version="4.0", last_at=47),
    ]
    shelf.write(lambda tx: tx.audit.add_uses([*others, make.use(first_at=9, last_at=10, count=4)]))
    shelf.write(lambda tx: tx.audit.add_uses([make.use(organization_id=OTHER)]))
    shelf.write(lambda tx: tx.audit.add_uses([]))
    found = shelf.read(lambda tx: tx.audit.uses(ORGANIZATION, TOKEN))
    assert list(found) == [*others, make.use(first_at=1, last_at=10, count=7)]
    assert list(shelf.read(lambda tx: tx.audit.uses(ORGANIZATION, TokenId("another")))) == []


def test_the_latest_use_is_that_of_the_last_hour(shelf: Shelf) -> None:
    assert shelf.read(lambda tx: tx.audit.last_use(ORGANIZATION, TOKEN)) is None
    latest = make.use(hour=102, address="", last_at=60)
    others = [make.use(hour=101, last_at=50), make.use(hour=102, last_at=59), make.use(last_at=10)]
    shelf.write(lambda tx: tx.audit.add_uses([*others, latest]))
    shelf.write(lambda tx: tx.audit.add_uses([make.use(organization_id=OTHER, hour=200, last_at=99)]))
    shelf.write(lambda tx: tx.audit.add_uses([make.use(token_id=TokenId("x"), hour=200, last_at=99)]))
    assert shelf.read(lambda tx: tx.audit.last_use(ORGANIZATION, TOKEN)) == latest


def test_refusals_are_added_up(shelf: Shelf) -> None:
    """Nothing reads them back yet; that they are taken again and again is what can be seen."""
    for _ in range(2):
        shelf.write(lambda tx: tx.audit.add_refusals([make.refused(), make.refused(token_id=TOKEN)]))
        shelf.write(lambda tx: tx.audit.add_refusals([]))
