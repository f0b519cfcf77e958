"""The store's contract: one list of tokens of all kinds, filtered, ordered and paged."""

from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import CLUSTER, ORGANIZATION, OTHER, USER
from watchword.domain.accounts import Role
from watchword.domain.hygiene import reminder_due
from watchword.domain.ids import ClusterId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.securitypolicy import Grant
from watchword.domain.tokenlists import Condition, Cursor, Order
from watchword.domain.tokens import DAY_US, State, Token
from watchword.store.base import Transaction
from watchword.store.base_tokensearch import ListedToken, TokenQuery

SECOND, FAR = UserId("user-2"), ClusterId("cluster-2")
NOW = 400 * DAY_US


def token(name: str, **changes: Any) -> Token:
    fields = {"id": TokenId(name), "description": name, "created_by": USER, **changes}
    return make.token(**fields)


def personal(name: str, user_id: UserId = USER, **changes: Any) -> Token:
    return token(name, kind=Kind.API_ACCESS, user_id=user_id, cluster_id=None, **changes)


def add(shelf: Shelf, *tokens: Token, to: OrganizationId = ORGANIZATION) -> None:
    async def work(tx: Transaction) -> None:
        for each in tokens:
            await tx.tokens.add(each)
            if each.kind is Kind.API_ACCESS:
                await tx.policies.add_grant(Grant(to, each.id, each.organization_id, 7, each.user_id))

    shelf.write(work)


def people(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await tx.accounts.add_user(make.user())
        await tx.accounts.add_user(make.user(id=SECOND, email="bob@example.com"))
        await tx.accounts.add_member(make.member(role=Role.ADMIN))
        await tx.accounts.add_cluster(make.cluster(name="Default"))

    shelf.write(work)


def page(shelf: Shelf, **asked: Any) -> list[ListedToken]:
    query = TokenQuery(**{"organization_id": ORGANIZATION, "now": NOW, **asked})
    return list(shelf.read(lambda tx: tx.token_search.page(query)))


def names(shelf: Shelf, **asked: Any) -> list[str]:
    return [each.token.id for each in page(shelf, **asked)]


def counts(shelf: Shelf, **asked: Any) -> dict[Kind, int]:
    query = TokenQuery(**{"organization_id": ORGANIZATION, "now": NOW, **asked})
    return dict(shelf.read(lambda tx: tx.token_search.counts(query)))


def all_kinds(shelf: Shelf) -> None:
    people(shelf)
    add(
        shelf,
        token("a-agent"),
        token("b-far", cluster_id=FAR, created_by=SECOND),
        token("c-loose", kind=Kind.UNCLUSTERED_AGENT, cluster_id=None),
        personal("d-mine"),
        personal("e-theirs", SECOND, created_by=SECOND, scopes="read_builds read_agents"),
        personal("f-from-elsewhere", organization_id=OTHER),
        token("x-session", kind=Kind.AGENT_SESSION),
        token("y-foreign", organization_id=OTHER),
    )
    add(shelf, personal("z-not-here"), to=OTHER)


EVERYTHING = ["a-agent", "b-far", "c-loose", "d-mine", "e-theirs", "f-from-elsewhere"]


def test_all_kinds_of_an_organization_with_names(shelf: Shelf) -> None:
    all_kinds(shelf)
    found = page(shelf, order=Order.NAME)
    assert [each.token.id for each in found] == EVERYTHING
    agent, far, loose, mine, theirs, elsewhere = found
    assert (agent.cluster_name, agent.creator, agent.owner, agent.role) == (
        "Default",
        make.user(),
        None,
        None,
    )
    assert (far.cluster_name, far.creator and far.creator.id) == ("", SECOND)
    assert loose.cluster_name == ""
    assert (mine.owner, mine.role, mine.key) == (make.user(), Role.ADMIN, "d-mine")
    assert (theirs.owner and theirs.owner.id, theirs.role) == (SECOND, None)
    assert elsewhere.token.organization_id == OTHER
    assert counts(shelf) == {Kind.AGENT: 2, Kind.UNCLUSTERED_AGENT: 1, Kind.API_ACCESS: 3}


def test_who_does_not_see_everything_sees_their_clusters_and_themselves(shelf: Shelf) -> None:
    all_kinds(shelf)
    narrow = {"everything": False, "order": Order.NAME}
    assert names(shelf, **narrow, clusters=frozenset([FAR]), person=SECOND) == ["b-far", "e-theirs"]
    assert names(shelf, **narrow, clusters=frozenset([FAR, CLUSTER])) == ["a-agent", "b-far"]
    assert names(shelf, **narrow, person=USER) == ["d-mine", "f-from-elsewhere"]
    assert names(shelf, **narrow) == []
    assert counts(shelf, **narrow, person=SECOND) == {Kind.API_ACCESS: 1}


def test_filters(shelf: Shelf) -> None:
    all_kinds(shelf)
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"kinds": (Kind.AGENT,)}, ["a-agent", "b-far"]),
        ({"kinds": (Kind.UNCLUSTERED_AGENT, Kind.API_ACCESS)}, EVERYTHING[2:]),
        ({"owner": SECOND}, ["b-far", "e-theirs"]),
        ({"cluster": FAR}, ["b-far"]),
        ({"scope": "read_agents"}, ["e-theirs"]),
        ({"scope": "read_agent"}, []),
        ({"only": frozenset(map(TokenId, ("d-mine", "x-session", "y-foreign", "z-not-here")))}, ["d-mine"]),
        ({"only": frozenset()}, []),
        ({"text": "FAR"}, ["b-far"]),
        ({"text": "e-th"}, ["e-theirs"]),
        ({"limit": 2}, EVERYTHING[:2]),
    ]
    for asked, expected in cases:
        assert names(shelf, **{"order": Order.NAME, **asked}) == expected, asked
    assert counts(shelf, kinds=(Kind.AGENT,), owner=SECOND) == {Kind.AGENT: 1, Kind.API_ACCESS: 1}


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("ZÜRICH", True),
        ("zürich", True),
        ("Zürich 100%", True),
        ("0% _", True),
        ("%", True),
        ("100_", False),
        ("quote' or", True),
        ("basel", False),
        ("zz-1", True),
        ("z-1", False),
    ],
)
def test_a_text_is_looked_for_as_it_is(shelf: Shelf, text: str, finds: bool) -> None:  # noqa: FBT001 - a case
    add(shelf, token("zz-1", description="Produktion Zürich 100% _quote' or 1"))
    assert bool(names(shelf, text=text)) is finds


