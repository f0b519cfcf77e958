"""The store's contract: teams, who is in them, and who maintains which cluster."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import CLUSTER, ORGANIZATION, OTHER, TEXT, USER
from watchword.domain.ids import ClusterId, MaintainerId, TeamId, TeamMemberId, UserId
from watchword.domain.teams import Maintainer, Privacy, Team, TeamMember, TeamRole
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

TEAM, SECOND = TeamId("team-1"), TeamId("team-2")
ADA, BEN = USER, UserId("user-2")


def team(**changes: Any) -> Team:
    whole = Team(
        organization_id=ORGANIZATION,
        id=TEAM,
        name=TEXT,
        slug="team-1",
        description=TEXT,
        privacy=Privacy.SECRET,
        is_default_team=True,
        default_member_role=TeamRole.MAINTAINER,
        created_at=7,
        created_by=ADA,
        members_can_create_pipelines=True,
        members_can_create_suites=True,
        members_can_destroy_packages=True,
    )
    return replace(whole, **changes)


def place(user_id: UserId = ADA, **changes: Any) -> TeamMember:
    whole = TeamMember(
        ORGANIZATION, TEAM, user_id, TeamMemberId(f"place-{make.number():03}"), TeamRole.MEMBER, 7, None
    )
    return replace(whole, **changes)


def maintainer(**changes: Any) -> Maintainer:
    whole = Maintainer(
        ORGANIZATION, MaintainerId(f"maintainer-{make.number():03}"), CLUSTER, None, None, 7, ADA
    )
    return replace(whole, **changes)


def put(shelf: Shelf, *records: Team | TeamMember | Maintainer) -> None:
    async def work(tx: Transaction) -> None:
        for record in records:
            if isinstance(record, Team):
                await tx.teams.add(record)
            elif isinstance(record, TeamMember):
                await tx.teams.add_member(record)
            else:
                await tx.teams.add_maintainer(record)

    shelf.write(work)


def people(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        await tx.accounts.add_user(make.user(id=ADA, name="Ada"))
        await tx.accounts.add_user(make.user(id=BEN, name="Ben", email="ben@example.com"))

    shelf.write(work)


def test_a_team_is_kept_whole_and_saved_whole(shelf: Shelf) -> None:
    put(shelf, team(), team(organization_id=OTHER, name="theirs"))
    assert shelf.read(lambda tx: tx.teams.find(ORGANIZATION, TEAM)) == team()
    assert shelf.read(lambda tx: tx.teams.by_slug(ORGANIZATION, "team-1")) == team()
    assert shelf.read(lambda tx: tx.teams.by_slug(ORGANIZATION, "Team-1")) is None
    changed = team(
        name="new",
        slug="new",
        description="",
        privacy=Privacy.VISIBLE,
        is_default_team=False,
        default_member_role=TeamRole.MEMBER,
        members_can_create_pipelines=False,
        members_can_delete_pipelines=True,
        members_can_create_suites=False,
        members_can_create_registries=True,
        members_can_destroy_registries=True,
        members_can_destroy_packages=False,
    )
    shelf.write(lambda tx: tx.teams.save(changed))
    assert shelf.read(lambda tx: tx.teams.find(ORGANIZATION, TEAM)) == changed
    theirs = shelf.read(lambda tx: tx.teams.find(OTHER, TEAM))
    assert theirs == team(organization_id=OTHER, name="theirs")


def test_a_slug_is_taken_once_in_an_organization(shelf: Shelf) -> None:
    put(shelf, team(), team(id=SECOND, slug="team-2"), team(organization_id=OTHER, id=SECOND))
    with pytest.raises(Duplicate):
        put(shelf, team(id=TeamId("team-3")))
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.teams.save(team(id=SECOND)))
    assert shelf.read(lambda tx: tx.teams.count(ORGANIZATION)) == 2


def test_teams_are_listed_by_who_sees_them_and_who_is_in_them(shelf: Shelf) -> None:
    put(
        shelf,
        team(id=TeamId("t3"), slug="c", is_default_team=False),
        team(id=TeamId("t1"), slug="a", privacy=Privacy.VISIBLE),
        team(id=TeamId("t2"), slug="b"),
        team(organization_id=OTHER, id=TeamId("t0"), slug="z"),
        place(ADA, team_id=TeamId("t2")),
        place(BEN, team_id=TeamId("t2")),
        place(BEN, team_id=TeamId("t3")),
        place(ADA, team_id=TeamId("t3"), organization_id=OTHER),
    )

    def listed(seen_by: UserId | None, of: UserId | None, page: Page = EVERYTHING) -> list[str]:
        return [row.id for row in shelf.read(lambda tx: tx.teams.list(ORGANIZATION, seen_by, of, page))]

    assert listed(None, None) == ["t1", "t2", "t3"]
    assert listed(ADA, None) == ["t1", "t2"]
    assert listed(None, BEN) == ["t2", "t3"]
    assert listed(ADA, BEN) == ["t2"]
    assert listed(UserId("nobody"), None) == ["t1"]
    assert listed(None, None, Page(1, 1)) == ["t2"]
    defaults = shelf.read(lambda tx: tx.teams.defaults(ORGANIZATION))
    assert [row.id for row in defaults] == ["t1", "t2"]


def test_places_are_kept_whole_changed_and_removed(shelf: Shelf) -> None:
    people(shelf)
    first, second = place(ADA, created_by=BEN), place(BEN, role=TeamRole.MAINTAINER)
    elsewhere = place(ADA, team_id=SECOND)
    put(shelf, first, second, elsewhere)
    assert shelf.read(lambda tx: tx.teams.member(ORGANIZATION, TEAM, ADA)) == first
    assert shelf.read(lambda tx: tx.teams.member(OTHER, TEAM, ADA)) is None
    assert shelf.read(lambda tx: tx.teams.member_by_id(ORGANIZATION, second.id)) == second
    assert shelf.read(lambda tx: tx.teams.member_by_id(OTHER, second.id)) is None
    rows = shelf.read(lambda tx: tx.teams.members(ORGANIZATION, TEAM, EVERYTHING))
    assert [(row, user.name) for row, user in rows] == [(first, "Ada"), (second, "Ben")]
    assert list(shelf.read(lambda tx: tx.teams.places(ORGANIZATION, ADA))) == [first, elsewhere]
    with pytest.raises(Duplicate):
        put(shelf, place(ADA))
    assert shelf.write(lambda tx: tx.teams.set_role(ORGANIZATION, TEAM, ADA, TeamRole.MAINTAINER))
    assert not shelf.write(lambda tx: tx.teams.set_role(OTHER, TEAM, ADA, TeamRole.MAINTAINER))
    changed = shelf.read(lambda tx: tx.teams.member(ORGANIZATION, TEAM, ADA))
    assert changed == replace(first, role=TeamRole.MAINTAINER)
    assert shelf.write(lambda tx: tx.teams.remove_member(ORGANIZATION, TEAM, ADA))
    assert not shelf.write(lambda tx: tx.teams.remove_member(ORGANIZATION, TEAM, ADA))
    assert list(shelf.read(lambda tx: tx.teams.places(ORGANIZATION, ADA))) == [elsewhere]


def test_a_deleted_team_takes_its_places_and_no_others(shelf: Shelf) -> None:
    kept = place(ADA, team_id=SECOND)
    put(shelf, team(), place(ADA), kept, place(ADA, organization_id=OTHER))
    assert shelf.write(lambda tx: tx.teams.delete(ORGANIZATION, TEAM))
    assert not shelf.write(lambda tx: tx.teams.delete(ORGANIZATION, TEAM))
    assert list(shelf.read(lambda tx: tx.teams.places(ORGANIZATION, ADA))) == [kept]
    assert len(shelf.read(lambda tx: tx.teams.places(OTHER, ADA))) == 1


def test_a_cluster_is_given_once_to_each(shelf: Shelf) -> None:
    put(
        shelf,
        maintainer(user_id=ADA),
        maintainer(user_id=BEN),
        maintainer(team_id=TEAM),
        maintainer(team_id=SECOND),
        maintainer(user_id=ADA, cluster_id=ClusterId("cluster-2")),
        maintainer(user_id=ADA, organization_id=OTHER),
    )
    for again in (maintainer(user_id=ADA), maintainer(team_id=TEAM)):
        with pytest.raises(Duplicate):
            put(shelf, again)


def test_maintainers_come_with_who_they_are(shelf: Shelf) -> None:
    people(shelf)
    person, crew = maintainer(user_id=ADA), maintainer(team_id=TEAM)
    there = maintainer(user_id=BEN, cluster_id=ClusterId("cluster-2"))
    put(shelf, team(), team(organization_id=OTHER, name="theirs"), there, crew, person)
    rows = shelf.read(lambda tx: tx.teams.appointments(ORGANIZATION, CLUSTER, EVERYTHING))
    assert [(row.maintainer, row.user is not None, row.team) for row in rows] == [
        (person, True, None),
        (crew, False, team()),
    ]
    everywhere = shelf.read(lambda tx: tx.teams.appointments(ORGANIZATION, None, EVERYTHING))
    assert [row.maintainer for row in everywhere] == [person, crew, there]
    found = shelf.read(lambda tx: tx.teams.appointment(ORGANIZATION, there.id))
    assert found is not None
    assert found.user == make.user(id=BEN, name="Ben", email="ben@example.com")
    assert shelf.read(lambda tx: tx.teams.appointment(OTHER, there.id)) is None
    assert list(shelf.read(lambda tx: tx.teams.maintainers_of_user(ORGANIZATION, ADA))) == [person]
    assert list(shelf.read(lambda tx: tx.teams.maintainers_of_team(ORGANIZATION, TEAM))) == [crew]


def test_what_a_person_maintains_comes_directly_and_through_teams(shelf: Shelf) -> None:
    one, two, three = (ClusterId(f"cluster-{n}") for n in (1, 2, 3))
    direct = maintainer(user_id=ADA, cluster_id=one)
    put(
        shelf,
        direct,
        maintainer(team_id=TEAM, cluster_id=one),
        maintainer(team_id=TEAM, cluster_id=two),
        maintainer(team_id=SECOND, cluster_id=three),
        place(ADA),
        place(BEN, team_id=SECOND),
        place(ADA, team_id=SECOND, organization_id=OTHER),
    )

    def maintained(user_id: UserId) -> set[ClusterId]:
        return set(shelf.read(lambda tx: tx.teams.maintained(ORGANIZATION, user_id)))

    assert (maintained(ADA), maintained(BEN)) == ({one, two}, {three})
    assert shelf.write(lambda tx: tx.teams.remove_maintainer(ORGANIZATION, direct.id))
    assert not shelf.write(lambda tx: tx.teams.remove_maintainer(ORGANIZATION, direct.id))
    assert maintained(ADA) == {one, two}
    shelf.write(lambda tx: tx.teams.drop_maintainers(ORGANIZATION, one))
    assert maintained(ADA) == {two}
    assert shelf.write(lambda tx: tx.teams.remove_member(ORGANIZATION, TEAM, ADA))
    assert maintained(ADA) == set()
