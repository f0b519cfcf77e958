"""Security settings of an organization (contract rest-graphql §3.4, §3.5): what is read of them."""

from watchword.domain import accounts
from watchword.domain.securitypolicy import SecurityPolicy
from watchword.graphql.binding import Arguments, field
from watchword.graphql.call import Call

_READ = "organization_settings.read"


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
