"""Dagster+'s tokens in what holds for every kind: rotation, search, hygiene, introspection, blast radius."""

import asyncio

import pytest

from services.rotation_scene import Rotations
from services.scene import ADDRESS, Scene
from services.test_dagster_tokens import Dagster
from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.deployments import GrantScope
from watchword.domain.events import Action
from watchword.domain.hygiene import Flag
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.rotations import Cause, RotationState
from watchword.domain.tokens import DAY_US
from watchword.services.access import Access, enter_in_person
from watchword.services.context import LOCAL
from watchword.services.following import Following
from watchword.services.hygiene import Finding, report
from watchword.services.people import person_caller
from watchword.services.tokensearch import Pasted, Sought, TokenPage
from watchword.store.base import Transaction

MINUTE = 60
KINDS = (Kind.DAGSTER_AGENT, Kind.DAGSTER_USER)


@pytest.fixture
def dagster(scene: Scene) -> Dagster:
    return Dagster(scene)


@pytest.fixture
def rotations(scene: Scene) -> Rotations:
    return Rotations(scene)


def polls(dagster: Dagster, value: Secret, address: str = ADDRESS) -> str:
    """One call with a value from an address; why it is refused."""
    return dagster.scene.reason_from(value.reveal(), address, KINDS)


def test_a_successor_has_its_own_value_of_the_same_shape_and_the_same_permissions(
    dagster: Dagster, rotations: Rotations
) -> None:
    issued = dagster.agent_token()
    staging = dagster.deployment("staging")
    dagster.ungrant(issued.token, GrantScope.ORGANIZATION)
    dagster.grant(issued.token, GrantScope.DEPLOYMENT, staging)
    started = rotations.start(issued.token)
    assert started.value.reveal().startswith(f"agent:{dagster.organization.slug}:")
    assert started.value != issued.value
    for value in (issued.value, started.value):
        guest = dagster.scene.run(dagster.scene.authority.dagster_door.enter(value.reveal(), LOCAL))
        assert {name for name in guest.place.deployments if guest.serves(name)} == {"staging"}


def test_what_a_token_may_serve_changes_for_both_values_of_its_rotation(
    dagster: Dagster, rotations: Rotations
) -> None:
    issued = dagster.agent_token()
    started = rotations.start(issued.token)
    dagster.ungrant(issued.token, GrantScope.ORGANIZATION)
    dagster.grant(started.successor, GrantScope.ALL_BRANCH_DEPLOYMENTS)

    async def scopes(tx: Transaction, token_id: TokenId) -> list[GrantScope]:
        found = await tx.deployments.grants(issued.token.organization_id, token_id)
        return [one.scope for one in found]

    for token in (issued.token, started.successor):
        assert dagster.write(lambda tx, one=token.id: scopes(tx, one)) == [  # type: ignore[misc]
            GrantScope.ALL_BRANCH_DEPLOYMENTS
        ]


def test_a_rotation_waits_for_whoever_used_the_old_value_within_ten_minutes(
    dagster: Dagster, rotations: Rotations
) -> None:
    issued = dagster.agent_token()
    for address in (ADDRESS, "192.0.2.2"):
        assert polls(dagster, issued.value, address) == ""
    started = rotations.start(issued.token)
    assert polls(dagster, started.value) == ""
    dagster.scene.forward(9 * MINUTE)
    polls(dagster, issued.value, "192.0.2.2")
    polls(dagster, started.value)
    dagster.scene.forward(2 * MINUTE)
    dagster.scene.sweep()
    standing = rotations.standing(issued.token)
    assert standing.rotation.state is RotationState.OPEN
    assert (standing.progress.moved, standing.progress.left) == (1, 1)
    assert [one.address for one in standing.callers] == ["192.0.2.2"]
    dagster.scene.run(
        dagster.scene.authority.flush()
    )  # what the database holds counts like what memory holds
    assert rotations.standing(issued.token).callers == standing.callers
    dagster.scene.forward(9 * MINUTE)
    dagster.scene.sweep()
    ended = rotations.find(issued.token)
    assert (ended.state, ended.cause) == (RotationState.COMMITTED, Cause.MOVED)
    assert polls(dagster, started.value) == ""
    assert polls(dagster, issued.value) != ""


