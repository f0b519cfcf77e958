"""Dagster+ on the core of all tokens: agent tokens with permissions, people's tokens, deployments, roles."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from services.scene import ADDRESS, Scene
from watchword.domain.accounts import Member, Role, User
from watchword.domain.dagsterroles import ASKS, Act, DagsterRole
from watchword.domain.deployments import Deployment, GrantScope
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from watchword.domain.events import SYSTEM, Action
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.services import dagstertokens, deployments
from watchword.services.context import LOCAL, Caller
from watchword.services.dagsterdoor import Guest
from watchword.services.issuing import Issued
from watchword.services.revoking import revoke
from watchword.store.base import EVERYTHING, Transaction

T = TypeVar("T")
CALLER = Caller(SYSTEM, ADDRESS)


class Dagster:
    """Short words for what these tests do again and again."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.context = scene.authority.context
        self.organization = scene.first.organization
        self.admin = scene.first.admin

    def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return self.scene.run(self.context.store.write(work))

    def agent_token(self) -> Issued:
        return self.write(
            lambda tx: dagstertokens.create_agent_token_in(
                self.context, tx, LOCAL, self.organization, "ci", self.admin.id
            )
        )

    def user_token(self, owner: User) -> Issued:
        return self.write(
            lambda tx: dagstertokens.create_user_token_in(
                self.context, tx, LOCAL, self.organization, owner, "mine"
            )
        )

    def deployment(self, name: str, base: Deployment | None = None) -> Deployment:
        return self.write(
            lambda tx: deployments.create_in(
                self.context, tx, LOCAL, self.organization, name, None, base=base
            )
        )

    def grant(self, token: Token, scope: GrantScope, deployment: Deployment | None = None) -> bool:
        return self.write(
            lambda tx: deployments.grant_in(self.context, tx, LOCAL, token, scope, deployment, None)
        )

    def ungrant(self, token: Token, scope: GrantScope, deployment: Deployment | None = None) -> bool:
        return self.write(
            lambda tx: deployments.ungrant_in(self.context, tx, LOCAL, token, scope, deployment)
        )

    def enter(self, issued: Issued) -> Guest:
        return self.scene.run(self.scene.authority.dagster_door.enter(issued.value.reveal(), CALLER))

    def reason(self, issued: Issued) -> str:
        try:
            self.enter(issued)
        except (Refused, Forbidden) as error:
            return error.code
        return ""

    def served(self, issued: Issued) -> set[str]:
        guest = self.enter(issued)
        return {name for name in guest.place.deployments if guest.serves(name) is not None}

    def member(self, name: str, role: Role = Role.MEMBER) -> User:
        user = User(UserId(self.context.new_id()), f"{name}@example.com", name.title(), "", 7)

        async def work(tx: Transaction) -> None:
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(self.organization.id, user.id, role, 7))

        self.write(work)
        return user

    def role(self, user: User, deployment: Deployment | None, role: DagsterRole) -> None:
        self.write(
            lambda tx: deployments.set_role_in(
                self.context, tx, LOCAL, self.organization.id, user.id, deployment, role, None
            )
        )


@pytest.fixture
def dagster(scene: Scene) -> Dagster:
    return Dagster(scene)


def test_a_new_agent_token_serves_every_deployment_branches_included(dagster: Dagster) -> None:
    issued = dagster.agent_token()
    assert issued.value.reveal().startswith(f"agent:{dagster.organization.slug}:")
    staging = dagster.deployment("staging")
    dagster.deployment("f00d", base=staging)
    assert dagster.served(issued) == {"prod", "staging", "f00d"}


