"""The store's contract: members, invitations, banners."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from contracts import store_records as make
from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TEXT, USER
from watchword.domain.accounts import Role, SsoMode
from watchword.domain.ids import BannerId, InvitationId, OrganizationId, TeamId, TokenId, UserId
from watchword.domain.invitations import Invitation, InvitationState, TeamPlace, TeamPlaces
from watchword.domain.kinds import Kind
from watchword.domain.securitypolicy import Grant
from watchword.domain.teams import Banner, TeamRole
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

ADA, BEN, CAT = USER, UserId("user-2"), UserId("user-3")
INVITATION = InvitationId("invitation-1")


def invitation(**changes: Any) -> Invitation:
    whole = Invitation(
        organization_id=ORGANIZATION,
        id=INVITATION,
        email="new@example.com",
        state=InvitationState.PENDING,
        role=Role.ADMIN,
        sso_mode=SsoMode.REQUIRED,
        teams=TeamPlaces((TeamPlace(TeamId("team-1"), TeamRole.MAINTAINER),)),
        digest=b"\0digest\xff",
        created_at=7,
        created_by=ADA,
        expires_at=100,
    )
    return replace(whole, **changes)


def settle(shelf: Shelf, **roles: Role) -> None:
    """People with these roles, in the order of their names."""

    async def work(tx: Transaction) -> None:
        await tx.accounts.add_organization(make.organization())
        for at, (name, role) in enumerate(roles.items()):
            user = make.user(id=UserId(name), email=f"{name.title()}@example.com", name=name)
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(make.member(user_id=user.id, role=role, created_at=at))

    shelf.write(work)


def role_of(shelf: Shelf, name: str) -> Role | None:
    found = shelf.read(lambda tx: tx.accounts.member(ORGANIZATION, UserId(name)))
    return found.role if found is not None else None


def test_members_are_listed_first_come_first_with_who_they_are(shelf: Shelf) -> None:
    settle(shelf, cat=Role.MEMBER, ada=Role.ADMIN, ben=Role.MEMBER)
    shelf.write(lambda tx: tx.accounts.add_member(make.member(organization_id=OTHER, user_id=UserId("ben"))))
    rows = shelf.read(lambda tx: tx.members.list(ORGANIZATION, EVERYTHING))
    assert [(member.user_id, user.name) for member, user in rows] == [
        ("cat", "cat"),
        ("ada", "ada"),
        ("ben", "ben"),
    ]
    rows = shelf.read(lambda tx: tx.members.list(ORGANIZATION, Page(1, 1)))
    assert [member.user_id for member, _ in rows] == ["ada"]
    assert shelf.read(lambda tx: tx.members.find(ORGANIZATION, UserId("ada"))) == rows[0]
    assert shelf.read(lambda tx: tx.members.find(OTHER, UserId("ada"))) is None
    assert shelf.read(lambda tx: tx.members.by_email(ORGANIZATION, "ada@example.com")) == rows[0]
    assert shelf.read(lambda tx: tx.members.by_email(OTHER, "ada@example.com")) is None


def test_roles_and_ways_of_signing_in_change(shelf: Shelf) -> None:
    settle(shelf, ada=Role.ADMIN, ben=Role.MEMBER)
    assert shelf.write(lambda tx: tx.members.promote(ORGANIZATION, UserId("ben")))
    assert shelf.write(lambda tx: tx.members.set_sso(ORGANIZATION, UserId("ben"), SsoMode.REQUIRED))
    found = shelf.read(lambda tx: tx.accounts.member(ORGANIZATION, UserId("ben")))
    assert found is not None
    assert (found.role, found.sso_mode) == (Role.ADMIN, SsoMode.REQUIRED)
    assert shelf.write(lambda tx: tx.members.demote(ORGANIZATION, UserId("ada")))
    assert role_of(shelf, "ada") is Role.MEMBER
    for stranger in (UserId("nobody"), ADA):
        assert not shelf.write(lambda tx, user=stranger: tx.members.promote(ORGANIZATION, user))  # type: ignore[misc]
        assert not shelf.write(lambda tx, user=stranger: tx.members.remove(ORGANIZATION, user))  # type: ignore[misc]


def test_the_last_administrator_stays_one(shelf: Shelf) -> None:
    settle(shelf, ada=Role.ADMIN, ben=Role.MEMBER)
    shelf.write(
        lambda tx: tx.accounts.add_member(make.member(organization_id=OTHER, user_id=BEN, role=Role.ADMIN))
    )
    ada = UserId("ada")
    assert not shelf.write(lambda tx: tx.members.demote(ORGANIZATION, ada))
    assert not shelf.write(lambda tx: tx.members.remove(ORGANIZATION, ada))
    assert role_of(shelf, "ada") is Role.ADMIN
    assert shelf.write(lambda tx: tx.members.remove(ORGANIZATION, UserId("ben")))
    assert role_of(shelf, "ben") is None


@pytest.mark.parametrize("taking", ["demote", "remove"])
def test_of_many_that_unmake_all_administrators_at_once_one_remains(shelf: Shelf, taking: str) -> None:
    names = [f"admin-{number}" for number in range(12)]
    settle(shelf, **dict.fromkeys(names, Role.ADMIN))

    async def unit(name: str) -> bool:
        async def work(tx: Transaction) -> bool:
            await tx.members.hold(ORGANIZATION)
            return await getattr(tx.members, taking)(ORGANIZATION, UserId(name))  # type: ignore[no-any-return]

        return await shelf.store.write(work)

    async def scenario() -> list[bool]:
        return list(await asyncio.gather(*(unit(name) for name in names)))

    assert sorted(shelf.run(scenario())) == [False, *[True] * 11]
    assert [role_of(shelf, name) for name in names].count(Role.ADMIN) == 1


def test_grants_of_a_member_are_those_of_their_tokens_wherever_they_stand(shelf: Shelf) -> None:
    async def work(tx: Transaction) -> None:
        for name, home, owner in (
            ("here", ORGANIZATION, ADA),
            ("elsewhere", OTHER, ADA),
            ("bens", ORGANIZATION, BEN),
            ("ended", ORGANIZATION, ADA),
        ):
            token = make.token(
                organization_id=home,
                id=TokenId(name),
                kind=Kind.API_ACCESS,
                user_id=owner,
                digest=name.encode(),
            )
            await tx.tokens.add(token)
            await tx.policies.add_grant(Grant(ORGANIZATION, token.id, home, 7, owner))
        await tx.policies.add_grant(Grant(OTHER, TokenId("here"), ORGANIZATION, 7, ADA))
        await tx.policies.end_grant(ORGANIZATION, TokenId("ended"), 8, None)

    shelf.write(work)

    def grants(organization_id: OrganizationId, user_id: UserId) -> list[str]:
        found = shelf.read(lambda tx: tx.members.grants(organization_id, user_id))
        return [grant.token_id for grant in found]

    assert grants(ORGANIZATION, ADA) == ["elsewhere", "here"]
    assert grants(ORGANIZATION, BEN) == ["bens"]
    assert grants(OTHER, ADA) == ["here"]
    assert grants(ORGANIZATION, CAT) == []


def test_an_invitation_is_kept_whole_and_found_by_its_secret(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.members.add_invitation(invitation()))
    assert shelf.read(lambda tx: tx.members.invitation(ORGANIZATION, INVITATION)) == invitation()
    assert shelf.read(lambda tx: tx.members.invitation(OTHER, INVITATION)) is None
    assert shelf.read(lambda tx: tx.members.invitation_by_digest(b"\0digest\xff")) == invitation()
    assert shelf.read(lambda tx: tx.members.invitation_by_digest(b"\0digest")) is None


def test_an_address_has_one_pending_invitation(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.members.add_invitation(invitation()))
    second = invitation(id=InvitationId("invitation-2"), digest=b"2")
    with pytest.raises(Duplicate):
        shelf.write(lambda tx: tx.members.add_invitation(second))
    there = invitation(organization_id=OTHER, digest=b"3")
    shelf.write(lambda tx: tx.members.add_invitation(there))
    assert shelf.write(lambda tx: tx.members.revoke(ORGANIZATION, INVITATION, 9, BEN))
    shelf.write(lambda tx: tx.members.add_invitation(second))
    newest_first = shelf.read(lambda tx: tx.members.invitations(ORGANIZATION, EVERYTHING))
    assert list(newest_first) == [
        second,
        invitation(state=InvitationState.REVOKED, revoked_at=9, revoked_by=BEN),
    ]
    assert list(shelf.read(lambda tx: tx.members.invitations(ORGANIZATION, Page(1, 0)))) == [second]


def test_an_invitation_ends_once(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.members.add_invitation(invitation()))

    async def scenario() -> list[bool]:
        units = [
            shelf.store.write(lambda tx: tx.members.revoke(ORGANIZATION, INVITATION, 9, BEN))
            if place == 7
            else shelf.store.write(lambda tx: tx.members.accept(ORGANIZATION, INVITATION, 9, BEN))
            for place in range(20)
        ]
        return list(await asyncio.gather(*units))

    assert shelf.run(scenario()) == [True, *[False] * 19]
    accepted = invitation(state=InvitationState.ACCEPTED, accepted_at=9, accepted_by=BEN)
    assert shelf.read(lambda tx: tx.members.invitation(ORGANIZATION, INVITATION)) == accepted


def test_time_ends_an_invitation(shelf: Shelf) -> None:
    shelf.write(lambda tx: tx.members.add_invitation(invitation()))
    assert list(shelf.read(lambda tx: tx.members.pending(ORGANIZATION, 99))) == [invitation()]
    assert list(shelf.read(lambda tx: tx.members.pending(ORGANIZATION, 100))) == []
    assert list(shelf.read(lambda tx: tx.members.pending(OTHER, 99))) == []
    assert not shelf.write(lambda tx: tx.members.accept(ORGANIZATION, INVITATION, 100, BEN))
    assert not shelf.write(lambda tx: tx.members.revoke(ORGANIZATION, INVITATION, 100, BEN))
    assert not shelf.write(lambda tx: tx.members.renew(ORGANIZATION, INVITATION, 100, b"n", 200))
    assert shelf.write(lambda tx: tx.members.renew(ORGANIZATION, INVITATION, 99, b"n", 200))
    assert list(shelf.read(lambda tx: tx.members.pending(ORGANIZATION, 150))) == [
        invitation(digest=b"n", expires_at=200)
    ]
    shelf.write(lambda tx: tx.members.expire(ORGANIZATION, 199))
    assert len(shelf.read(lambda tx: tx.members.pending(ORGANIZATION, 199))) == 1
    shelf.write(lambda tx: tx.members.expire(ORGANIZATION, 200))
    shelf.write(
        lambda tx: tx.members.add_invitation(invitation(id=InvitationId("invitation-2"), digest=b"2"))
    )
    found = shelf.read(lambda tx: tx.members.invitation(ORGANIZATION, INVITATION))
    assert found is not None
    assert found.state is InvitationState.EXPIRED


def test_an_organization_has_one_banner(shelf: Shelf) -> None:
    first = Banner(ORGANIZATION, BannerId("banner-1"), TEXT, 7, 7, ADA)
    assert shelf.read(lambda tx: tx.members.banner(ORGANIZATION)) is None
    shelf.write(lambda tx: tx.members.save_banner(first))
    shelf.write(lambda tx: tx.members.save_banner(replace(first, organization_id=OTHER)))
    assert shelf.read(lambda tx: tx.members.banner(ORGANIZATION)) == first
    later = Banner(ORGANIZATION, BannerId("banner-2"), "new", 9, 9, None)
    shelf.write(lambda tx: tx.members.save_banner(later))
    expected = replace(first, message="new", updated_at=9, updated_by=None)
    assert shelf.read(lambda tx: tx.members.banner(ORGANIZATION)) == expected
    assert shelf.write(lambda tx: tx.members.drop_banner(ORGANIZATION))
    assert not shelf.write(lambda tx: tx.members.drop_banner(ORGANIZATION))
    assert shelf.read(lambda tx: tx.members.banner(OTHER)) is not None
