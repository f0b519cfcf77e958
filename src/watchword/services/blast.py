"""Blast radius: what taking access away from a token would break, counted before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.addresses import Block
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import BlastRadius, UsedBy
from watchword.domain.restrictions import Restrictions
from watchword.domain.tokens import DAY_US, Token
from watchword.domain.use import HOUR_US, Use
from watchword.services.context import Context
from watchword.services.dagsteragents import DagsterFleet
from watchword.services.ledger import Ledger
from watchword.services.withdrawing import Withdrawer
from watchword.store.base import Transaction
from watchword.store.base_fleet import JoinedCounts


@dataclass(slots=True)
class Blast:
    """Counts what a change would touch; changes nothing."""

    context: Context
    ledger: Ledger
    withdrawer: Withdrawer
    dagster_fleet: DagsterFleet

    async def radius_in(
        self, tx: Transaction, token: Token, networks: Sequence[Block] | None = None
    ) -> BlastRadius:
        """What a token's revocation, expiry or narrowing touches, inside a unit of work.

        Args:
            tx: the unit of work; one that reads will do.
            token: of any kind.
            networks: the blocks that it is to be narrowed to; None where it is to end.
        """
        running = await tx.revocations.running_jobs(token.organization_id, token.id)
        if networks is None:  # all of them: the database counts thousands sooner than they are read
            found = await self._counts(tx, token)
        else:
            outside = self.withdrawer.outside(token.organization_id, networks)
            agents = [one for one in await tx.fleet.joined(token.organization_id, token.id) if outside(one)]
            ids = {agent.id for agent in agents}
            running = [each for each in running if each[0] in ids]
            found = _count(agents)
        uses = await self._uses(tx, token)
        return BlastRadius(
            connected=found.connected,
            joining=found.joining,
            busy=found.busy,
            running=tuple(job_id for _, job_id in running),
            callers=callers_of(uses, self.context.clock.now() - DAY_US, networks),
            children=found.connected + found.joining,
            last_use=await self._last_use(tx, token),
        )

    async def _counts(self, tx: Transaction, token: Token) -> JoinedCounts:
        """Live agents: those that joined with the token, or, of Dagster's, that run with it by heartbeat."""
        if token.kind is Kind.DAGSTER_AGENT:
            running = len(self.dagster_fleet.holders(token.organization_id, token.id))
            return JoinedCounts(connected=running, joining=0, busy=0)
        return await tx.fleet.count_joined(token.organization_id, token.id)

    async def _uses(self, tx: Transaction, token: Token) -> list[Use]:
        hour = (self.context.clock.now() - DAY_US) // HOUR_US
        written = await tx.revocations.uses_since(token.organization_id, token.id, hour)
        return [*written, *self.ledger.pending(token.organization_id, token.id)]

    async def _last_use(self, tx: Transaction, token: Token) -> Use | None:
        written = await tx.audit.last_use(token.organization_id, token.id)
        found = self.ledger.pending(token.organization_id, token.id)
        return max([*found, *([written] if written else [])], key=lambda use: use.last_at, default=None)


def _count(agents: Sequence[Agent]) -> JoinedCounts:
    return JoinedCounts(
        connected=sum(agent.state is AgentState.CONNECTED for agent in agents),
        joining=sum(agent.state is AgentState.REGISTERED for agent in agents),
        busy=sum(agent.job_id is not None for agent in agents),
    )


def callers_of(
    uses: Sequence[Use], since: int, networks: Sequence[Block] | None = None
) -> tuple[UsedBy, ...]:
    """Who used the token since a moment, latest first; with networks, those outside of them."""
    allowed = Restrictions(networks=tuple(networks or ()))
    found: dict[tuple[str, str], UsedBy] = {}
    for use in uses:
        if use.last_at < since or (networks is not None and not allowed.refuse_address(use.address)):
            continue
        key = (use.address, use.version)
        known = found.get(key, UsedBy(*key, 0, 0))
        found[key] = UsedBy(*key, known.count + use.count, max(known.last_at, use.last_at))
    return tuple(sorted(found.values(), key=lambda one: (-one.last_at, one.address, one.client)))
