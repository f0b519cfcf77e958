"""Hygiene: which tokens of an organization need attention, and why."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from watchword.domain.accounts import Role, User
from watchword.domain.hygiene import Flag, Inspected, Owner, inspect
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.services.access import Access
from watchword.services.ledger import Ledger
from watchword.store.base import Page, Transaction
from watchword.store.base_hygiene import Reaching

# One report reads at most this many tokens of a kind; what lies beyond is not found.
MAX_INSPECTED = 20_000
_SCAN = 500


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
        findings: the tokens asked for, oldest first: agent tokens, unclustered ones, API access tokens.
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
    counts: Counter[Flag] = Counter()
    findings = []
    inspected = 0
    known: dict[UserId, bool] = {}

    async def disabled(user_id: UserId) -> bool:
        if user_id not in known:
            known[user_id] = bool((await tx.people.sign_in_data(user_id)).disabled_at)
        return known[user_id]

    async for handful in _walk(tx, access.id):
        uses = await ledger.last_uses_in(tx, [(token.organization_id, token.id) for token, _ in handful])
        for token, reaching in handful:
            used = uses.get((token.organization_id, token.id))
            owner = standing(token, reaching.role if reaching is not None else None)
            if token.user_id is not None and await disabled(token.user_id):
                owner = Owner.DISABLED
            flags = inspect(
                Inspected(token, used.last_at if used is not None else 0, owner, token.imported), now
            )
            inspected += 1
            counts.update(flags)
            if flags and (only is None or only in flags):
                findings.append(Finding(token, flags, reaching.owner if reaching is not None else None, used))
    return Report(inspected, dict(counts), tuple(findings))


def standing(token: Token, role: Role | None) -> Owner:
    """How the person behind a token stands, by the role in the organization; None for none."""
    if token.user_id is None:
        return Owner.NOBODY
    if role is None:
        return Owner.LEFT
    return Owner.ADMIN if role is Role.ADMIN else Owner.MEMBER


async def _walk(
    tx: Transaction, organization_id: OrganizationId
) -> AsyncIterator[list[tuple[Token, Reaching | None]]]:
    """Tokens that people made, in handfuls: agent tokens, then API access tokens that reach in."""
    for kind in (Kind.AGENT, Kind.UNCLUSTERED_AGENT):
        for start in range(0, MAX_INSPECTED, _SCAN):
            rows = await tx.tokens.list(organization_id, kind, None, Page(_SCAN, start))
            yield [(token, None) for token in rows]
            if len(rows) < _SCAN:
                break
    for start in range(0, MAX_INSPECTED, _SCAN):
        found = await tx.hygiene.reaching(organization_id, Page(_SCAN, start))
        yield [(each.token, each) for each in found]
        if len(found) < _SCAN:
            break
