"""Dagster agents as their heartbeats describe them (contract §5, §9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from watchword.domain.ids import OrganizationId, TokenId

# Three heartbeats (§9).
RUNNING_FOR_US = 90_000_000
KEPT_US = 7 * 24 * 3_600_000_000
MAX_ERRORS = 25
MAX_ERROR = 10_000
MAX_LABEL = 200


class AgentStatus(StrEnum):
    """Whether an agent is heard of."""

    RUNNING = "RUNNING"
    NOT_RUNNING = "NOT_RUNNING"


@dataclass(frozen=True, slots=True)
class AgentFault:
    """An error that an agent told of: when, in microseconds, and what."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class DagsterAgent:
    """One agent process. Times are microseconds.

    Attributes:
        id: made by the agent at each start.
        token_id: the agent token of its last heartbeat.
        deployments: when it was last heard of for each deployment, by id.
        queues: those that it serves; an empty name is the default one.
        facts: its version and what else it says of itself.
        errors: the latest first.
    """

    organization_id: OrganizationId
    id: str
    token_id: TokenId
    label: str
    type: str
    deployments: Mapping[str, int]
    queues: tuple[str, ...]
    facts: Mapping[str, str]
    errors: tuple[AgentFault, ...] = field(default=())
    first_at: int = 0
    seen_at: int = 0

    def status_at(self, now: int) -> AgentStatus:
        """Whether it runs, as far as anybody knows."""
        return AgentStatus.RUNNING if now - self.seen_at < RUNNING_FOR_US else AgentStatus.NOT_RUNNING
