"""What the lifecycle machine believes: which value must pass, and which reason refuses the others."""

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from support import MINUTE_US, SECOND_US
from watchword.domain.accounts import Cluster
from watchword.domain.events import Action
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Build, Job, JobState, Pipeline
from watchword.domain.tokens import Reason, Token

INSIDE, OUTSIDE, INSIDE_V6, MAPPED = "192.0.2.10", "198.51.100.7", "2001:db8::5", "::ffff:192.0.2.10"
ADDRESSES = (INSIDE, OUTSIDE, INSIDE_V6, MAPPED, None)
NETWORKS = ("", "192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24 2001:db8::/32")

AGENT_TOKENS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
SESSIONS = (Kind.AGENT_SESSION,)
API_TOKENS = (Kind.API_ACCESS,)
JOBS = (Kind.JOB, Kind.AGENT_SESSION)

NOBODY = AgentId("")

LOST_US = 3 * MINUTE_US
UNCONNECTED_US = 6 * MINUTE_US
START_DEADLINE_US = 5 * MINUTE_US
CANCEL_GRACE_US = 2 * MINUTE_US
GIVEN_UP_US = 30 * SECOND_US
OFFER_US = 30 * SECOND_US
JOB_TOKEN_US = 30 * 24 * 60 * MINUTE_US


def blocked(networks: str, address: str | None) -> bool:
    """Whether an address is outside the networks; written apart from the product's own rule."""
    if not networks:
        return False
    if address is None:
        return True
    found = ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return all((mapped or found) not in ip_network(text) for text in networks.split())


@dataclass(eq=False)
class Bearer:
    """A value with a record of its own."""

    value: str
    token: Token
    kind: Kind
    organization: "House"
    expires_at: int = 0
    not_before: int = 0
    networks: str = ""
    ended: bool = False

    def refused(self, kinds: tuple[Kind, ...], address: str | None, now: int) -> Reason | None:
        """Why the value does not pass; None where it must."""
        if self.kind not in kinds:
            return Reason.WRONG_KIND
        if self.ended:
            return Reason.SESSION_ENDED if self.kind is Kind.AGENT_SESSION else Reason.REVOKED
        if self.expires_at and now >= self.expires_at:
            return Reason.EXPIRED
        if now < self.not_before:
            return Reason.NOT_YET_VALID
        return Reason.NETWORK_BLOCKED if blocked(self.networks, address) else None


@dataclass(eq=False)
class AgentToken(Bearer):
    """An agent token."""

    cluster_id: ClusterId | None = None
    queue: str = ""
    tags: tuple[str, ...] = ()
    max_uses: int = 0
    uses: int = 0


@dataclass(eq=False)
class ApiToken(Bearer):
    """An API access token."""

    scopes: frozenset[str] = frozenset()


@dataclass(eq=False)
class Machine(Bearer):
    """An agent and its session token."""

    id: AgentId = NOBODY
    parent: AgentToken | None = None
    cluster_id: ClusterId | None = None
    queue: str = ""
    tags: tuple[str, ...] = ()
    name: str = ""
    host: str = ""
    counted: bool = False
    old: bool = False
    connected: bool = False
    dispatch: bool = True
    stopping: bool = False
    forced: bool = False
    paused_until: int = 0
    seen_at: int = 0
    idle_since: int = 0
    idle_at: int = 0
    job: "Task | None" = None


@dataclass(eq=False)
class Task:
    """A job."""

    id: JobId
    organization: "House"
    cluster_id: ClusterId | None
    queue: str
    rules: tuple[str, ...]
    rank: tuple[int, int, str]
    build: Build
    state: JobState = JobState.SCHEDULED
    fence: int = 0
    agent: Machine | None = None
    accepted_at: int = 0
    started_at: int = 0
    canceling_at: int = 0
    timeout: int = 0
    initial: int = 0
    promised: int = 0
    key: int = 0
    size: int = 0
    finishes: int = 0

    def fits(self, agent: Machine) -> bool:
        """Whether the agent may run the job."""
        same = (self.organization, self.cluster_id, self.queue) == (
            agent.organization,
            agent.cluster_id,
            agent.queue,
        )
        return same and set(self.rules) <= set(agent.tags)


