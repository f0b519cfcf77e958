"""Lines: scheduled jobs as agents see them, and to whom each was offered. Memory only."""

from bisect import insort
from dataclasses import dataclass, field

from watchword.domain.fleet import matches
from watchword.domain.ids import AgentId, JobId, OrganizationId
from watchword.domain.pipelines import Job
from watchword.services.fleet import LiveAgent, line_of

OFFER_HOLDS_US = 30_000_000


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A scheduled job in its line: higher priority first, then older."""

    rank: int
    runnable_at: int
    id: JobId
    organization_id: OrganizationId = field(compare=False)
    rules: tuple[str, ...] = field(compare=False)


@dataclass(slots=True)
class Offer:
    """To whom a job was offered last, and when."""

    agent_id: AgentId
    at: int


def line_of_job(job: Job) -> str:
    """Name of the line in which the job waits."""
    key = next((rule[6:] for rule in job.rules if rule.startswith("queue=")), "default")
    return line_of(job.organization_id, job.queue_id, key)


@dataclass(slots=True)
class Lines:
    """Waiting jobs by line, and offers by job."""

    waiting: dict[str, list[Waiting]] = field(default_factory=dict)
    offers: dict[JobId, Offer] = field(default_factory=dict)

    def enqueue(self, job: Job) -> None:
        """Put a scheduled job into its line."""
        self.withdraw(job)
        waiting = Waiting(-job.priority, job.runnable_at, job.id, job.organization_id, job.rules)
        insort(self.waiting.setdefault(line_of_job(job), []), waiting)

    def withdraw(self, job: Job) -> None:
        """Take a job out of its line."""
        self.offers.pop(job.id, None)
        name = line_of_job(job)
        line = self.waiting.get(name)
        if line is None:
            return
        line[:] = [waiting for waiting in line if waiting.id != job.id]
        if not line:
            del self.waiting[name]

    def offer(self, agent: LiveAgent, now: int) -> JobId | None:
        """Offer the first job of the agent's line that fits and is not on offer to another agent.

        An offer is repeated to the same agent, because an answer may have been lost; after 30 s it
        may go to another.
        """
        for waiting in self.waiting.get(agent.line, ()):
            if not self.elsewhere(waiting.id, agent.id, now) and matches(waiting.rules, agent.tags):
                self.offers[waiting.id] = Offer(agent.id, now)
                return waiting.id
        return None

    def elsewhere(self, job_id: JobId, agent_id: AgentId, now: int) -> bool:
        """Whether the job is on offer to another agent."""
        offer = self.offers.get(job_id)
        return offer is not None and offer.agent_id != agent_id and now - offer.at <= OFFER_HOLDS_US
