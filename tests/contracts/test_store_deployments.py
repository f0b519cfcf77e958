"""The store's contract: deployments, what agent tokens and people may do in them, numbers of clients."""

from dataclasses import replace

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TEXT, TOKEN, USER
from watchword.domain.dagsterroles import DagsterRole, RoleGrant
from watchword.domain.deployments import (
    DagsterOrganization,
    Deployment,
    DeploymentGrant,
    DeploymentKind,
    GrantScope,
)
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

PROD, STAGING = DeploymentId("deployment-1"), DeploymentId("deployment-2")


def deployment(
    name: str = "prod", id_: DeploymentId = PROD, number: int = 1, **changes: object
) -> Deployment:
    made = Deployment(
        ORGANIZATION, id_, number, name, DeploymentKind.FULL, None, '{"a":1}', TEXT, 7, USER, 2**60
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def grant(scope: GrantScope = GrantScope.DEPLOYMENT, place: str = PROD, **changes: object) -> DeploymentGrant:
    made = DeploymentGrant(ORGANIZATION, TOKEN, scope, place, 2**60, USER)
    return replace(made, **changes)  # type: ignore[arg-type]


def grants(shelf: Shelf, organization: OrganizationId = ORGANIZATION) -> list[DeploymentGrant]:
    return list(shelf.read(lambda tx: tx.deployments.grants(organization, TOKEN)))


def add(shelf: Shelf, *made: Deployment) -> None:
    async def work(tx: Transaction) -> None:
        for one in made:
            await tx.deployments.add(one)

    shelf.write(work)


def listed(shelf: Shelf, kind: DeploymentKind = DeploymentKind.FULL) -> list[str]:
    found = shelf.read(lambda tx: tx.deployments.list(ORGANIZATION, kind, EVERYTHING))
    return [one.name for one in found]


def test_an_organization_begins_once_and_keeps_its_settings(shelf: Shelf) -> None:
    made = DagsterOrganization(ORGANIZATION, '{"a":1}', 7, 8)
    assert shelf.read(lambda tx: tx.deployments.organization(ORGANIZATION)) is None
    assert shelf.write(lambda tx: tx.deployments.begin(made))
    assert not shelf.write(lambda tx: tx.deployments.begin(replace(made, settings="{}")))
    changed = replace(made, settings=TEXT, updated_at=2**60)
    shelf.write(lambda tx: tx.deployments.save_organization(replace(changed, began_at=99)))
    shelf.restart()
    assert shelf.read(lambda tx: tx.deployments.organization(ORGANIZATION)) == changed
    assert shelf.read(lambda tx: tx.deployments.organization(OTHER)) is None


def test_a_deployment_is_kept_whole_and_found_by_id_name_and_number(shelf: Shelf) -> None:
    kept = deployment()
    add(shelf, kept, replace(kept, organization_id=OTHER, name="other", number=9))
    shelf.restart()
    assert shelf.read(lambda tx: tx.deployments.find(ORGANIZATION, PROD)) == kept
    assert shelf.read(lambda tx: tx.deployments.by_name(ORGANIZATION, "prod")) == kept
    assert shelf.read(lambda tx: tx.deployments.by_number(ORGANIZATION, 1)) == kept
    assert shelf.read(lambda tx: tx.deployments.by_name(OTHER, "prod")) is None
    assert shelf.read(lambda tx: tx.deployments.by_number(OTHER, 1)) is None


def test_a_name_is_taken_while_its_deployment_lives(shelf: Shelf) -> None:
    add(shelf, deployment())
    again = deployment(id_=STAGING, number=2)
    with pytest.raises(Duplicate):
        add(shelf, again)
    assert shelf.write(lambda tx: tx.deployments.delete(ORGANIZATION, PROD, 9))
    add(shelf, again)
    assert shelf.read(lambda tx: tx.deployments.by_name(ORGANIZATION, "prod")) == again


def test_deleting_one_takes_its_permissions_and_roles_along_and_happens_once(shelf: Shelf) -> None:
    role = RoleGrant(ORGANIZATION, USER, PROD, DagsterRole.EDITOR, 7, None)

    async def begin(tx: Transaction) -> None:
        await tx.deployments.add(deployment())
        await tx.deployments.grant(grant())
        await tx.deployments.grant(grant(GrantScope.ALL_BRANCH_DEPLOYMENTS, ""))
        await tx.deployments.set_role(role)
        await tx.deployments.set_role(replace(role, deployment_id=""))

    shelf.write(begin)
    assert not shelf.write(lambda tx: tx.deployments.delete(OTHER, PROD, 9))
    assert shelf.write(lambda tx: tx.deployments.delete(ORGANIZATION, PROD, 9))
    assert not shelf.write(lambda tx: tx.deployments.delete(ORGANIZATION, PROD, 10))
    assert not shelf.write(lambda tx: tx.deployments.save(deployment()))
    assert listed(shelf) == []
    found = shelf.read(lambda tx: tx.deployments.find(ORGANIZATION, PROD))
    assert found is not None
    assert found.deleted_at == 9
    assert [one.scope for one in grants(shelf)] == [GrantScope.ALL_BRANCH_DEPLOYMENTS]
    left = shelf.read(lambda tx: tx.deployments.roles(ORGANIZATION, USER))
    assert [one.deployment_id for one in left] == [""]


def test_deployments_are_listed_by_kind_oldest_first_page_by_page(shelf: Shelf) -> None:
    branch = deployment("f00d", DeploymentId("deployment-3"), 3, kind=DeploymentKind.BRANCH, base_id=PROD)
    add(shelf, deployment("staging", STAGING, 2), deployment(), branch)
    assert listed(shelf) == ["prod", "staging"]
    assert listed(shelf, DeploymentKind.BRANCH) == ["f00d"]
    second = shelf.read(lambda tx: tx.deployments.list(ORGANIZATION, DeploymentKind.FULL, Page(1, 1)))
    assert [one.name for one in second] == ["staging"]
    changed = deployment(settings="{}", branch="{}", updated_at=9)
    assert shelf.write(lambda tx: tx.deployments.save(changed))
    assert shelf.read(lambda tx: tx.deployments.find(ORGANIZATION, PROD)) == changed


def test_a_permission_is_given_once_and_taken_once(shelf: Shelf) -> None:
    for given in (grant(), grant(GrantScope.ORGANIZATION, "")):
        assert shelf.write(lambda tx, one=given: tx.deployments.grant(one))  # type: ignore[misc]
        assert not shelf.write(lambda tx, one=given: tx.deployments.grant(one))  # type: ignore[misc]
    shelf.restart()
    assert grants(shelf) == [grant(), grant(GrantScope.ORGANIZATION, "")]
    assert grants(shelf, OTHER) == []
    for scope, place, known in ((GrantScope.DEPLOYMENT, STAGING, False), (GrantScope.DEPLOYMENT, PROD, True)):
        assert (
            shelf.write(
                lambda tx, s=scope, p=place: tx.deployments.ungrant(ORGANIZATION, TOKEN, s, p)  # type: ignore[misc]
            )
            is known
        )
    assert [one.scope for one in grants(shelf)] == [GrantScope.ORGANIZATION]


def test_a_person_has_one_role_on_a_deployment_which_can_be_dropped(shelf: Shelf) -> None:
    first = RoleGrant(ORGANIZATION, USER, PROD, DagsterRole.LAUNCHER, 7, None)
    second = replace(first, role=DagsterRole.ADMIN, granted_at=2**60, granted_by=USER)
    for one in (first, second, replace(first, user_id=UserId("user-2"))):
        shelf.write(lambda tx, given=one: tx.deployments.set_role(given))  # type: ignore[misc]
    shelf.restart()
    assert list(shelf.read(lambda tx: tx.deployments.roles(ORGANIZATION, USER))) == [second]
    found = shelf.read(lambda tx: tx.deployments.roles_on(ORGANIZATION, PROD))
    assert [one.user_id for one in found] == [USER, "user-2"]
    assert list(shelf.read(lambda tx: tx.deployments.roles_on(OTHER, PROD))) == []
    assert shelf.write(lambda tx: tx.deployments.drop_role(ORGANIZATION, USER, PROD))
    assert not shelf.write(lambda tx: tx.deployments.drop_role(ORGANIZATION, USER, PROD))


def test_numbers_are_given_in_order_stay_and_lead_back(shelf: Shelf) -> None:
    async def numbers(tx: Transaction) -> list[int]:
        asked = [("token", "a"), ("token", "b"), ("user", "a"), ("token", "a")]
        return [await tx.deployments.number_of(ORGANIZATION, noun, id_) for noun, id_ in asked]

    first, second, user, again = shelf.write(numbers)
    assert first == again
    assert first < second
    shelf.restart()
    assert shelf.read(lambda tx: tx.deployments.id_of(ORGANIZATION, "token", second)) == "b"
    assert shelf.read(lambda tx: tx.deployments.id_of(ORGANIZATION, "user", user)) == "a"
    assert shelf.read(lambda tx: tx.deployments.id_of(OTHER, "token", first)) is None
    assert shelf.read(lambda tx: tx.deployments.id_of(ORGANIZATION, "token", 10**9)) is None
    counted = [shelf.write(lambda tx: tx.deployments.next_number(ORGANIZATION)) for _ in range(2)]
    assert counted[1] == counted[0] + 1


def test_tokens_of_a_kind_are_listed_newest_first_whatever_their_state_of_one_person_alone(
    shelf: Shelf,
) -> None:
    async def begin(tx: Transaction) -> None:
        for number, owner in enumerate((USER, UserId("user-2"), USER)):
            made = make.token(
                id=TokenId(f"token-{number}"), kind=Kind.DAGSTER_USER, user_id=owner, cluster_id=None
            )
            await tx.tokens.add(made)
        await tx.tokens.add(make.token(id=TokenId("token-9"), kind=Kind.DAGSTER_AGENT, cluster_id=None))

    shelf.write(begin)

    def found(owner: UserId | None, page: Page = EVERYTHING) -> list[str]:
        rows = shelf.read(lambda tx: tx.deployments.tokens(ORGANIZATION, Kind.DAGSTER_USER, owner, page))
        return [one.id for one in rows]

    assert found(None) == ["token-2", "token-1", "token-0"]
    assert found(USER) == ["token-2", "token-0"]
    assert found(None, Page(1, 1)) == ["token-1"]
