"""Keeping tokens in order, now and then: people are reminded of expiries, inactive API tokens are ended.

What is due is found anew in each round, and decided again inside the unit of work that acts on it: a round
that is cut off is gone on with by the next one, and nothing is done twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.accounts import Organization, User
from watchword.domain.events import TOPIC_TOKEN_CHANGED, Action
from watchword.domain.hygiene import REMINDER_DAYS, idle_since, reminder_due
from watchword.domain.ids import OrganizationId
from watchword.domain.tokens import DAY_US, State, Token
from watchword.services.apitokens import organizations_of
from watchword.services.context import LOCAL, Context
from watchword.services.ledger import Ledger
from watchword.services.letters import tell_expiry, tell_inactive
from watchword.services.revoking import revoke
from watchword.store.base import Page, Transaction
from watchword.store.base_hygiene import Reaching

_SCAN = 500
_MAX_TOKENS = 20_000


@dataclass(slots=True)
class Keeper:
    """Reminders and inactivity on one installation."""

    context: Context
    ledger: Ledger

    async def keep(self) -> None:
        """One round: everything that is due now."""
        await self.remind()
        await self.end_inactive()

    async def remind(self) -> int:
        """Remind people of expiries that are 30, 7 and 1 days ahead, once each; how many tokens it was."""
        after: tuple[int, str] = (self.context.clock.now(), "")
        reminded = 0
        while True:
            until = self.context.clock.now() + max(REMINDER_DAYS) * DAY_US
            place = after
            rows = await self.context.store.read(lambda tx: tx.hygiene.expiring(place, until, _SCAN))  # noqa: B023
            for token, before in rows:
                due = reminder_due(token, self.context.clock.now())
                if due and (not before or due < before):
                    reminded += await self._remind(token, due)
            if len(rows) < _SCAN:
                return reminded
            after = rows[-1][0].expires_at, rows[-1][0].id

    async def _remind(self, token: Token, days: int) -> bool:
        """Note the reminder, and tell whom it concerns."""
        context = self.context

        async def work(tx: Transaction) -> bool:
            current = await tx.tokens.find(token.organization_id, token.id)
            if current is None or current.state is not State.ACTIVE:
                return False
            if not await tx.hygiene.remind(token.organization_id, token.id, days, context.clock.now()):
                return False
            organization = await tx.accounts.organization(token.organization_id)
            if organization is not None:
                people = await concerned(tx, current)
                await tell_expiry(context, tx, people, organization, current, days)
            data = {"kind": current.kind.value, "days": days, "expires_at": current.expires_at}
            subject = ("token", current.id)
            await context.record(
                tx, LOCAL, Action.TOKEN_EXPIRY_REMINDED, current.organization_id, subject, data
            )
            return True

        return await context.store.write(work)

    async def end_inactive(self) -> int:
        """End API access tokens that were not used for as long as their organization allows; how many."""
        ended = 0
        for organization in await self.context.store.read(lambda tx: tx.accounts.organizations()):
            ended += await self._end_inactive(organization)
        return ended

    async def _end_inactive(self, organization: Organization) -> int:
        async def work(tx: Transaction) -> tuple[int, list[Reaching]]:
            days = (await tx.policies.policy(organization.id)).revoke_inactive_after_days
            idle = await idle_tokens(self.context, tx, self.ledger, organization.id, days) if days else []
            return days, idle

        days, idle = await self.context.store.read(work)
        return sum([await self._end(organization, each, days) for each in idle])

    async def _end(self, organization: Organization, found: Reaching, days: int) -> bool:
        """End one: the token, or only what it has of this organization where it reaches others too."""
        context = self.context

        async def work(tx: Transaction) -> bool:
            # Used or changed meanwhile? The ledger's memory and the rows are asked once more.
            current = await tx.hygiene.reaching_one(organization.id, found.token.id)
            if current is None or not await _idle_among(context, tx, self.ledger, [current], days):
                return False
            token, reason = current.token, f"not used for {days} days"
            if len(await organizations_of(tx, token)) > 1:
                await _take_away(context, tx, organization.id, token, reason)
            else:
                await revoke(context, tx, LOCAL, token, None, reason)
            await tell_inactive(context, tx, current.owner, organization, token, days)
            return True

        return await context.store.write(work)


async def idle_tokens(
    context: Context, tx: Transaction, ledger: Ledger, organization_id: OrganizationId, days: int
) -> list[Reaching]:
    """Live API access tokens that reach an organization and are idle for so many days."""
    found = []
    for start in range(0, _MAX_TOKENS, _SCAN):
        rows = await tx.hygiene.reaching(organization_id, Page(_SCAN, start))
        found += await _idle_among(context, tx, ledger, rows, days)
        if len(rows) < _SCAN:
            break
    return found


async def _idle_among(
    context: Context, tx: Transaction, ledger: Ledger, rows: Sequence[Reaching], days: int
) -> list[Reaching]:
    now = context.clock.now()
    holders = [(each.token.organization_id, each.token.id) for each in rows]
    uses = await ledger.last_uses_in(tx, holders)
    return [
        each
        for each, holder in zip(rows, holders, strict=True)
        if each.token.state_at(now) is State.ACTIVE
        and idle_since(each.token, each.grant.granted_at, uses[holder].last_at if holder in uses else 0)
        <= now - days * DAY_US
    ]


async def _take_away(
    context: Context, tx: Transaction, organization_id: OrganizationId, token: Token, reason: str
) -> None:
    """Take an organization from a token that reaches others, where other rules hold."""
    now = context.clock.now()
    await tx.policies.end_grant(organization_id, token.id, now, None)
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_CHANGED, token.digest.hex(), now)
    data = {"description": token.description, "owner": token.user_id, "reason": reason}
    subject = ("token", token.id)
    await context.record(tx, LOCAL, Action.TOKEN_ORGANIZATION_REMOVED, organization_id, subject, data)


async def concerned(tx: Transaction, token: Token) -> list[User]:
    """Whom the end of a token concerns: its owner or maker, and the organization's administrators."""
    found = {user.id: user for user in await tx.hygiene.administrators(token.organization_id)}
    nearest = token.user_id or token.created_by
    if nearest is not None and nearest not in found:
        member = await tx.accounts.member(token.organization_id, nearest)
        user = await tx.accounts.user(nearest)
        if user is not None and member is not None:
            found[user.id] = user
    return list(found.values())
