"""Security settings of an organization (contract rest-graphql §2.4), and whom a change would shut out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from watchword.domain.addresses import contains, parse_address
from watchword.domain.errors import Invalid
from watchword.domain.events import Action
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.restrictions import parse_networks
from watchword.domain.securitypolicy import INACTIVE_DAYS, SecurityPolicy
from watchword.domain.tokens import DAY_US
from watchword.domain.use import HOUR_US, Use
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.ledger import Ledger
from watchword.services.second_factor import has_second_factor
from watchword.store.base import Transaction

MAX_TOKEN_DAYS = 3650
_MAX_TEXT = 4096
# Rows of the ledger that a dry run looks at; one token may have several addresses in an hour.
_MAX_USES = 20_000


@dataclass(frozen=True, slots=True)
class ShutOut:
    """A caller of the last day whom a change would shut out.

    Attributes:
        reason: the code that the caller would get: `address_not_allowed` or `two_factor_required`.
    """

    token_id: TokenId
    reason: str
    address: str
    version: str
    last_at: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a change of the settings would do.

    Attributes:
        policy: the settings as they would be.
        caller: whether the caller would be shut out.
        callers: callers of the last day who would be, latest first.
    """

    policy: SecurityPolicy
    caller: bool
    callers: tuple[ShutOut, ...]


def check_policy(policy: SecurityPolicy) -> SecurityPolicy:
    """Require that settings are acceptable.

    Raises:
        Invalid: the allowlist holds something else than blocks, or a number of days is not in its set.
    """
    if len(policy.allowed_networks) > _MAX_TEXT:
        raise Invalid(
            f"Validation failed: Allowed IP addresses takes at most {_MAX_TEXT} characters",
            code="too_many_networks",
        )
    parse_networks(policy.allowed_networks)
    days = policy.revoke_inactive_after_days
    if days and days not in INACTIVE_DAYS:
        known = ", ".join(map(str, INACTIVE_DAYS))
        raise Invalid(
            f"Validation failed: Revoke inactive tokens after days is one of {known}, or null",
            code="invalid_days",
        )
    if not 0 <= policy.maximum_api_token_days <= MAX_TOKEN_DAYS:
        raise Invalid(
            f"Validation failed: Maximum API token days is from 1 to {MAX_TOKEN_DAYS}, or null",
            code="invalid_days",
        )
    return policy


async def change_policy(
    context: Context, tx: Transaction, access: Access, changes: Mapping[str, object]
) -> SecurityPolicy:
    """Change settings; they hold for the very next request, the caller's own included.

    Args:
        context: the ground.
        tx: the unit of work.
        access: who asks, in which organization.
        changes: fields of `SecurityPolicy`.

    Raises:
        Forbidden: the caller does not administer the organization.
        Invalid: a setting is not acceptable.
    """
    access.require("organization_settings.update")
    before = await tx.policies.policy(access.id)
    wanted = check_policy(changed(before, changes))
    if wanted == before:
        return before
    after = replace(wanted, updated_at=context.clock.now(), updated_by=access.user.id)
    await tx.policies.save(after)
    said = asdict(wanted)
    data = {name: said[name] for name in changes if getattr(before, name) != said[name]}
    subject = ("organization", access.id)
    await context.record(tx, access.caller, Action.ORGANIZATION_SECURITY_UPDATED, access.id, subject, data)
    return after


def changed(policy: SecurityPolicy, changes: Mapping[str, object]) -> SecurityPolicy:
    """Settings with some of them changed; nothing is checked or written."""
    return replace(policy, **changes)  # type: ignore[arg-type] # the names are those of its fields


async def set_allowlist(context: Context, tx: Transaction, access: Access, networks: str) -> SecurityPolicy:
    """Let the organization's APIs be called from these blocks only; empty means from anywhere.

    The text is kept byte for byte.

    Raises:
        Forbidden: the caller does not administer the organization.
        Invalid: an entry is no block.
    """
    return await change_policy(context, tx, access, {"allowed_networks": networks})


async def set_inactivity(context: Context, tx: Transaction, access: Access, days: int) -> SecurityPolicy:
    """Revoke API access tokens that were not used for so many days; 0 means never.

    Raises:
        Forbidden: the caller does not administer the organization.
        Invalid: the number is not one of `INACTIVE_DAYS`.
    """
    return await change_policy(context, tx, access, {"revoke_inactive_after_days": days})


async def set_two_factor(
    context: Context, tx: Transaction, access: Access, *, required: bool
) -> SecurityPolicy:
    """Keep members without a second factor out, or let them in.

    Raises:
        Forbidden: the caller does not administer the organization.
    """
    return await change_policy(context, tx, access, {"require_two_factor": required})


async def dry_run(
    context: Context, tx: Transaction, ledger: Ledger, access: Access, changes: Mapping[str, object]
) -> DryRun:
    """Say whom a change would shut out: callers of the last day, and the caller. Nothing is changed.

    Raises:
        Invalid: a setting is not acceptable.
    """
    before = await tx.policies.policy(access.id)
    policy = check_policy(changed(before, changes))
    blocks = parse_networks(policy.allowed_networks)
    stricter = policy.require_two_factor and not before.require_two_factor
    lacking: dict[TokenId, bool] = {}

    def outside(address: str | None) -> bool:
        parsed = parse_address(address) if address else None
        return bool(blocks) and (parsed is None or not contains(blocks, parsed))

    async def reason(token_id: TokenId, owner: OrganizationId, address: str | None) -> str:
        if outside(address):
            return "address_not_allowed"
        if stricter and token_id not in lacking:
            token = await tx.tokens.find(owner, token_id)
            owner_id = token.user_id if token is not None else None
            lacking[token_id] = owner_id is None or not await has_second_factor(tx, owner_id)
        return "two_factor_required" if lacking.get(token_id) else ""

    since = context.clock.now() - DAY_US
    uses = await _callers(tx, ledger, access, since) if blocks or stricter else []
    latest: dict[tuple[str, str], ShutOut] = {}
    for use in sorted(uses, key=lambda each: each.last_at):
        code = await reason(use.token_id, use.organization_id, use.address) if use.last_at >= since else ""
        if code:
            found = ShutOut(use.token_id, code, use.address, use.version, use.last_at)
            latest[use.token_id, use.address] = found
    callers = sorted(latest.values(), key=lambda each: each.last_at, reverse=True)
    own, address = access.presented, access.caller.address
    if own is None:
        shut_out = outside(address) or (stricter and not await has_second_factor(tx, access.user.id))
    else:
        shut_out = bool(await reason(own.holder.id, own.organization_id, address))
    return DryRun(policy, shut_out, tuple(callers))


async def _callers(tx: Transaction, ledger: Ledger, access: Access, since: int) -> list[Use]:
    """Uses, since a time, of API access tokens that reach the organization, written or not."""
    fresh = [use for use in ledger.unwritten() if not use.agent]  # agents' sessions call no such API
    uses = list(await tx.hygiene.callers(access.id, since // HOUR_US, _MAX_USES))
    reaching = {}
    for token_id in {use.token_id for use in fresh}:
        grant = await tx.policies.grant(access.id, token_id)
        reaching[token_id] = grant is not None and not grant.ended_at
    return uses + [use for use in fresh if reaching[use.token_id]]
