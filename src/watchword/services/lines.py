"""Lines: scheduled jobs as agents see them, and to whom each was offered. Memory only."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from watchword.domain.fleet import matches
from watchword.domain.ids import AgentId, JobId, OrganizationId, QueueId
from watchword.domain.pipelines import Job
from watchword.services.fleet import LiveAgent, line_of

OFFER_HOLDS_US = 30_000_000
_MAX_LEFT = 256


def _nobody(_line: str) -> None:
    """Nobody waits to hear of jobs."""


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A scheduled job in its line: higher priority first, then older."""

    rank: int
    runnable_at: int
    id: JobId
    organization_id: OrganizationId = field(compare=False)
    rules: tuple[str, ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Offer:
    """To whom a job was offered last, and when."""

    agent_id: AgentId
    at: int


def queue_key(rules: Sequence[str]) -> str:
    """Key of the queue that a job's rules name."""
    return next((rule[6:] for rule in rules if rule.startswith("queue=")), "default")


def line_of_rules(organization_id: OrganizationId, queue_id: QueueId | None, rules: Sequence[str]) -> str:
    """Name of the line in which jobs of a queue, or outside clusters of these rules, wait."""
    return line_of(organization_id, queue_id, queue_key(rules))


def line_of_job(job: Job) -> str:
    """Name of the line in which the job waits."""
    return line_of_rules(job.organization_id, job.queue_id, job.rules)


@dataclass(slots=True)
class Line:
    """The jobs of one line, so that the next one for an agent is found without walking over the others.

    Attributes:
        jobs: everything that waits here, on offer or not.
        heaps: by rules, what may be offered; entries of jobs that left stay until they come up.
        offered: jobs on offer with the time of the offer, oldest first; repeated ones come again.
    """

    jobs: dict[JobId, Waiting] = field(default_factory=dict)
    heaps: dict[tuple[str, ...], list[Waiting]] = field(default_factory=dict)
    offered: deque[tuple[int, JobId]] = field(default_factory=deque)

    def __len__(self) -> int:
        """How many jobs wait."""
        return len(self.jobs)

    def __iter__(self) -> Iterator[Waiting]:
        """Jobs in the order in which they would be offered."""
        return iter(sorted(self.jobs.values()))

    def free(self, waiting: Waiting) -> None:
        """Let a job be offered."""
        heap = self.heaps.setdefault(waiting.rules, [])
        heappush(heap, waiting)
        if len(heap) > 2 * len(self.jobs) + _MAX_LEFT:
            heap[:] = {one.id: one for one in heap if self.jobs.get(one.id) is one}.values()
            heapify(heap)


@dataclass(slots=True)
class Lines:
    """Waiting jobs by line, offers by job and by agent, and lines whose jobs are held back.

    Attributes:
        rings: hears of each line in which a job may be offered that could not before.
    """

    waiting: dict[str, Line] = field(default_factory=dict)
    offers: dict[JobId, Offer] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    # Jobs that go to this agent only where no other takes them; empty for nearly every agent.
    avoiding: dict[AgentId, set[JobId]] = field(default_factory=dict)
    rings: Callable[[str], None] = _nobody
    _of_agents: dict[AgentId, JobId] = field(default_factory=dict)

    def enqueue(self, job: Job) -> None:
        """Put a scheduled job into its line."""
        self.withdraw(job)
        name = line_of_job(job)
        line = self.waiting.setdefault(name, Line())
        waiting = Waiting(-job.priority, job.runnable_at, job.id, job.organization_id, job.rules)
        line.jobs[job.id] = waiting
        if job.avoided_agent_id is not None:
            self.avoiding.setdefault(job.avoided_agent_id, set()).add(job.id)
        line.free(waiting)
        self.rings(name)

    def withdraw(self, job: Job) -> None:
        """Take a job out of its line."""
        self._forget_offer(job.id)
        if job.avoided_agent_id is not None and job.avoided_agent_id in self.avoiding:
            avoiding = self.avoiding[job.avoided_agent_id]
            avoiding.discard(job.id)
            if not avoiding:
                del self.avoiding[job.avoided_agent_id]
        name = line_of_job(job)
        line = self.waiting.get(name)
        if line is None:
            return
        line.jobs.pop(job.id, None)
        if not line.jobs:
            del self.waiting[name]

    def offer(
        self, agent: LiveAgent, now: int, spared: Callable[[Waiting], bool] | None = None
    ) -> JobId | None:
        """Offer the first job of the agent's line that fits and is not on offer to another agent.

        An offer is repeated to the same agent, because an answer may have been lost; 30 s after the
        last time it may go to another, and at once where a job came that goes before it.

        Args:
            agent: who asks.
            now: the time.
            spared: tells of a job whether it is kept for a better agent; None where there is none.
        """
        line = self.waiting.get(agent.line)
        if line is None:
            return None
        self.take_back_late(line, now)
        chosen = line.jobs.get(self._of_agents.get(agent.id, JobId("")))
        heap = self._best(line, agent, spared)
        if heap is not None and (chosen is None or heap[0] < chosen):
            if chosen is not None:
                self._forget_offer(chosen.id)
                line.free(chosen)
            chosen = heappop(heap)
        if chosen is None:
            return None
        self.offers[chosen.id] = Offer(agent.id, now)
        self._of_agents[agent.id] = chosen.id
        line.offered.append((now, chosen.id))
        return chosen.id

    def elsewhere(self, job_id: JobId, agent_id: AgentId, now: int) -> bool:
        """Whether the job is on offer to another agent."""
        offer = self.offers.get(job_id)
        return offer is not None and offer.agent_id != agent_id and now - offer.at <= OFFER_HOLDS_US

    def has_offer(self, agent_id: AgentId) -> bool:
        """Whether a job is on offer to the agent."""
        return agent_id in self._of_agents

    def offer_of(self, agent_id: AgentId) -> JobId | None:
        """The job that is on offer to the agent."""
        return self._of_agents.get(agent_id)

    def scheduled(self, organization_id: OrganizationId) -> int:
        """How many jobs of an organization wait for an agent; a line is one organization's."""
        firsts = ((line, next(iter(line.jobs.values()), None)) for line in self.waiting.values())
        return sum(
            len(line)
            for line, first in firsts
            if first is not None and first.organization_id == organization_id
        )

    def take_back(self, agent: LiveAgent) -> None:
        """Take back what is on offer to an agent that takes no jobs any more."""
        job_id = self._of_agents.get(agent.id)
        if job_id is None:
            return
        self._forget_offer(job_id)
        line = self.waiting.get(agent.line)
        if line is not None and job_id in line.jobs:
            line.free(line.jobs[job_id])
            self.rings(agent.line)

    def _best(
        self, line: Line, agent: LiveAgent, spared: Callable[[Waiting], bool] | None
    ) -> list[Waiting] | None:
        """The heap whose first job is the agent's next one."""
        best: list[Waiting] | None = None
        for rules, heap in list(line.heaps.items()):
            while heap and (line.jobs.get(heap[0].id) is not heap[0] or heap[0].id in self.offers):
                heappop(heap)
            if not heap:
                del line.heaps[rules]
            elif (best is None or heap[0] < best[0]) and matches(rules, agent.tags):
                best = heap if spared is None or not spared(heap[0]) else best
        return best

    def take_back_late(self, line: Line, now: int) -> None:
        """Offers that nobody took may go to others."""
        while line.offered and now - line.offered[0][0] > OFFER_HOLDS_US:
            at, job_id = line.offered.popleft()
            offer = self.offers.get(job_id)
            if offer is not None and offer.at == at and job_id in line.jobs:
                self._forget_offer(job_id)
                line.free(line.jobs[job_id])

    def _forget_offer(self, job_id: JobId) -> None:
        offer = self.offers.pop(job_id, None)
        if offer is not None and self._of_agents.get(offer.agent_id) == job_id:
            del self._of_agents[offer.agent_id]
