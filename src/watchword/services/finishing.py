"""Finishing: what happens to a job in an agent's hands: start, outcome, hand-back, loss.

Every step is a conditional write under the job's fence, so that a late or doubled call changes nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from watchword.domain.errors import Conflict
from watchword.domain.events import Action
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import AgentId, TokenId
from watchword.domain.pipelines import CANCEL_GRACE_US, START_DEADLINE_US, Job, JobState
from watchword.domain.tallies import LOST
from watchword.services.context import Caller, Context
from watchword.services.dispatching import Dispatcher
from watchword.services.fleet import Fleet, LiveAgent
from watchword.services.scheduling import Moved, Scheduler
from watchword.store.base import Transaction

# A polling agent pings only when it runs nothing (contract agent-api §3.2). Its pings must go on for
# this long: a finish that is under way arrives first, and one late ping ends no healthy job.
GIVEN_UP_AFTER_US = 30_000_000
# One that listens on a stream never pings. Whoever runs a job asks for its state every few seconds, and
# tries a finish again within two minutes (contract agent-api §1.9): ten without a word are none of both.
SILENT_AFTER_US = 600_000_000
_ENDS = {JobState.CANCELING: JobState.CANCELED, JobState.TIMING_OUT: JobState.TIMED_OUT}
_NOTHING = Moved()


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that a unit of work ended, and what followed from it."""

    job: Job
    moved: Moved


async def _nobody(_token_id: TokenId) -> None:
    """Nobody asks which token an agent that left had joined with."""


@dataclass(frozen=True, slots=True)
class Left:
    """An agent whose session a unit of work ended, and what became of the job it held.

    Attributes:
        released: the job, which had not started and waits again.
        ended: the job, which was running and has failed.
    """

    agent: Agent
    released: Job | None = None
    ended: Ended | None = None


