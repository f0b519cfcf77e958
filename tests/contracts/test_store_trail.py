"""The store's contract: audit trails as they are read and sealed."""

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER
from watchword.domain.audittrail import Head
from watchword.domain.ids import OrganizationId
from watchword.store.base import Duplicate, Page, Transaction


def head(sequence: int, owner: OrganizationId = ORGANIZATION) -> Head:
    return Head(owner, sequence, bytes([sequence]) * 32, sequence * 10, sequence * 10 + 1, 1, b"signature")


def fill(shelf: Shelf, count: int = 5) -> None:
    async def work(tx: Transaction) -> None:
        for sequence in range(1, count + 1):
            await tx.audit.add(make.event(sequence, user_agent="curl/8", token_id="token-1"))
        await tx.audit.add(make.event(1, organization_id=OTHER))

    shelf.write(work)


def test_a_trail_is_read_backwards_and_by_number(shelf: Shelf) -> None:
    fill(shelf)
    newest = shelf.read(lambda tx: tx.trail.latest(ORGANIZATION, 0, 2))
    assert [event.sequence for event in newest] == [5, 4]
    assert newest[0].user_agent == "curl/8"
    assert newest[0].token_id == "token-1"
    assert [event.sequence for event in shelf.read(lambda tx: tx.trail.latest(ORGANIZATION, 3, 9))] == [2, 1]
    assert shelf.read(lambda tx: tx.trail.last(ORGANIZATION)) == 5
    assert shelf.read(lambda tx: tx.trail.last(OrganizationId("nobody"))) == 0
    found = shelf.read(lambda tx: tx.trail.at(ORGANIZATION, 3))
    assert found is not None
    assert found.sequence == 3
    assert shelf.read(lambda tx: tx.trail.at(ORGANIZATION, 6)) is None


def test_heads_are_kept_whole_in_order_and_once(shelf: Shelf) -> None:
    made = [head(2), head(4), head(5)]

    async def work(tx: Transaction) -> None:
        for one in (*made, head(9, OTHER)):
            await tx.trail.add_head(one)

    shelf.write(work)
    assert list(shelf.read(lambda tx: tx.trail.heads(ORGANIZATION, 0, 9))) == made
    assert list(shelf.read(lambda tx: tx.trail.heads(ORGANIZATION, 2, 1))) == made[1:2]
    assert list(shelf.read(lambda tx: tx.trail.latest_heads(ORGANIZATION, Page(2, 0)))) == [made[2], made[1]]
    assert shelf.read(lambda tx: tx.trail.head(ORGANIZATION)) == made[2]
    assert shelf.read(lambda tx: tx.trail.head(OrganizationId("nobody"))) is None
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.trail.add_head(head(4)))


def test_a_trail_is_cut_from_its_oldest_end_only(shelf: Shelf) -> None:
    fill(shelf)
    shelf.write(lambda tx: tx.trail.add_head(head(1)))
    shelf.write(lambda tx: tx.trail.add_head(head(2)))
    assert shelf.write(lambda tx: tx.trail.drop_events(ORGANIZATION, 2)) == 2
    assert shelf.write(lambda tx: tx.trail.drop_heads(ORGANIZATION, 2)) == 1
    left = shelf.read(lambda tx: tx.audit.events(ORGANIZATION, 0, 10))
    assert [event.sequence for event in left] == [3, 4, 5]
    assert list(shelf.read(lambda tx: tx.trail.heads(ORGANIZATION, 0, 9))) == [head(2)]
    assert shelf.read(lambda tx: tx.trail.last(OTHER)) == 1
