"""Foreseeing: what a change of the security settings would do, and making it as it was foreseen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchword.domain.addresses import contains, parse_address
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.restrictions import parse_networks
from watchword.domain.securitypolicy import SecurityPolicy
from watchword.domain.tokens import DAY_US
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.keeping import idle_tokens
from watchword.services.ledger import Ledger
from watchword.services.policies import DryRun, ShutOut, change_policy, changed, check_policy, dry_run
from watchword.services.revealing import set_revealable_in
from watchword.store.base import Page, Transaction
from watchword.store.base_directory import Arrival, DirectoryEntry
from watchword.store.base_hygiene import Reaching

# How many of each are named; the others are counted.
NAMED = 50
# Sessions that are looked at.
_ARRIVALS = 1000


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a change would do.

    Attributes:
        before: the settings as they are.
        run: whom it would shut out, and the settings as they would be.
        callers: the first of those callers, with their tokens; None for a token that is gone.
        arrivals: people who were here within the last day, signed in from outside of the networks.
        lacking: members without a second factor, the first of them, where one is to be required.
        lacking_count: all of them.
        idle: API access tokens that inactivity would end within the hour, the first of them.
        idle_count: all of them.
        destroyed: sealed copies that would be destroyed, by kind.
    """

    before: SecurityPolicy
    run: DryRun
    callers: Sequence[tuple[ShutOut, Reaching | None]]
    arrivals: Sequence[Arrival]
    lacking: Sequence[DirectoryEntry]
    lacking_count: int
    idle: Sequence[Reaching]
    idle_count: int
    destroyed: Mapping[Kind, int]

    @property
    def after(self) -> SecurityPolicy:
        """The settings as they would be."""
        return self.run.policy


def read_kinds(words: Sequence[str]) -> tuple[str, ...]:
    """Kinds whose values are to be revealable, as forms send them; in the order in which they are kept.

    Raises:
        Invalid: values of one are never revealable, or there is no such kind.
    """
    known = {kind.value for kind, spec in KINDS.items() if spec.revealable}
    unknown = [word for word in words if word not in known]
    if unknown:
        raise Invalid("Values of this kind are never shown again.", code="never_revealable")
    return tuple(sorted(set(words)))


async def foresee(
    context: Context, tx: Transaction, ledger: Ledger, access: Access, changes: Mapping[str, object]
) -> Foreseen:
    """Say what a change of settings would do. Nothing is changed.

    Raises:
        Invalid: a setting is not acceptable.
    """
    before = await tx.policies.policy(access.id)
    run = await dry_run(context, tx, ledger, access, changes)
    after = run.policy
    callers = [
        (each, await tx.hygiene.reaching_one(access.id, each.token_id)) for each in run.callers[:NAMED]
    ]
    lacking: Sequence[DirectoryEntry] = ()
    lacking_count = 0
    if after.require_two_factor and not before.require_two_factor:
        lacking = await tx.directory.members(access.id, Page(NAMED, 0), lacking=True)
        lacking_count = await tx.directory.lacking(access.id)
    idle: list[Reaching] = []
    days = after.revoke_inactive_after_days
    if days and days != before.revoke_inactive_after_days:
        idle = await idle_tokens(context, tx, ledger, access.id, days)
    destroyed = {
        Kind(word): await tx.sealed.count(access.id, Kind(word))
        for word in before.revealable
        if word not in after.revealable
    }
    arrivals = await _outside(context, tx, access, after)
    return Foreseen(
        before, run, callers, arrivals, lacking, lacking_count, idle[:NAMED], len(idle), destroyed
    )


async def _outside(
    context: Context, tx: Transaction, access: Access, policy: SecurityPolicy
) -> list[Arrival]:
    """Who is signed in from outside of a policy's networks."""
    blocks = parse_networks(policy.allowed_networks)
    if not blocks:
        return []
    since = context.clock.now() - DAY_US
    rows = await tx.directory.arrivals(access.id, since, _ARRIVALS)
    found = {
        (row.user.id, row.address): row
        for row in reversed(rows)
        for address in [parse_address(row.address)]
        if address is None or not contains(blocks, address)
    }
    return sorted(found.values(), key=lambda row: row.seen_at, reverse=True)[:NAMED]


async def change_as_foreseen(
    context: Context,
    tx: Transaction,
    access: Access,
    changes: Mapping[str, object],
    seen: int,
) -> SecurityPolicy:
    """Change settings, those of revealing among them, inside a unit of work.

    Args:
        context: the ground.
        tx: the unit of work.
        access: who asks, in which organization.
        changes: fields of `SecurityPolicy`.
        seen: when the settings were changed last, as the caller saw them.

    Raises:
        Conflict: somebody changed them since then.
        Forbidden: the caller does not administer the organization.
        Invalid: a setting is not acceptable.
    """
    access.require("organization_settings.update")
    before = await tx.policies.policy(access.id)
    if before.updated_at != seen:
        raise Conflict(
            "Somebody changed the settings meanwhile. Look at them and decide again.", code="settings_changed"
        )
    wanted = check_policy(changed(before, changes))
    plain = {name: value for name, value in changes.items() if name != "revealable"}
    await change_policy(context, tx, access, plain)
    for word in sorted(set(before.revealable) ^ set(wanted.revealable)):
        await set_revealable_in(
            context,
            tx,
            access.caller,
            access.id,
            Kind(word),
            access.user.id,
            revealable=word in wanted.revealable,
        )
    return await tx.policies.policy(access.id)
