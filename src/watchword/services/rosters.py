"""Rosters: agents and their work as lists show them. Counted and filtered in memory, read by the page.

Memory has every live agent and every waiting job; the database is asked for the rows that are shown, for
names that are searched, and for what has ended.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from itertools import islice

from watchword.domain.accounts import Cluster, Queue, User
from watchword.domain.fleet import Activity, Agent, live_activity
from watchword.domain.ids import RANDOM_BYTES, ClusterId, JobId, OrganizationId, uuid7
from watchword.domain.tokens import DAY_US, Token
from watchword.domain.use import Use
from watchword.services.context import Context
from watchword.services.dispatching import Dispatcher
from watchword.services.fleet import Fleet, LiveAgent, line_of_agent
from watchword.services.ledger import Ledger
from watchword.store.base import Page, Transaction
from watchword.store.base_rosters import ListedAgent as ListedAgent  # noqa: PLC0414 - handed on to the surfaces
from watchword.store.base_rosters import ListedJob as ListedJob  # noqa: PLC0414 - the same

LOST_SINCE_US = DAY_US
# Among so many of the organization's newest jobs an agent's are looked for.
MAX_JOBS = 5_000
MAX_NETWORKS = 50
# So many of the agents that were lost last are listed.
MAX_LOST = 1_000


@dataclass(frozen=True, slots=True)
class Crew:
    """The agents of some lines in numbers, and the jobs that wait there.

    Attributes:
        doing: how many live agents do what.
        running: how many of them hold a job, whatever else they were asked.
        waiting: how many jobs wait for an agent.
    """

    doing: Mapping[Activity, int] = field(default_factory=dict)
    running: int = 0
    waiting: int = 0

    @property
    def connected(self) -> int:
        """How many agents are connected."""
        return sum(count for activity, count in self.doing.items() if activity is not Activity.JOINING)

    @property
    def live(self) -> int:
        """How many agents are connected or about to be."""
        return sum(self.doing.values())

    @classmethod
    def together(cls, crews: Iterable["Crew"]) -> "Crew":
        """Several as one."""
        doing: Counter[Activity] = Counter()
        running = waiting = 0
        for crew in crews:
            doing.update(crew.doing)
            running += crew.running
            waiting += crew.waiting
        return cls(doing, running, waiting)


@dataclass(frozen=True, slots=True)
class Portrait:
    """One agent with its surroundings; None for what is gone or never was.

    Attributes:
        session: its session token.
        paused_by: the person who paused it.
    """

    listed: ListedAgent
    cluster: Cluster | None
    queue: Queue | None
    session: Token | None
    paused_by: User | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which agents a list is to show.

    Attributes:
        lines: the lines in which they may take jobs.
        cluster_id: their cluster, for those that memory has forgotten; None for unclustered ones.
        line: the one of the lines that is asked for; "" for all.
        activity: what they do; None for all live ones.
        part: what their name, host name or address contains; "" for anything.
    """

    lines: Sequence[str]
    cluster_id: ClusterId | None = None
    line: str = ""
    activity: Activity | None = None
    part: str = ""


