"""Token search: who sees which tokens of all kinds, how they are found, and at what cost."""

import asyncio
from typing import Any

import pytest

from services.rotation_scene import API, AWAY, HOME, Rotations, as_issued
from services.scene import ADDRESS, Scene
from services.search_scene import Searcher, administrator, maintain, member
from support import MINUTE_US
from watchword.crypto.values import mint
from watchword.domain.accounts import Role
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.fleet import AgentState
from watchword.domain.ids import ClusterId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import Mode, Withdrawal
from watchword.domain.tokenlists import Condition, Order
from watchword.domain.tokens import DAY_US
from watchword.services.accounts import add_cluster, create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.revoking import revoke
from watchword.services.tokensearch import MAX_PASTED, SEARCHED, Sought


@pytest.fixture
def admin(scene: Scene) -> Searcher:
    return administrator(scene)


def second_cluster(scene: Scene) -> ClusterId:
    context = scene.authority.context
    made = scene.run(
        context.store.write(lambda tx: add_cluster(context, tx, LOCAL, scene.organization_id, "second"))
    )
    return made.id


def token_in(scene: Scene, cluster_id: ClusterId, description: str = "far") -> Issued:
    context = scene.authority.context
    request = TokenRequest(
        organization_id=scene.organization_id, cluster_id=cluster_id, description=description
    )
    return scene.run(context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, None)))


def foreign(scene: Scene) -> Issued:
    """An agent token of another organization."""
    context = scene.authority.context
    made = scene.run(create_organization(context, LOCAL, "rival", "Rival", "eve@example.com", "Eve"))
    return made.agent_token


def test_an_administrator_sees_all_kinds(scene: Scene, admin: Searcher) -> None:
    loose, other = scene.token(unclustered=True), member(scene)
    foreign(scene)
    page = admin.page()
    first = scene.first
    expected = [first.agent_token, first.api_token, loose, other.issued]
    assert {row.token.id for row in page.rows} == {issued.token.id for issued in expected}
    assert page.counts == {Kind.AGENT: 1, Kind.UNCLUSTERED_AGENT: 1, Kind.API_ACCESS: 2}
    assert (page.total, page.before, page.after) == (4, "", "")
    assert admin.page(kinds=(Kind.API_ACCESS,)).total == 2


def test_a_member_sees_own_tokens_and_those_of_maintained_clusters(scene: Scene) -> None:
    scene.token(unclustered=True)
    far = token_in(scene, second_cluster(scene))
    one = member(scene)
    assert one.ids() == {one.issued.token.id}
    maintain(scene, one, scene.first.cluster.id)
    assert one.ids() == {one.issued.token.id, scene.first.agent_token.token.id}
    finder, access = scene.authority.finder, one.access()
    with pytest.raises(NotFound):
        one.read(lambda tx: finder.one_in(tx, access, far.token.id))
    (row,) = one.rows(kinds=(Kind.AGENT,))
    assert one.read(lambda tx: finder.one_in(tx, access, row.token.id)) == row


def test_a_row_says_who_uses_a_token_and_how_it_stands(scene: Scene, admin: Searcher) -> None:
    issued = scene.token(expires_in=40 * DAY_US / 1_000_000)
    scene.agent(issued, name="busy")
    scene.agent(issued, name="idle")
    scene.world.clock.forward(34 * DAY_US)
    (row,) = admin.rows(text=issued.token.id[:30])
    assert (row.agents, row.days_left, row.cluster_name) == (2, 6, scene.first.cluster.name)
    assert row.conditions == (Condition.EXPIRING, Condition.ACTIVE)
    assert row.used is not None
    assert row.used.address == ADDRESS
    assert row.creator == scene.first.admin
    (own,) = admin.rows(kinds=API)
    assert (own.owner, own.role, own.conditions[0]) == (scene.first.admin, Role.ADMIN, Condition.NEVER_USED)


def test_states_that_memory_knows(scene: Scene, admin: Searcher) -> None:
    rotations = Rotations(scene)
    old = rotations.api_token()
    new = as_issued(rotations.start(old.token))
    pair = {old.token.id, new.token.id}
    assert admin.ids(condition=Condition.ROTATING) == pair
    assert {row.rotation for row in admin.rows(condition=Condition.ROTATING)} == {rotations.find(old.token)}
    rotations.reason(new, HOME, API)
    assert admin.ids(condition=Condition.ROTATING) == set()
    assert admin.ids(condition=Condition.SUPERSEDED) == {old.token.id}
    scene.world.clock.forward(10 * MINUTE_US)
    rotations.reason(old, AWAY, API)
    rows = admin.rows(condition=Condition.QUARANTINED)
    assert {row.token.id for row in rows} == pair
    assert {row.incident for row in rows} == set(rotations.incidents())
    assert all(row.conditions[0] is Condition.QUARANTINED for row in rows)


@pytest.mark.parametrize("shape", ["{}", '"{}"', "Token {}", "BUILDKITE_AGENT_TOKEN={}", "  {}\n"])
def test_a_pasted_value_finds_its_token(scene: Scene, admin: Searcher, shape: str) -> None:
    for issued in (scene.first.agent_token, scene.first.api_token, scene.token(unclustered=True)):
        found = admin.paste(shape.format(issued.value.reveal()))
        assert found.row is not None
        assert found.row.token.id == issued.token.id
        assert issued.value.reveal() not in repr(found)