def test_without_the_organization_grant_a_token_serves_what_is_named_from_the_next_call_on(
    dagster: Dagster,
) -> None:
    issued = dagster.agent_token()
    staging = dagster.deployment("staging")
    dagster.deployment("f00d", base=staging)
    assert dagster.ungrant(issued.token, GrantScope.ORGANIZATION)
    assert dagster.served(issued) == set()
    assert dagster.grant(issued.token, GrantScope.DEPLOYMENT, staging)
    assert dagster.served(issued) == {"staging"}
    assert dagster.grant(issued.token, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    assert dagster.served(issued) == {"staging", "f00d"}
    assert not dagster.grant(issued.token, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    dagster.ungrant(issued.token, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    dagster.grant(issued.token, GrantScope.ORGANIZATION)
    assert dagster.served(issued) == {"prod", "staging", "f00d"}
    changes = dagster.scene.events(Action.DEPLOYMENT_GRANT_ADDED)
    assert len(changes) == 3


@pytest.mark.parametrize("scope", [GrantScope.ORGANIZATION, GrantScope.ALL_BRANCH_DEPLOYMENTS])
def test_a_permission_names_a_full_deployment_exactly_where_it_is_about_one(
    dagster: Dagster, scope: GrantScope
) -> None:
    issued = dagster.agent_token()
    staging = dagster.deployment("staging")
    branch = dagster.deployment("f00d", base=staging)
    for wrong in ((scope, staging), (GrantScope.DEPLOYMENT, None), (GrantScope.DEPLOYMENT, branch)):
        with pytest.raises(Invalid):
            dagster.grant(issued.token, *wrong)


def test_a_deleted_deployment_takes_its_permissions_and_branches_along(dagster: Dagster) -> None:
    issued = dagster.agent_token()
    staging = dagster.deployment("staging")
    dagster.deployment("f00d", base=staging)
    dagster.ungrant(issued.token, GrantScope.ORGANIZATION)
    dagster.grant(issued.token, GrantScope.DEPLOYMENT, staging)
    dagster.grant(issued.token, GrantScope.ALL_BRANCH_DEPLOYMENTS)
    dagster.write(lambda tx: deployments.delete_in(dagster.context, tx, LOCAL, staging))
    assert dagster.served(issued) == set()
    assert dagster.deployment("staging").number > staging.number
    assert dagster.served(issued) == set()


def test_names_of_deployments_fit_into_addresses_and_are_unique(dagster: Dagster) -> None:
    dagster.agent_token()
    for name in ("graphql", dagster.organization.slug, "Prod", "a/b", "", "-a", "a" * 101):
        with pytest.raises(Invalid):
            dagster.deployment(name)
    with pytest.raises(Conflict):
        dagster.deployment("prod")


def test_a_revoked_token_is_refused_at_the_next_call_whatever_memory_knew(dagster: Dagster) -> None:
    issued = dagster.agent_token()
    assert dagster.reason(issued) == ""
    dagster.write(lambda tx: revoke(dagster.context, tx, LOCAL, issued.token, None))
    assert dagster.reason(issued) == "token_revoked"
    ended = dagster.write(lambda tx: tx.tokens.find(issued.token.organization_id, issued.token.id))
    assert ended is not None
    with pytest.raises(Conflict):
        dagster.grant(ended, GrantScope.ALL_BRANCH_DEPLOYMENTS)


def test_the_right_digits_with_another_organizations_name_are_nothing(dagster: Dagster) -> None:
    issued = dagster.agent_token()
    other = issued.value.reveal().replace(f":{dagster.organization.slug}:", ":other:")
    with pytest.raises(Refused) as refused:
        dagster.scene.run(dagster.scene.authority.dagster_door.enter(other, CALLER))
    assert refused.value.code == "token_unknown"


def test_a_persons_token_acts_with_the_persons_roles_as_they_are(dagster: Dagster) -> None:
    dagster.agent_token()
    staging = dagster.deployment("staging")
    branch = dagster.deployment("f00d", base=staging)
    user = dagster.member("vi")
    issued = dagster.user_token(user)
    assert dagster.enter(issued).may(Act.VIEW, staging)
    assert not dagster.enter(issued).may(Act.EDIT_LOCATIONS, staging)
    dagster.role(user, staging, DagsterRole.EDITOR)
    dagster.role(user, None, DagsterRole.LAUNCHER)
    guest = dagster.enter(issued)
    prod = guest.place.deployments["prod"]
    assert [guest.may(Act.EDIT_LOCATIONS, each) for each in (staging, prod, branch)] == [True, False, False]
    assert [guest.may(Act.LAUNCH, each) for each in (staging, prod, branch)] == [True, False, True]
    dagster.role(user, staging, DagsterRole.VIEWER)
    assert not dagster.enter(issued).may(Act.EDIT_LOCATIONS, staging)


def test_administrators_of_the_organization_may_everything_and_agent_tokens_nothing_of_it(
    dagster: Dagster,
) -> None:
    agent, admin = dagster.enter(dagster.agent_token()), dagster.enter(dagster.user_token(dagster.admin))
    assert all(admin.may(act) for act in ASKS)
    assert not any(agent.may(act) for act in ASKS)
    with pytest.raises(Forbidden):
        agent.require(Act.VIEW)
    assert admin.require(Act.AGENT_TOKENS) == dagster.admin
    with pytest.raises(Conflict):
        dagster.role(dagster.admin, None, DagsterRole.EDITOR)


def test_a_person_who_left_has_no_token_any_more(dagster: Dagster) -> None:
    user = dagster.member("vi")
    issued = dagster.user_token(user)
    assert dagster.reason(issued) == ""
    dagster.write(lambda tx: tx.members.remove(dagster.organization.id, user.id))
    assert dagster.reason(issued) == "token_revoked"


def test_clients_know_tokens_by_numbers_that_stay(dagster: Dagster) -> None:
    first, second = dagster.agent_token(), dagster.agent_token()
    owner = dagster.organization.id

    async def listed(tx: Transaction) -> list[Any]:
        return [
            (each.number, each.token.id)
            for each in await dagstertokens.list_in(tx, owner, Kind.DAGSTER_AGENT, None, EVERYTHING)
        ]

    found = dagster.write(listed)
    assert [token_id for _, token_id in found] == [second.token.id, first.token.id]
    assert dagster.write(listed) == found
    number = found[0][0]
    token = dagster.write(lambda tx: dagstertokens.find_in(tx, owner, Kind.DAGSTER_AGENT, number))
    assert token.id == second.token.id
    with pytest.raises(NotFound):
        dagster.write(lambda tx: dagstertokens.find_in(tx, owner, Kind.DAGSTER_USER, number))


def test_values_can_be_shown_again_from_the_beginning(dagster: Dagster) -> None:
    issued = dagster.agent_token()
    copy = dagster.write(lambda tx: tx.sealed.find(issued.token.organization_id, issued.token.id))
    assert copy is not None
