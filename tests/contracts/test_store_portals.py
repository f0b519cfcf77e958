"""The store's contract: portals, what hangs on them, and codes that are decided once and used once."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TEXT, USER
from watchword.domain.ids import ResourceId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.portals import Portal, PortalCode
from watchword.domain.tokens import State
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

PORTAL = ResourceId("portal-1")


def portal(**changes: Any) -> Portal:
    made = Portal(
        ORGANIZATION,
        PORTAL,
        "deploys",
        TEXT,
        TEXT,
        TEXT,
        "10.0.0.0/8",
        user_invokable=True,
        created_at=7,
        created_by=USER,
        updated_at=8,
    )
    return replace(made, **changes)


def code(**changes: Any) -> PortalCode:
    made = PortalCode(ORGANIZATION, PORTAL, b"\x00code", b"\xffsecret", 7, 100, "192.0.2.1", TEXT)
    return replace(made, **changes)


def test_a_portal_is_kept_whole_and_its_slug_taken_once(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.portals.add(portal()))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.portals.add(portal(id=ResourceId("portal-2"))))
    foreign = portal(organization_id=OTHER)
    shelf.write(lambda tx: tx.portals.add(foreign))
    second = portal(id=ResourceId("portal-2"), slug="other", created_by=None, user_invokable=False)
    shelf.write(lambda tx: tx.portals.add(second))
    assert shelf.read(lambda tx: tx.portals.find(ORGANIZATION, PORTAL)) == portal()
    assert shelf.read(lambda tx: tx.portals.by_slug(OTHER, "deploys")) == foreign
    assert shelf.read(lambda tx: tx.portals.by_slug(OTHER, "other")) is None
    assert list(shelf.read(lambda tx: tx.portals.list(ORGANIZATION, EVERYTHING))) == [portal(), second]
    assert list(shelf.read(lambda tx: tx.portals.list(ORGANIZATION, Page(1, 1)))) == [second]
    changed = portal(slug="new", name="n", description="", query="q", allowed_networks="", updated_at=9)
    shelf.write(lambda tx: tx.portals.save(replace(changed, created_at=99, created_by=None)))
    assert shelf.read(lambda tx: tx.portals.find(ORGANIZATION, PORTAL)) == changed
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.portals.save(replace(changed, slug="other")))
    assert shelf.read(lambda tx: tx.portals.find(OTHER, PORTAL)) == foreign


def test_a_portal_is_held_while_it_is_there(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.portals.add(portal()))
    assert shelf.write(lambda tx: tx.portals.hold(ORGANIZATION, PORTAL)) is True
    assert shelf.write(lambda tx: tx.portals.hold(OTHER, PORTAL)) is False
    assert shelf.read(lambda tx: tx.portals.find(ORGANIZATION, PORTAL)) == portal()
    assert shelf.write(lambda tx: tx.portals.delete(ORGANIZATION, PORTAL)) is True
    assert shelf.write(lambda tx: tx.portals.delete(ORGANIZATION, PORTAL)) is False
    assert shelf.write(lambda tx: tx.portals.hold(ORGANIZATION, PORTAL)) is False


def test_tokens_of_a_portal_are_listed_by_kind_and_live_ones_by_their_life(shelf: Shelf) -> None:
    def named(number: int, **changes: Any) -> Any:
        return make.token(
            id=TokenId(f"token-{number}"), cluster_id=None, expires_at=0, resource_id=PORTAL, **changes
        )

    service = named(1, kind=Kind.PORTAL_SERVICE)
    revoked = named(2, kind=Kind.PORTAL_SERVICE, state=State.REVOKED)
    secret = named(3, kind=Kind.PORTAL_SECRET)
    expired = replace(named(4, kind=Kind.PORTAL_EPHEMERAL), expires_at=50)
    lively = replace(named(5, kind=Kind.PORTAL_EPHEMERAL), expires_at=51)
    foreign = named(6, kind=Kind.PORTAL_SERVICE, organization_id=OTHER)
    elsewhere = replace(named(7, kind=Kind.PORTAL_SERVICE), resource_id=ResourceId("portal-2"))

    async def add(tx: Transaction) -> None:
        for token in (service, revoked, secret, expired, lively, foreign, elsewhere):
            await tx.tokens.add(token)

    shelf.write(add)

    def of_kind(kind: Kind, page: Page = EVERYTHING) -> list[Any]:
        return list(shelf.read(lambda tx: tx.portals.tokens(ORGANIZATION, PORTAL, kind, page)))

    assert of_kind(Kind.PORTAL_SERVICE) == [revoked, service]
    assert of_kind(Kind.PORTAL_SERVICE, Page(1, 1)) == [service]
    assert of_kind(Kind.PORTAL_USER) == []
    live = shelf.read(lambda tx: tx.portals.live_tokens(ORGANIZATION, PORTAL, 50))
    assert list(live) == [service, secret, lively]


def test_a_code_is_decided_once_and_used_once(shelf: Shelf) -> None:
    other = code(digest=b"other")
    for each in (code(), other, code(organization_id=OTHER)):
        shelf.write(lambda tx, each=each: tx.portals.add_code(each))  # type: ignore[misc]

    def found(one: PortalCode = other) -> PortalCode | None:
        return shelf.read(lambda tx: tx.portals.code(one.organization_id, one.portal_id, one.digest))

    def decide(now: int, *, approve: bool = True, digest: bytes = b"\x00code") -> bool:
        return shelf.write(
            lambda tx: tx.portals.decide(ORGANIZATION, PORTAL, digest, UserId("u"), now, approve=approve)
        )

    def use(now: int, digest: bytes = b"\x00code") -> bool:
        return shelf.write(lambda tx: tx.portals.use_code(ORGANIZATION, PORTAL, digest, now))

    assert found(code()) == code()
    assert use(50) is False, "nobody approved it"
    assert decide(100) is False, "it is over"
    assert decide(99) is True
    assert decide(99, approve=False) is False
    assert found(code()) == code(decided_by=UserId("u"), approved_at=99)
    assert use(100) is False
    assert use(99) is True
    assert use(99) is False
    assert found(code()) == code(decided_by=UserId("u"), approved_at=99, used_at=99)
    assert decide(60, approve=False, digest=b"other") is True
    assert decide(60, digest=b"other") is False
    assert use(60, b"other") is False
    assert found() == replace(other, decided_by=UserId("u"), denied_at=60)
    foreign = code(organization_id=OTHER)
    assert found(foreign) == foreign


def test_codes_go_with_their_portal_or_with_time(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.portals.add(portal()))
    late = code(digest=b"late", expires_at=200)
    elsewhere = code(portal_id=ResourceId("portal-2"), expires_at=200)
    for each in (code(), late, elsewhere):
        shelf.write(lambda tx, each=each: tx.portals.add_code(each))  # type: ignore[misc]

    def known(one: PortalCode) -> bool:
        work = shelf.read(lambda tx: tx.portals.code(one.organization_id, one.portal_id, one.digest))
        return work is not None

    shelf.write(lambda tx: tx.portals.forget_codes(101))
    assert [known(code()), known(late), known(elsewhere)] == [False, True, True]
    shelf.write(lambda tx: tx.portals.delete(ORGANIZATION, PORTAL))
    assert [known(late), known(elsewhere)] == [False, True]
    shelf.write(lambda tx: tx.portals.drop_codes(ORGANIZATION, ResourceId("portal-2")))
    assert not known(elsewhere)