def test_a_rotation_without_a_use_of_the_new_value_waits_for_the_deadline(
    dagster: Dagster, rotations: Rotations
) -> None:
    issued = dagster.agent_token()
    started = rotations.start(issued.token)
    dagster.scene.forward(DAY_US // 1_000_000)
    dagster.scene.sweep()
    assert rotations.find(issued.token).state is RotationState.OPEN
    dagster.scene.forward(7 * DAY_US // 1_000_000)
    dagster.scene.sweep()
    assert rotations.find(issued.token).cause is Cause.DEADLINE
    assert polls(dagster, started.value) == ""


def test_a_persons_token_moves_at_the_first_use_of_the_new_value(
    dagster: Dagster, rotations: Rotations
) -> None:
    issued = dagster.user_token(dagster.member("vi"))
    started = rotations.start(issued.token)
    assert started.value.reveal().startswith("user:")
    assert started.successor.user_id == issued.token.user_id
    assert polls(dagster, started.value) == ""
    assert rotations.find(issued.token).cause is Cause.FIRST_USE


async def access_of(dagster: Dagster, tx: Transaction, user: User) -> Access:
    return await enter_in_person(tx, user, dagster.organization.slug, person_caller(user, ADDRESS, "tests"))


def test_administrators_find_every_token_and_members_their_own_by_list_and_by_value(
    dagster: Dagster,
) -> None:
    agent, vi = dagster.agent_token(), dagster.member("vi")
    own, admins = dagster.user_token(vi), dagster.user_token(dagster.admin)
    finder = dagster.scene.authority.finder

    def page(user: User) -> TokenPage:
        async def work(tx: Transaction) -> TokenPage:
            access = await access_of(dagster, tx, user)
            return await finder.page_in(tx, access, Sought(kinds=KINDS))

        return dagster.write(work)

    def pasted(user: User, value: Secret) -> Pasted:
        async def work(tx: Transaction) -> Pasted:
            access = await access_of(dagster, tx, user)
            return await finder.pasted_in(tx, access, value)

        return dagster.write(work)

    seen = page(dagster.admin)
    assert [row.token.id for row in seen.rows] == [admins.token.id, own.token.id, agent.token.id]
    assert (seen.counts[Kind.DAGSTER_AGENT], seen.counts[Kind.DAGSTER_USER]) == (1, 2)
    assert [row.token.id for row in page(vi).rows] == [own.token.id]
    found = pasted(dagster.admin, agent.value).row
    assert found is not None
    assert found.token.id == agent.token.id
    unseen = pasted(vi, agent.value)
    assert unseen.row is None
    assert unseen.recognised is not None


def test_hygiene_names_what_is_unused_undescribed_or_nobodys_any_more(dagster: Dagster) -> None:
    silent = dagster.agent_token()
    vi = dagster.member("vi")
    left = dagster.user_token(vi)
    dagster.write(lambda tx: tx.tokens.edit(silent.token.organization_id, silent.token.id, "", ""))
    dagster.write(lambda tx: tx.members.remove(dagster.organization.id, vi.id))
    dagster.scene.forward(2 * DAY_US // 1_000_000)

    async def work(tx: Transaction) -> dict[str, Finding]:
        access = await access_of(dagster, tx, dagster.admin)
        found = await report(tx, dagster.scene.authority.ledger, access, dagster.context.clock.now())
        return {each.token.id: each for each in found.findings}

    found = dagster.write(work)
    assert found[silent.token.id].flags == (Flag.NEVER_USED, Flag.NO_DESCRIPTION)
    assert found[left.token.id].flags == (Flag.NEVER_USED, Flag.OWNER_LEFT)
    assert found[left.token.id].owner == vi


def test_a_token_speaks_for_its_organization_and_a_persons_only_while_they_are_a_member(
    dagster: Dagster,
) -> None:
    agent, vi = dagster.agent_token(), dagster.member("vi")
    own = dagster.user_token(vi)
    reach, verifier = dagster.scene.authority.reach, dagster.scene.authority.verifier

    def reached(value: Secret) -> list[str]:
        presented = dagster.scene.run(verifier.verify(value.reveal(), KINDS, address=ADDRESS))
        return list(dagster.scene.run(reach.of(presented)))

    assert reached(agent.value) == [dagster.organization.id]
    assert reached(own.value) == [dagster.organization.id]

    async def remove(tx: Transaction) -> None:
        await tx.members.remove(dagster.organization.id, vi.id)
        subject = ("member", vi.id)
        await dagster.context.record(tx, LOCAL, Action.MEMBER_REMOVED, dagster.organization.id, subject, {})

    dagster.write(remove)
    assert reached(own.value) == []


def test_a_revocations_blast_radius_names_the_callers_of_the_last_day(dagster: Dagster) -> None:
    issued = dagster.agent_token()
    for address in (ADDRESS, "192.0.2.2", ADDRESS):
        polls(dagster, issued.value, address)
    radius = dagster.write(lambda tx: dagster.scene.authority.blast.radius_in(tx, issued.token))
    assert {one.address: one.count for one in radius.callers} == {ADDRESS: 2, "192.0.2.2": 1}


def test_pages_hear_of_agents_which_memory_alone_knows(dagster: Dagster) -> None:
    async def hear() -> frozenset[str]:
        looked, state = asyncio.Event(), ["quiet"]

        def pulse(_organization: OrganizationId) -> str:
            looked.set()
            return state[0]

        following = Following(dagster.context, {"dagster_agent": pulse}, pause=0.01)
        position = await dagster.context.store.read(lambda tx: tx.trail.last(dagster.organization.id))
        changes = following.changes(dagster.organization.id, position)
        heard = asyncio.ensure_future(anext(changes))
        await looked.wait()
        state[0] = "running"
        try:
            kinds = (await heard)[1]
            while not kinds:  # nothing happened for a while
                kinds = (await anext(changes))[1]
            return kinds
        finally:
            following.stop()
            await changes.aclose()  # type: ignore[attr-defined] # it is a generator

    assert dagster.scene.run(hear()) == {"dagster_agent"}
