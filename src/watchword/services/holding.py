"""Holding: who still uses a token, as a rotation asks it.

Agents of clusters are known one by one by the token that they joined with. Of other shared tokens use tells:
a Dagster agent, its code servers and its runs present the token itself, the agent twice a second; whoever
installs packages presents the registry's.
"""

from dataclasses import dataclass

from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import UsedBy
from watchword.domain.tokens import MINUTE_US
from watchword.domain.use import HOUR_US
from watchword.services.blast import callers_of
from watchword.services.context import Context
from watchword.services.ledger import Ledger
from watchword.store.base import Transaction

# Whoever used a token within this time holds it: as long as Dagster's own clients take an agent for live.
HELD_US = 10 * MINUTE_US
_BY_USE = (Kind.DAGSTER_AGENT, Kind.REGISTRY, Kind.PORTAL_SERVICE)


@dataclass(frozen=True, slots=True)
class Holders:
    """Tells who holds a token."""

    context: Context
    ledger: Ledger

    async def count_in(
        self, tx: Transaction, kind: Kind, organization_id: OrganizationId, token_id: TokenId
    ) -> int:
        """How many live holders a token has."""
        if kind in _BY_USE:
            return len(await self.callers_in(tx, kind, organization_id, token_id))
        return await tx.rotations.count_holders(organization_id, token_id)

    async def callers_in(
        self, tx: Transaction, kind: Kind, organization_id: OrganizationId, token_id: TokenId
    ) -> tuple[UsedBy, ...]:
        """Who used a token lately, by address and client, the latest first; nobody of other kinds."""
        if kind not in _BY_USE:
            return ()
        since = self.context.clock.now() - HELD_US
        written = await tx.revocations.uses_since(organization_id, token_id, since // HOUR_US)
        return callers_of([*written, *self.ledger.pending(organization_id, token_id)], since)
