"""The store's contract: units of work, their acknowledgement, their notices, and what they may not do."""

import ast
import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, ORGANIZATION, TOKEN
from watchword.domain.errors import Unavailable
from watchword.domain.events import Notice
from watchword.domain.ids import TokenId
from watchword.domain.tokens import Token
from watchword.store import base
from watchword.store.base import Duplicate, Transaction


def token_id(place: int) -> TokenId:
    return TokenId(f"token-{place:03}")


async def add(tx: Transaction, place: int) -> int:
    await tx.tokens.add(make.token(id=token_id(place)))
    await tx.audit.post(ORGANIZATION, "added", str(place), place)
    return place


async def get(tx: Transaction, place: int) -> Token | None:
    return await tx.tokens.find(ORGANIZATION, token_id(place))


def exists(shelf: Shelf, place: int) -> bool:
    return shelf.read(partial(get, place=place)) is not None


class Broken(Exception):
    """Raised by a unit."""


def test_a_unit_that_raises_leaves_nothing_and_its_error_reaches_the_caller(shelf: Shelf) -> None:
    error = Broken("one")

    async def fails(tx: Transaction) -> None:
        await add(tx, 1)
        await tx.logs.set_meta_data(ORGANIZATION, BUILD, "key", "value")
        raise error

    with pytest.raises(Broken) as caught:
        shelf.write(fails)
    assert caught.value is error
    assert not exists(shelf, 1)
    assert shelf.read(lambda tx: tx.logs.meta_data(ORGANIZATION, BUILD, "key")) is None
    assert shelf.read(lambda tx: tx.audit.notices(0, 10)) == []
    assert shelf.notices == []


def test_one_unit_that_fails_does_not_touch_its_neighbours(shelf: Shelf) -> None:
    async def work(tx: Transaction, place: int) -> int:
        await add(tx, place)
        if place % 3 == 0:
            raise Broken(place)
        if place % 7 == 0:
            await tx.tokens.add(make.token(id=token_id(place)))  # a duplicate, raised by the store itself
        return place

    async def scenario() -> list[int | BaseException]:
        units = [shelf.store.write(partial(work, place=place)) for place in range(300)]
        return await asyncio.gather(*units, return_exceptions=True)

    answers = shelf.run(scenario())
    for place, answer in enumerate(answers):
        if place % 3 == 0:
            assert isinstance(answer, Broken)
        elif place % 7 == 0:
            assert isinstance(answer, Duplicate)
        else:
            assert answer == place
        assert exists(shelf, place) is (answer == place)
    good = [str(answer) for answer in answers if isinstance(answer, int)]
    assert [notice.payload for notice in shelf.notices] == good
    assert [notice.payload for notice in shelf.read(lambda tx: tx.audit.notices(0, 1000))] == good


def test_a_duplicate_that_the_unit_catches_undoes_that_statement_alone(shelf: Shelf) -> None:
    shelf.write(lambda tx: add(tx, 1))

    async def work(tx: Transaction) -> str:
        await add(tx, 2)
        try:
            await add(tx, 1)
        except Duplicate:
            await add(tx, 3)
        return "went on"

    assert shelf.write(work) == "went on"
    assert [exists(shelf, place) for place in (1, 2, 3)] == [True, True, True]


def test_a_write_is_seen_by_the_next_read_and_by_another_store(shelf: Shelf) -> None:
    other = shelf.open()
    for place in range(20):
        shelf.write(partial(add, place=place))
        assert exists(shelf, place)
        found = shelf.run(other.read(partial(get, place=place)))
        assert found is not None
    shelf.run(other.close())


def test_a_unit_sees_what_it_wrote_and_nobody_else_does_before_the_commit(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> bool:
        await add(tx, 1)
        return await tx.tokens.find(ORGANIZATION, token_id(1)) is not None

    seen: list[bool] = []

    def look(_: Sequence[Notice]) -> None:
        seen.append(True)

    shelf.on_publish = look
    assert shelf.write(work)
    assert seen == [True]


def test_units_are_committed_in_the_order_in_which_they_came(shelf: Shelf) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(shelf.store.write(partial(add, place=place)) for place in range(700)))

    shelf.run(scenario())
    expected = [str(place) for place in range(700)]
    assert [notice.payload for notice in shelf.notices] == expected
    assert [notice.payload for notice in shelf.read(lambda tx: tx.audit.notices(0, 1000))] == expected


