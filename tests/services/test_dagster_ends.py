"""How Dagster+'s tokens end unasked: a leak that somebody found, a backup that was brought back."""

import pytest

from services.leak_scene import LeakScene
from services.scene import ADDRESS
from services.test_dagster_tokens import Dagster
from support import World
from watchword.crypto.values import mint_dagster
from watchword.domain.accounts import Member, Role
from watchword.domain.dagsterroles import DagsterRole
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Outcome
from watchword.domain.tokens import State
from watchword.services.access import enter_in_person
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued
from watchword.services.leaving import Holding, holding
from watchword.services.members import find_member, remove_member
from watchword.services.people import person_caller
from watchword.services.restoring import renew
from watchword.store.base import Transaction

KINDS = (Kind.DAGSTER_AGENT, Kind.DAGSTER_USER)


@pytest.fixture
def leaks(world: World) -> LeakScene:
    return LeakScene(world)


@pytest.fixture
def dagster(leaks: LeakScene) -> Dagster:
    return Dagster(leaks)


def made(dagster: Dagster, kind: Kind) -> Issued:
    return dagster.agent_token() if kind is Kind.DAGSTER_AGENT else dagster.user_token(dagster.admin)


@pytest.mark.parametrize("kind", KINDS)
def test_a_leaked_value_is_known_by_its_digest_and_people_are_told(
    leaks: LeakScene, dagster: Dagster, kind: Kind
) -> None:
    issued = made(dagster, kind)
    leaks.report(issued.value)
    assert leaks.the_leak(issued.token).kind is kind
    assert leaks.stored(issued.token).state is State.ACTIVE


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_revokes_or_holds_back_a_leaked_value(leaks: LeakScene, dagster: Dagster, kind: Kind) -> None:
    revoked, held = made(dagster, kind), made(dagster, kind)
    leaks.rules(**{f"{kind.value}__public": "revoke"})  # type: ignore[arg-type]
    leaks.report(revoked.value)
    assert leaks.reason(revoked.value.reveal(), KINDS) == "token_revoked"
    leaks.rules(**{f"{kind.value}__public": "quarantine"})  # type: ignore[arg-type]
    leaks.report(held.value)
    assert leaks.reason(held.value.reveal(), KINDS) == "token_quarantined"


def test_a_rule_rotates_a_leaked_agent_token_which_keeps_its_permissions(
    leaks: LeakScene, dagster: Dagster
) -> None:
    issued = dagster.agent_token()
    leaks.rules(dagster_agent__public="rotate:60")
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    assert leak.outcome is Outcome.ROTATING
    rotation = leaks.authority.attention.predecessors[issued.token.id]

    async def scopes() -> list[str]:
        found = await leaks.authority.context.store.read(
            lambda tx: tx.deployments.grants(issued.token.organization_id, rotation.successor_id)
        )
        return [grant.scope.value for grant in found]

    assert leaks.run(scopes()) == ["organization"]
    leaks.forward(61 * 60)
    leaks.sweep()
    assert leaks.reason(issued.value.reveal(), KINDS) == "token_superseded"


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_the_shape_that_was_never_issued_opens_no_case(
    leaks: LeakScene, dagster: Dagster, kind: Kind
) -> None:
    made(dagster, kind)
    before = leaks.everything()
    leaks.report(mint_dagster(kind, dagster.organization.slug))
    assert leaks.everything() == before


@pytest.mark.parametrize("kind", KINDS)
def test_after_an_old_backup_no_token_of_it_passes(leaks: LeakScene, dagster: Dagster, kind: Kind) -> None:
    issued = made(dagster, kind)
    assert leaks.reason(issued.value.reveal(), KINDS) == ""
    leaks.run(renew(leaks.authority))
    assert leaks.reason(issued.value.reveal(), KINDS) == "token_revoked"


def test_whoever_leaves_loses_tokens_and_roles_for_good(leaks: LeakScene, dagster: Dagster) -> None:
    vi = dagster.member("vi")
    issued = dagster.user_token(vi)
    dagster.role(vi, None, DagsterRole.EDITOR)

    async def leave(tx: Transaction) -> Holding:
        caller = person_caller(dagster.admin, ADDRESS, "tests")
        access = await enter_in_person(tx, dagster.admin, dagster.organization.slug, caller)
        member, _ = await find_member(tx, dagster.organization.id, vi.id)
        held = await holding(tx, leaks.authority.ledger, access, member)
        await remove_member(dagster.context, tx, LOCAL, member, dagster.admin.id)
        return held

    held = dagster.write(leave)
    assert (held.dagster_tokens, held.dagster_roles) == (1, 1)
    dagster.write(lambda tx: tx.accounts.add_member(Member(dagster.organization.id, vi.id, Role.MEMBER, 9)))
    assert leaks.reason(issued.value.reveal(), KINDS) == "token_revoked"
    assert dagster.write(lambda tx: tx.deployments.roles(dagster.organization.id, vi.id)) == []
