"""The store's contract: tokens and the directory of their digests."""

from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import CLUSTER, ORGANIZATION, OTHER, TOKEN, USER
from watchword.domain.ids import ClusterId, ResourceId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.store.base import Duplicate, Page, Transaction


def find(shelf: Shelf, token_id: str = TOKEN) -> Token | None:
    return shelf.read(lambda tx: tx.tokens.find(ORGANIZATION, TokenId(token_id)))


def test_a_token_is_kept_whole(shelf: Shelf) -> None:
    kept = make.token(
        kind=Kind.API_ACCESS, user_id=USER, scopes="read_agents", not_before=1, expires_at=2**60, max_uses=4
    )
    shelf.write(lambda tx: tx.tokens.add(kept))
    assert find(shelf) == kept
    assert shelf.read(lambda tx: tx.tokens.by_digest(kept.digest)) == kept
    shelf.restart()
    assert find(shelf) == kept


def test_what_is_not_there_is_not_found(shelf: Shelf) -> None:
    kept = make.token()
    shelf.write(lambda tx: tx.tokens.add(kept))
    assert find(shelf, "nobody") is None
    assert shelf.read(lambda tx: tx.tokens.find(OTHER, TOKEN)) is None
    assert shelf.read(lambda tx: tx.tokens.by_digest(b"\0" * 32)) is None
    assert shelf.read(lambda tx: tx.tokens.by_digest(kept.digest[:31])) is None


def test_a_digest_is_taken_once_in_all_organizations(shelf: Shelf) -> None:
    kept = make.token()
    shelf.write(lambda tx: tx.tokens.add(kept))
    for other in (
        make.token(id=TokenId("token-2"), digest=kept.digest),
        make.token(organization_id=OTHER, digest=kept.digest),
    ):
        with pytest.raises(Duplicate):
            shelf.write(lambda tx, other=other: tx.tokens.add(other))  # type: ignore[misc]
    assert find(shelf, "token-2") is None
    assert shelf.read(lambda tx: tx.tokens.by_digest(kept.digest)) == kept


def test_two_organizations_may_have_the_same_id(shelf: Shelf) -> None:
    first, second = make.token(), make.token(organization_id=OTHER)
    shelf.write(lambda tx: tx.tokens.add(first))
    shelf.write(lambda tx: tx.tokens.add(second))
    assert find(shelf) == first
    assert shelf.read(lambda tx: tx.tokens.find(OTHER, TOKEN)) == second


