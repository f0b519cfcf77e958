"""People of Dagster+ as its clients know them: by numbers, with their roles (contract §10, §13)."""

from collections.abc import Iterable
from dataclasses import dataclass

from watchword.domain.accounts import User
from watchword.domain.dagsterroles import DagsterStanding
from watchword.domain.errors import NotFound
from watchword.domain.ids import OrganizationId, UserId
from watchword.services.dagstertokens import NUMBERED_USER
from watchword.store.base import EVERYTHING, Transaction


@dataclass(frozen=True, slots=True)
class NumberedUser:
    """A person, and the number by which clients know them."""

    user: User
    number: int


@dataclass(frozen=True, slots=True)
class DagsterMember:
    """A member with what they may do."""

    numbered: NumberedUser
    standing: DagsterStanding


async def number_in(tx: Transaction, organization_id: OrganizationId, user: User) -> NumberedUser:
    """A person with their number."""
    number = await tx.deployments.number_of(organization_id, NUMBERED_USER, user.id)
    return NumberedUser(user, number)


async def people_in(
    tx: Transaction, organization_id: OrganizationId, ids: Iterable[UserId | None]
) -> dict[UserId, NumberedUser]:
    """People by id, with their numbers; those that are unknown are left out."""
    found = {}
    for user_id in dict.fromkeys(one for one in ids if one is not None):
        user = await tx.accounts.user(user_id)
        if user is not None:
            found[user_id] = await number_in(tx, organization_id, user)
    return found


async def member_in(tx: Transaction, organization_id: OrganizationId, number: int) -> User:
    """A member by the number that clients know.

    Raises:
        NotFound: there is none.
    """
    user_id = await tx.deployments.id_of(organization_id, NUMBERED_USER, number)
    found = await tx.members.find(organization_id, UserId(user_id)) if user_id is not None else None
    if found is None:
        raise NotFound("No user found")
    return found[1]


async def members_in(tx: Transaction, organization_id: OrganizationId) -> list[DagsterMember]:
    """Every member with roles, first come first."""
    found = []
    for member, user in await tx.members.list(organization_id, EVERYTHING):
        roles = await tx.deployments.roles(organization_id, user.id)
        numbered = await number_in(tx, organization_id, user)
        found.append(DagsterMember(numbered, DagsterStanding.of(member.role, roles)))
    return found
