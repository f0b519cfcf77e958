"""Cases of which people are still to be told, on every store: read in parts, noted by one statement."""

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.test_store_leaks import kept, leak, put
from watchword.domain.ids import LeakId


def told(shelf: Shelf, *names: str) -> list[str]:
    """Note cases as told, as they were read; which of them were noted."""
    known = [one for one in (kept(shelf, name) for name in names) if one is not None]
    return sorted(shelf.write(lambda tx: tx.leaks.told(known)))


def test_cases_are_read_in_parts_and_noted_as_told_once(shelf: Shelf) -> None:
    put(shelf, *(leak(str(number), f"token-{number}", telling=True, first_at=number) for number in range(5)))
    parts = [shelf.read(lambda tx, at=at: tx.leaks.untold(2, at)) for at in (0, 2, 4)]  # type: ignore[misc]
    assert [[one.id for one in part] for part in parts] == [["0", "1"], ["2", "3"], ["4"]]
    assert told(shelf, "0", "3", "4") == ["0", "3", "4"]
    assert told(shelf, "0", "3", "4") == []
    assert [one.id for one in shelf.read(lambda tx: tx.leaks.untold(10))] == ["1", "2"]
    noted = kept(shelf, "3")
    assert noted is not None
    assert (noted.telling, noted.revision, noted.note) == (False, 2, make.TEXT)


def test_a_case_that_changed_since_it_was_read_is_not_noted(shelf: Shelf) -> None:
    put(shelf, leak("1", "token-1", telling=True), leak("2", "token-2", telling=True))
    read = shelf.read(lambda tx: tx.leaks.untold(10))
    changed = next(one for one in read if one.id == "2")
    assert shelf.write(lambda tx: tx.leaks.save(changed, changed))
    assert shelf.write(lambda tx: tx.leaks.told(read)) == {LeakId("1")}
    assert [one.id for one in shelf.read(lambda tx: tx.leaks.untold(10))] == ["2"]


def test_nothing_is_noted_where_nothing_was_read(shelf: Shelf) -> None:
    put(shelf, leak("1", "token-1", telling=True))
    assert shelf.write(lambda tx: tx.leaks.told([])) == frozenset()
    assert [one.id for one in shelf.read(lambda tx: tx.leaks.untold(10))] == ["1"]
