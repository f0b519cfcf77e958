"""The store's contract for agents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId, TokenId, UserId
from watchword.store.page import Page


@dataclass(frozen=True, slots=True)
class JoinedCounts:
    """How many live agents joined with a token, by what they do.

    Attributes:
        joining: registered and not connected yet.
        busy: those of either that hold a job.
    """

    connected: int = 0
    joining: int = 0
    busy: int = 0


class Fleet(Protocol):
    """Agents."""

    async def add(self, agent: Agent) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, agent_id: AgentId) -> Agent | None:
        """By id."""

    async def list(
        self,
        organization_id: OrganizationId,
        cluster_id: ClusterId | None,
        states: Sequence[AgentState],
        page: Page,
    ) -> Sequence[Agent]:
        """Agents in any of the states, oldest first; of one cluster where one is named."""

    async def live(self) -> Sequence[Agent]:
        """Registered and connected agents of all organizations, for a start."""

    async def joined(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[Agent]:
        """Live agents that joined with a token, registered or connected, oldest first."""

    async def count_joined(self, organization_id: OrganizationId, token_id: TokenId) -> JoinedCounts:
        """The same, counted."""

    async def drain(self, organization_id: OrganizationId, agent_id: AgentId, at: int) -> bool:
        """A live agent, connected or not yet, is to leave after its job; False if it is to already."""

    async def never_connected(
        self, organization_id: OrganizationId, token_id: TokenId, name: str, hostname: str
    ) -> Agent | None:
        """The agent that asked for this name, registered from this host and has not connected yet."""

    async def connect(self, organization_id: OrganizationId, agent_id: AgentId, at: int) -> bool:
        """Registered → connected; False from any other state."""

    async def end(
        self, organization_id: OrganizationId, agent_id: AgentId, state: AgentState, at: int
    ) -> bool:
        """Registered or connected → an ended state; False if it had ended before."""

    async def give_job(
        self, organization_id: OrganizationId, agent_id: AgentId, job_id: JobId | None
    ) -> None:
        """Note which job the agent holds."""

    async def take_job(self, organization_id: OrganizationId, agent_id: AgentId, at: int) -> None:
        """Note that the agent's job ended."""

    async def ignore(self, organization_id: OrganizationId, agent_id: AgentId) -> None:
        """Never dispatch to the agent again."""

    async def stop(self, organization_id: OrganizationId, agent_id: AgentId, at: int, *, force: bool) -> bool:
        """A connected agent is to leave; a forced stop stays one. False if it is not connected."""

    async def pause(
        self,
        organization_id: OrganizationId,
        agent_id: AgentId,
        at: int,
        until: int,
        note: str,
        by: UserId | None,
    ) -> bool:
        """A connected agent takes no jobs; a pause in force gives way. False if it is not connected."""

    async def resume(self, organization_id: OrganizationId, agent_id: AgentId) -> bool:
        """A paused agent takes jobs again; False if it was not paused."""

    async def touch(self, seen: Sequence[tuple[OrganizationId, AgentId, int]]) -> None:
        """Note when agents were last heard of, in one batch."""
