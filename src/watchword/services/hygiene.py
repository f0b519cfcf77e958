"""Hygiene: which tokens of an organization need attention, and why."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from watchword.domain.accounts import Role, User
from watchword.domain.hygiene import Flag, Inspected, Owner, inspect
from watchword.domain.ids import OrganizationId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.services.access import Access
from watchword.services.ledger import Ledger
from watchword.store.base import Page, Store, Transaction, Work

# One report reads at most this many tokens of a kind; what lies beyond is not found.
MAX_INSPECTED = 20_000
_KINDS = (
    Kind.AGENT,
    Kind.UNCLUSTERED_AGENT,
    Kind.API_ACCESS,
    Kind.DAGSTER_AGENT,
    Kind.DAGSTER_USER,
    Kind.PORTAL_SERVICE,
    Kind.PORTAL_SECRET,
    Kind.REGISTRY,
)
_SCAN = 500
_SCAN_APART = 200
# A token, whose it is, and that person's role in the organization.
_Held = tuple[Token, User | None, Role | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A token that needs attention; `owner` is None where it has none, or one who is gone."""

    token: Token
    flags: tuple[Flag, ...]
    owner: User | None
    used: Use | None


@dataclass(frozen=True, slots=True)
class Report:
    """What hygiene found.

    Attributes:
        inspected: how many tokens were looked at.
        counts: how many tokens each reason concerns.
        findings: the tokens asked for, oldest first: agent tokens, unclustered ones, API access tokens, then
            Dagster agent tokens and user tokens, then tokens and secrets of portals, then registry tokens.
    """

    inspected: int
    counts: dict[Flag, int]
    findings: tuple[Finding, ...]


async def report(
    tx: Transaction, ledger: Ledger, access: Access, now: int, only: Flag | None = None
) -> Report:
    """Inspect every live token of an organization and those that reach it.

    Args:
        tx: the unit of work.
        ledger: knows of uses that are not written yet.
        access: who asks, where.
        now: microseconds.
        only: leave out tokens that this reason does not concern.
    """

    async def inside(work: Work[int]) -> int:
        return await work(tx)

    survey = _Survey(ledger, access.id, now, only)
    await survey.walk(inside, _SCAN)
    return survey.report()


async def report_apart(store: Store, ledger: Ledger, organization_id: OrganizationId, now: int) -> Report:
    """The same in many small units, so that others are served in between; each sees what is newest."""

    async def apart(work: Work[int]) -> int:
        await asyncio.sleep(0)
        return await store.read(work)

    survey = _Survey(ledger, organization_id, now)
    await survey.walk(apart, _SCAN_APART)
    return survey.report()


@dataclass(slots=True)
class _Survey:
    """A report in the making."""

    ledger: Ledger
    organization_id: OrganizationId
    now: int
    only: Flag | None = None
    inspected: int = 0
    counts: Counter[Flag] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def report(self) -> Report:
        """What was found so far."""
        return Report(self.inspected, dict(self.counts), tuple(self.findings))

    async def walk(self, read: Callable[[Work[int]], Awaitable[int]], scan: int) -> None:
        """Inspect all tokens that people made, a handful in each piece of work."""
        for kind in _KINDS:
            for start in range(0, MAX_INSPECTED, scan):
                page = Page(scan, start)
                if await read(lambda tx: self._inspect(tx, kind, page)) < scan:  # noqa: B023 - run at once
                    break

    async def _inspect(self, tx: Transaction, kind: Kind, page: Page) -> int:
        """Inspect a handful; how many it were."""
        handful = await self._handful(tx, kind, page)
        uses = await self.ledger.last_uses_in(
            tx, [(token.organization_id, token.id) for token, _, _ in handful]
        )
        owners = {token.user_id for token, _, _ in handful if token.user_id is not None}
        disabled = await tx.hygiene.disabled(owners)
        for token, person, role in handful:
            used = uses.get((token.organization_id, token.id))
            owner = standing(token, role)
            if token.user_id in disabled:
                owner = Owner.DISABLED
            flags = inspect(
                Inspected(token, used.last_at if used is not None else 0, owner, token.imported), self.now
            )
            self.inspected += 1
            self.counts.update(flags)
            if flags and (self.only is None or self.only in flags):
                self.findings.append(Finding(token, flags, person, used))
        return len(handful)

    async def _handful(self, tx: Transaction, kind: Kind, page: Page) -> list[_Held]:
        if kind is Kind.API_ACCESS:
            reaching = await tx.hygiene.reaching(self.organization_id, page)
            return [(each.token, each.owner, each.role) for each in reaching]
        found = await tx.tokens.list(self.organization_id, kind, None, page)
        if kind is Kind.DAGSTER_USER:
            return [await self._owned(tx, token) for token in found]
        return [(token, None, None) for token in found]

    async def _owned(self, tx: Transaction, token: Token) -> _Held:
        """A person's token with its owner, and the owner's role where they are a member."""
        if token.user_id is None:
            return token, None, None
        member = await tx.accounts.member(self.organization_id, token.user_id)
        return token, await tx.accounts.user(token.user_id), member.role if member is not None else None


def standing(token: Token, role: Role | None) -> Owner:
    """How the person behind a token stands, by the role in the organization; None for none."""
    if token.user_id is None:
        return Owner.NOBODY
    if role is None:
        return Owner.LEFT
    return Owner.ADMIN if role is Role.ADMIN else Owner.MEMBER
