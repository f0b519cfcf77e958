"""Counting: agents and unfinished jobs by queue, from memory and one look at the jobs held back."""

from collections import Counter
from dataclasses import dataclass, field

from watchword.domain.errors import NotFound
from watchword.domain.ids import OrganizationId
from watchword.domain.tokens import Token
from watchword.services.context import Context
from watchword.services.dispatching import Dispatcher
from watchword.services.fleet import Fleet, line_of
from watchword.services.lines import line_of_job, line_of_rules
from watchword.store.base import Page, Transaction

_ALL_QUEUES = Page(10_000)


@dataclass(frozen=True, slots=True)
class QueueCount:
    """What one queue has: agents by whether they hold a job, jobs by what they wait for.

    Attributes:
        reserved: jobs for which a stack starts an agent; no other agent is wanted for them.
    """

    idle: int = 0
    busy: int = 0
    scheduled: int = 0
    running: int = 0
    waiting: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """The queues of a cluster, or of an organization's agents outside clusters, by key."""

    organization: str
    cluster: str
    queues: dict[str, QueueCount] = field(default_factory=dict)

    @property
    def total(self) -> QueueCount:
        """All queues together."""
        queues = self.queues.values()
        return QueueCount(
            sum(queue.idle for queue in queues),
            sum(queue.busy for queue in queues),
            sum(queue.scheduled for queue in queues),
            sum(queue.running for queue in queues),
            sum(queue.waiting for queue in queues),
            sum(queue.reserved for queue in queues),
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database says: names, the queues' keys by line, and jobs held back by line."""

    organization: str
    cluster: str
    keys: dict[str, str]
    waiting: Counter[str]
    reserved: Counter[str]


async def count(context: Context, fleet: Fleet, dispatcher: Dispatcher, token: Token, key: str) -> Counts:
    """Count what an agent token reaches (contract agent-api §10.1).

    Args:
        context: the ground.
        fleet: agents in memory.
        dispatcher: jobs in memory.
        token: the agent token.
        key: one queue; empty for all.

    Raises:
        NotFound: the cluster has no such queue.
    """

    async def work(tx: Transaction) -> _Known:
        return await _look_up(tx, token)

    known = await context.store.read(work)
    lines = known.keys
    if token.cluster_id is None:
        lines = _loose_lines(fleet, dispatcher, known, token.organization_id)
        if key:
            lines.setdefault(line_of(token.organization_id, None, key), key)
    if key:
        lines = {line: name for line, name in lines.items() if name == key}
        if not lines:
            raise NotFound(f"No queue {key!r} found", code="unknown_queue")
    running = Counter(line_of_job(job) for job in dispatcher.held.values())
    queues = {}
    for line, name in lines.items():
        agents = [agent for rank in fleet.ranks.get(line, {}).values() for agent in rank.values()]
        connected = [agent.job_id is not None for agent in agents if agent.connected]
        scheduled = len(dispatcher.lines.waiting.get(line, ()))
        queues[name] = QueueCount(
            connected.count(False),
            connected.count(True),
            scheduled,
            running[line],
            known.waiting[line],
            known.reserved[line],
        )
    return Counts(known.organization, known.cluster, queues)


async def _look_up(tx: Transaction, token: Token) -> _Known:
    organization_id, cluster_id = token.organization_id, token.cluster_id
    organization = await tx.accounts.organization(organization_id)
    cluster = await tx.accounts.cluster(organization_id, cluster_id) if cluster_id is not None else None
    queues = await tx.accounts.queues(organization_id, cluster_id, _ALL_QUEUES) if cluster_id else ()
    waiting: Counter[str] = Counter()
    for held in await tx.builds.count_held_back(organization_id):
        waiting[line_of_rules(organization_id, held.queue_id, held.rules)] += held.jobs
    reserved: Counter[str] = Counter()
    for held in await tx.reservations.count_reserved(organization_id):
        reserved[line_of_rules(organization_id, held.queue_id, held.rules)] += held.jobs
    return _Known(
        organization.slug if organization is not None else "",
        cluster.name if cluster is not None else "",
        {queue.id: queue.key for queue in queues},
        waiting,
        reserved,
    )


def _loose_lines(
    fleet: Fleet, dispatcher: Dispatcher, known: _Known, organization_id: OrganizationId
) -> dict[str, str]:
    """Lines outside clusters, which exist as soon as an agent or a job names them."""
    start = line_of(organization_id, None, "")
    held = {line_of_job(job) for job in dispatcher.held.values()}
    found = held.union(fleet.ranks, dispatcher.lines.waiting, known.waiting)
    return {line: line[len(start) :] for line in sorted(found) if line.startswith(start)}
