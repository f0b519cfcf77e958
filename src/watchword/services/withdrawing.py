"""Withdrawing: the agents that a revocation or narrowing is about are told to leave, or are cut.

`carry_out_in` is part of the unit of work that takes access away, or of a later one that carries a drain
on; `settle` brings memory up to date after the commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from watchword.domain.addresses import Block
from watchword.domain.events import Action
from watchword.domain.fleet import STOP, Agent, AgentState, Order
from watchword.domain.ids import OrganizationId
from watchword.domain.lifecycle import Change, Mode, Revocation
from watchword.domain.restrictions import Restrictions, load
from watchword.services.context import Caller, Context
from watchword.services.finishing import Finisher, Left
from watchword.services.fleet import Fleet
from watchword.services.ledger import Ledger
from watchword.store.base import Transaction

_WHY = {
    Change.REVOKE: "its agent token was revoked",
    Change.NARROW: "its address is outside of the networks of its agent token",
}


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What a unit of work did, for memory to follow.

    Attributes:
        revocation: as it is now; its counts hold everything that was done under it.
        draining: agents that are still to leave.
        left: agents whose sessions were ended.
    """

    revocation: Revocation
    draining: tuple[Agent, ...] = ()
    left: tuple[Left, ...] = ()


@dataclass(slots=True)
class Withdrawer:
    """Tells agents to leave, and cuts them."""

    context: Context
    fleet: Fleet
    finisher: Finisher
    ledger: Ledger

    def outside(self, organization_id: OrganizationId, blocks: Sequence[Block]) -> Callable[[Agent], bool]:
        """Whether an agent's latest address is outside of some blocks."""
        latest = self.ledger.addresses(organization_id)
        networks = Restrictions(networks=tuple(blocks))
        return lambda agent: networks.refuse_address(self._address(latest, agent))

    def _address(self, latest: dict[str, str], agent: Agent) -> str:
        return latest.get(agent.session_id, agent.address)

    async def scope_in(self, tx: Transaction, revocation: Revocation) -> list[Agent]:
        """Live agents that a revocation is about; of a narrowing those that are outside now as then."""
        joined = await tx.fleet.joined(revocation.organization_id, revocation.token_id)
        if revocation.change is Change.REVOKE or not joined:
            return list(joined)
        token = await tx.tokens.find(revocation.organization_id, revocation.token_id)
        then = self.outside(revocation.organization_id, load(revocation.networks).networks)
        now = self.outside(revocation.organization_id, load(token.restrictions).networks if token else ())
        return [agent for agent in joined if then(agent) and now(agent)]

    async def remaining_in(self, tx: Transaction, revocation: Revocation) -> int:
        """How many live agents a revocation is about; thousands are counted, not read."""
        if revocation.change is Change.NARROW:
            return len(await self.scope_in(tx, revocation))
        found = await tx.fleet.count_joined(revocation.organization_id, revocation.token_id)
        return found.connected + found.joining

    async def carry_out_in(
        self, tx: Transaction, caller: Caller, revocation: Revocation, mode: Mode
    ) -> Withdrawn:
        """Do to the agents in scope what a mode asks, and say how far the revocation has come."""
        if mode is Mode.STOP_JOINING:
            return Withdrawn(replace(revocation, finished_at=self.context.clock.now()))
        agents = await self.scope_in(tx, revocation)
        act = self._cut if mode is Mode.CUT else self._drain
        done = await act(tx, caller, revocation, agents)
        return await self._finish(tx, caller, done)

    async def _drain(
        self, tx: Transaction, caller: Caller, revocation: Revocation, agents: Sequence[Agent]
    ) -> Withdrawn:
        now = self.context.clock.now()
        told = 0
        for agent in agents:
            if await tx.fleet.drain(agent.organization_id, agent.id, now):
                told += 1
                details = {"force": False, "token_id": agent.token_id}
                await self.context.record(
                    tx, caller, Action.AGENT_STOPPING, agent.organization_id, ("agent", agent.id), details
                )
        counted = replace(revocation, agents=revocation.agents + told)
        return Withdrawn(counted, draining=tuple(agents))

    async def _cut(
        self, tx: Transaction, caller: Caller, revocation: Revocation, agents: Sequence[Agent]
    ) -> Withdrawn:
        latest = self.ledger.addresses(revocation.organization_id)
        left = []
        for agent in agents:
            if revocation.change is Change.NARROW:
                details = {
                    "name": agent.name,
                    "blocked_ip": self._address(latest, agent),
                    "token_id": agent.token_id,
                }
                await self.context.record(
                    tx, caller, Action.AGENT_BLOCKED, agent.organization_id, ("agent", agent.id), details
                )
            state, why = AgentState.DISCONNECTED, _WHY[revocation.change]
            left.append(await self.finisher.leave_in(tx, caller, agent, state, why=why, lost=True))
        fresh = sum(not agent.stopping_at for agent in agents)
        counted = replace(
            revocation,
            agents=revocation.agents + fresh,
            agents_cut=revocation.agents_cut + len(left),
            jobs_lost=revocation.jobs_lost + sum(one.ended is not None for one in left),
            jobs_returned=revocation.jobs_returned + sum(one.released is not None for one in left),
        )
        return Withdrawn(counted, left=tuple(left))

    async def _finish(self, tx: Transaction, caller: Caller, done: Withdrawn) -> Withdrawn:
        if done.draining:
            return done
        finished = replace(done.revocation, finished_at=self.context.clock.now())
        details = {
            "change": finished.change.value,
            "mode": finished.mode.value,
            "agents": finished.agents,
            "agents_cut": finished.agents_cut,
            "jobs_lost": finished.jobs_lost,
            "jobs_returned": finished.jobs_returned,
        }
        subject = ("token", finished.token_id)
        await self.context.record(
            tx, caller, Action.REVOCATION_FINISHED, finished.organization_id, subject, details
        )
        return replace(done, revocation=finished)

    def settle(self, done: Withdrawn) -> None:
        """Tell memory, after the commit; an agent whose registration is not in memory yet is told then."""
        for agent in done.draining:
            live = self.fleet.agents.get(agent.id)
            if live is None:
                self.fleet.ahead[agent.id] = Order(stop=True, message=STOP)
            elif live.order is None or not live.order.stop:
                live.order = Order(stop=True, message=STOP)
                self.finisher.dispatcher.lines.take_back(live)
                live.ring()
        for left in done.left:
            if left.agent.id not in self.fleet.agents:
                self.fleet.ahead[left.agent.id] = None
            self.finisher.settle_left(left)
