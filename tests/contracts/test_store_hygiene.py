"""The store's contract: many tokens at once, for lists, the access audit and hygiene."""

from typing import Any

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TOKEN, USER
from watchword.domain.accounts import Role
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.securitypolicy import Grant
from watchword.domain.tokens import State, Token
from watchword.store.base import Page, Transaction
from watchword.store.base_hygiene import Reaching

SECOND = UserId("user-2")


def api_token(number: int, user_id: UserId = USER, **changes: Any) -> Token:
    fields = {"id": TokenId(f"token-{number}"), "kind": Kind.API_ACCESS, "cluster_id": None, **changes}
    return make.token(user_id=user_id, **fields)


def granted(token: Token, to: OrganizationId = ORGANIZATION) -> Grant:
    return Grant(to, token.id, token.organization_id, 7, token.user_id)


def people(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await tx.accounts.add_user(make.user())
        await tx.accounts.add_user(make.user(id=SECOND, email="bob@example.com"))
        await tx.accounts.add_member(make.member(role=Role.ADMIN))

    shelf.write(work)


def add(shelf: Shelf, *made: tuple[Token, Grant]) -> None:
    async def work(tx: Transaction) -> None:
        for token, grant in made:
            await tx.tokens.add(token)
            await tx.policies.add_grant(grant)

    shelf.write(work)


def reaching(shelf: Shelf, *, page: Page | None = None, **sift: Any) -> list[Reaching]:
    return list(shelf.read(lambda tx: tx.hygiene.reaching(ORGANIZATION, page or Page(), **sift)))


def test_tokens_that_reach_an_organization_with_their_owners(shelf: Shelf) -> None:
    people(shelf)
    one, two, three, gone = (
        api_token(1),
        api_token(2, SECOND),
        api_token(3, organization_id=OTHER),
        api_token(4, UserId("nobody")),
    )
    elsewhere = api_token(5)
    add(shelf, *((token, granted(token)) for token in (one, two, three, gone)))
    add(shelf, (elsewhere, granted(elsewhere, OTHER)))
    found = reaching(shelf)
    assert [(each.token, each.role) for each in found] == [
        (one, Role.ADMIN),
        (two, None),
        (three, Role.ADMIN),
        (gone, None),
    ]
    assert [each.owner and each.owner.id for each in found] == [USER, SECOND, USER, None]
    assert found[2].grant == granted(three)
    assert [each.token.id for each in reaching(shelf, page=Page(1, 1))] == ["token-2"]
    assert [each.token.id for each in reaching(shelf, user_id=SECOND)] == ["token-2"]
    assert reaching(shelf, user_id=UserId("other")) == []


def test_revoked_tokens_and_ended_grants_are_left_out(shelf: Shelf) -> None:
    people(shelf)
    kept, removed, dead = api_token(1), api_token(2), api_token(3)
    add(shelf, *((token, granted(token)) for token in (kept, removed, dead)))

    async def work(tx: Transaction) -> None:
        await tx.policies.end_grant(ORGANIZATION, removed.id, 9, USER)
        await tx.tokens.end(ORGANIZATION, dead.id, State.REVOKED, 9, USER, "leaked")

    shelf.write(work)
    assert [each.token for each in reaching(shelf)] == [kept]

    def one(token_id: str) -> Reaching | None:
        return shelf.read(lambda tx: tx.hygiene.reaching_one(ORGANIZATION, TokenId(token_id)))

    assert one(kept.id) == reaching(shelf)[0]
    assert one(removed.id) is None
    ended = one(dead.id)
    assert ended is not None
    assert ended.token.state is State.REVOKED
    assert one("token-9") is None


def test_a_token_is_found_by_the_beginning_of_its_digest(shelf: Shelf) -> None:
    people(shelf)
    tokens = [api_token(number, digest=bytes([0xAB, number]) + b"\0" * 30) for number in (1, 2)]
    add(shelf, *((token, granted(token)) for token in tokens))
    low, high = bytes.fromhex("ab01" + "0" * 60), bytes.fromhex("ab01" + "f" * 60)
    assert [each.token for each in reaching(shelf, digests=(low, high))] == tokens[:1]
    low, high = bytes.fromhex("ab" + "0" * 62), bytes.fromhex("ab" + "f" * 62)
    assert [each.token for each in reaching(shelf, digests=(low, high))] == tokens
    assert reaching(shelf, digests=(low, high), user_id=SECOND) == []
    low, high = bytes.fromhex("ac" + "0" * 62), bytes.fromhex("ac" + "f" * 62)
    assert reaching(shelf, digests=(low, high)) == []


def test_the_latest_use_of_each_of_many_tokens(shelf: Shelf) -> None:
    uses = [
        make.use(hour=100, last_at=10),
        make.use(hour=101, last_at=20, address="192.0.2.9"),
        make.use(hour=101, last_at=25, address="192.0.2.8"),
        make.use(token_id=TokenId("token-2"), hour=90, last_at=5),
        make.use(organization_id=OTHER, hour=200, last_at=99),
    ]
    shelf.write(lambda tx: tx.audit.add_uses(uses))
    asked = [(ORGANIZATION, TOKEN), (ORGANIZATION, TokenId("token-2")), (ORGANIZATION, TokenId("never"))]
    found = shelf.read(lambda tx: tx.hygiene.last_uses(asked))
    assert found == {asked[0]: uses[2], asked[1]: uses[3]}
    assert shelf.read(lambda tx: tx.hygiene.last_uses([(OTHER, TOKEN)])) == {(OTHER, TOKEN): uses[4]}
    assert shelf.read(lambda tx: tx.hygiene.last_uses([])) == {}
    many = [(ORGANIZATION, TokenId(f'odd"{number}')) for number in range(300)]
    assert shelf.read(lambda tx: tx.hygiene.last_uses([*many, asked[0]])) == {asked[0]: uses[2]}


def test_callers_of_an_organization(shelf: Shelf) -> None:
    people(shelf)
    here, there = api_token(1), api_token(2, organization_id=OTHER)
    away = api_token(3)
    add(shelf, (here, granted(here)), (there, granted(there)), (away, granted(away, OTHER)))
    uses = [
        make.use(token_id=here.id, hour=99, last_at=1),
        make.use(token_id=here.id, hour=100, last_at=2),
        make.use(token_id=there.id, organization_id=OTHER, hour=101, last_at=3),
        make.use(token_id=away.id, hour=101, last_at=4),
        make.use(token_id=TokenId("agent-token"), hour=101, last_at=5),
    ]
    shelf.write(lambda tx: tx.audit.add_uses(uses))
    assert shelf.read(lambda tx: tx.hygiene.callers(ORGANIZATION, 100, 10)) == [uses[2], uses[1]]
    assert shelf.read(lambda tx: tx.hygiene.callers(ORGANIZATION, 100, 1)) == [uses[2]]


def test_administrators(shelf: Shelf) -> None:
    people(shelf)
    shelf.write(lambda tx: tx.accounts.add_member(make.member(user_id=SECOND)))
    assert shelf.read(lambda tx: tx.hygiene.administrators(ORGANIZATION)) == [make.user()]
    assert shelf.read(lambda tx: tx.hygiene.administrators(OTHER)) == []


def test_what_expires_is_walked_in_order_and_reminders_are_kept(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for number, expires_at in ((1, 50), (2, 40), (3, 0), (4, 40), (5, 90)):
            await tx.tokens.add(make.token(id=TokenId(f"token-{number}"), expires_at=expires_at))
        await tx.tokens.add(make.token(id=TokenId("dead"), expires_at=45))
        await tx.tokens.end(ORGANIZATION, TokenId("dead"), State.REVOKED, 9, None, "")
        for days in (30, 7):
            await tx.hygiene.remind(ORGANIZATION, TokenId("token-1"), days, 9)

    shelf.write(work)

    def walk(after: tuple[int, str], limit: int = 10) -> list[tuple[str, int]]:
        rows = shelf.read(lambda tx: tx.hygiene.expiring(after, 60, limit))
        return [(token.id, reminded) for token, reminded in rows]

    assert walk((0, "")) == [("token-2", 0), ("token-4", 0), ("token-1", 7)]
    assert walk((0, ""), 1) == [("token-2", 0)]
    assert walk((40, "token-2")) == [("token-4", 0), ("token-1", 7)]
    assert walk((50, "token-1")) == []
    assert not shelf.write(lambda tx: tx.hygiene.remind(ORGANIZATION, TokenId("token-1"), 7, 10))
    assert shelf.write(lambda tx: tx.hygiene.remind(ORGANIZATION, TokenId("token-4"), 7, 10))
    assert walk((40, "token-3")) == [("token-4", 7), ("token-1", 7)]
