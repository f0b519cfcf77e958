"""Dispatching: which job an agent is offered, and how it comes into the agent's hands.

Offers live in memory, so that a ping touches no database; a job changes hands only by a conditional
write under its fence, so that it is assigned exactly once however many offers there were.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from watchword.crypto.jwt import JobClaims, sign
from watchword.crypto.keys import Purpose
from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, Forbidden, Locked, NotFound
from watchword.domain.events import Action
from watchword.domain.fleet import Agent, AgentState, matches
from watchword.domain.ids import AgentId, JobId, QueueId
from watchword.domain.jobrights import common_rights, kept_rights
from watchword.domain.pipelines import BuildState, Job, JobState, token_lifetime
from watchword.domain.restrictions import load
from watchword.domain.webhooks import BUILD_RUNNING
from watchword.services.context import Caller, Context
from watchword.services.fleet import Fleet, LiveAgent
from watchword.services.jobanswers import describe_job
from watchword.services.lines import Lines, Waiting, line_of_job, queue_key
from watchword.services.repositorycredentials import provides
from watchword.store.base import Assignment, Transaction

_SECOND_US = 1_000_000
_HELD_BACK = (JobState.WAITING, JobState.LIMITED)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job in its agent's hands; `value` is None for an agent that knows no job tokens.

    Attributes:
        step: the step as it was uploaded; None for a job without one.
    """

    job: Job
    env: Mapping[str, str]
    value: Secret | None
    step: Any = None


