"""Organizations that the token reaches (contract rest-graphql §3.5)."""

from watchword.domain import accounts
from watchword.domain.ids import OrganizationId, is_uuid
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, query
from watchword.graphql.call import Call
from watchword.graphql.connections import empty, listed
from watchword.graphql.finding import denied, maybe, node, permission
from watchword.services.queries import Access, Unit

_ELSEWHERE = "Not supported by this server"
_PERMISSIONS = {
    "agentTokenCreate": "unclustered_agent_token.create",
    "agentTokenView": "unclustered_agent_token.read",
    "agentView": "agent.read",
    "auditEventsView": "audit_event.read",
    "notificationServiceUpdate": "notification_service.update",
    "organizationInvitationCreate": "invitation.create",
    "organizationMemberUpdate": "member.update",
    "organizationMemberView": "member.read",
    "organizationMemberViewSensitive": "member.update",
    "organizationUpdate": "organization_settings.update",
    "pipelineCreate": "pipeline.create",
    "pipelineCreateWithoutTeams": "pipeline.create",
    "pipelineView": "pipeline.read",
    "teamAdmin": "team.create",
    "teamCreate": "team.create",
    "teamEnabledChange": "team.enable",
    "teamView": "team.read",
}
_NOT_HERE = ("organizationBillingUpdate", "ssoProviderCreate", "ssoProviderUpdate", "suiteView")


def show_organization(organization: accounts.Organization) -> Thing:
    """An organization as an object."""
    values = {
        "id": ids.encode("Organization", organization.id),
        "uuid": organization.id,
        "slug": organization.slug,
        "name": organization.name,
        "public": False,
        "iconUrl": None,
        "repositoryProviders": [],
        "sso": {"isEnabled": False, "provider": None},
    }
    return Thing("Organization", organization.id, organization, values)


def owned(of: str) -> None:
    """Bind the field that shows whose a thing is."""

    @field(of, "organization")
    async def resolve(call: Call, record: object, _arguments: Arguments) -> Thing:
        owner: OrganizationId = getattr(record, "organization_id")  # noqa: B009 - any record that has one
        return show_organization((await call.access(owner)).organization)


@query("organization", "organization.read")
async def organization(call: Call, arguments: Arguments) -> Thing | None:
    """By slug or UUID; one that is unknown, foreign or left is null."""
    slug, uuid = str(arguments.get("slug") or ""), str(arguments.get("uuid") or "")
    access = None
    if slug:
        access = await maybe(call.access_of(slug))
    elif is_uuid(uuid):
        access = await maybe(call.access(OrganizationId(uuid.lower())))
    return show_organization(access.organization) if access is not None else None


@node("Organization", "organization.read")
async def find_organization(_tx: Unit, access: Access, uuid: str) -> Thing | None:
    """An organization that the token reaches."""
    return show_organization(access.organization) if access.id == uuid else None


@field("Viewer", "organizations", "organization.list")
async def organizations_of_viewer(call: Call, _user: accounts.User, arguments: Arguments) -> object:
    """Those that the token reaches, oldest first."""
    return listed(await call.reached(), arguments, show_organization, lambda one: one.id)


@field("Organization", "permissions")
async def permissions_of_organization(
    call: Call, record: accounts.Organization, _arguments: Arguments
) -> object:
    """What the person may do, by the policy that decides it."""
    access = await call.access(record.id)
    shown = {name: permission(access, operation) for name, operation in _PERMISSIONS.items()}
    return {**shown, **{name: denied(_ELSEWHERE, "unsupported") for name in _NOT_HERE}}


def _empty(*names: str) -> None:
    for name in names:

        @field("Organization", name)
        async def resolve(_call: Call, _record: accounts.Organization, _arguments: Arguments) -> object:
            return empty()


_empty("pipelineTemplates", "rules", "ssoProviders", "suites")