def test_a_pasted_value_of_a_dead_token_is_found_too(scene: Scene, admin: Searcher) -> None:
    issued, context = scene.token(), scene.authority.context
    scene.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, issued.token, None)))
    found = admin.paste(issued.value.reveal())
    assert found.row is not None
    assert found.row.conditions == (Condition.REVOKED,)


def test_a_session_value_leads_to_its_agent(scene: Scene, admin: Searcher) -> None:
    joined = scene.agent()
    assert admin.paste(joined.value.reveal()).agent_id == joined.agent.id


def test_a_value_that_one_may_not_see_is_as_one_that_nobody_knows(scene: Scene, admin: Searcher) -> None:
    one = member(scene)
    unknown = admin.paste(mint(Kind.AGENT).reveal())
    assert (unknown.row, unknown.agent_id) == (None, None)
    assert unknown.recognised is not None
    assert unknown.recognised.checksum
    assert admin.paste(foreign(scene).value.reveal()) == unknown
    assert one.paste(scene.first.agent_token.value.reveal()) == unknown
    assert one.paste(scene.first.api_token.value.reveal()) == one.paste(mint(Kind.API_ACCESS).reveal())
    found = one.paste(one.issued.value.reveal())
    assert found.row is not None
    damaged = admin.paste(scene.first.agent_token.value.reveal()[:-1] + "1")
    assert damaged.recognised is not None
    assert damaged.recognised.checksum is False
    assert admin.paste("no token at all").recognised is None


@pytest.mark.parametrize("text", ["", "   ", "x" * (MAX_PASTED + 1)])
def test_what_cannot_be_a_value_is_refused_and_not_repeated(admin: Searcher, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        admin.paste(text)
    assert "xxx" not in str(refused.value)


def walk(searcher: Searcher, **sought: Any) -> tuple[list[TokenId], list[TokenId]]:
    """All pages forward, then back from the last one."""
    page = searcher.page(**sought)
    forward = [row.token.id for row in page.rows]
    while page.after:
        page = searcher.page(**sought, cursor=page.after)
        forward += [row.token.id for row in page.rows]
    back = [row.token.id for row in page.rows]
    while page.before:
        page = searcher.page(**sought, cursor=page.before)
        back = [row.token.id for row in page.rows] + back
    return forward, back


@pytest.mark.parametrize("order", Order)
def test_pages_lead_to_the_end_and_back(scene: Scene, admin: Searcher, order: Order) -> None:
    for _ in range(5):
        scene.token()
    everything = admin.ids(limit=100)
    for descending in (False, True):
        forward, back = walk(admin, order=order, descending=descending, limit=3)
        assert forward == back
        assert len(forward) == len(everything) == 7
        assert set(forward) == everything


def test_a_cursor_of_another_order_is_refused(scene: Scene, admin: Searcher) -> None:
    scene.token()
    cursor = admin.page(order=Order.NAME, limit=1).after
    with pytest.raises(Invalid):
        admin.page(order=Order.CREATED, cursor=cursor)


def test_a_revoked_token_whose_agents_are_leaving_is_found_until_the_last_has_left(
    scene: Scene, admin: Searcher
) -> None:
    token, joined = scene.first.agent_token.token, scene.agent()
    revoker = scene.authority.revoker
    drain = Withdrawal(Mode.DRAIN)
    scene.run(scene.world.store.write(lambda tx: revoker.revoke_in(tx, LOCAL, token, None, drain)))
    (row,) = admin.rows(condition=Condition.DRAINING)
    assert (row.token.id, row.agents) == (token.id, 1)
    assert row.conditions == (Condition.DRAINING, Condition.REVOKED)
    finisher = scene.authority.finisher
    scene.run(finisher.disconnect(LOCAL, joined.agent.id, AgentState.DISCONNECTED))
    scene.sweep()
    assert not admin.rows(condition=Condition.DRAINING)
    assert admin.ids(condition=Condition.REVOKED) == {token.id}


def test_a_page_takes_a_fixed_number_of_statements_however_long_it_is(
    scene: Scene, admin: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        scene.token()
    access, finder = admin.access(), scene.authority.finder
    asked: list[object] = []

    async def page(tx: Any, limit: int) -> int:
        connection, mine = type(tx.tokens._cx), asyncio.current_task()
        for name in ("one", "all"):
            real = getattr(connection, name)

            async def counted(self: object, statement: object, parameters: Any, real: Any = real) -> Any:
                if asyncio.current_task() is mine:  # others of the process read beside it
                    asked.append(statement)
                return await real(self, statement, parameters)

            monkeypatch.setattr(connection, name, counted)
        found = await finder.page_in(tx, access, Sought(limit=limit, kinds=SEARCHED))
        monkeypatch.undo()
        return len(found.rows)

    assert admin.read(lambda tx: page(tx, 2)) == 2
    assert len(asked) == 5
    assert admin.read(lambda tx: page(tx, 32)) == 32
    assert len(asked) == 10
