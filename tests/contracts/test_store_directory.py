"""The store's contract: an organization's people, and events of its trail, looked through."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER
from watchword.domain.accounts import Role
from watchword.domain.events import Action, Event
from watchword.domain.ids import SessionId, UserId
from watchword.domain.people import SignInData, WebSession
from watchword.store.base import EVERYTHING, Page, Transaction
from watchword.store.base_trail import TrailQuery


def session(user: str, at: int, **changes: Any) -> WebSession:
    made = WebSession(
        id=SessionId(f"{user}-{at}"),
        digest=f"{user}-{at}".encode(),
        user_id=UserId(user),
        complete=True,
        created_at=at,
        seen_at=at,
        expires_at=at + 9,
        escalated_at=0,
        address="192.0.2.1",
        user_agent="",
    )
    return replace(made, **changes)


def settle(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await tx.accounts.add_organization(make.organization())
        for at, (key, name) in enumerate({"ada": "Ada 100%", "ben": "Ben_Under", "cat": "Cat"}.items()):
            await tx.accounts.add_user(make.user(id=UserId(key), email=f"{key}@Example.com", name=name))
            role = Role.MEMBER if at else Role.ADMIN
            await tx.accounts.add_member(make.member(user_id=UserId(key), role=role, created_at=at))
        await tx.accounts.add_member(make.member(organization_id=OTHER, user_id=UserId("cat")))
        await tx.people.save_sign_in_data(SignInData(UserId("ada"), totp_confirmed_at=5))
        await tx.people.save_sign_in_data(SignInData(UserId("ben"), totp_secret=b"begun", disabled_at=8))
        for one in (session("ada", 10), session("ada", 30, ended_at=31), session("ben", 20, complete=False)):
            await tx.sessions.add(one)

    shelf.write(work)


def names(shelf: Shelf, text: str = "", *, lacking: bool = False) -> list[str]:
    rows = shelf.read(lambda tx: tx.directory.members(ORGANIZATION, EVERYTHING, text, lacking=lacking))
    return [row.user.id for row in rows]


def test_members_come_with_what_is_known_of_their_signing_in(shelf: Shelf) -> None:
    settle(shelf)
    rows = shelf.read(lambda tx: tx.directory.members(ORGANIZATION, EVERYTHING))
    assert [(row.user.id, row.second_factor, row.disabled_at, row.signed_in_at) for row in rows] == [
        ("ada", True, 0, 30),
        ("ben", False, 8, 0),
        ("cat", False, 0, 0),
    ]
    assert next((row.member.role, row.user.email) for row in rows) == (Role.ADMIN, "ada@Example.com")
    page = shelf.read(lambda tx: tx.directory.members(ORGANIZATION, Page(1, 1)))
    assert [row.user.id for row in page] == ["ben"]


def test_a_passkey_is_a_second_factor(shelf: Shelf) -> None:
    settle(shelf)
    assert names(shelf, lacking=True) == ["ben", "cat"]
    assert shelf.read(lambda tx: tx.directory.lacking(ORGANIZATION)) == 2
    shelf.write(lambda tx: tx.people.save_sign_in_data(SignInData(UserId("cat"), passkeys=1)))
    assert names(shelf, lacking=True) == ["ben"]
    assert shelf.read(lambda tx: tx.directory.lacking(ORGANIZATION)) == 1
    assert shelf.read(lambda tx: tx.directory.lacking(OTHER)) == 0


def test_open_sessions_of_members_are_listed_latest_first(shelf: Shelf) -> None:
    settle(shelf)

    async def work(tx: Transaction) -> None:
        for at in (40, 50):
            await tx.sessions.add(session("cat", at, address=f"192.0.2.{at}"))
        await tx.sessions.add(session("stranger", 60))

    shelf.write(work)

    def arrivals(since: int, limit: int = 9) -> list[tuple[str, str, int]]:
        rows = shelf.read(lambda tx: tx.directory.arrivals(ORGANIZATION, since, limit))
        return [(row.user.id, row.address, row.seen_at) for row in rows]

    first, second, third = ("cat", "192.0.2.50", 50), ("cat", "192.0.2.40", 40), ("ada", "192.0.2.1", 10)
    assert arrivals(0) == [first, second, third]
    assert arrivals(40) == [first, second]
    assert arrivals(0, 1) == [first]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("BEN", ["ben"]),
        ("example.com", ["ada", "ben", "cat"]),
        ("cat@", ["cat"]),
        ("0%", ["ada"]),
        ("%", ["ada"]),
        ("_", ["ben"]),
        ("\\", []),
        ("nobody", []),
    ],
)
def test_people_are_found_by_a_part_of_name_or_address(shelf: Shelf, text: str, found: list[str]) -> None:
    settle(shelf)
    assert names(shelf, text) == found


def test_of_a_trail_the_events_that_fit_are_found(shelf: Shelf) -> None:
    events: list[Event] = [
        make.event(1, actor_name="Ada", subject_kind="token", subject_id="t1"),
        make.event(
            2, action=Action.AGENT_CONNECTED, actor_name="Ada", subject_id="a1", data='{"token_id":"t1"}'
        ),
        make.event(3, action=Action.TEAM_CREATED, actor_id="u2", actor_name="Ben_Under", token_id="t2"),
        make.event(4, action=Action.TEAM_MEMBER_ADDED, actor_id="a1", actor_kind="agent", actor_name="100%"),
        make.event(5, action=Action.TOKEN_CREATED, organization_id=OTHER, subject_id="t1"),
    ]

    async def work(tx: Transaction) -> None:
        for event in events:
            await tx.audit.add(event)

    shelf.write(work)

    def found(before: int = 99, above: int = 0, limit: int = 9, **asked: str) -> list[int]:
        query = TrailQuery(**asked)
        rows = shelf.read(lambda tx: tx.trail.search(ORGANIZATION, query, before, above, limit))
        return [event.sequence for event in rows]

    assert found() == [4, 3, 2, 1]
    assert found(before=4, above=1) == [3, 2]
    assert found(limit=1) == [4]
    assert found(action="token.created") == [1]
    assert found(action="team.") == [3]
    assert found(action="team_member.") == [4]
    assert found(action="team") == []
    assert found(token="t1") == [2, 1]
    assert found(token="t2") == [3]
    assert found(agent="a1") == [4, 2]
    assert found(agent="a1", token="t1") == [2]
    assert found(actor_id="u2") == [3]
    assert found(actor_name="ben_") == [3]
    assert found(actor_name="_") == [3]
    assert found(actor_name="%") == [4]
