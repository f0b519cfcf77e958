"""Security settings of an organization (contract rest-graphql §2.4), ours beside the known ones."""

from collections.abc import Mapping

import msgspec
from litestar import get, route
from msgspec import UNSET, UnsetType

from watchword.domain.securitypolicy import ReuseResponse, SecurityPolicy
from watchword.rest.bodies import Body
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.services.policies import DryRun, change_policy, dry_run
from watchword.services.queries import Access, Unit

SETTINGS = "/v2/organizations/{org:str}/api-settings"


class Features(msgspec.Struct, kw_only=True):
    """What the organization may use: everything."""

    api_ip_allow_list: bool = True
    inactive_api_token_revocation: bool = True


class ApiSettings(msgspec.Struct, kw_only=True):
    """Security settings; `require_two_factor` and what follows it are Watchword's own."""

    url: str
    allowed_ip_addresses: str | None
    revoke_inactive_tokens_after_days: int | None
    restrict_user_api_token_creation: bool
    features: Features
    require_two_factor: bool
    reuse_response: str
    maximum_api_token_days: int | None


class ShutOutCaller(msgspec.Struct, kw_only=True):
    """A caller of the last day who would be shut out.

    `reason` is `address_not_allowed` or `two_factor_required`.
    """

    token_id: str
    reason: str
    address: str | None
    agent: str | None
    last_used_at: str


class SettingsDryRun(msgspec.Struct, kw_only=True):
    """What a change would do; nothing was changed.

    `caller_shut_out` says it of the request itself.
    """

    settings: ApiSettings
    caller_shut_out: bool
    shut_out: list[ShutOutCaller]


class SettingsChange(Body):
    """What changes of the settings: an absent key changes nothing, null turns the setting off."""

    allowed_ip_addresses: str | UnsetType | None = UNSET
    revoke_inactive_tokens_after_days: int | UnsetType | None = UNSET
    restrict_user_api_token_creation: bool | UnsetType | None = UNSET
    require_two_factor: bool | UnsetType | None = UNSET
    reuse_response: ReuseResponse | UnsetType | None = UNSET
    maximum_api_token_days: int | UnsetType | None = UNSET

    def changes(self) -> Mapping[str, object]:
        """Fields of the policy that were given, with what null means of each."""
        given = {
            "allowed_networks": (self.allowed_ip_addresses, ""),
            "revoke_inactive_after_days": (self.revoke_inactive_tokens_after_days, 0),
            "restrict_api_token_creation": (self.restrict_user_api_token_creation, False),
            "require_two_factor": (self.require_two_factor, False),
            "reuse_response": (self.reuse_response, ReuseResponse.QUARANTINE),
            "maximum_api_token_days": (self.maximum_api_token_days, 0),
        }
        return {
            name: off if value is None else value
            for name, (value, off) in given.items()
            if value is not UNSET
        }


def _show(call: Call, access: Access, policy: SecurityPolicy) -> ApiSettings:
    return ApiSettings(
        url=call.site.rest("organizations", access.organization.slug, "api-settings"),
        allowed_ip_addresses=policy.allowed_networks or None,
        revoke_inactive_tokens_after_days=policy.revoke_inactive_after_days or None,
        restrict_user_api_token_creation=policy.restrict_api_token_creation,
        features=Features(),
        require_two_factor=policy.require_two_factor,
        reuse_response=policy.reuse_response.value,
        maximum_api_token_days=policy.maximum_api_token_days or None,
    )


def _show_dry_run(call: Call, access: Access, found: DryRun) -> SettingsDryRun:
    return SettingsDryRun(
        settings=_show(call, access, found.policy),
        caller_shut_out=found.caller,
        shut_out=[
            ShutOutCaller(
                token_id=each.token_id,
                reason=each.reason,
                address=each.address or None,
                agent=each.version or None,
                last_used_at=instant(each.last_at),
            )
            for each in found.callers
        ],
    )


@get(SETTINGS, opt=needs("organization_settings.read"), summary="Get security settings")
async def get_settings(request: RestRequest) -> ApiSettings:
    """From where the organization's APIs may be called, and how its API access tokens live."""
    call = Call.of(request)

    async def work(_tx: Unit, access: Access) -> ApiSettings:
        return _show(call, access, access.policy)

    return await call.read(work)


@route(
    SETTINGS,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("organization_settings.update", body=SettingsChange, query=("dry_run",)),
    summary="Update security settings",
)
async def update_settings(request: RestRequest) -> ApiSettings | SettingsDryRun:
    """Change settings; the allowlist holds for the very next request, the caller's own included.

    With `dry_run=true` nothing changes: the answer says which callers of the last day would be shut out.
    """
    call = await Call.with_body(request)

    async def look(tx: Unit, access: Access) -> SettingsDryRun:
        changes = call.decode(SettingsChange).changes()
        return _show_dry_run(
            call, access, await dry_run(call.context, tx, call.authority.ledger, access, changes)
        )

    async def work(tx: Unit, access: Access) -> ApiSettings:
        changes = call.decode(SettingsChange).changes()
        return _show(call, access, await change_policy(call.context, tx, access, changes))

    if call.query("dry_run") == ["true"]:
        return await call.read(look)
    return await call.write(work)


HANDLERS = (get_settings, update_settings)
