"""Dispatching: which job an agent is offered, and how it comes into the agent's hands.

Offers live in memory, so that a ping touches no database; a job changes hands only by a conditional
write under its fence, so that it is assigned exactly once however many offers there were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from watchword.crypto.jwt import JobClaims, sign
from watchword.crypto.keys import Purpose
from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization
from watchword.domain.environment import job_environment
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.fleet import Agent, AgentState, matches
from watchword.domain.ids import AgentId, JobId
from watchword.domain.pipelines import Build, BuildState, Job, JobState, token_lifetime
from watchword.services.context import Caller, Context
from watchword.services.fleet import Fleet, LiveAgent
from watchword.services.lines import Lines, line_of_job
from watchword.store.base import Transaction

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job in its agent's hands; `value` is None for an agent that knows no job tokens."""

    job: Job
    env: Mapping[str, str]
    value: Secret | None


@dataclass(slots=True)
class Dispatcher:
    """Waiting jobs, and the jobs that agents hold (`held`, as their rows were last seen)."""

    context: Context
    fleet: Fleet
    lines: Lines = field(default_factory=Lines)
    held: dict[JobId, Job] = field(default_factory=dict)

    async def load(self) -> None:
        """Read open jobs at a start."""

        async def work(tx: Transaction) -> list[Job]:
            return list(await tx.builds.open_jobs())

        for job in await self.context.store.read(work):
            if job.state is JobState.SCHEDULED:
                self.lines.enqueue(job)
            else:
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
        if agent.line not in self.lines.waiting or not agent.connected or not agent.dispatch:
            return None
        return self.lines.offer(agent, now)

    async def accept(self, caller: Caller, agent_id: AgentId, job_id: JobId) -> Accepted:
        """Give a job to an agent; repeating it gives the same answer until the job starts.

        Raises:
            NotFound: there is no such job for this agent.
            Conflict: the job is in other hands or has ended, or the agent holds another one.
        """
        agent = self.fleet.agents.get(agent_id)
        if agent is None:
            raise Conflict("This agent is not connected.", code="agent_not_connected")
        now = self.context.clock.now()
        elsewhere = self.lines.elsewhere(job_id, agent_id, now)

        async def work(tx: Transaction) -> Accepted:
            return await self._accept_in(tx, caller, agent, job_id, now, elsewhere=elsewhere)

        accepted = await self.context.store.write(work)
        self.lines.withdraw(accepted.job)
        self.held[job_id] = accepted.job
        agent.job_id = job_id
        agent.idle_since = agent.idle_at = 0
        return accepted

    async def _accept_in(
        self,
        tx: Transaction,
        caller: Caller,
        live: LiveAgent,
        job_id: JobId,
        now: int,
        *,
        elsewhere: bool,
    ) -> Accepted:
        organization_id, agent_id = live.organization_id, live.id
        agent = await tx.fleet.find(organization_id, agent_id)
        job = await tx.builds.job(organization_id, job_id)
        if agent is None or job is None or not _fits(live, job):
            raise NotFound("No job found")  # a foreign job and none answer alike, on offer or not
        if elsewhere:
            raise Conflict("This job was offered to another agent.", code="job_taken")
        if agent.state is not AgentState.CONNECTED:
            raise Conflict("This agent is not connected.", code="agent_not_connected")
        if job.state is JobState.ACCEPTED and job.agent_id == agent_id:
            organization = await tx.accounts.organization(organization_id)
            build = await tx.builds.build(organization_id, job.build_id)
            return await self._answer(tx, job, agent, organization, build)
        if agent.job_id is not None:
            raise Conflict("This agent holds another job; finish it first.", code="agent_busy")
        organization = await tx.accounts.organization(organization_id)
        build = await tx.builds.build(organization_id, job.build_id)
        if organization is None or build is None:
            raise NotFound("No job found")
        maximum = organization.maximum_timeout_minutes
        key = self.context.keys.active(Purpose.JOB_TOKEN)
        expires_at = now + token_lifetime(job.timeout_minutes, maximum)
        if not await tx.builds.accept(job, agent_id, now, key.number, expires_at):
            raise Conflict("This job is taken or has ended.", code="job_taken")
        await tx.fleet.give_job(organization_id, agent_id, job_id)
        if build.state is BuildState.SCHEDULED:
            await tx.builds.set_build_state(organization_id, job.build_id, BuildState.RUNNING, now)
        await self.context.record(
            tx, caller, Action.JOB_ACCEPTED, organization_id, ("job", job_id), {"agent_id": agent_id}
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
        )
        return await self._answer(tx, taken, agent, organization, build)

    async def _answer(
        self, tx: Transaction, job: Job, agent: Agent, organization: Organization | None, build: Build | None
    ) -> Accepted:
        pipeline = await tx.builds.pipeline(job.organization_id, build.pipeline_id) if build else None
        if build is None or organization is None or pipeline is None:
            raise NotFound("No job found")
        installation = self.context.installation
        env = job_environment(installation.url, organization, pipeline, build, job, agent)
        value = self.job_token(job) if agent.knows_job_tokens else None
        return Accepted(job, env, value)

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


def _fits(agent: LiveAgent, job: Job) -> bool:
    """Whether the agent may run the job at all: its own line, tags as the job asks."""
    same = agent.organization_id == job.organization_id and agent.line == line_of_job(job)
    return same and matches(job.rules, agent.tags)
