"""Fleet: agents in memory, and what changes when they connect, are heard of, leave or fall silent.

A ping touches no database: it reads and writes this memory, which a worker flushes in batches.
"""

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from watchword.domain.errors import TooMany
from watchword.domain.events import Action, Actor
from watchword.domain.fleet import Agent, AgentState, Order, knows_time_outs
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId, QueueId, TokenId
from watchword.domain.tallies import REGISTERED
from watchword.domain.tokens import MINUTE_US
from watchword.services.context import Caller, Context
from watchword.services.ending import end_token
from watchword.services.siblings import sibling
from watchword.store.base import EVERYTHING, Page, Transaction

LOST_AFTER_US = 3 * MINUTE_US
# An agent retries `connect` for 50 s and `register` for 5 minutes (contract agent-api §1.9).
UNCONNECTED_AFTER_US = 6 * MINUTE_US
SEEN_MAY_LAG_US = MINUTE_US
_BATCH = 500

END_REASONS = {
    AgentState.DISCONNECTED: "agent disconnected",
    AgentState.LOST: "agent lost",
    AgentState.REPLACED: "agent never connected",
}
_ACTIONS = {
    AgentState.DISCONNECTED: Action.AGENT_DISCONNECTED,
    AgentState.LOST: Action.AGENT_LOST,
    AgentState.REPLACED: Action.AGENT_EXPIRED,
}


class Bell(Protocol):
    """How an agent is reached that listens instead of asking."""

    def ring(self) -> None:
        """What the agent is to be told may have changed."""

    def end(self) -> None:
        """The agent has left."""


@dataclass(slots=True, eq=False)
class LiveAgent:
    """One agent as pings see it.

    Attributes:
        line: where its jobs wait: the queue's id, or organization and queue key for an unclustered agent.
        token_id: the agent token it joined with.
        tags: its tags, shared between agents that carry the same ones.
        seen_at: last sign of life, microseconds.
        flushed_at: the sign of life that the database knows.
        job_id: the job it holds.
        job_at: when it last took that job or called about it.
        idle_since: when it first pinged although it holds a job; 0 if it did not.
        idle_at: when it last did.
        order: what the answers to its pings ask of it besides working.
        knows_time_outs: whether it heeds the job state `timing_out`.
        bell: reaches it at once while it listens; None while it asks every few seconds.
    """

    organization_id: OrganizationId
    id: AgentId
    token_id: TokenId
    line: str
    tags: tuple[str, ...]
    connected: bool
    dispatch: bool
    seen_at: int
    flushed_at: int
    job_id: JobId | None = None
    job_at: int = 0
    idle_since: int = 0
    idle_at: int = 0
    order: Order | None = None
    priority: int = 0
    knows_time_outs: bool = True
    bell: Bell | None = None

    @property
    def takes_jobs(self) -> bool:
        """Whether it is there, has no job and was not told to take none."""
        return self.job_id is None and self.connected and self.dispatch and self.order is None

    def ring(self) -> None:
        """Have it hear at once what changed, if it listens."""
        if self.bell is not None:
            self.bell.ring()


def line_of(organization_id: OrganizationId, queue_id: QueueId | None, key: str) -> str:
    """Name of the line in which a queue's jobs wait."""
    return queue_id or f"{organization_id}/{key}"


def line_of_agent(agent: Agent) -> str:
    """Name of the line in which an agent's jobs wait."""
    key = next((tag[6:] for tag in agent.tags if tag.startswith("queue=")), "default")
    return line_of(agent.organization_id, agent.queue_id, key)


def agent_actor(agent: Agent) -> Actor:
    """An agent as the audit trail names it."""
    return Actor("agent", agent.id, agent.name)