@dataclass(slots=True)
class Dispatcher:
    """Waiting jobs, and the jobs that agents hold (`held`, as their rows were last seen).

    Attributes:
        loaded_at: when this process began: what came due while no server ran counts from then.
    """

    context: Context
    fleet: Fleet
    lines: Lines = field(default_factory=Lines)
    held: dict[JobId, Job] = field(default_factory=dict)
    loaded_at: int = 0

    async def load(self) -> None:
        """Read open jobs and paused queues at a start."""

        async def work(tx: Transaction) -> tuple[list[Job], list[QueueId]]:
            return list(await tx.builds.open_jobs()), list(await tx.accounts.paused_queues())

        jobs, paused = await self.context.store.read(work)
        self.loaded_at = self.context.clock.now()
        self.lines.paused.update(paused)
        for job in jobs:
            if job.state is JobState.SCHEDULED:
                self.lines.enqueue(job)
            elif job.state.held:
                self.held[job.id] = job

    def ping(self, agent_id: AgentId) -> JobId | None:
        """A sign of life from an agent that looks for work; the job it is offered, if any.

        An offer is repeated until it is accepted, because an answer may have been lost.
        """
        agent = self.fleet.agents.get(agent_id)
        if agent is None:
            return None
        now = agent.seen_at = self.context.clock.now()
        if agent.job_id is not None:
            agent.idle_since = agent.idle_since or now
            agent.idle_at = now
            return None
        return self.offer_to(agent, now)

    def at_work(self, job: Job) -> None:
        """Its agent called about a job: it is at it."""
        agent = self.fleet.agents.get(job.agent_id) if job.agent_id is not None else None
        if agent is not None and agent.job_id == job.id:
            agent.job_at = self.context.clock.now()

    def offer_to(self, agent: LiveAgent, now: int) -> JobId | None:
        """The job that an agent is offered which may take one; None where none is for it now."""
        lines = self.lines
        if agent.line not in lines.waiting or agent.line in lines.paused or not agent.takes_jobs:
            return None
        return lines.offer(agent, now, self._spared(agent, now))

    def _spared(self, agent: LiveAgent, now: int) -> Callable[[Waiting], bool] | None:
        """Whether a fresh job is kept from the agent, because a better one that is idle pings soon.

        Better is one of a higher priority; any other one for a job whose queue prefers another agent than
        the former attempt's. An idle agent listens, or pings within two intervals; an older job goes to
        whoever asks.
        """
        ranks = self.fleet.ranks[agent.line]
        avoiding = self.lines.avoiding.get(agent.id)
        if avoiding is None and (len(ranks) == 1 or agent.priority == max(ranks)):
            return None
        window = (2 * self.context.installation.ping_interval + 1) * _SECOND_US
        has_offer = self.lines.has_offer
        every = [(rank, other) for rank, others in ranks.items() for other in others.values()]
        better = [other for rank, other in every if rank > agent.priority]
        others = [other for _, other in every if other is not agent] if avoiding else []

        def spared(waiting: Waiting) -> bool:
            avoided = avoiding is not None and waiting.id in avoiding
            return now - waiting.runnable_at < window and any(
                (other.bell is not None or now - other.seen_at < window)
                and other.takes_jobs
                and not has_offer(other.id)
                and matches(waiting.rules, other.tags)
                for other in (others if avoided else better)
            )

        return spared

    async def accept(self, caller: Caller, agent_id: AgentId, job_id: JobId, rights: str = "") -> Accepted:
        """Give a job to an agent; repeating it gives the same answer until the job starts.

        Args:
            caller: the agent.
            agent_id: its id.
            job_id: the job.
            rights: what the job's token is to do at most, as `domain.jobrights` keeps it.

        Raises:
            NotFound: there is no such job for this agent.
            Conflict: the job is in other hands or has ended, or the agent takes none now.
        """
        return await self._take(caller, agent_id, job_id, rights, acquire=False)

    async def acquire(self, caller: Caller, agent_id: AgentId, job_id: JobId, rights: str = "") -> Accepted:
        """Give a job to an agent that asks for just this one (contract agent-api §2.2).

        Its queue, its tags and an offer to another agent do not matter; its cluster does, and so do the
        limits of the token that the agent joined with.

        Raises:
            NotFound: there is no such job in the agent's cluster.
            Forbidden: the agent's token is limited to another queue.
            Locked: the job waits for other jobs, or its queue or the agent is paused.
            Conflict: the job is in other hands or has ended, or the agent holds another one or leaves.
        """
        return await self._take(caller, agent_id, job_id, rights, acquire=True)

    async def _take(
        self, caller: Caller, agent_id: AgentId, job_id: JobId, rights: str, *, acquire: bool
    ) -> Accepted:
        agent = self.fleet.agents.get(agent_id)
        if agent is None:
            raise Conflict("This agent is not connected.", code="agent_not_connected")
        now = self.context.clock.now()

        async def work(tx: Transaction) -> Accepted:
            return await self._accept_in(tx, caller, agent, job_id, now, rights, acquire=acquire)

        accepted = await self.context.store.write(work)
        self.lines.withdraw(accepted.job)
        self.held[job_id] = accepted.job
        agent.job_id, agent.job_at = job_id, now
        agent.idle_since = agent.idle_at = 0
        return accepted

    async def _accept_in(
        self,
        tx: Transaction,
        caller: Caller,
        live: LiveAgent,
        job_id: JobId,
        now: int,
        rights: str,
        *,
        acquire: bool,
    ) -> Accepted:
        organization_id, agent_id = live.organization_id, live.id
        found = await tx.assignments.find(organization_id, agent_id, job_id)
        if found is None or not (_near(found.agent, found.job) if acquire else _fits(live, found.job)):
            raise NotFound("No job found")  # a foreign job and none answer alike, on offer or not
        agent, job = found.agent, found.job
        if agent.state is not AgentState.CONNECTED:
            raise Conflict("This agent is not connected.", code="agent_not_connected")
        if job.state is JobState.ACCEPTED and job.agent_id == agent_id:
            return self._answer(found, job, credentials=await provides(tx, found))
        if acquire:
            await _check_acquirable(tx, agent, job)
        elif job.state is JobState.RESERVED:
            raise Conflict("A stack reserved this job; its agent acquires it.", code="job_taken")
        elif self.lines.elsewhere(job_id, agent_id, now):
            raise Conflict("This job was offered to another agent.", code="job_taken")
        if agent.job_id is not None:
            raise Conflict("This agent holds another job; finish it first.", code="agent_busy")
        self._check_allowed(agent, job, acquire=acquire)
        key = self.context.keys.active(Purpose.JOB_TOKEN)
        expires_at = now + token_lifetime(job.timeout_minutes, found.organization.maximum_timeout_minutes)
        if found.build.state is BuildState.SCHEDULED:
            await tx.builds.begin_build(organization_id, job.build_id, now)
            await self.context.tell(tx, BUILD_RUNNING, organization_id, ("build", job.build_id))
        if not await tx.builds.accept(job, agent_id, now, key.number, expires_at, rights):
            raise Conflict("This job is taken or has ended.", code="job_taken")
        await tx.fleet.give_job(organization_id, agent_id, job_id)
        await self.context.record(
            tx,
            caller,
            Action.JOB_ACCEPTED,
            organization_id,
            ("job", job_id),
            _accepted(agent_id, job, rights),
        )
        taken = replace(
            job,
            state=JobState.ACCEPTED,
            fence=job.fence + 1,
            agent_id=agent_id,
            token_key=key.number,
            token_issued_at=now,
            token_expires_at=expires_at,
            accepted_at=now,
            agent_rights=rights,
        )
        return self._answer(found, taken, credentials=await provides(tx, found))

    def _check_allowed(self, agent: Agent, job: Job, *, acquire: bool) -> None:
        """Refuse where agent or queue are to take no job now; who acquires may try again."""
        if agent.order is not None and agent.order.stop:
            raise Conflict("This agent was asked to stop.", code="agent_stopping")
        refused = Locked if acquire else Conflict
        if agent.order is not None:
            raise refused("This agent is paused.", code="agent_paused")
        if line_of_job(job) in self.lines.paused:
            raise refused("Dispatch is paused for this job's queue.", code="queue_paused")

    def _answer(self, found: Assignment, job: Job, *, credentials: bool) -> Accepted:
        """The answer about `job`, which is the row of `found` or what became of it."""
        env, step = describe_job(self.context.installation.url, found, credentials=credentials)
        value = self.job_token(job) if found.agent.knows_job_tokens else None
        return Accepted(job, env, value, step)

    def job_token(self, job: Job) -> Secret:
        """The job token of a held job: the same row gives the same value.

        Raises:
            Conflict: its signing key is gone from the key file.
        """
        key = self.context.keys.find(Purpose.JOB_TOKEN, job.token_key)
        if key is None:
            raise Conflict("The key of this job's token is missing.", code="key_missing")
        claims = JobClaims(
            sub=job.id,
            aud=job.agent_id or "",
            iss="watchword",
            iat=job.token_issued_at // _SECOND_US,
            exp=job.token_expires_at // _SECOND_US,
            organization_id=job.organization_id,
        )
        return sign(claims, key, f"{self.context.installation.brand}aj_")


def _accepted(agent_id: AgentId, job: Job, rights: str) -> dict[str, object]:
    """What the trail says of an accept: who took the job, and where its token may do less, what."""
    may = common_rights(job.rights, rights)
    return {"agent_id": agent_id, **({"token_rights": sorted(kept_rights(may))} if may else {})}


async def _check_acquirable(tx: Transaction, agent: Agent, job: Job) -> None:
    token = await tx.tokens.find(agent.organization_id, agent.token_id)
    queue = load(token.restrictions).queue if token is not None else ""
    if queue and queue != queue_key(job.rules):
        raise Forbidden(f"This agent's token is for the queue {queue!r} alone.", code="token_restricted")
    if job.state in _HELD_BACK:
        raise Locked("This job waits for other jobs; try again.", code="job_waits")


def _near(agent: Agent, job: Job) -> bool:
    """Whether the job is in the agent's cluster, or neither is in any."""
    return agent.organization_id == job.organization_id and agent.cluster_id == job.cluster_id


def _fits(agent: LiveAgent, job: Job) -> bool:
    """Whether the agent may run the job at all: its own line, tags as the job asks."""
    same = agent.organization_id == job.organization_id and agent.line == line_of_job(job)
    return same and matches(job.rules, agent.tags)