def test_lists_hold_what_is_neither_revoked_nor_superseded_oldest_first(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for place in (3, 1, 2, 5, 4):
            await tx.tokens.add(make.token(id=TokenId(f"token-{place}"), expires_at=1 if place == 2 else 0))
        await tx.tokens.add(make.token(id=TokenId("elsewhere"), cluster_id=ClusterId("cluster-2")))
        await tx.tokens.add(make.token(id=TokenId("another"), kind=Kind.API_ACCESS, cluster_id=None))
        await tx.tokens.add(make.token(organization_id=OTHER))
        await tx.tokens.end(ORGANIZATION, TokenId("token-4"), State.REVOKED, 9, None, "")
        await tx.tokens.end(ORGANIZATION, TokenId("token-5"), State.SUPERSEDED, 9, None, "")

    shelf.write(work)

    def ids(kind: Kind, cluster_id: ClusterId | None, page: Page) -> list[str]:
        return [one.id for one in shelf.read(lambda tx: tx.tokens.list(ORGANIZATION, kind, cluster_id, page))]

    assert ids(Kind.AGENT, CLUSTER, Page()) == ["token-1", "token-2", "token-3"]
    assert ids(Kind.AGENT, CLUSTER, Page(2, 1)) == ["token-2", "token-3"]
    assert ids(Kind.AGENT, CLUSTER, Page(2, 9)) == []
    assert ids(Kind.AGENT, None, Page()) == ["elsewhere", "token-1", "token-2", "token-3"]
    assert ids(Kind.API_ACCESS, None, Page()) == ["another"]
    assert ids(Kind.AGENT_SESSION, None, Page()) == []


def test_an_active_token_is_edited_and_an_ended_one_is_not(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.tokens.add(make.token()))
    assert shelf.write(lambda tx: tx.tokens.edit(ORGANIZATION, TOKEN, "new", '[[2,"gpu"]]'))
    found = find(shelf)
    assert found is not None
    assert (found.description, found.restrictions) == ("new", '[[2,"gpu"]]')
    assert not shelf.write(lambda tx: tx.tokens.edit(OTHER, TOKEN, "stolen", ""))
    assert not shelf.write(lambda tx: tx.tokens.edit(ORGANIZATION, TokenId("nobody"), "stolen", ""))
    assert shelf.write(lambda tx: tx.tokens.end(ORGANIZATION, TOKEN, State.REVOKED, 9, USER, "leaked"))
    assert not shelf.write(lambda tx: tx.tokens.edit(ORGANIZATION, TOKEN, "again", ""))
    ended = find(shelf)
    assert ended is not None
    assert ended.description == "new"


@pytest.mark.parametrize("state", [State.REVOKED, State.SUPERSEDED])
def test_a_token_ends_once(shelf: Shelf, state: State) -> None:
    kept = make.token()
    shelf.write(lambda tx: tx.tokens.add(kept))
    assert not shelf.write(lambda tx: tx.tokens.end(OTHER, TOKEN, state, 8, None, "foreign"))
    assert shelf.write(lambda tx: tx.tokens.end(ORGANIZATION, TOKEN, state, 9, USER, "first"))
    assert not shelf.write(lambda tx: tx.tokens.end(ORGANIZATION, TOKEN, State.REVOKED, 10, None, "second"))
    found = shelf.read(lambda tx: tx.tokens.by_digest(kept.digest))  # a dead token's digest stays known
    assert found is not None
    assert (found.state, found.ended_at, found.ended_by, found.ended_reason) == (state, 9, USER, "first")


@pytest.mark.parametrize(
    ("changes", "now", "taken"),
    [
        ({}, 100, True),
        ({"max_uses": 1}, 100, True),
        ({"max_uses": 1, "uses": 1}, 100, False),
        ({"max_uses": 3, "uses": 2}, 100, True),
        ({"expires_at": 101}, 100, True),
        ({"expires_at": 100}, 100, False),
        ({"not_before": 100}, 100, True),
        ({"not_before": 101}, 100, False),
        ({"state": State.REVOKED}, 100, False),
        ({"state": State.SUPERSEDED}, 100, False),
    ],
)
def test_a_use_is_taken_where_one_is_left(
    shelf: Shelf, changes: dict[str, object], now: int, *, taken: bool
) -> None:
    kept = make.token(**changes)
    shelf.write(lambda tx: tx.tokens.add(kept))
    assert not shelf.write(lambda tx: tx.tokens.take_use(OTHER, TOKEN, now))
    assert shelf.write(lambda tx: tx.tokens.take_use(ORGANIZATION, TOKEN, now)) is taken
    found = find(shelf)
    assert found is not None
    assert found.uses == kept.uses + taken


def test_a_use_is_given_back_but_never_more_than_were_taken(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.tokens.add(make.token(max_uses=1)))
    assert shelf.write(lambda tx: tx.tokens.take_use(ORGANIZATION, TOKEN, 1))
    for _ in range(3):
        shelf.write(lambda tx: tx.tokens.return_use(ORGANIZATION, TOKEN))
    found = find(shelf)
    assert found is not None
    assert found.uses == 0
    assert shelf.write(lambda tx: tx.tokens.take_use(ORGANIZATION, TOKEN, 1))
    assert not shelf.write(lambda tx: tx.tokens.take_use(ORGANIZATION, TOKEN, 1))


def test_tokens_are_listed_by_what_they_belong_to(shelf: Shelf) -> None:
    portal = ResourceId("portal-1")

    def named(number: int, **changes: object) -> Token:
        digest = bytes([number]) * 32
        return make.token(id=TokenId(f"token-{number}"), digest=digest, resource_id=portal, **changes)

    service = named(1, kind=Kind.PORTAL_SERVICE)
    revoked = named(2, kind=Kind.PORTAL_SECRET, state=State.REVOKED)
    newest = named(3, kind=Kind.PORTAL_SECRET)
    others = [named(4, organization_id=OTHER), replace(named(5), resource_id=ResourceId("portal-2"))]

    async def work(tx: Transaction) -> None:
        for token in (service, revoked, newest, *others):
            await tx.tokens.add(token)

    shelf.write(work)
    whole, first = Page(offset=0, limit=10), Page(offset=0, limit=1)
    of_resource = shelf.read(lambda tx: tx.tokens.of_resource(ORGANIZATION, portal, whole))
    assert of_resource == [service, revoked, newest]
    assert shelf.read(lambda tx: tx.tokens.of_resource(ORGANIZATION, portal, whole, active=True)) == [
        service,
        newest,
    ]
    assert shelf.read(lambda tx: tx.tokens.of_resource(ORGANIZATION, portal, first)) == [service]