@dataclass(slots=True)
class Fleet:
    """All live agents of this process."""

    context: Context
    agents: dict[AgentId, LiveAgent] = field(default_factory=dict)
    # By line and priority: where all agents of a line have one priority, nothing is to be looked at.
    ranks: dict[str, dict[int, dict[AgentId, LiveAgent]]] = field(default_factory=dict)
    counts: dict[OrganizationId, int] = field(default_factory=dict)
    # What was decided about agents whose registration is committed and not yet in memory; None ended them.
    ahead: dict[AgentId, Order | None] = field(default_factory=dict)
    _tags: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    async def load(self) -> None:
        """Read live agents at a start; each counts as just heard of, so that none is lost at once."""

        async def work(tx: Transaction) -> list[Agent]:
            return list(await tx.fleet.live())

        now = self.context.clock.now()
        for agent in await self.context.store.read(work):
            live = self.add(agent)
            live.seen_at = now
            live.connected = agent.state is AgentState.CONNECTED

    def require_room(self, organization_id: OrganizationId) -> None:
        """Require that an organization may have one more agent.

        Raises:
            TooMany: it may not, until another leaves; agents try again for five minutes.
        """
        limit = self.context.installation.quotas.organization_agents
        if limit and self.counts.get(organization_id, 0) >= limit:
            raise TooMany(f"Your organization has {limit} agents, the most it may have.", code="agent_quota")

    def add(self, agent: Agent) -> LiveAgent:
        """Take an agent into memory."""
        live = LiveAgent(
            organization_id=agent.organization_id,
            id=agent.id,
            token_id=TokenId(sys.intern(agent.token_id)),
            line=sys.intern(line_of_agent(agent)),
            tags=self._tags.setdefault(agent.tags, agent.tags),
            connected=agent.state is AgentState.CONNECTED,
            dispatch=not agent.ignore_in_dispatches,
            seen_at=agent.seen_at,
            flushed_at=agent.seen_at,
            job_id=agent.job_id,
            order=agent.order,
            priority=agent.priority,
            knows_time_outs=knows_time_outs(agent.version),
        )
        self.agents[agent.id] = live
        self.counts[agent.organization_id] = self.counts.get(agent.organization_id, 0) + 1
        self.ranks.setdefault(live.line, {}).setdefault(live.priority, {})[live.id] = live
        return live

    def admit(self, agent: Agent) -> None:
        """Take an agent into memory whose registration was committed just now.

        A unit that came after it, to drain or to cut, may have been settled first.
        """
        self.context.tally.count(agent.organization_id, REGISTERED, agent.registered_at)
        if agent.id not in self.ahead:
            self.add(agent)
            return
        order = self.ahead.pop(agent.id)
        if order is not None:
            self.add(agent).order = order

    async def connect(self, caller: Caller, organization_id: OrganizationId, agent_id: AgentId) -> None:
        """The session is online; repeating it changes nothing."""
        now = self.context.clock.now()
        live = self.agents.get(agent_id)
        if live is not None and live.connected:
            live.seen_at = now
            return

        async def work(tx: Transaction) -> Agent | None:
            if await tx.fleet.connect(organization_id, agent_id, now):
                await self.context.record(
                    tx, caller, Action.AGENT_CONNECTED, organization_id, ("agent", agent_id)
                )
            return await tx.fleet.find(organization_id, agent_id)

        agent = await self.context.store.write(work)
        if live is not None and agent_id not in self.agents:
            return  # what ended it was committed later and settled first
        if agent is not None and agent.state is AgentState.CONNECTED:
            live = self.agents.get(agent_id) or self.add(agent)
            live.connected = True
            live.seen_at = now

    def heartbeat(self, agent_id: AgentId) -> None:
        """A sign of life."""
        live = self.agents.get(agent_id)
        if live is not None:
            live.seen_at = self.context.clock.now()

    async def end_in(
        self, tx: Transaction, caller: Caller, agent: Agent, state: AgentState, why: str = ""
    ) -> bool:
        """End an agent's session inside a unit of work; False if it had ended before.

        A registration that never connected gives its counted use back.

        Args:
            tx: the unit of work.
            caller: who ends it.
            agent: the agent.
            state: what it becomes.
            why: what its next call is told; the usual words of the state unless given.
        """
        now = self.context.clock.now()
        if not await tx.fleet.end(agent.organization_id, agent.id, state, now):
            return False
        session = await tx.tokens.find(agent.organization_id, agent.session_id)
        if session is not None:
            await end_token(self.context, tx, session, None, why or END_REASONS[state])
        if agent.state is AgentState.REGISTERED and agent.counted:
            await tx.tokens.return_use(agent.organization_id, agent.token_id)
            other = await sibling(tx, agent.organization_id, agent.token_id)
            if other is not None:  # while a rotation is open, both values stand for the same uses
                await tx.tokens.return_use(agent.organization_id, other)
        await self.context.record(
            tx, caller, _ACTIONS[state], agent.organization_id, ("agent", agent.id), {"name": agent.name}
        )
        return True

    def forget(self, agent_id: AgentId) -> None:
        """Take an agent out of memory, after its end was committed."""
        live = self.agents.pop(agent_id, None)
        if live is None:
            return
        if live.bell is not None:
            live.bell.end()
        self.counts[live.organization_id] -= 1
        ranks = self.ranks[live.line]
        ranks[live.priority].pop(agent_id, None)
        if not ranks[live.priority]:
            del ranks[live.priority]
        if not ranks:
            del self.ranks[live.line]

    def order(self, agent_id: AgentId) -> Order | None:
        """What an agent is to do besides working, if anything."""
        live = self.agents.get(agent_id)
        return live.order if live is not None else None

    async def flush(self, *, everything: bool = False) -> int:
        """Write when agents were last heard of, for people; returns how many rows changed.

        A start counts every agent as just heard of, so the column may be behind by a minute.
        """
        age = 0 if everything else SEEN_MAY_LAG_US
        changed = [live for live in self.agents.values() if live.seen_at - live.flushed_at > age]
        for start in range(0, len(changed), _BATCH):
            await self._write_seen(changed[start : start + _BATCH])
        return len(changed)

    async def _write_seen(self, changed: list[LiveAgent]) -> None:
        seen = [(live.organization_id, live.id, live.seen_at) for live in changed]

        async def work(tx: Transaction) -> None:
            await tx.fleet.touch(seen)

        await self.context.store.write(work)
        for live, (_, _, at) in zip(changed, seen, strict=True):
            live.flushed_at = at

    def held(self, organization_id: OrganizationId) -> Counter[TokenId]:
        """How many live agents, connected or about to connect, joined with each token."""
        return Counter(
            live.token_id for live in self.agents.values() if live.organization_id == organization_id
        )

    def silent(self, now: int) -> list[LiveAgent]:
        """Agents past their deadline: connected without a sign of life, or registered only."""
        return [
            live
            for live in self.agents.values()
            if now - live.seen_at >= (LOST_AFTER_US if live.connected else UNCONNECTED_AFTER_US)
        ]


async def list_agents(
    context: Context, organization_id: OrganizationId, cluster_id: ClusterId | None, page: Page
) -> list[Agent]:
    """Connected agents, oldest first."""

    async def work(tx: Transaction) -> list[Agent]:
        states = (AgentState.CONNECTED,)
        return list(await tx.fleet.list(organization_id, cluster_id, states, page))

    return await context.store.read(work)


async def joined_with(context: Context, organization_id: OrganizationId, token_id: TokenId) -> list[Agent]:
    """Connected agents that joined with a token."""
    agents = await list_agents(context, organization_id, None, EVERYTHING)
    return [agent for agent in agents if agent.token_id == token_id]