@dataclass(slots=True)
class Finisher:
    """Moves held jobs to their ends.

    Attributes:
        left: hears, after the commit, which token an agent that left had joined with.
    """

    context: Context
    fleet: Fleet
    dispatcher: Dispatcher
    scheduler: Scheduler
    left: Callable[[TokenId], Awaitable[None]] = _nobody

    async def start(self, caller: Caller, job: Job) -> None:
        """The agent runs the job now; repeating it changes nothing.

        Raises:
            Conflict: the job was cancelled or changed hands. The agent never calls finish then
                (contract agent-api §2.3), so a job that was to be cancelled ends here.
        """
        now = self.context.clock.now()

        async def work(tx: Transaction) -> Job | None:
            if await tx.builds.start(job, now):
                await self.context.record(
                    tx, caller, Action.JOB_STARTED, job.organization_id, ("job", job.id)
                )
                return replace(job, state=JobState.RUNNING, started_at=now)
            return await tx.builds.job(job.organization_id, job.id)

        current = await self.context.store.write(work)
        if current is not None and current.fence == job.fence:
            if current.state is JobState.RUNNING:
                # Memory may know a newer time-out than the row that the token was checked against.
                known = self.dispatcher.held.get(job.id, current)
                self.dispatcher.held[job.id] = replace(
                    known, state=current.state, started_at=current.started_at
                )
                return
            if current.state in _ENDS:
                await self.end(caller, _outcome(current, now, "-1", reason="cancel"))
        raise Conflict("This job was cancelled or given to another agent.", code="job_not_startable")

    async def finish(self, caller: Caller, job: Job, *, ignore_agent: bool = False) -> Job:
        """Record a job's outcome; its token is dead when this returns.

        Args:
            caller: the agent.
            job: the row that the token was checked against, with the outcome filled in.
            ignore_agent: never dispatch to this agent again.

        Raises:
            Conflict: the job ended or changed hands meanwhile.
        """
        ended = await self.end(caller, job, ignore_agent=ignore_agent)
        if ended is None:
            raise Conflict("This job has ended or was given to another agent.", code="job_ended")
        return ended

    async def end(self, caller: Caller, job: Job, *, ignore_agent: bool = False) -> Job | None:
        """End a held job under its fence, in one unit of work; None if it was not held any more."""

        async def work(tx: Transaction) -> Ended | None:
            return await self.end_in(tx, caller, job, ignore_agent=ignore_agent)

        ended = await self.context.store.write(work)
        if ended is None:
            return None
        self.settle(ended.job, ended.moved, ignore_agent=ignore_agent)
        return ended.job

    async def end_in(
        self, tx: Transaction, caller: Caller, job: Job, *, ignore_agent: bool = False
    ) -> Ended | None:
        """The unit of work of `end`."""
        build = await tx.builds.enter_build(job.organization_id, job.build_id)
        current = await tx.builds.job(job.organization_id, job.id)
        if current is None or build is None:
            return None
        state = _ENDS.get(current.state, JobState.FINISHED)
        job = replace(await self.scheduler.grade_in(tx, job), state=state)
        if not await tx.builds.finish(job, state):
            return None
        if job.agent_id is not None:
            await tx.fleet.take_job(job.organization_id, job.agent_id, self.context.clock.now())
            if ignore_agent:
                await tx.fleet.ignore(job.organization_id, job.agent_id)
        details = {
            "exit_status": job.exit_status,
            "signal": job.signal,
            "signal_reason": job.signal_reason,
            "state": state.value,
        }
        await self.context.record(
            tx, caller, Action.JOB_FINISHED, job.organization_id, ("job", job.id), details
        )
        moved = await self.scheduler.ended_in(tx, build, job)
        return Ended(job, moved)

    def settle(self, job: Job, moved: Moved = _NOTHING, *, ignore_agent: bool = False) -> None:
        """Take an ended job out of memory, and put what it moved before the agents."""
        self.scheduler.settle(moved)
        self.dispatcher.held.pop(job.id, None)
        agent = self.fleet.agents.get(job.agent_id) if job.agent_id is not None else None
        if agent is not None and agent.job_id == job.id:
            agent.job_id = None
            agent.idle_since = agent.idle_at = 0
            agent.dispatch = agent.dispatch and not ignore_agent
            agent.ring()

    async def disconnect(self, caller: Caller, agent_id: AgentId, state: AgentState) -> None:
        """End an agent's session; a job it accepted waits again, one it runs fails with -1."""
        live = self.fleet.agents.get(agent_id)
        if live is None:
            return

        async def work(tx: Transaction) -> Left | None:
            agent = await tx.fleet.find(live.organization_id, agent_id)
            return await self.leave_in(tx, caller, agent, state) if agent is not None else None

        left = await self.context.store.write(work)
        self.fleet.forget(agent_id)
        self.dispatcher.lines.take_back(live)
        if left is not None:
            self.settle_left(left)
        await self.left(live.token_id)

    async def leave_in(
        self,
        tx: Transaction,
        caller: Caller,
        agent: Agent,
        state: AgentState,
        *,
        why: str = "",
        lost: bool = False,
    ) -> Left:
        """End an agent's session and what it holds, inside a unit of work; call `settle_left` afterwards.

        Args:
            tx: the unit of work.
            caller: who ends it.
            agent: the agent's row.
            state: what the agent becomes.
            why: what its next call is told.
            lost: whether its job fails as that of a lost agent, whatever the state.
        """
        await self.fleet.end_in(tx, caller, agent, state, why)
        job = await tx.builds.job(agent.organization_id, agent.job_id) if agent.job_id else None
        if job is None or not job.state.held or job.agent_id != agent.id:
            return Left(agent)
        if await self.release_in(tx, caller, job):
            return Left(agent, released=await tx.builds.job(job.organization_id, job.id))
        reason = "agent_lost" if lost or state is AgentState.LOST else "agent_stop"
        outcome = _outcome(job, self.context.clock.now(), "-1", reason=reason)
        return Left(agent, ended=await self.end_in(tx, caller, outcome))

    def settle_left(self, left: Left) -> None:
        """Take an agent that left and its job out of memory, after the commit."""
        live = self.fleet.agents.get(left.agent.id)
        if live is not None:
            self.fleet.forget(live.id)
            self.dispatcher.lines.take_back(live)
        if left.released is not None:
            self.settle(left.released)
            self.dispatcher.lines.enqueue(left.released)
        if left.ended is not None:
            self.settle(left.ended.job, left.ended.moved)

    async def release_in(self, tx: Transaction, caller: Caller, job: Job) -> bool:
        """The unit of work of `release`; False if the job was not accepted any more."""
        if not await tx.builds.release(job):
            return False
        if job.agent_id is not None:
            await tx.fleet.give_job(job.organization_id, job.agent_id, None)
        await self.context.record(
            tx, caller, Action.JOB_RELEASED, job.organization_id, ("job", job.id), {"agent_id": job.agent_id}
        )
        return True

    async def release(self, caller: Caller, job: Job) -> None:
        """Take an accepted job from an agent that did not start it; its token is dead, it waits again."""

        async def work(tx: Transaction) -> Job | None:
            if not await self.release_in(tx, caller, job):
                return None
            return await tx.builds.job(job.organization_id, job.id)

        released = await self.context.store.write(work)
        if released is not None:
            self.settle(job)
            self.dispatcher.lines.enqueue(released)

    async def time_out(self, caller: Caller, job: Job) -> None:
        """A running job is over its time: its agent hears of it at its next look at the job's state."""
        now = self.context.clock.now()

        async def work(tx: Transaction) -> Job | None:
            if not await tx.builds.time_out(job, now):
                return None
            details = {"timeout_minutes": job.timeout_minutes}
            await self.context.record(
                tx, caller, Action.JOB_TIMING_OUT, job.organization_id, ("job", job.id), details
            )
            return await tx.builds.job(job.organization_id, job.id)

        current = await self.context.store.write(work)
        if current is not None:
            self.dispatcher.held[job.id] = current

    async def sweep(self, caller: Caller) -> None:
        """End what is overdue: silent agents, unstarted jobs, jobs given up or over their time.

        What came due while no server ran counts from the start: the agent could not be heard.
        """
        now = self.context.clock.now()
        for live in self.fleet.silent(now):
            state = AgentState.LOST if live.connected else AgentState.REPLACED
            await self.disconnect(caller, live.id, state)
            if state is AgentState.LOST:
                self.context.tally.count(live.organization_id, LOST, now)
        for job in list(self.dispatcher.held.values()):
            await self._sweep_job(caller, job, now)

    async def _sweep_job(self, caller: Caller, job: Job, now: int) -> None:
        agent = self.fleet.agents.get(job.agent_id) if job.agent_id is not None else None
        pings = agent.idle_at - agent.idle_since if agent is not None and agent.job_id == job.id else 0
        begun = self.dispatcher.loaded_at
        if job.state is JobState.ACCEPTED and now - max(job.accepted_at, begun) >= START_DEADLINE_US:
            await self.release(caller, job)
        elif job.state in _ENDS and now - max(job.canceling_at, begun) >= CANCEL_GRACE_US:
            await self.end(caller, _outcome(job, now, "-1", reason="cancel"))
        elif job.state is JobState.RUNNING and 0 < job.times_out_at <= now:
            await self.time_out(caller, job)
        elif pings >= GIVEN_UP_AFTER_US or _silent(agent, job, begun, now):
            if job.state is JobState.ACCEPTED:
                await self.release(caller, job)
            else:
                await self.end(caller, _outcome(job, now, "-1", reason="agent_stop"))


def _silent(agent: LiveAgent | None, job: Job, begun: int, now: int) -> bool:
    """Whether an agent listens for work and has not called about the job that it runs."""
    if agent is None or agent.bell is None or agent.job_id != job.id or job.state is not JobState.RUNNING:
        return False
    return now - max(agent.job_at, job.started_at, begun) >= SILENT_AFTER_US


def _outcome(job: Job, now: int, exit_status: str, *, reason: str) -> Job:
    return replace(job, exit_status=exit_status, signal_reason=reason, finished_at=now)
