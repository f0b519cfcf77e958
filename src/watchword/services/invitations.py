"""Invitations into an organization: made in a batch, sent again, revoked, accepted (contract §2.3)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.crypto.values import MAX_VALUE, Secret, digest
from watchword.domain.accounts import Member, Role, SsoMode, User
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import InvitationId, OrganizationId, TeamId, is_uuid
from watchword.domain.invitations import (
    LIFE_US,
    MAX_PENDING,
    Invitation,
    InvitationState,
    TeamPlace,
    TeamPlaces,
    check_email,
)
from watchword.domain.teams import Team, TeamRole
from watchword.services.access import Access
from watchword.services.context import Caller, Context
from watchword.services.mail import queue_mail
from watchword.services.members import join
from watchword.services.teammembers import change_team_role, enrol
from watchword.store.base import Duplicate, Page, Transaction

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class InvitationRequest:
    """Whom to invite, as what; `teams` are ids as clients wrote them, and roles."""

    emails: Sequence[str]
    role: Role = Role.MEMBER
    sso_mode: SsoMode = SsoMode.OPTIONAL
    teams: Sequence[tuple[str, TeamRole]] = ()


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation and its one-time secret, which leaves by mail alone."""

    invitation: Invitation
    secret: Secret


async def pending_invitations(
    context: Context, tx: Transaction, organization_id: OrganizationId
) -> list[Invitation]:
    """Invitations that can be accepted, newest first."""
    return list(await tx.members.pending(organization_id, context.clock.now()))


async def invitations_of(
    context: Context, tx: Transaction, organization_id: OrganizationId, page: Page
) -> list[Invitation]:
    """Invitations in any state, newest first."""
    now = context.clock.now()
    return [one.at(now) for one in await tx.members.invitations(organization_id, page)]


async def find_invitation(
    context: Context, tx: Transaction, organization_id: OrganizationId, text: str
) -> Invitation:
    """An invitation in any state by the id in a path.

    Raises:
        NotFound: there is none.
    """
    found = (
        await tx.members.invitation(organization_id, InvitationId(text.lower())) if is_uuid(text) else None
    )
    if found is None:
        raise NotFound("No invitation found")
    return found.at(context.clock.now())


async def teams_of_invitation(tx: Transaction, invitation: Invitation) -> list[Team]:
    """The teams that whoever accepts joins; those that are gone are left out."""
    found = [await tx.teams.find(invitation.organization_id, place.id) for place in invitation.teams.places]
    return [team for team in found if team is not None]


async def invite(
    context: Context, tx: Transaction, access: Access, asked: InvitationRequest
) -> list[Invited]:
    """Invite people, inside a unit of work: all of them, or none where one cannot be invited.

    Raises:
        Invalid: an address or team is not acceptable, or teams contradict one another.
        Conflict: somebody is a member or invited already, or too many would be pending.
    """
    emails = list(dict.fromkeys(check_email(text) for text in asked.emails))
    if not emails:
        raise Invalid("Validation failed: Emails can't be blank", code="invalid_email")
    places = await _places(tx, access.id, asked.teams)
    now = context.clock.now()
    await tx.members.hold(access.id)
    await tx.members.expire(access.id, now)
    pending = {one.email for one in await tx.members.pending(access.id, now)}
    for email in emails:
        if email in pending:
            raise Conflict(f"Validation failed: {email} has already been invited", code="already_invited")
        if await tx.members.by_email(access.id, email) is not None:
            raise Conflict(f"Validation failed: {email} is already a member", code="already_member")
    if len(pending) + len(emails) > MAX_PENDING:
        raise Conflict(
            f"Validation failed: At most {MAX_PENDING} invitations may be pending; revoke some first",
            code="too_many_invitations",
        )
    return [await _invite(context, tx, access, asked, email, places) for email in emails]


async def _places(
    tx: Transaction, organization_id: OrganizationId, asked: Sequence[tuple[str, TeamRole]]
) -> TeamPlaces:
    places: dict[TeamId, TeamRole] = {}
    for text, role in asked:
        team = await tx.teams.find(organization_id, TeamId(text.lower())) if is_uuid(text) else None
        if team is None:
            raise Invalid("Validation failed: Team must be a team of the organization", code="unknown_team")
        if places.setdefault(team.id, role) is not role:
            raise Invalid(
                f"Validation failed: Team {team.name!r} is given with two roles", code="conflicting_teams"
            )
    return TeamPlaces(tuple(TeamPlace(team_id, role) for team_id, role in places.items()))


async def _invite(
    context: Context,
    tx: Transaction,
    access: Access,
    asked: InvitationRequest,
    email: str,
    places: TeamPlaces,
) -> Invited:
    now, secret = context.clock.now(), _secret()
    invitation = Invitation(
        organization_id=access.id,
        id=InvitationId(context.new_id()),
        email=email,
        state=InvitationState.PENDING,
        role=asked.role,
        sso_mode=asked.sso_mode,
        teams=places,
        digest=digest(secret.reveal()),
        created_at=now,
        created_by=access.user.id,
        expires_at=now + LIFE_US,
    )
    try:
        await tx.members.add_invitation(invitation)
    except Duplicate:
        raise Conflict(
            f"Validation failed: {email} has already been invited", code="already_invited"
        ) from None
    await _record(context, tx, access.caller, Action.INVITATION_CREATED, invitation)
    return await _send(context, tx, access, Invited(invitation, secret))


