"""Security settings of an organization (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Awaitable, Callable, Mapping

from watchword.domain import accounts
from watchword.domain.securitypolicy import SecurityPolicy
from watchword.graphql.binding import Arguments, field, mutation
from watchword.graphql.call import Call, Order
from watchword.graphql.finding import organization_id
from watchword.graphql.resolvers.organizations import show_organization
from watchword.services.policies import set_allowlist, set_inactivity, set_two_factor
from watchword.services.queries import Access, Unit

_READ = "organization_settings.read"
_CHANGE = "organization_settings.update"


async def _policy(call: Call, organization: accounts.Organization) -> SecurityPolicy:
    return (await call.access(organization.id)).policy


@field("Organization", "allowedApiIpAddresses", _READ)
async def allowed_addresses(
    call: Call, organization: accounts.Organization, _arguments: Arguments
) -> str | None:
    """From where the APIs may be called, exactly as it was set; null means anywhere."""
    return (await _policy(call, organization)).allowed_networks or None


@field("Organization", "revokeInactiveTokensAfter", _READ)
async def revoke_inactive(
    call: Call, organization: accounts.Organization, _arguments: Arguments
) -> str | None:
    """How long an API access token may stay unused; null means for ever."""
    days = (await _policy(call, organization)).revoke_inactive_after_days
    return f"DAYS_{days}" if days else None


@field("Organization", "membersRequireTwoFactorAuthentication", _READ)
async def require_two_factor(call: Call, organization: accounts.Organization, _arguments: Arguments) -> bool:
    """Whether members need a second factor."""
    return (await _policy(call, organization)).require_two_factor


Change = Callable[[Unit, Access], Awaitable[SecurityPolicy]]


async def _change(order: Order, name: str, change: Change) -> Mapping[str, object]:
    """Change a setting of the organization that the input names."""

    async def work(tx: Unit, access: Access) -> accounts.Organization:
        await change(tx, access)
        return access.organization

    return {"organization": show_organization(await order.write(organization_id(order, name), work))}


@mutation("organizationApiIpAllowlistUpdate", _CHANGE)
async def update_allowlist(order: Order) -> Mapping[str, object]:
    """Say from where the APIs may be called; the text is kept as it is."""
    return await _change(
        order,
        "organizationID",
        lambda tx, access: set_allowlist(order.context, tx, access, str(order.input["ipAddresses"])),
    )


@mutation("organizationRevokeInactiveTokensAfterUpdate", _CHANGE)
async def update_inactivity(order: Order) -> Mapping[str, object]:
    """Say after how long without use API access tokens are revoked."""
    words = str(order.input["revokeInactiveTokensAfter"])
    days = 0 if words == "NEVER" else int(words.removeprefix("DAYS_"))
    return await _change(
        order, "organizationId", lambda tx, access: set_inactivity(order.context, tx, access, days)
    )


@mutation("organizationEnforceTwoFactorAuthenticationForMembersUpdate", _CHANGE)
async def update_two_factor(order: Order) -> Mapping[str, object]:
    """Say whether members need a second factor."""
    required = order.input["membersRequireTwoFactorAuthentication"] is True
    return await _change(
        order,
        "organizationId",
        lambda tx, access: set_two_factor(order.context, tx, access, required=required),
    )
