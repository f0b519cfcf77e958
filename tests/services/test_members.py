"""Members under a race, the banner, and what a removal never does: widen what somebody may do."""

import asyncio
import random

import pytest

from services.scene import Scene
from watchword.domain.accounts import Cluster, Member, Role, User
from watchword.domain.errors import Conflict, Invalid, NotFound, WatchwordError
from watchword.domain.events import Action
from watchword.domain.ids import MaintainerId, UserId
from watchword.domain.operations import OPERATIONS
from watchword.domain.policy import Standing, allows
from watchword.domain.teams import Maintainer, Team, TeamRole
from watchword.services.access import standing_of
from watchword.services.accounts import add_cluster
from watchword.services.banners import banner_of, delete_banner, set_banner
from watchword.services.context import LOCAL
from watchword.services.members import change_member, remove_member
from watchword.services.teammembers import enrol, remove_team_member
from watchword.services.teams import TeamRequest, create_team, delete_team
from watchword.store.base import EVERYTHING, Transaction


def person(scene: Scene, name: str, role: Role = Role.MEMBER) -> Member:
    context = scene.authority.context
    user = User(UserId(context.new_id()), f"{name}@example.com", name, "", context.clock.now())
    member = Member(scene.organization_id, user.id, role, user.created_at)

    async def work(tx: Transaction) -> Member:
        await tx.accounts.add_user(user)
        await tx.accounts.add_member(member)
        return member

    return scene.run(context.store.write(work))


@pytest.mark.parametrize("removing", [False, True])
def test_administrators_who_unmake_each_other_at_once_leave_one(scene: Scene, removing: bool) -> None:  # noqa: FBT001
    context = scene.authority.context
    founder = scene.run(
        context.store.read(lambda tx: tx.accounts.member(scene.organization_id, scene.first.admin.id))
    )
    assert founder is not None
    admins = [founder, *(person(scene, f"admin-{number}", Role.ADMIN) for number in range(7))]

    async def unmake(member: Member, by: Member) -> str:
        async def work(tx: Transaction) -> None:
            if removing:
                await remove_member(context, tx, LOCAL, member, by.user_id)
            else:
                await change_member(context, tx, LOCAL, member, by.user_id, role=Role.MEMBER)

        try:
            await context.store.write(work)
        except Conflict as error:
            return error.code
        return ""

    async def all_at_once() -> list[str]:
        pairs = zip(admins, [*admins[1:], admins[0]], strict=True)
        return list(await asyncio.gather(*(unmake(member, by) for member, by in pairs)))

    assert sorted(scene.run(all_at_once())) == [*[""] * 7, "last_administrator"]

    async def roles(tx: Transaction) -> list[Role]:
        found = [await tx.accounts.member(scene.organization_id, one.user_id) for one in admins]
        return [member.role for member in found if member is not None]

    assert scene.run(context.store.read(roles)).count(Role.ADMIN) == 1


def test_a_banner_is_set_changed_and_deleted_once(scene: Scene) -> None:
    context, organization, admin = scene.authority.context, scene.organization_id, scene.first.admin.id
    write = context.store.write
    with pytest.raises(NotFound, match="does not have an active banner"):
        scene.run(write(lambda tx: delete_banner(context, tx, LOCAL, organization)))
    for wrong in ("", "  ", "x" * 1025):
        with pytest.raises(Invalid):
            scene.run(write(lambda tx, text=wrong: set_banner(context, tx, LOCAL, organization, text, admin)))  # type: ignore[misc]
    first = scene.run(write(lambda tx: set_banner(context, tx, LOCAL, organization, " Hello ", admin)))
    second = scene.run(write(lambda tx: set_banner(context, tx, LOCAL, organization, "Bye", None)))
    assert (first.message, second.message, second.id) == ("Hello", "Bye", first.id)
    assert scene.run(context.store.read(lambda tx: banner_of(tx, organization))) == second
    gone = scene.run(write(lambda tx: delete_banner(context, tx, LOCAL, organization)))
    assert gone.id == first.id
    with pytest.raises(NotFound, match="does not have an active banner"):
        scene.run(write(lambda tx: delete_banner(context, tx, LOCAL, organization)))
    for action in (Action.BANNER_CREATED, Action.BANNER_UPDATED, Action.BANNER_DELETED):
        assert len(scene.events(action)) == 1


# -- what a removal never does -------------------------------------------------------------------