def test_states(shelf: Shelf) -> None:
    lives = [0, NOW, NOW + 1, *(NOW + days * DAY_US for days in (1, 5, 7, 20, 30, 31)), NOW - DAY_US]
    tokens = [
        token(f"{born}-{at}", created_at=NOW - born * DAY_US, expires_at=expires_at)
        for born in (0, 2, 10, 300)
        for at, expires_at in enumerate(lives)
    ]
    ended = [token("revoked", state=State.REVOKED), token("superseded", state=State.SUPERSEDED, expires_at=5)]
    add(shelf, *tokens, *ended)
    used = tokens[:7]

    async def use(tx: Transaction) -> None:
        await tx.audit.add_uses([make.use(token_id=each.id) for each in used])

    shelf.write(use)

    def found(condition: Condition) -> set[str]:
        return set(names(shelf, condition=condition, limit=1000))

    active = {each.id for each in tokens if each.state_at(NOW) is State.ACTIVE}
    assert found(Condition.ACTIVE) == active
    assert found(Condition.EXPIRED) == {each.id for each in tokens} - active
    assert found(Condition.CURRENT) == {each.id for each in tokens}
    assert found(Condition.REVOKED) == {"revoked"}
    assert found(Condition.SUPERSEDED) == {"superseded"}
    assert found(Condition.NEVER_USED) == active - {each.id for each in used}
    assert found(Condition.EXPIRING) == {each.id for each in tokens if reminder_due(each, NOW)}
    assert found(Condition.EXPIRING) not in (set(), active)
    held_back = [token("later", not_before=NOW + 1), token("full", max_uses=2, uses=2)]
    add(shelf, *held_back, token("open", max_uses=2, uses=1, not_before=NOW))
    assert found(Condition.NOT_YET_VALID) == {"later"}
    assert found(Condition.USED_UP) == {"full"}
    ended += [*held_back, token("open")]
    assert found(Condition.ANY) == found(Condition.ROTATING) == {each.id for each in (*tokens, *ended)}


def ordered(shelf: Shelf) -> list[Token]:
    tokens = [
        token("one", description="beta", created_at=3, expires_at=0),
        token("two", description="Alpha", created_at=3, expires_at=9),
        personal("three", description="alpha", created_at=1, expires_at=5),
        token("four", description="", created_at=2, expires_at=5),
        token("five", description="gamma", created_at=9, expires_at=0, kind=Kind.UNCLUSTERED_AGENT),
    ]
    add(shelf, *tokens)
    uses = [
        make.use(token_id=TokenId("one"), hour=5, last_at=50),
        make.use(token_id=TokenId("one"), hour=6, last_at=60),
        make.use(token_id=TokenId("one"), hour=6, last_at=61, address="192.0.2.99"),
        make.use(token_id=TokenId("four"), hour=6, last_at=62),
        make.use(token_id=TokenId("three"), hour=7, last_at=70),
        make.use(token_id=TokenId("five"), organization_id=OTHER, hour=9, last_at=90),
    ]
    shelf.write(lambda tx: tx.audit.add_uses(uses))
    return tokens


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.CREATED, ["three", "four", "one", "two", "five"]),
        (Order.NAME, ["four", "three", "two", "one", "five"]),
        (Order.LAST_USED, ["five", "two", "one", "four", "three"]),
        (Order.EXPIRES, ["four", "three", "two", "five", "one"]),
    ],
)
def test_orders_and_pages_in_both_directions(shelf: Shelf, order: Order, expected: list[str]) -> None:
    ordered(shelf)
    for descending in (False, True):
        asked = {"order": order, "descending": descending}
        whole = page(shelf, **asked)
        right = expected[::-1] if descending else expected
        assert [each.token.id for each in whole] == right
        for at, row in enumerate(whole):
            place = Cursor(row.key, row.token.id)
            assert names(shelf, **asked, place=place, limit=2) == right[at + 1 : at + 3]
            place = Cursor(row.key, row.token.id, back=True)
            assert names(shelf, **asked, place=place, limit=2) == right[max(0, at - 2) : at]


def test_a_page_stays_where_it_was_while_tokens_come_and_go(shelf: Shelf) -> None:
    ordered(shelf)
    last = page(shelf, order=Order.NAME, limit=2)[-1]
    add(shelf, token("six", description="aaa"))
    assert names(shelf, order=Order.NAME, place=Cursor(last.key, last.token.id)) == ["two", "one", "five"]
