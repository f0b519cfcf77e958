"""The store's contract: what happened, counted hour by hour."""

from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER
from watchword.domain.ids import OrganizationId
from watchword.domain.tallies import HourlyCount


def one(hour: int, name: str = "a", count: int = 1, owner: OrganizationId = ORGANIZATION) -> HourlyCount:
    return HourlyCount(owner, hour, name, count)


def since(shelf: Shelf, hour: int, step: int = 1) -> list[HourlyCount]:
    return list(shelf.read(lambda tx: tx.tallies.since(ORGANIZATION, hour, step)))


def test_counts_add_up(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.tallies.add([one(48), one(48, "b", 5), one(49), one(47), one(48, owner=OTHER)]))
    shelf.write(lambda tx: tx.tallies.add([one(48, count=2)]))
    assert since(shelf, 48) == [one(48, count=3), one(48, "b", 5), one(49)]
    assert since(shelf, 50) == []


def test_hours_are_put_together(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.tallies.add([one(hour) for hour in range(20, 80)]))
    assert since(shelf, 24, 24) == [one(24, count=24), one(48, count=24), one(72, count=8)]


def test_old_counts_go_in_pieces(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.tallies.add([one(hour) for hour in range(5)]))
    for dropped in (2, 1, 0):
        assert shelf.write(lambda tx: tx.tallies.drop(OTHER, 3, 2)) == 0
        assert shelf.write(lambda tx: tx.tallies.drop(ORGANIZATION, 3, 2)) == dropped
    assert [each.hour for each in since(shelf, 0)] == [3, 4]