class Town:
    """People, teams and clusters with random bonds between them."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene, self.random = scene, random.Random(seed)
        self.context = scene.authority.context
        roles = [Role.ADMIN, Role.MEMBER, Role.MEMBER, Role.MEMBER]
        self.people = [person(scene, f"p{seed}-{at}", role) for at, role in enumerate(roles)]
        self.clusters: list[Cluster] = [self._cluster(f"c{seed}-{at}") for at in range(3)]
        self.teams: list[Team] = [self._team(f"t{seed}-{at}") for at in range(3)]
        self.scene.run(self.context.store.write(self._bind))

    def _cluster(self, name: str) -> Cluster:
        write = self.context.store.write
        organization_id = self.scene.organization_id
        return self.scene.run(write(lambda tx: add_cluster(self.context, tx, LOCAL, organization_id, name)))

    def _team(self, name: str) -> Team:
        asked, organization_id = TeamRequest(name), self.scene.organization_id
        write = self.context.store.write
        return self.scene.run(
            write(lambda tx: create_team(self.context, tx, LOCAL, organization_id, asked, None))
        )

    async def _bind(self, tx: Transaction) -> None:
        chance = self.random.random
        for team in self.teams:
            for member in self.people:
                if chance() < 0.5:
                    role = self.random.choice(list(TeamRole))
                    await enrol(self.context, tx, LOCAL, team, member, role, None)
        for cluster in self.clusters:
            for member in self.people:
                if chance() < 0.3:
                    await self._give(tx, cluster, member.user_id, None)
            for team in self.teams:
                if chance() < 0.4:
                    await self._give(tx, cluster, None, team)

    async def _give(self, tx: Transaction, cluster: Cluster, user: UserId | None, team: Team | None) -> None:
        given = Maintainer(
            organization_id=cluster.organization_id,
            id=MaintainerId(self.context.new_id()),
            cluster_id=cluster.id,
            user_id=user,
            team_id=team.id if team is not None else None,
            created_at=0,
            created_by=None,
        )
        await tx.teams.add_maintainer(given)

    def rights(self) -> set[tuple[str, str, str]]:
        """Who may do what, with which cluster or team."""
        return self.scene.run(self.context.store.read(self._rights))

    async def _rights(self, tx: Transaction) -> set[tuple[str, str, str]]:
        found: set[tuple[str, str, str]] = set()
        for person in self.people:
            member = await tx.accounts.member(person.organization_id, person.user_id)
            if member is not None:
                standing = await standing_of(tx, member)
                found |= {(person.user_id, *what) for what in self._allowed(standing)}
        return found

    def _allowed(self, standing: Standing) -> set[tuple[str, str]]:
        rights = {operation.right for operation in OPERATIONS.values()}
        own: set[tuple[str, str]] = set()
        for right in rights:
            own |= {(right, one.id) for one in self.clusters if allows(standing, right, cluster=one.id)}
            own |= {(right, one.id) for one in self.teams if allows(standing, right, team=one.id)}
        return own

    async def take(self, tx: Transaction) -> None:
        """Take one bond away, whichever."""
        what = self.random.choice(["member", "demote", "place", "place", "maintainer", "team"])
        member, team = self.random.choice(self.people), self.random.choice(self.teams)
        if what == "member":
            await remove_member(self.context, tx, LOCAL, member, None)
        elif what == "demote":
            await change_member(self.context, tx, LOCAL, member, None, role=Role.MEMBER)
        elif what == "place":
            for place in (await tx.teams.places(member.organization_id, member.user_id))[:1]:
                await remove_team_member(self.context, tx, LOCAL, place)
        elif what == "maintainer":
            rows = await tx.teams.appointments(member.organization_id, None, EVERYTHING)
            if rows:
                await tx.teams.remove_maintainer(member.organization_id, rows[0].maintainer.id)
        else:
            await delete_team(self.context, tx, LOCAL, team)


def test_what_people_may_do_never_grows_by_taking_something_away(scene: Scene) -> None:
    taken = 0
    for seed in range(4):
        town = Town(scene, seed)
        before = town.rights()
        assert before
        for _ in range(25):
            try:
                scene.run(town.context.store.write(town.take))
            except WatchwordError:
                continue  # gone already, or the last administrator
            after = town.rights()
            assert after <= before
            taken += len(after) < len(before)
            before = after
    assert taken > 10