async def resend(context: Context, tx: Transaction, access: Access, invitation: Invitation) -> Invited:
    """Give a pending invitation a fresh secret and seven days, inside a unit of work; the old is dead.

    Raises:
        Conflict: it is not pending.
    """
    now, secret = context.clock.now(), _secret()
    renewed = replace(invitation, digest=digest(secret.reveal()), expires_at=now + LIFE_US)
    if not await tx.members.renew(
        invitation.organization_id, invitation.id, now, renewed.digest, renewed.expires_at
    ):
        raise _not_pending()
    await _record(context, tx, access.caller, Action.INVITATION_RESENT, renewed)
    return await _send(context, tx, access, Invited(renewed, secret))


async def revoke_invitation(
    context: Context, tx: Transaction, access: Access, invitation: Invitation
) -> Invitation:
    """Revoke a pending invitation, inside a unit of work: its secret opens nothing any more.

    Raises:
        Conflict: it is not pending.
    """
    now, by = context.clock.now(), access.user.id
    if not await tx.members.revoke(invitation.organization_id, invitation.id, now, by):
        raise _not_pending()
    await _record(context, tx, access.caller, Action.INVITATION_REVOKED, invitation)
    return replace(invitation, state=InvitationState.REVOKED, revoked_at=now, revoked_by=by)


async def invitation_by_secret(context: Context, tx: Transaction, secret: Secret) -> Invitation:
    """The pending invitation of a secret: what its holder is shown before accepting.

    Raises:
        NotFound: there is none.
        Conflict: it is not pending any more; who has the secret is told so.
    """
    value = secret.reveal()
    found = await tx.members.invitation_by_digest(digest(value)) if 0 < len(value) <= MAX_VALUE else None
    if found is None:
        raise NotFound("No invitation found")
    found = found.at(context.clock.now())
    if found.state is not InvitationState.PENDING:
        raise Conflict(
            f"This invitation is {found.state.value}; ask an administrator for another.",
            code=f"invitation_{found.state.value}",
        )
    return found


async def accept(context: Context, tx: Transaction, caller: Caller, secret: Secret, user: User) -> Member:
    """Make the person a member, as the invitation says, inside a unit of work; a secret does it once.

    Raises:
        NotFound: there is no such invitation.
        Conflict: it is not pending any more, or the person is a member already.
        Forbidden: it is for somebody else's address.
    """
    invitation = await invitation_by_secret(context, tx, secret)
    if user.email.strip().lower() != invitation.email:
        raise Forbidden(
            "This invitation is for another e-mail address; sign in with that one.", code="other_address"
        )
    now, organization_id = context.clock.now(), invitation.organization_id
    if not await tx.members.accept(organization_id, invitation.id, now, user.id):
        raise _not_pending()
    await _record(context, tx, caller, Action.INVITATION_ACCEPTED, invitation)
    member = Member(organization_id, user.id, invitation.role, now, invitation.sso_mode)
    await join(context, tx, caller, member)
    await _enrol(context, tx, caller, invitation, member)
    return member


async def _enrol(
    context: Context, tx: Transaction, caller: Caller, invitation: Invitation, member: Member
) -> None:
    """Put a new member into the invitation's teams; the role that it names goes before a default one."""
    for place in invitation.teams.places:
        team = await tx.teams.find(invitation.organization_id, place.id)
        if team is None:
            continue
        there = await tx.teams.member(team.organization_id, team.id, member.user_id)
        if there is not None:
            await change_team_role(context, tx, caller, there, place.role)
        else:
            await enrol(context, tx, caller, team, member, place.role, invitation.created_by)


async def _send(context: Context, tx: Transaction, access: Access, made: Invited) -> Invited:
    """Queue the mail; the secret stands behind `#`, so that no server on the way sees or logs it."""
    name = access.organization.name
    link = f"{context.installation.url}/invitations/accept#{made.secret.reveal()}"
    text = (
        f"{access.user.name} invites you to join {name} as {made.invitation.role.value}.\n\n"
        f"Accept within seven days, once, with this address:\n\n  {link}\n\n"
        "If you do not know what this is about, do nothing.\n"
    )
    await queue_mail(context, tx, made.invitation.email, f"Invitation to {name}", text, "")
    return made


def _secret() -> Secret:
    return Secret(secrets.token_urlsafe(_SECRET_BYTES))


def _not_pending() -> Conflict:
    return Conflict("Only pending invitations can be changed.", code="invitation_not_pending")


async def _record(
    context: Context, tx: Transaction, caller: Caller, action: Action, invitation: Invitation
) -> None:
    details = {
        "email": invitation.email,
        "role": invitation.role.value,
        "expires_at": invitation.expires_at,
        "teams": [place.id for place in invitation.teams.places],
    }
    subject = ("invitation", invitation.id)
    await context.record(tx, caller, action, invitation.organization_id, subject, details)
