"""An organization with people in it: who calls, and what is made for them."""

from typing import Any

from rest_client import Rest
from support import World
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import UserId
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.store.base import Transaction


class Person(Rest):
    """Somebody with every scope, whose right alone decides."""

    def __init__(self, world: World, user: User, issued: Issued) -> None:
        super().__init__(world, issued.value)
        self.id = user.id
        self.email = user.email
        self.token = issued.token


class People:
    """The administrator and those who come."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.admin = Rest(world)
        self.cluster = f"clusters/{world.first.cluster.id}"

    def person(self, name: str, role: Role = Role.MEMBER) -> Person:
        """A new member with a token of every scope."""
        context, first = self.world.context, self.world.first
        now = context.clock.now()
        user = User(UserId(context.new_id()), f"{name}@example.com", name.title(), "", now)

        async def work(tx: Transaction) -> Issued:
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(first.organization.id, user.id, role, now))
            return await issue_api_token(
                context, tx, LOCAL, first.organization.id, user.id, name, ALL_SCOPES, 0
            )

        return Person(self.world, user, self.world.run(context.store.write(work)))

    def foreigner(self) -> UserId:
        """The administrator of another organization."""
        other = create_organization(self.world.context, LOCAL, "other", "Other", "o@example.com", "Olga")
        return self.world.run(other).admin.id

    def team(self, name: str, *members: Person, **fields: Any) -> dict[str, Any]:
        made = self.admin("POST", "teams", json={"name": name, **fields})
        assert made.status_code == 201, made.text
        team: dict[str, Any] = made.json()
        for person in members:
            self.join(team, person)
        return team

    def join(self, team: dict[str, Any], person: Person, role: str = "member") -> None:
        body = {"user_id": person.id, "role": role}
        added = self.admin("POST", f"teams/{team['id']}/members", json=body)
        assert added.status_code == 201, added.text

    def appoint(self, **whom: str) -> str:
        """Give the default cluster to a user or a team; the id of the giving."""
        made = self.admin("POST", f"{self.cluster}/maintainers", json=whom)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])