def test_acknowledged_is_committed_and_published(shelf: Shelf) -> None:
    """Whoever is told of a notice can read what it is about; whoever has the answer has been told."""
    told: set[str] = set()
    looks: list[asyncio.Task[Token | None]] = []

    def follow(notices: Sequence[Notice]) -> None:
        for notice in notices:
            told.add(notice.payload)
            looks.append(asyncio.ensure_future(look(notice.at)))

    async def look(place: int) -> Token | None:
        return await shelf.store.read(partial(get, place=place))

    shelf.on_publish = follow

    async def one(place: int) -> None:
        await shelf.store.write(lambda tx: add(tx, place))
        assert str(place) in told

    async def scenario() -> None:
        await asyncio.gather(*(one(place) for place in range(200)))
        assert None not in await asyncio.gather(*looks)

    shelf.run(scenario())
    assert len(told) == 200


def test_a_notice_carries_what_was_posted(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.audit.post(ORGANIZATION, "topic", "payload", 9))
    (notice,) = shelf.notices
    assert (notice.organization_id, notice.topic, notice.payload, notice.at) == (
        ORGANIZATION,
        "topic",
        "payload",
        9,
    )


def test_reads_are_read_only(shelf: Shelf) -> None:
    with pytest.raises(Exception, match=r"(?i)read.?only|unavailable|cannot take"):
        shelf.read(lambda tx: tx.tokens.add(make.token()))
    assert shelf.read(lambda tx: tx.tokens.find(ORGANIZATION, TOKEN)) is None
    shelf.write(lambda tx: tx.tokens.add(make.token()))
    with pytest.raises(Exception, match=r"(?i)read.?only|unavailable|cannot take"):
        shelf.read(lambda tx: tx.audit.post(ORGANIZATION, "topic", "payload", 1))
    assert shelf.notices == []


async def _foreign(kind: str) -> None:
    if kind == "sleep":
        await asyncio.sleep(0)
    else:
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("kind", ["sleep", "future"])
def test_a_unit_that_awaits_something_else_raises_and_is_undone(shelf: Shelf, kind: str) -> None:
    async def strays(tx: Transaction) -> None:
        await add(tx, 1)
        await _foreign(kind)

    with pytest.raises(RuntimeError):
        shelf.write(strays)
    assert not exists(shelf, 1)
    shelf.write(lambda tx: add(tx, 2))
    assert exists(shelf, 2)
    assert [notice.payload for notice in shelf.notices] == ["2"]


def test_a_read_that_awaits_something_else_raises(shelf: Shelf) -> None:
    async def strays(tx: Transaction) -> None:
        await tx.tokens.find(ORGANIZATION, TOKEN)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError):
        shelf.read(strays)
    assert not exists(shelf, 1)


def test_a_caller_that_goes_away_does_not_take_its_unit_along(shelf: Shelf) -> None:
    async def scenario() -> None:
        waiting = asyncio.create_task(shelf.store.write(lambda tx: add(tx, 1)))
        await asyncio.sleep(0)  # it is queued
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await shelf.store.write(lambda tx: add(tx, 2))

    shelf.run(scenario())
    assert exists(shelf, 1)
    assert [notice.payload for notice in shelf.notices] == ["1", "2"]


def test_closing_finishes_what_is_queued(shelf: Shelf) -> None:
    async def scenario() -> list[int]:
        units = [asyncio.create_task(shelf.store.write(partial(add, place=place))) for place in range(600)]
        await asyncio.sleep(0)  # they are queued
        await shelf.store.close()
        return await asyncio.gather(*units)

    assert shelf.run(scenario()) == list(range(600))
    with pytest.raises(Unavailable):
        shelf.write(lambda tx: add(tx, 601))
    shelf.run(shelf.store.close())  # once more changes nothing
    shelf.store = shelf.open()
    assert all(exists(shelf, place) for place in range(600))
    assert not exists(shelf, 601)


def test_every_method_of_the_contract_is_put_to_the_test() -> None:
    """A method that is added to a protocol needs a test in this folder."""
    parts = {
        "tokens": base.Tokens,
        "accounts": base.Accounts,
        "fleet": base.Fleet,
        "builds": base.Builds,
        "steps": base.Steps,
        "logs": base.Logs,
        "audit": base.Audit,
        "revocations": base.Revocations,
    }
    wanted = {
        (part, name)
        for part, protocol in parts.items()
        for name in vars(protocol)
        if not name.startswith("_")
    }
    called = set()
    for file in Path(__file__).parent.glob("test_store_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                called.add((node.value.attr, node.attr))
    assert wanted <= called
