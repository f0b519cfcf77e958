"""Invitations into an organization (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Awaitable, Callable, Mapping

from watchword.domain import accounts
from watchword.domain.accounts import Role, SsoMode
from watchword.domain.ids import InvitationId
from watchword.domain.invitations import Invitation, TeamPlace
from watchword.domain.teams import Team, TeamRole
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import encode, listed
from watchword.graphql.finding import at_slug, maybe, node, organization_id, permission
from watchword.graphql.resolvers.organizations import owned, show_organization
from watchword.graphql.resolvers.teams import show_team
from watchword.graphql.resolvers.users import by
from watchword.services.invitations import (
    InvitationRequest,
    find_invitation,
    invitations_of,
    invite,
    resend,
    revoke_invitation,
    teams_of_invitation,
)
from watchword.services.lookups import EVERYTHING, invitation_by_id
from watchword.services.queries import Access, Unit

MISSING = "No invitation found"
_TYPE = "OrganizationInvitation"
Change = Callable[[Unit, Access, Invitation], Awaitable[Invitation]]


def show_invitation(invitation: Invitation) -> Thing:
    """An invitation as an object."""
    values = {
        "id": ids.encode(_TYPE, invitation.id),
        "uuid": invitation.id,
        "email": invitation.email,
        "role": invitation.role.name,
        "sso": {"mode": invitation.sso_mode.name},
        "createdAt": invitation.created_at,
        "acceptedAt": invitation.accepted_at or None,
        "revokedAt": invitation.revoked_at or None,
    }
    return Thing(_TYPE, invitation.organization_id, invitation, values)


owned(_TYPE)
for _name, _attribute in (
    ("createdBy", "created_by"),
    ("acceptedBy", "accepted_by"),
    ("revokedBy", "revoked_by"),
):
    by(_TYPE, _name, _attribute)


@field(_TYPE, "state")
async def state_of_invitation(call: Call, invitation: Invitation, _arguments: Arguments) -> str:
    """Where it stands now: a pending one expires by itself."""
    return invitation.at(call.context.clock.now()).state.name


@field(_TYPE, "expiredAt")
async def expiry_of_invitation(call: Call, invitation: Invitation, _arguments: Arguments) -> int | None:
    """When it expired, if it did."""
    return invitation.at(call.context.clock.now()).expired_at or None


@field(_TYPE, "slug")
async def slug_of_invitation(call: Call, invitation: Invitation, _arguments: Arguments) -> str:
    """By which `organizationInvitation` finds it."""
    access = await call.access(invitation.organization_id)
    return f"{access.organization.slug}/{invitation.id}"


@field(_TYPE, "permissions")
async def permissions_of_invitation(call: Call, invitation: Invitation, _arguments: Arguments) -> object:
    """What the person may do with it."""
    access = await call.access(invitation.organization_id)
    return {
        "organizationInvitationResend": permission(access, "invitation.create"),
        "organizationInvitationRevoke": permission(access, "invitation.revoke"),
    }


@field(_TYPE, "teams", "team.read")
async def teams_of(call: Call, invitation: Invitation, arguments: Arguments) -> object:
    """Teams that whoever accepts joins."""
    roles: dict[str, TeamPlace] = {place.id: place for place in invitation.teams.places}

    def show(team: Team) -> Thing:
        values = {
            "id": ids.encode("OrganizationInvitationTeamAssignment", team.id),
            "role": roles[team.id].role.name,
            "team": show_team(team),
        }
        return Thing("OrganizationInvitationTeamAssignment", team.organization_id, team, values)

    rows = await call.read(lambda tx: teams_of_invitation(tx, invitation))
    return listed(rows, arguments, show, lambda team: team.id)


@field("Organization", "invitations", "invitation.read")
async def invitations_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Invitations in the states asked for, newest first unless ordered."""
    rows = await call.read(lambda tx: invitations_of(call.context, tx, organization.id, EVERYTHING))
    states = arguments.get("state")
    kept = [row for row in rows if states is None or row.state.name in states]
    if arguments.get("order") == "EMAIL":
        kept.sort(key=lambda row: row.email)
    return listed(kept, arguments, show_invitation, lambda row: row.id)


async def _find(call: Call, tx: Unit, access: Access, uuid: str) -> Invitation | None:
    return await maybe(find_invitation(call.context, tx, access.id, uuid))


@query("organizationInvitation", "invitation.read")
async def invitation_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/uuid`."""
    return await at_slug(call, str(arguments["slug"]), _TYPE)


@node(_TYPE, "invitation.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """An invitation of an organization."""
    found = await invitation_by_id(tx, access.id, InvitationId(uuid))
    return show_invitation(found) if found is not None else None


@mutation("organizationInvitationCreate", "invitation.create")
async def create(order: Order) -> Mapping[str, object]:
    """Invite people: all of them, or none where one cannot be invited."""
    mode = (order.input.get("sso") or {}).get("mode")
    asked = InvitationRequest(
        emails=[str(one) for one in order.input["emails"]],
        role=Role[order.input.get("role") or "MEMBER"],
        sso_mode=SsoMode[mode or "OPTIONAL"],
        teams=[
            (ids.uuid_of(str(one["id"]), "Team"), TeamRole[one["role"]])
            for one in order.input.get("teams") or ()
        ],
    )

    async def work(tx: Unit, access: Access) -> tuple[list[Invitation], accounts.Organization]:
        made = await invite(order.context, tx, access, asked)
        return [one.invitation for one in made], access.organization

    made, organization = await order.write(organization_id(order, "organizationID"), work)
    return {
        "invitationEdges": [{"cursor": encode(one.id), "node": show_invitation(one)} for one in made],
        "organization": show_organization(organization),
    }


async def _change(order: Order, change: Change) -> tuple[Invitation, accounts.Organization]:
    """Change the invitation that the input names."""
    uuid = ids.uuid_of(str(order.input["id"]), _TYPE)

    async def look(tx: Unit, access: Access) -> Invitation | None:
        return await _find(order.call, tx, access, uuid)

    async def work(
        tx: Unit, access: Access, invitation: Invitation
    ) -> tuple[Invitation, accounts.Organization]:
        return await change(tx, access, invitation), access.organization

    return await order.write_found(look, MISSING, work)


@mutation("organizationInvitationRevoke", "invitation.revoke")
async def revoke(order: Order) -> Mapping[str, object]:
    """Revoke an invitation that is pending."""

    async def change(tx: Unit, access: Access, invitation: Invitation) -> Invitation:
        return await revoke_invitation(order.context, tx, access, invitation)

    invitation, organization = await _change(order, change)
    shown = show_invitation(invitation)
    return {
        "organization": show_organization(organization),
        "organizationInvitation": shown,
        "organizationInvitationEdge": {"cursor": encode(invitation.id), "node": shown},
    }


@mutation("organizationInvitationResend", "invitation.create")
async def resend_one(order: Order) -> Mapping[str, object]:
    """Send an invitation again, with a fresh secret."""

    async def change(tx: Unit, access: Access, invitation: Invitation) -> Invitation:
        return (await resend(order.context, tx, access, invitation)).invitation

    invitation, _ = await _change(order, change)
    return {"organizationInvitation": show_invitation(invitation)}
