"""Dagster agents as they are heard of: in memory, written in batches, forgotten after a week."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from watchword.domain.dagsteragents import (
    KEPT_US,
    MAX_ERROR,
    MAX_ERRORS,
    MAX_LABEL,
    AgentFault,
    AgentStatus,
    DagsterAgent,
)
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Forbidden
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId
from watchword.services.context import Context
from watchword.services.dagsterdoor import Guest
from watchword.store.base import Transaction

_BATCH = 500
# However many ids somebody makes up, and however much they say of themselves.
MAX_AGENTS = 10_000
MAX_ERRORS_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of one agent for one deployment.

    Attributes:
        queues: those that it serves; an empty name is the default one.
        facts: its version and what else it says of itself.
    """

    deployment: str
    agent_id: str
    label: str
    type: str
    queues: tuple[str, ...]
    facts: Mapping[str, str]


@dataclass(slots=True)
class DagsterFleet:
    """All Dagster agents that were heard of in the last week."""

    context: Context
    _agents: dict[OrganizationId, dict[str, DagsterAgent]] = field(default_factory=dict)
    _unwritten: set[tuple[OrganizationId, str]] = field(default_factory=set)
    # Characters of all errors of an organization's agents.
    _sizes: dict[OrganizationId, int] = field(default_factory=dict)

    async def load(self) -> None:
        """Read at a start who was heard of."""
        since = self.oldest()
        for agent in await self.context.store.read(lambda tx: tx.dagster_agents.since(since)):
            self._put(agent)

    def _put(self, agent: DagsterAgent) -> None:
        """Take an agent in as it is now; without its errors where all of them are too much."""
        self._drop(agent.organization_id, agent.id)
        size = self._sizes.get(agent.organization_id, 0) + _size(agent)
        if size > MAX_ERRORS_SIZE:
            agent, size = replace(agent, errors=()), size - _size(agent)
        self._agents.setdefault(agent.organization_id, {})[agent.id] = agent
        self._sizes[agent.organization_id] = size

    def _drop(self, organization_id: OrganizationId, agent_id: str) -> None:
        known = self._agents.get(organization_id, {}).pop(agent_id, None)
        if known is not None:
            self._sizes[organization_id] -= _size(known)

    def heard(self, guest: Guest, heartbeats: Sequence[Heartbeat], errors: Sequence[AgentFault]) -> None:
        """Take heartbeats in: all of them, or, where the token may not serve one of the deployments, none.

        Args:
            guest: an agent token.
            heartbeats: one for each deployment that the agent serves; none is as good.
            errors: what the agent tells of, the latest first.

        Raises:
            Forbidden: a deployment is not the token's, or does not exist.
        """
        served = {each.deployment: guest.serves(each.deployment) for each in heartbeats}
        refused = sorted(name for name, deployment in served.items() if deployment is None)
        if refused:
            raise not_served(refused)
        now, token_id = self.context.clock.now(), guest.presented.holder.id
        for each in heartbeats:
            deployment = served[each.deployment]
            if deployment is not None:
                self._take(guest.id, token_id, each, deployment, errors, now)

    def _take(
        self,
        organization_id: OrganizationId,
        token_id: TokenId,
        heartbeat: Heartbeat,
        deployment: Deployment,
        errors: Sequence[AgentFault],
        now: int,
    ) -> None:
        agents = self._agents.setdefault(organization_id, {})
        known = agents.get(heartbeat.agent_id)
        if known is None and len(agents) >= MAX_AGENTS:
            oldest = min(agents.values(), key=lambda agent: agent.seen_at)
            self._drop(organization_id, oldest.id)
        made = DagsterAgent(
            organization_id,
            heartbeat.agent_id,
            TokenId(sys.intern(token_id)),
            heartbeat.label[:MAX_LABEL],
            heartbeat.type[:MAX_LABEL],
            {**(known.deployments if known is not None else {}), deployment.id: now},
            heartbeat.queues,
            heartbeat.facts,
            tuple(AgentFault(fault.at, fault.text[:MAX_ERROR]) for fault in errors[:MAX_ERRORS]),
            known.first_at if known is not None else now,
            now,
        )
        self._put(made)
        self._unwritten.add((organization_id, heartbeat.agent_id))

    def known(self, organization_id: OrganizationId, since: int = 0) -> list[DagsterAgent]:
        """Agents of an organization that were heard of since a time, the latest first."""
        first = max(since, self.oldest())
        found = [one for one in self._agents.get(organization_id, {}).values() if one.seen_at >= first]
        return sorted(found, key=lambda agent: (-agent.seen_at, agent.id))

    def seen_by(self, guest: Guest, since: int = 0) -> list[DagsterAgent]:
        """Those that a guest may know of: of an agent token, those of the deployments that it may serve."""
        found = self.known(guest.id, since)
        if guest.permitted is None or guest.permitted.everything:
            return found
        served = {one.id for one in guest.place.deployments.values() if guest.permitted.allows(one)}
        return [agent for agent in found if not served.isdisjoint(agent.deployments)]

    def on(self, organization_id: OrganizationId, deployment_id: DeploymentId) -> list[DagsterAgent]:
        """Agents that were heard of for one deployment, as of then."""
        found = []
        for agent in self.known(organization_id):
            at = agent.deployments.get(deployment_id)
            if at is not None:
                found.append(replace(agent, seen_at=at))
        return found

    def holders(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[DagsterAgent]:
        """Agents that run with a token now: what a revocation would stop."""
        now = self.context.clock.now()
        return [
            agent
            for agent in self.known(organization_id)
            if agent.token_id == token_id and agent.status_at(now) is AgentStatus.RUNNING
        ]

    def pulse(self, organization_id: OrganizationId) -> int:
        """Who is there and how, in short: another number when agents come, go quiet, or tell of errors."""
        now = self.context.clock.now()
        agents = self._agents.get(organization_id, {}).values()
        return hash(
            frozenset(
                (agent.id, agent.label, agent.status_at(now), agent.errors, frozenset(agent.deployments))
                for agent in agents
            )
        )

    async def flush(self) -> int:
        """Write what was heard since the last time; how many agents."""
        taken, self._unwritten = self._unwritten, set()
        found = [self._agents.get(owner, {}).get(agent_id) for owner, agent_id in sorted(taken)]
        agents = [agent for agent in found if agent is not None]
        try:
            for start in range(0, len(agents), _BATCH):
                await self._save(agents[start : start + _BATCH])
        except BaseException:
            self._unwritten |= taken
            raise
        return len(agents)

    async def _save(self, agents: Sequence[DagsterAgent]) -> None:
        async def work(tx: Transaction) -> None:
            await tx.dagster_agents.save(agents)

        await self.context.store.write(work)

    def oldest(self) -> int:
        """Since when an agent must have been heard of to be known, microseconds."""
        return self.context.clock.now() - KEPT_US

    def forget(self) -> None:
        """Take agents out of memory that were not heard of for a week."""
        before = self.oldest()
        for organization_id, agents in self._agents.items():
            for agent_id in [one.id for one in agents.values() if one.seen_at < before]:
                self._drop(organization_id, agent_id)


def _size(agent: DagsterAgent) -> int:
    return sum(len(fault.text) for fault in agent.errors)


def not_served(names: Sequence[str]) -> Forbidden:
    """The refusal of deployments that a token may not serve; of those that do not exist it is the same."""
    word = "deployment" if len(names) == 1 else "deployments"
    shown = ", ".join(name[:100] for name in names[:20])
    return Forbidden(
        f"This agent token may not serve the {word} {shown}; an Organization Admin can permit it"
        " in Organization Settings, Tokens.",
        code="deployment_not_permitted",
    )
