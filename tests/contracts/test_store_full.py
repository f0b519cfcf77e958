"""The store's contract: a database without room refuses, keeps what it has, and goes on when it has room."""

import asyncio
from functools import partial

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import BUILD, ORGANIZATION
from watchword.domain.errors import Unavailable
from watchword.domain.ids import TokenId
from watchword.store.base import Transaction

BIG = "x" * 20_000


def token_id(place: int) -> TokenId:
    return TokenId(f"token-{place:03}")


async def add(tx: Transaction, place: int) -> int:
    """Two tables and a notice: all of it or nothing."""
    await tx.tokens.add(make.token(id=token_id(place)))
    await tx.audit.post(ORGANIZATION, "added", str(place), place)
    await tx.logs.set_meta_data(ORGANIZATION, BUILD, f"key {place}", BIG)
    return place


def present(shelf: Shelf) -> tuple[set[int], set[int], set[int]]:
    """Which units left a token, a value, a notice."""

    async def work(tx: Transaction) -> tuple[set[int], set[int], set[int]]:
        tokens = {
            place for place in range(200) if await tx.tokens.find(ORGANIZATION, token_id(place)) is not None
        }
        values = {int(key[4:]) for key, _ in await tx.logs.all_meta_data(ORGANIZATION, BUILD)}
        notices = {int(notice.payload) for notice in await tx.audit.notices(0, 1000)}
        return tokens, values, notices

    return shelf.read(work)


def test_a_full_database_refuses_whole_units_and_recovers(shelf: Shelf) -> None:
    acknowledged = {shelf.write(partial(add, place=place)) for place in range(3)}
    shelf.backend.fill_up(shelf.store)
    refused = set()
    for place in range(3, 40):
        try:
            acknowledged.add(shelf.write(partial(add, place=place)))
        except Unavailable:
            refused.add(place)
    assert refused
    assert present(shelf) == (acknowledged, acknowledged, acknowledged)
    assert shelf.read(lambda tx: tx.tokens.find(ORGANIZATION, token_id(0))) is not None
    shelf.backend.make_room(shelf.store)
    for place in sorted(refused):
        acknowledged.add(shelf.write(partial(add, place=place)))
    assert present(shelf) == (acknowledged, acknowledged, acknowledged)
    assert sorted(int(notice.payload) for notice in shelf.notices) == sorted(acknowledged)
    assert shelf.backend.whole()


def test_a_batch_into_a_full_database_acknowledges_only_what_is_there(shelf: Shelf) -> None:
    shelf.write(lambda tx: add(tx, 0))
    shelf.backend.fill_up(shelf.store)

    async def scenario() -> list[int | BaseException]:
        units = (shelf.store.write(partial(add, place=place)) for place in range(1, 120))
        return await asyncio.gather(*units, return_exceptions=True)

    answers = shelf.run(scenario())
    assert all(isinstance(answer, (int, Unavailable)) for answer in answers)
    acknowledged = {0} | {answer for answer in answers if isinstance(answer, int)}
    assert len(acknowledged) < 120
    assert present(shelf) == (acknowledged, acknowledged, acknowledged)
    assert {int(notice.payload) for notice in shelf.notices} == acknowledged
    shelf.backend.make_room(shelf.store)
    assert shelf.write(lambda tx: add(tx, 150)) == 150
    shelf.restart()
    assert present(shelf)[0] == acknowledged | {150}
    assert shelf.backend.whole()


def test_a_full_database_still_takes_what_needs_no_room(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.tokens.add(make.token(id=token_id(0))))
    shelf.backend.fill_up(shelf.store)
    try:
        taken = shelf.write(lambda tx: tx.tokens.take_use(ORGANIZATION, token_id(0), 9))
    except Unavailable:
        taken = False
    found = shelf.read(lambda tx: tx.tokens.find(ORGANIZATION, token_id(0)))
    assert found is not None
    assert found.uses == taken


def test_the_refusal_says_to_try_again_and_tells_no_detail(shelf: Shelf) -> None:
    shelf.backend.fill_up(shelf.store)

    def write_on() -> None:
        for place in range(200):
            shelf.write(partial(add, place=place))

    with pytest.raises(Unavailable) as caught:
        write_on()
    assert caught.value.status == 503
    assert "try again" in caught.value.message
    assert "full" not in caught.value.message
