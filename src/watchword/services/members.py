"""Members of an organization: seen, promoted, removed (contract rest-graphql §2.3)."""

from watchword.domain.accounts import Member, Role, SsoMode, User
from watchword.domain.errors import Conflict, Forbidden, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State
from watchword.services.context import Caller, Context
from watchword.services.oauthends import end_grants_of_user_in
from watchword.services.revoking import revoke
from watchword.services.teammembers import enrol, remove_team_member
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction
from watchword.store.base_directory import DirectoryEntry as DirectoryEntry  # noqa: PLC0414 - handed on

Person = tuple[Member, User]


async def members_of(tx: Transaction, organization_id: OrganizationId, page: Page) -> list[Person]:
    """Members, first come first."""
    return list(await tx.members.list(organization_id, page))


async def look_through(
    tx: Transaction, organization_id: OrganizationId, page: Page, text: str = ""
) -> list[DirectoryEntry]:
    """Members with a part of the name or address, and how they come in; first come first."""
    return list(await tx.directory.members(organization_id, page, text.strip()))


async def find_member(tx: Transaction, organization_id: OrganizationId, text: str) -> Person:
    """A member by the person's id in a path.

    Raises:
        NotFound: there is none.
    """
    found = await tx.members.find(organization_id, UserId(text.lower())) if is_uuid(text) else None
    if found is None:
        raise NotFound("No member found")
    return found


async def find_member_by_email(tx: Transaction, organization_id: OrganizationId, email: str) -> Person | None:
    """A member by address, in whatever case; None where there is none."""
    return await tx.members.by_email(organization_id, email.strip().lower())


async def join(context: Context, tx: Transaction, caller: Caller, member: Member) -> None:
    """Make a person a member, and of the teams that take new members, inside a unit of work.

    Raises:
        Conflict: the person is a member already.
    """
    try:
        await tx.accounts.add_member(member)
    except Duplicate:
        raise Conflict("You already are a member of this organization.", code="already_member") from None
    await _record(context, tx, caller, Action.MEMBER_ADDED, member, {"role": member.role.value})
    for team in await tx.teams.defaults(member.organization_id):
        await enrol(context, tx, caller, team, member, None, None)


async def change_member(
    context: Context,
    tx: Transaction,
    caller: Caller,
    member: Member,
    by: UserId | None,
    *,
    role: Role | None = None,
    sso_mode: SsoMode | None = None,
) -> None:
    """Change a member's role or way of signing in, inside a unit of work; None leaves one as it is.

    Raises:
        Forbidden: it is one's own membership.
        Conflict: no administrator would remain.
        NotFound: the member left meanwhile.
    """
    _not_oneself(member, by)
    await tx.members.hold(member.organization_id)
    changes: dict[str, object] = {}
    if role is not None and role is not member.role:
        change = tx.members.promote if role is Role.ADMIN else tx.members.demote
        if not await change(member.organization_id, member.user_id):
            raise await _why(tx, member)
        changes["role"] = role.value
    if sso_mode is not None and sso_mode is not member.sso_mode:
        if not await tx.members.set_sso(member.organization_id, member.user_id, sso_mode):
            raise NotFound("No member found")
        changes["sso_mode"] = sso_mode.value
    if changes:
        await _record(context, tx, caller, Action.MEMBER_UPDATED, member, changes)


async def remove_member(
    context: Context, tx: Transaction, caller: Caller, member: Member, by: UserId | None
) -> None:
    """Remove a member with all that the membership gave, inside a unit of work.

    Their API access tokens reach the organization no more, from the next call on, and their Dagster user
    tokens are revoked; each of them, each team and each cluster that they lose is an event of its own.

    Raises:
        Forbidden: it is one's own membership.
        Conflict: no administrator would remain.
        NotFound: the member left meanwhile.
    """
    _not_oneself(member, by)
    organization_id, user_id = member.organization_id, member.user_id
    await tx.members.hold(organization_id)
    if not await tx.members.remove(organization_id, user_id):
        raise await _why(tx, member)
    await _end_grants(context, tx, caller, member, by)
    await _leave_dagster(context, tx, caller, member, by)
    await end_grants_of_user_in(context, tx, caller, organization_id, user_id, by, "member removed")
    await _leave_portals(context, tx, caller, member, by)
    for place in await tx.teams.places(organization_id, user_id):
        await remove_team_member(context, tx, caller, place)
    for maintainer in await tx.teams.maintainers_of_user(organization_id, user_id):
        await tx.teams.remove_maintainer(organization_id, maintainer.id)
        await context.record(
            tx,
            caller,
            Action.MAINTAINER_REMOVED,
            organization_id,
            ("maintainer", maintainer.id),
            {"cluster_id": maintainer.cluster_id, "user_id": user_id},
        )
    await _record(context, tx, caller, Action.MEMBER_REMOVED, member, {"role": member.role.value})


async def _end_grants(
    context: Context, tx: Transaction, caller: Caller, member: Member, by: UserId | None
) -> None:
    now = context.clock.now()
    for grant in await tx.members.grants(member.organization_id, member.user_id):
        if await tx.policies.end_grant(member.organization_id, grant.token_id, now, by):
            await context.record(
                tx,
                caller,
                Action.TOKEN_ORGANIZATION_REMOVED,
                member.organization_id,
                ("token", grant.token_id),
                {"user_id": member.user_id, "reason": "member removed"},
            )


async def _leave_dagster(
    context: Context, tx: Transaction, caller: Caller, member: Member, by: UserId | None
) -> None:
    """Revoke a person's Dagster user tokens and take their roles: whoever comes back begins anew."""
    organization_id, user_id = member.organization_id, member.user_id
    for token in await tx.deployments.tokens(organization_id, Kind.DAGSTER_USER, user_id, EVERYTHING):
        if token.state is State.ACTIVE:
            await revoke(context, tx, caller, token, by, "member removed")
    for role in await tx.deployments.roles(organization_id, user_id):
        await tx.deployments.drop_role(organization_id, user_id, role.deployment_id)


async def _leave_portals(
    context: Context, tx: Transaction, caller: Caller, member: Member, by: UserId | None
) -> None:
    """Revoke the portal tokens that a person approved."""
    organization_id, user_id = member.organization_id, member.user_id
    for token in await tx.deployments.tokens(organization_id, Kind.PORTAL_USER, user_id, EVERYTHING):
        if token.state is State.ACTIVE:
            await revoke(context, tx, caller, token, by, "member removed")


def _not_oneself(member: Member, by: UserId | None) -> None:
    if member.user_id == by:
        raise Forbidden(
            "You can't change your own membership; ask another administrator.", code="own_membership"
        )


async def _why(tx: Transaction, member: Member) -> Conflict | NotFound:
    """Why a conditional write did not take place."""
    if await tx.accounts.member(member.organization_id, member.user_id) is None:
        return NotFound("No member found")
    return Conflict(
        "The organization's last administrator must stay one; make somebody else an administrator first.",
        code="last_administrator",
    )


async def _record(
    context: Context,
    tx: Transaction,
    caller: Caller,
    action: Action,
    member: Member,
    details: dict[str, object],
) -> None:
    await context.record(tx, caller, action, member.organization_id, ("member", member.user_id), details)
