"""The store's contract: people, their sessions, links and codes, mail, and values that may be revealed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TEXT, TOKEN, USER
from watchword.domain.accounts import Role
from watchword.domain.ids import MailId, SessionId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.people import (
    Attempts,
    LinkPurpose,
    Mail,
    OneTimeLink,
    RecoveryCode,
    SealedValue,
    SignInData,
    WebSession,
)
from watchword.domain.tokens import DAY_US, State
from watchword.store.base import EVERYTHING, Page, Transaction

OTHER_USER = UserId("user-2")
ROUNDS, TAKERS = 10, 32


def session(**changes: Any) -> WebSession:
    made = WebSession(
        id=SessionId("session-1"),
        digest=make.number().to_bytes(32, "big"),
        user_id=USER,
        complete=True,
        created_at=10,
        seen_at=10,
        expires_at=100,
        escalated_at=0,
        address="192.0.2.1",
        user_agent=TEXT,
    )
    return replace(made, **changes)


def link(digest: bytes, **changes: Any) -> OneTimeLink:
    return replace(OneTimeLink(digest, LinkPurpose.RECOVER, USER, "ada@example.com", 7, 100), **changes)


def mail(number: int, **changes: Any) -> Mail:
    made = Mail(
        MailId(f"mail-{number}"), "ada@example.com", TEXT, b"\0sealed", f"key-{number}", number, number
    )
    return replace(made, **changes)


def copy(token: str, **changes: Any) -> SealedValue:
    return replace(SealedValue(ORGANIZATION, TokenId(token), Kind.AGENT, b"\0copy", 7, 0), **changes)


def race(shelf: Shelf, take: Callable[[Transaction, int], Awaitable[object]]) -> list[int]:
    """How many of those who reach for the same thing get it, in each round."""

    async def scenario() -> list[int]:
        wins = []
        for number in range(ROUNDS):
            takes = (
                shelf.store.write(lambda tx, number=number: take(tx, number))  # type: ignore[misc]
                for _ in range(TAKERS)
            )
            wins.append(sum(bool(won) for won in await asyncio.gather(*takes)))
        return wins

    return shelf.run(scenario())


def test_people_are_found_in_whatever_case_their_address_was_written(shelf: Shelf) -> None:
    first = make.user(email="Ada@Example.COM")
    second = make.user(id=OTHER_USER, email="bob@example.com")
    shelf.write(lambda tx: tx.accounts.add_user(second))
    shelf.write(lambda tx: tx.accounts.add_user(first))
    assert shelf.read(lambda tx: tx.people.user_by_email("ada@example.com")) == first
    assert shelf.read(lambda tx: tx.people.user_by_email("ada@example.co")) is None
    assert list(shelf.read(lambda tx: tx.people.users(EVERYTHING))) == [first, second]
    assert list(shelf.read(lambda tx: tx.people.users(Page(1, 1)))) == [second]


def test_memberships_of_a_person_are_listed_oldest_first(shelf: Shelf) -> None:
    late = make.member(organization_id=ORGANIZATION, created_at=9)
    early = make.member(organization_id=OTHER, created_at=8, role=Role.ADMIN)
    for member in (late, early, make.member(user_id=OTHER_USER)):
        shelf.write(lambda tx, member=member: tx.accounts.add_member(member))  # type: ignore[misc]
    assert list(shelf.read(lambda tx: tx.people.memberships(USER))) == [early, late]


def test_a_password_and_what_stands_beside_it_are_kept(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.accounts.add_user(make.user()))
    assert shelf.read(lambda tx: tx.people.sign_in_data(USER)) == SignInData(USER)
    data = SignInData(USER, 0, b"\0secret", 5, 6, 7, 8)
    shelf.write(lambda tx: tx.people.save_sign_in_data(data))
    shelf.write(lambda tx: tx.people.set_password(USER, "hash-1", 9))
    assert shelf.read(lambda tx: tx.people.sign_in_data(USER)) == replace(data, password_changed_at=9)
    assert not shelf.write(lambda tx: tx.people.rehash(USER, "hash-0", "hash-2"))
    assert shelf.write(lambda tx: tx.people.rehash(USER, "hash-1", "hash-2"))
    found = shelf.read(lambda tx: tx.accounts.user(USER))
    assert found == make.user(password_hash="hash-2")


def test_a_step_of_the_second_factor_passes_once(shelf: Shelf) -> None:
    assert not shelf.write(lambda tx: tx.people.take_totp_step(USER, 1))
    shelf.write(lambda tx: tx.people.save_sign_in_data(SignInData(USER, totp_last_step=100)))
    assert not shelf.write(lambda tx: tx.people.take_totp_step(USER, 100))
    assert race(shelf, lambda tx, number: tx.people.take_totp_step(USER, 101 + number)) == [1] * ROUNDS
    assert not shelf.write(lambda tx: tx.people.take_totp_step(USER, 105))


def test_a_recovery_code_has_one_winner_in_every_round(shelf: Shelf) -> None:
    codes = [RecoveryCode(USER, bytes([number]) * 32, 7) for number in range(ROUNDS)]
    shelf.write(lambda tx: tx.people.replace_recovery_codes(USER, codes))
    shelf.write(lambda tx: tx.people.replace_recovery_codes(OTHER_USER, []))
    assert shelf.read(lambda tx: tx.people.recovery_codes_left(USER)) == ROUNDS
    assert not shelf.write(lambda tx: tx.people.take_recovery_code(OTHER_USER, codes[0].digest, 9))
    wins = race(shelf, lambda tx, number: tx.people.take_recovery_code(USER, codes[number].digest, 9))
    assert wins == [1] * ROUNDS
    assert shelf.read(lambda tx: tx.people.recovery_codes_left(USER)) == 0
    shelf.write(lambda tx: tx.people.replace_recovery_codes(USER, codes[:1]))
    assert shelf.write(lambda tx: tx.people.take_recovery_code(USER, codes[0].digest, 9))
    assert not shelf.write(lambda tx: tx.people.take_recovery_code(USER, codes[1].digest, 9))


def test_a_one_time_link_has_one_winner_in_every_round(shelf: Shelf) -> None:
    digests = [bytes([number]) * 32 for number in range(ROUNDS)]
    for digest in digests:
        shelf.write(lambda tx, digest=digest: tx.people.add_link(link(digest)))  # type: ignore[misc]
    wins = race(shelf, lambda tx, number: tx.people.take_link(digests[number], LinkPurpose.RECOVER, 9))
    assert wins == [1] * ROUNDS


def test_a_link_opens_one_thing_until_it_expires(shelf: Shelf) -> None:
    made = link(b"1" * 32, user_id=None, purpose=LinkPurpose.VERIFY_EMAIL)
    shelf.write(lambda tx: tx.people.add_link(made))
    for purpose, at in ((LinkPurpose.RECOVER, 9), (LinkPurpose.VERIFY_EMAIL, 100)):
        assert shelf.write(lambda tx, p=purpose, at=at: tx.people.take_link(made.digest, p, at)) is None  # type: ignore[misc]
    taken = shelf.write(lambda tx: tx.people.take_link(made.digest, LinkPurpose.VERIFY_EMAIL, 99))
    assert taken == replace(made, used_at=99)
    for number, purpose in enumerate((LinkPurpose.RECOVER, LinkPurpose.INVITE)):
        row = link(bytes([9, number]) * 16, purpose=purpose)
        shelf.write(lambda tx, row=row: tx.people.add_link(row))  # type: ignore[misc]
    assert shelf.write(lambda tx: tx.people.drop_links(USER, LinkPurpose.RECOVER)) == 1
    assert shelf.write(lambda tx: tx.people.take_link(b"\x09\x01" * 16, LinkPurpose.INVITE, 9)) is not None


def test_failures_are_written_by_whoever_read_the_latest(shelf: Shelf) -> None:
    first, second = Attempts("account:a", 1, 10, 10), Attempts("account:a", 2, 11, 12)
    assert shelf.read(lambda tx: tx.people.attempts("account:a")) is None
    assert shelf.write(lambda tx: tx.people.save_attempts(None, first))
    assert not shelf.write(lambda tx: tx.people.save_attempts(None, second))
    assert shelf.write(lambda tx: tx.people.save_attempts(first, second))
    assert not shelf.write(lambda tx: tx.people.save_attempts(first, second))
    assert shelf.read(lambda tx: tx.people.attempts("account:a")) == second
    shelf.write(lambda tx: tx.people.save_attempts(None, replace(first, key="other")))
    shelf.write(lambda tx: tx.people.drop_attempts("account:a"))
    assert shelf.read(lambda tx: tx.people.attempts("account:a")) is None
    assert shelf.read(lambda tx: tx.people.attempts("other")) is not None


def test_what_is_over_is_forgotten(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await tx.people.add_link(link(b"1" * 32, expires_at=49))
        await tx.people.add_link(link(b"2" * 32, expires_at=50))
        await tx.people.save_attempts(None, Attempts("old", 1, 29, 0))
        await tx.people.save_attempts(None, Attempts("new", 1, 30, 0))
        await tx.sessions.add(session(id=SessionId("old"), expires_at=39))
        await tx.sessions.add(session(id=SessionId("new"), expires_at=40))

    shelf.write(work)
    assert shelf.write(lambda tx: tx.people.forget(50, 30, 40)) == 3
    assert shelf.read(lambda tx: tx.people.attempts("new")) is not None
    assert [one.id for one in shelf.read(lambda tx: tx.sessions.of_user(USER, 0))] == ["new"]


def test_sessions_are_kept_found_and_ended(shelf: Shelf) -> None:
    first = session()
    second = session(id=SessionId("session-2"), created_at=11, escalated_at=3, complete=False)
    others = session(id=SessionId("session-3"), user_id=OTHER_USER)
    expired = session(id=SessionId("session-4"), expires_at=12)
    for one in (first, second, others, expired):
        shelf.write(lambda tx, one=one: tx.sessions.add(one))  # type: ignore[misc]
    assert shelf.read(lambda tx: tx.sessions.by_digest(second.digest)) == second
    assert list(shelf.read(lambda tx: tx.sessions.of_user(USER, 12))) == [second, first]
    shelf.write(lambda tx: tx.sessions.touch(first.id, 40))
    assert shelf.write(lambda tx: tx.sessions.escalate(first.id, 41))
    assert shelf.write(lambda tx: tx.sessions.end(first.id, 42, "signed out"))
    assert not shelf.write(lambda tx: tx.sessions.end(first.id, 43, "again"))
    assert not shelf.write(lambda tx: tx.sessions.escalate(first.id, 44))
    ended = replace(first, seen_at=40, escalated_at=41, ended_at=42, ended_reason="signed out")
    assert shelf.read(lambda tx: tx.sessions.by_digest(first.digest)) == ended
    third = session(id=SessionId("session-5"))
    shelf.write(lambda tx: tx.sessions.add(third))
    assert shelf.write(lambda tx: tx.sessions.end_all(USER, 50, "all", keep=third.id)) == 1
    assert list(shelf.read(lambda tx: tx.sessions.of_user(USER, 50))) == [third]
    assert shelf.write(lambda tx: tx.sessions.end_all(USER, 51, "all")) == 1
    assert list(shelf.read(lambda tx: tx.sessions.of_user(OTHER_USER, 50))) == [others]


def test_an_address_is_known_from_a_complete_session(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.sessions.add(session(ended_at=11)))
    shelf.write(lambda tx: tx.sessions.add(session(id=SessionId("2"), complete=False, address="192.0.2.2")))

    def known(user: UserId, address: str, since: int) -> bool:
        return shelf.read(lambda tx: tx.sessions.known_address(user, address, since))

    assert known(USER, "192.0.2.1", 10)
    assert not known(USER, "192.0.2.1", 11)
    assert not known(USER, "192.0.2.2", 10)
    assert not known(OTHER_USER, "192.0.2.1", 10)


def test_mail_is_sent_put_off_or_given_up(shelf: Shelf) -> None:
    rows = [mail(number) for number in (1, 2, 3, 4)]
    for row in rows:
        assert shelf.write(lambda tx, row=row: tx.mails.add(row))  # type: ignore[misc]
    assert not shelf.write(lambda tx: tx.mails.add(mail(9, dedupe_key="key-1")))
    assert list(shelf.read(lambda tx: tx.mails.due(3, 2))) == rows[:2]
    assert list(shelf.read(lambda tx: tx.mails.due(3, 9))) == rows[:3]
    shelf.write(lambda tx: tx.mails.sent(rows[0].id, 20))
    shelf.write(lambda tx: tx.mails.put_off(rows[1].id, 1, 30, "busy"))
    shelf.write(lambda tx: tx.mails.give_up(rows[2].id, 7, 21, "refused"))
    assert list(shelf.read(lambda tx: tx.mails.due(29, 9))) == [rows[3]]
    assert list(shelf.read(lambda tx: tx.mails.list(EVERYTHING))) == [
        rows[3],
        replace(rows[2], attempts=7, failed_at=21, due_at=0, body=b"", error="refused"),
        replace(rows[1], attempts=1, due_at=30, error="busy"),
        replace(rows[0], attempts=1, sent_at=20, due_at=0, body=b""),
    ]
    assert shelf.write(lambda tx: tx.mails.drop(3)) == 1  # the first; the second is still on its way
    assert [row.id for row in shelf.read(lambda tx: tx.mails.list(Page(1, 2)))] == ["mail-2"]


def test_a_message_with_the_same_key_is_queued_once_by_many(shelf: Shelf) -> None:
    def add(tx: Transaction, number: int) -> Awaitable[bool]:
        return tx.mails.add(mail(make.number(), dedupe_key=f"same-{number}"))

    assert race(shelf, add) == [1] * ROUNDS


def test_a_sealed_value_goes_with_its_token(shelf: Shelf) -> None:
    for token_id in (TOKEN, TokenId("token-2")):
        token = make.token(id=token_id)
        shelf.write(lambda tx, token=token: tx.tokens.add(token))  # type: ignore[misc]
        shelf.write(lambda tx, token_id=token_id: tx.sealed.add(copy(token_id)))  # type: ignore[misc]
    assert shelf.read(lambda tx: tx.sealed.find(ORGANIZATION, TOKEN)) == copy(TOKEN)
    assert shelf.read(lambda tx: tx.sealed.find(OTHER, TOKEN)) is None
    assert shelf.write(lambda tx: tx.tokens.end(ORGANIZATION, TOKEN, State.SUPERSEDED, 9, None, ""))
    assert shelf.read(lambda tx: tx.sealed.find(ORGANIZATION, TOKEN)) is None
    assert shelf.read(lambda tx: tx.sealed.count(ORGANIZATION, Kind.AGENT)) == 1


def test_sealed_values_of_a_kind_are_dropped_together(shelf: Shelf) -> None:
    kept = [copy("a", kind=Kind.UNCLUSTERED_AGENT), copy("b", organization_id=OTHER)]
    for row in (copy("c"), copy("d"), *kept):
        shelf.write(lambda tx, row=row: tx.sealed.add(row))  # type: ignore[misc]
    assert shelf.write(lambda tx: tx.sealed.drop_kind(ORGANIZATION, Kind.AGENT)) == 2
    assert shelf.write(lambda tx: tx.sealed.drop_kind(ORGANIZATION, Kind.AGENT)) == 0
    for row in kept:
        assert shelf.read(lambda tx, row=row: tx.sealed.find(row.organization_id, row.token_id)) == row  # type: ignore[misc]


def test_sealed_values_of_expired_tokens_are_dropped(shelf: Shelf) -> None:
    for name, expires_at in (("a", 0), ("b", 50), ("c", 51)):
        row = copy(name, expires_at=expires_at)
        shelf.write(lambda tx, row=row: tx.sealed.add(row))  # type: ignore[misc]
    assert shelf.write(lambda tx: tx.sealed.drop_expired(50)) == 1
    assert shelf.read(lambda tx: tx.sealed.find(ORGANIZATION, TokenId("b"))) is None
    assert shelf.read(lambda tx: tx.sealed.count(ORGANIZATION, Kind.AGENT)) == 2


def test_reveals_are_counted_for_a_person(shelf: Shelf) -> None:
    for person, at in (("a", 10), ("a", 20), ("b", 20), ("a", 20 + DAY_US)):
        token = TokenId(f"token-{make.number()}")
        shelf.write(lambda tx, p=person, at=at, t=token: tx.sealed.add_reveal(p, at, t))  # type: ignore[misc]
    assert shelf.read(lambda tx: tx.sealed.reveals("a", 19)) == 2
    assert shelf.read(lambda tx: tx.sealed.reveals("a", 20)) == 1
    assert shelf.read(lambda tx: tx.sealed.reveals("a", 0)) == 2  # the first was forgotten after a day
    assert shelf.read(lambda tx: tx.sealed.reveals("b", 0)) == 1