@dataclass(eq=False)
class Hold:
    """A job in an agent's hands: its row as it was then, and the job token, if the agent knows any."""

    task: Task
    agent: Machine
    row: Job
    value: str
    fence: int
    key: int
    expires_at: int
    changes: set[str] = field(default_factory=set)

    def refused(self, now: int) -> set[Reason]:
        """Reasons of which one must be given; none where the value must pass."""
        task = self.task
        current = task.fence == self.fence
        if current and task.state.ended:
            return {Reason.JOB_FINISHED}
        if not current or not task.state.held:
            # The row names the key: a value of a former holder and key cannot be told from noise.
            return {Reason.REVOKED} if self.key == task.key else {Reason.REVOKED, Reason.UNKNOWN}
        return {Reason.EXPIRED} if now >= self.expires_at else set()


@dataclass(eq=False)
class House:
    """An organization."""

    id: OrganizationId
    admin: UserId
    clusters: dict[str, Cluster]
    pipelines: dict[str, Pipeline]
    deleted: set[str] = field(default_factory=set)
    events: Counter[Action] = field(default_factory=Counter)


@dataclass
class Model:
    """Everything that was done, and what must follow from it."""

    houses: list[House]
    tokens: list[AgentToken] = field(default_factory=list)
    api_tokens: list[ApiToken] = field(default_factory=list)
    agents: list[Machine] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    offers: dict[Task, tuple[Machine, int]] = field(default_factory=dict)
    begun: int = 0

    @property
    def bearers(self) -> list[Bearer]:
        """Values with a record."""
        return [*self.tokens, *self.api_tokens, *self.agents]

    @property
    def values(self) -> list[str]:
        """Every value that was ever issued."""
        return [bearer.value for bearer in self.bearers] + [hold.value for hold in self.holds if hold.value]

    def elsewhere(self, task: Task, agent: Machine, now: int) -> bool:
        """Whether the job is on offer to another agent."""
        other, at = self.offers.get(task, (agent, 0))
        return other is not agent and now - at <= OFFER_US

    def offer(self, agent: Machine, now: int) -> Task | None:
        """What a ping of the agent must be offered."""
        agent.seen_at = now
        if agent.job is not None:
            agent.idle_since = agent.idle_since or now
            agent.idle_at = now
            return None
        if not agent.connected or not agent.dispatch or agent.stopping or agent.paused_until:
            return None
        waiting = [
            task
            for task in self.tasks
            if task.state is JobState.SCHEDULED and task.fits(agent) and not self.elsewhere(task, agent, now)
        ]
        if not waiting:
            return None
        found = min(waiting, key=lambda task: task.rank)
        self.offers = {task: offer for task, offer in self.offers.items() if offer[0] is not agent}
        self.offers[found] = (agent, now)
        return found

    def accept(self, task: Task, agent: Machine, now: int, key: int) -> None:
        """The job goes into the agent's hands."""
        task.state, task.agent, task.accepted_at, task.key = JobState.ACCEPTED, agent, now, key
        task.fence += 1
        agent.job, agent.idle_since, agent.idle_at = task, 0, 0
        self.offers.pop(task, None)
        task.organization.events[Action.JOB_ACCEPTED] += 1

    def release(self, task: Task) -> None:
        """An accepted job waits again."""
        self._let_go(task)
        task.state, task.agent = JobState.SCHEDULED, None
        task.fence += 1
        self.offers.pop(task, None)
        task.organization.events[Action.JOB_RELEASED] += 1

    def finish(self, task: Task) -> None:
        """A held job ends."""
        self._let_go(task)
        ends = {JobState.CANCELING: JobState.CANCELED, JobState.TIMING_OUT: JobState.TIMED_OUT}
        task.state = ends.get(task.state, JobState.FINISHED)
        task.finishes += 1
        task.organization.events[Action.JOB_FINISHED] += 1

    def _let_go(self, task: Task) -> None:
        if task.agent is not None and task.agent.job is task:
            task.agent.job, task.agent.idle_since, task.agent.idle_at = None, 0, 0

    def take_back(self, agent: Machine) -> None:
        """What is on offer to the agent may go to others at once."""
        for task in [task for task, (other, _) in self.offers.items() if other is agent]:
            del self.offers[task]

    def cancel_held(self, task: Task, now: int) -> None:
        """The agent of a job that is not ending yet is to end it."""
        if task.state in (JobState.ACCEPTED, JobState.RUNNING):
            task.state, task.canceling_at = JobState.CANCELING, now

    def stop(self, agent: Machine, now: int, *, force: bool) -> None:
        """A connected agent is to leave; a forced stop does not leave it its job."""
        if not agent.stopping or (force and not agent.forced):
            agent.organization.events[Action.AGENT_STOPPING] += 1
        agent.stopping, agent.forced = True, agent.forced or force
        self.take_back(agent)
        task = agent.job
        if not force or task is None:
            return
        if task.state is JobState.ACCEPTED:
            self.release(task)
        elif task.state is JobState.RUNNING:
            self.cancel_held(task, now)
            task.organization.events[Action.JOB_CANCELING] += 1

    def resume(self, agent: Machine) -> None:
        """A paused agent takes jobs again."""
        agent.paused_until = 0
        agent.organization.events[Action.AGENT_RESUMED] += 1

    def leave(self, agent: Machine, action: Action) -> None:
        """A session ends; its job waits again or fails."""
        if agent.counted and not agent.connected and agent.parent is not None:
            agent.parent.uses -= 1
        agent.ended, agent.connected = True, False
        self.take_back(agent)
        agent.organization.events[action] += 1
        task = agent.job
        if task is not None:
            (self.release if task.state is JobState.ACCEPTED else self.finish)(task)

    def sweep(self, now: int) -> None:
        """What is overdue ends."""
        for agent in [agent for agent in self.agents if not agent.ended]:
            silent = now - agent.seen_at
            if agent.connected and silent >= LOST_US:
                self.leave(agent, Action.AGENT_LOST)
            elif not agent.connected and silent >= UNCONNECTED_US:
                self.leave(agent, Action.AGENT_EXPIRED)
        for task in [task for task in self.tasks if task.state.held]:
            self._sweep_task(task, now)
        for agent in self.agents:
            if not agent.ended and not agent.stopping and 0 < agent.paused_until <= now:
                self.resume(agent)

    def _sweep_task(self, task: Task, now: int) -> None:
        agent = task.agent
        idle = agent.idle_at - agent.idle_since if agent is not None and agent.job is task else 0
        ending = task.state in (JobState.CANCELING, JobState.TIMING_OUT)
        if task.state is JobState.ACCEPTED and now - max(task.accepted_at, self.begun) >= START_DEADLINE_US:
            self.release(task)
        elif ending and now - max(task.canceling_at, self.begun) >= CANCEL_GRACE_US:
            self.finish(task)
        elif task.timeout and task.state is JobState.RUNNING and task.started_at + task.timeout <= now:
            task.state, task.canceling_at = JobState.TIMING_OUT, now
            task.organization.events[Action.JOB_TIMING_OUT] += 1
        elif idle >= GIVEN_UP_US:
            (self.release if task.state is JobState.ACCEPTED else self.finish)(task)

    def restart(self, now: int) -> None:
        """A new process: offers and idleness are forgotten, everybody counts as just heard of."""
        self.offers.clear()
        self.begun = now
        for agent in self.agents:
            agent.seen_at, agent.idle_since, agent.idle_at = now, 0, 0
