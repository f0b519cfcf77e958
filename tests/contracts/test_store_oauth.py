"""The store's contract: applications of OAuth, codes under way, connected applications."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TEXT, TOKEN, USER
from watchword.domain.ids import ResourceId, TokenId, UserId
from watchword.domain.oauth import AuthorizationCode, DeviceCode, OAuthGrant
from watchword.domain.oauthapplications import Application
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

CLIENT = "0123456789abcdef0123"
GRANT = ResourceId("grant-1")
TAKERS = 16


def application(**changes: Any) -> Application:
    made = Application(
        organization_id=ORGANIZATION,
        id=ResourceId("application-1"),
        client_id=CLIENT,
        name=TEXT,
        redirect_uris=("https://a.example/", "http://127.0.0.1/"),
        confidential=True,
        secret_digest=b"\0\xff",
        flows=("authorization_code",),
        scopes="read_agents read_user",
        token_seconds=60,
        refresh=True,
        created_at=7,
        created_by=USER,
        updated_at=8,
    )
    return replace(made, **changes)


def code(**changes: Any) -> AuthorizationCode:
    made = AuthorizationCode(
        b"\0code", ORGANIZATION, USER, CLIENT, "http://x/", "c", "read_user", GRANT, "192.0.2.1", TEXT, 7, 100
    )
    return replace(made, **changes)


def device(**changes: Any) -> DeviceCode:
    made = DeviceCode(b"\0device", b"\0user", CLIENT, "read_user", "192.0.2.1", TEXT, 5, 0, 7, 100)
    return replace(made, **changes)


def grant(**changes: Any) -> OAuthGrant:
    made = OAuthGrant(
        organization_id=ORGANIZATION,
        id=GRANT,
        client_id=CLIENT,
        name=TEXT,
        user_id=USER,
        scopes="read_user",
        flow="authorization_code",
        address="192.0.2.1",
        user_agent=TEXT,
        granted_at=7,
        refreshed_at=7,
        access_id=TOKEN,
        refresh_id=TokenId("refresh-1"),
    )
    return replace(made, **changes)


def winners(shelf: Shelf, work: Callable[[Transaction], Awaitable[bool]]) -> int:
    """How many of many at once a conditional write lets through."""

    async def race() -> list[bool]:
        return list(await asyncio.gather(*(shelf.store.write(work) for _ in range(TAKERS))))

    return sum(shelf.run(race()))


def test_an_application_is_kept_changed_and_deleted_once(shelf: Shelf) -> None:
    first = application()
    other = application(organization_id=OTHER, client_id="f" * 20)
    for each in (first, other):
        shelf.write(lambda tx, each=each: tx.oauth.add_application(each))  # type: ignore[misc]
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.oauth.add_application(application(id=ResourceId("application-2"))))
    assert shelf.read(lambda tx: tx.oauth.application(ORGANIZATION, first.id)) == first
    assert shelf.read(lambda tx: tx.oauth.application_by_client(CLIENT)) == first
    assert shelf.read(lambda tx: tx.oauth.applications(ORGANIZATION, EVERYTHING)) == [first]
    changed = replace(first, name="n", redirect_uris=(), flows=(), scopes="", token_seconds=0, refresh=False)
    assert shelf.write(lambda tx: tx.oauth.save_application(changed)) is True
    assert shelf.read(lambda tx: tx.oauth.application_by_client(CLIENT)) == changed
    assert shelf.write(lambda tx: tx.oauth.end_application(ORGANIZATION, first.id, 9)) is True
    assert shelf.write(lambda tx: tx.oauth.end_application(ORGANIZATION, first.id, 9)) is False
    assert shelf.write(lambda tx: tx.oauth.save_application(changed)) is False
    assert shelf.read(lambda tx: tx.oauth.application(ORGANIZATION, first.id)) is None
    assert shelf.read(lambda tx: tx.oauth.application_by_client(CLIENT)) is None
    assert shelf.read(lambda tx: tx.oauth.application(OTHER, other.id)) == other


def test_a_code_is_taken_by_one_of_many_and_not_after_its_end(shelf: Shelf) -> None:
    late = code(digest=b"late")
    for each in (code(), late):
        shelf.write(lambda tx, each=each: tx.oauth.add_code(each))  # type: ignore[misc]
    assert shelf.read(lambda tx: tx.oauth.code(b"\0code")) == code()
    assert winners(shelf, lambda tx: tx.oauth.take_code(b"\0code", 50)) == 1
    assert shelf.read(lambda tx: tx.oauth.code(b"\0code")) == code(used_at=50)
    assert shelf.write(lambda tx: tx.oauth.take_code(b"late", 100)) is False
    shelf.write(lambda tx: tx.oauth.forget_codes(100))
    assert shelf.read(lambda tx: tx.oauth.code(b"late")) == late
    shelf.write(lambda tx: tx.oauth.forget_codes(101))
    assert shelf.read(lambda tx: tx.oauth.code(b"late")) is None


def test_a_device_is_decided_about_once_and_taken_once(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.oauth.add_device(device()))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.oauth.add_device(device(digest=b"other")))
    assert shelf.read(lambda tx: tx.oauth.device(b"\0device")) == device()
    assert shelf.read(lambda tx: tx.oauth.device_of_user(b"\0user")) == device()
    shelf.write(lambda tx: tx.oauth.poll_device(b"\0device", 40, 10))
    assert shelf.write(lambda tx: tx.oauth.take_device(b"\0device", 50)) is False  # nobody approved
    assert (
        winners(shelf, lambda tx: tx.oauth.approve_device(b"\0user", 50, ORGANIZATION, USER, GRANT, "less"))
        == 1
    )
    assert shelf.write(lambda tx: tx.oauth.deny_device(b"\0user", 51, USER)) is False
    approved = device(
        wait_seconds=10,
        polled_at=40,
        scopes="less",
        organization_id=ORGANIZATION,
        user_id=USER,
        grant_id=GRANT,
        approved_at=50,
    )
    assert shelf.read(lambda tx: tx.oauth.device(b"\0device")) == approved
    assert winners(shelf, lambda tx: tx.oauth.take_device(b"\0device", 60)) == 1
    assert shelf.read(lambda tx: tx.oauth.device(b"\0device")) == replace(approved, used_at=60)


def test_a_device_that_was_refused_or_has_ended_is_not_approved(shelf: Shelf) -> None:
    late = device(digest=b"late", user_digest=b"late")
    for each in (device(), late):
        shelf.write(lambda tx, each=each: tx.oauth.add_device(each))  # type: ignore[misc]
    assert shelf.write(lambda tx: tx.oauth.deny_device(b"\0user", 50, USER)) is True
    for shown, at in ((b"\0user", 51), (b"late", 100)):
        assert (
            shelf.write(
                lambda tx, shown=shown, at=at: tx.oauth.approve_device(  # type: ignore[misc]
                    shown, at, ORGANIZATION, USER, GRANT, "x"
                )
            )
            is False
        )
    shelf.write(lambda tx: tx.oauth.forget_codes(101))
    assert shelf.read(lambda tx: tx.oauth.device(b"late")) is None


def test_a_grant_is_renewed_by_its_live_token_alone_and_ended_once(shelf: Shelf) -> None:
    foreign = grant(organization_id=OTHER, user_id=UserId("user-2"))
    newer = grant(id=ResourceId("grant-2"))
    for each in (grant(), foreign, newer):
        shelf.write(lambda tx, each=each: tx.oauth.add_grant(each))  # type: ignore[misc]
    assert shelf.read(lambda tx: tx.oauth.grants_of_user(USER, EVERYTHING)) == [newer, grant()]
    assert shelf.read(lambda tx: tx.oauth.grants_of_user(USER, Page(1, 1))) == [grant()]
    assert shelf.read(lambda tx: tx.oauth.grants_of_client(ORGANIZATION, CLIENT, EVERYTHING)) == [
        grant(),
        newer,
    ]
    former, access, refresh = TokenId("refresh-1"), TokenId("access-2"), TokenId("refresh-2")
    renewed = winners(
        shelf, lambda tx: tx.oauth.renew_grant(ORGANIZATION, GRANT, former, access, refresh, 50)
    )
    assert renewed == 1
    after = grant(access_id=access, refresh_id=refresh, refreshed_at=50)
    assert shelf.read(lambda tx: tx.oauth.grant(ORGANIZATION, GRANT)) == after
    assert winners(shelf, lambda tx: tx.oauth.end_grant(ORGANIZATION, GRANT, 60, USER, "why")) == 1
    ended = replace(after, ended_at=60, ended_by=USER, ended_reason="why")
    assert shelf.read(lambda tx: tx.oauth.grant(ORGANIZATION, GRANT)) == ended
    assert (
        shelf.write(lambda tx: tx.oauth.renew_grant(ORGANIZATION, GRANT, refresh, access, former, 70))
        is False
    )
    assert shelf.read(lambda tx: tx.oauth.grants_of_user(USER, EVERYTHING)) == [newer]
    assert shelf.read(lambda tx: tx.oauth.grant(OTHER, GRANT)) == foreign