@dataclass(slots=True)
class Rosters:
    """Lists agents."""

    context: Context
    fleet: Fleet
    dispatcher: Dispatcher
    ledger: Ledger

    # -- numbers ---------------------------------------------------------------------------------

    def crew(self, line: str) -> Crew:
        """The agents and waiting jobs of one line."""
        doing: Counter[Activity] = Counter()
        idle = busy = running = 0
        for live in self._of(line):
            running += live.job_id is not None
            if not live.connected or live.order is not None:
                doing[_activity(live)] += 1
            elif live.job_id is None:  # nearly all agents are idle or busy, and there may be very many
                idle += 1
            else:
                busy += 1
        doing[Activity.IDLE], doing[Activity.BUSY] = idle, busy
        return Crew(doing, running, len(self.dispatcher.lines.waiting.get(line, ())))

    def outside(self, organization_id: OrganizationId) -> list[str]:
        """Lines of an organization that are in no cluster, as far as anybody or anything is in them."""
        start = f"{organization_id}/"
        found = {*self.fleet.ranks, *self.dispatcher.lines.waiting}
        return sorted(line for line in found if line.startswith(start))

    def _of(self, line: str) -> Iterator[LiveAgent]:
        for rank in self.fleet.ranks.get(line, {}).values():
            yield from rank.values()

    # -- agents ----------------------------------------------------------------------------------

    async def page(
        self, tx: Transaction, organization_id: OrganizationId, wanted: Wanted, page: Page
    ) -> list[ListedAgent]:
        """One page of agents, newest first, inside a unit of work; lost ones of the last day."""
        if wanted.activity is Activity.LOST:
            return (await self._lost(tx, organization_id, wanted))[page.offset : page.offset + page.limit]
        found = set(await tx.rosters.matching(organization_id, wanted.part)) if wanted.part else None
        chosen = (
            live.id
            for line in ([wanted.line] if wanted.line else wanted.lines)
            for live in self._of(line)
            if (wanted.activity is None or _activity(live) is wanted.activity)
            and (found is None or live.id in found)
        )
        ids = sorted(chosen, reverse=True)[page.offset : page.offset + page.limit]
        rows = await tx.rosters.agents(organization_id, ids)
        return [self._fresh(rows[agent_id]) for agent_id in ids if agent_id in rows]

    async def _lost(
        self, tx: Transaction, organization_id: OrganizationId, wanted: Wanted
    ) -> list[ListedAgent]:
        since = self.context.clock.now() - LOST_SINCE_US
        ids = await tx.rosters.lost(organization_id, wanted.cluster_id, since, Page(MAX_LOST))
        rows = await tx.rosters.agents(organization_id, ids)
        part = wanted.part.lower()
        return [
            rows[agent_id]
            for agent_id in ids
            if agent_id in rows and _is_wanted(rows[agent_id].agent, wanted.line, part)
        ]

    async def portrait(self, tx: Transaction, agent: Agent) -> Portrait:
        """One agent with its surroundings, inside a unit of work."""
        owner = agent.organization_id
        rows = await tx.rosters.agents(owner, [agent.id])
        return Portrait(
            self._fresh(rows.get(agent.id) or ListedAgent(agent, "", None)),
            await tx.accounts.cluster(owner, agent.cluster_id) if agent.cluster_id is not None else None,
            await tx.accounts.queue(owner, agent.queue_id) if agent.queue_id is not None else None,
            await tx.tokens.find(owner, agent.session_id),
            await tx.accounts.user(agent.paused_by) if agent.paused_by is not None else None,
        )

    def _fresh(self, listed: ListedAgent) -> ListedAgent:
        """With the last sign of life, which the database hears of later."""
        live = self.fleet.agents.get(listed.agent.id)
        if live is None or live.seen_at <= listed.agent.seen_at:
            return listed
        return listed._replace(agent=replace(listed.agent, seen_at=live.seen_at))

    async def networks(self, tx: Transaction, agent: Agent) -> list[Use]:
        """From where an agent's session was used, latest first, inside a unit of work; hours put together."""
        written = await tx.audit.uses(agent.organization_id, agent.session_id)
        found: dict[tuple[str, str], Use] = {}
        for use in (*written, *self.ledger.pending(agent.organization_id, agent.session_id)):
            known = found.get((use.address, use.version))
            found[use.address, use.version] = use if known is None else _both(known, use)
        return sorted(found.values(), key=lambda use: -use.last_at)[:MAX_NETWORKS]

    # -- jobs ------------------------------------------------------------------------------------

    async def jobs_of(self, tx: Transaction, agent: Agent, limit: int) -> list[ListedJob]:
        """An agent's latest jobs, newest first, inside a unit of work."""
        before = uuid7((agent.ended_at or self.context.clock.now()) + 1_000, b"\xff" * RANDOM_BYTES)
        found = await tx.rosters.jobs_of_agent(agent.organization_id, agent.id, before, MAX_JOBS, limit)
        return list(found)

    async def running(self, tx: Transaction, queue: Queue, limit: int) -> list[ListedJob]:
        """Jobs that agents of a queue hold, inside a unit of work."""
        ids = list(islice((live.job_id for live in self._of(queue.id) if live.job_id is not None), limit))
        return await _in_order(tx, queue.organization_id, ids)

    async def waiting(self, tx: Transaction, queue: Queue, limit: int) -> list[ListedJob]:
        """The next jobs of a queue in the order in which they are offered, inside a unit of work."""
        line = self.dispatcher.lines.waiting.get(queue.id)
        first = nsmallest(limit, line.jobs.values()) if line is not None else []
        return await _in_order(tx, queue.organization_id, [one.id for one in first])


async def _in_order(
    tx: Transaction, organization_id: OrganizationId, ids: Sequence[JobId]
) -> list[ListedJob]:
    found = await tx.rosters.jobs(organization_id, ids)
    return [found[job_id] for job_id in ids if job_id in found]


async def queues_by_cluster(
    tx: Transaction, organization_id: OrganizationId
) -> Mapping[ClusterId, Sequence[Queue]]:
    """Queues of every cluster, inside a unit of work; clusters without any are left out."""
    found: dict[ClusterId, list[Queue]] = {}
    for queue in await tx.rosters.queues(organization_id):
        found.setdefault(queue.cluster_id, []).append(queue)
    return found


async def joinable(
    tx: Transaction, organization_id: OrganizationId, now: int
) -> Mapping[ClusterId | None, int]:
    """How many agent tokens let agents join at a moment, by cluster; None for those of none."""
    return await tx.rosters.agent_tokens(organization_id, now)


def _is_wanted(agent: Agent, line: str, part: str) -> bool:
    """Whether an agent that memory has forgotten was in a line and has the part somewhere."""
    names = (agent.name, agent.hostname, agent.address)
    return line in ("", line_of_agent(agent)) and any(part in name.lower() for name in names)


def _activity(live: LiveAgent) -> Activity:
    return live_activity(connected=live.connected, order=live.order, busy=live.job_id is not None)


def _both(one: Use, other: Use) -> Use:
    """Two counts of the same network as one."""
    return replace(
        max(one, other, key=lambda use: use.last_at),
        first_at=min(one.first_at, other.first_at),
        count=one.count + other.count,
    )
