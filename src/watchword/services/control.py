"""Control: agents are stopped, paused and resumed, queues paused and resumed.

Agents hear of it by the answers to their pings, a job of a forced stop by its state. Every step is a
unit of work (`…_in`) and, after its commit, `settle`, which brings memory up to date.
"""

from dataclasses import dataclass, replace

from watchword.domain.accounts import Queue
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.fleet import (
    MAX_PAUSE_NOTE,
    Agent,
    AgentState,
    pause_end,
    pause_minutes,
)
from watchword.domain.ids import AgentId, OrganizationId, UserId
from watchword.domain.pipelines import Job, JobState
from watchword.services.context import Caller, Context
from watchword.services.dispatching import Dispatcher
from watchword.services.finishing import Finisher
from watchword.services.fleet import Fleet
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class Pause:
    """What a pause is asked to be.

    Attributes:
        note: shown to people and in the agent's log.
        minutes: how long it lasts; None for the usual five minutes.
        by: the person who asks; None where a job does.
        again: whether a pause in force may be replaced.
    """

    note: str = ""
    minutes: int | None = None
    by: UserId | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An agent as its row is after an order, and the job that a forced stop changed."""

    agent: Agent
    job: Job | None = None


@dataclass(slots=True)
class Controller:
    """Gives orders to agents and queues."""

    context: Context
    fleet: Fleet
    dispatcher: Dispatcher
    finisher: Finisher

    async def stop(
        self, caller: Caller, organization_id: OrganizationId, agent_id: AgentId, *, force: bool
    ) -> None:
        """`stop_in` as a unit of its own."""
        self.settle(
            await self.context.store.write(
                lambda tx: self.stop_in(tx, caller, organization_id, agent_id, force=force)
            )
        )

    async def stop_in(
        self,
        tx: Transaction,
        caller: Caller,
        organization_id: OrganizationId,
        agent_id: AgentId,
        *,
        force: bool,
    ) -> Told:
        """Ask an agent to leave after its job; a forced stop cancels the job.

        Repeating it changes nothing, but that a stop may become a forced one. A job that was accepted
        and not started waits again instead.

        Raises:
            NotFound: there is no such agent.
            Conflict: it is not connected.
        """
        agent = await _find(tx, organization_id, agent_id)
        if not await tx.fleet.stop(organization_id, agent_id, self.context.clock.now(), force=force):
            raise Conflict("Can only stop connected agents", code="agent_not_connected", status=400)
        told = await _find(tx, organization_id, agent_id)
        if (told.stopping_at, told.stop_forced) != (agent.stopping_at, agent.stop_forced):
            await self.context.record(
                tx, caller, Action.AGENT_STOPPING, organization_id, ("agent", agent_id), {"force": force}
            )
        job = await self._drop_job(tx, caller, told) if force else None
        return Told(told, job)

    async def _drop_job(self, tx: Transaction, caller: Caller, agent: Agent) -> Job | None:
        """Cancel the job that an agent runs; hand back one that it did not start."""
        job = await tx.builds.job(agent.organization_id, agent.job_id) if agent.job_id is not None else None
        if job is None or job.agent_id != agent.id or job.state not in (JobState.ACCEPTED, JobState.RUNNING):
            return None
        if not await self.finisher.release_in(tx, caller, job):
            await tx.builds.cancel(job, self.context.clock.now())
            await self.context.record(
                tx, caller, Action.JOB_CANCELING, job.organization_id, ("job", job.id), {"agent_id": agent.id}
            )
        return await tx.builds.job(job.organization_id, job.id)

    async def pause(
        self, caller: Caller, organization_id: OrganizationId, agent_id: AgentId, asked: Pause
    ) -> None:
        """`pause_in` as a unit of its own."""
        self.settle(
            await self.context.store.write(
                lambda tx: self.pause_in(tx, caller, organization_id, agent_id, asked)
            )
        )

    async def pause_in(
        self,
        tx: Transaction,
        caller: Caller,
        organization_id: OrganizationId,
        agent_id: AgentId,
        asked: Pause,
    ) -> Told:
        """Give an agent no jobs for a while; the one it runs goes on.

        Raises:
            NotFound: there is no such agent.
            Invalid: the note is too long, or the time not within a day.
            Conflict: it is not connected, or paused already.
        """
        agent = await _find(tx, organization_id, agent_id)
        minutes = pause_minutes(asked.minutes)
        if len(asked.note) > MAX_PAUSE_NOTE:
            raise Invalid(
                f"Validation failed: Note takes at most {MAX_PAUSE_NOTE} characters", code="invalid_pause"
            )
        if agent.state is not AgentState.CONNECTED:
            raise Conflict("Only connected agents may be paused", code="agent_not_connected")
        if agent.paused_at and not asked.again:
            raise Conflict("Agent is already paused", code="agent_paused")
        now = self.context.clock.now()
        until = pause_end(now, minutes)
        await tx.fleet.pause(organization_id, agent_id, now, until, asked.note, asked.by)
        details = {"note": asked.note, "timeout_in_minutes": minutes}
        await self.context.record(
            tx, caller, Action.AGENT_PAUSED, organization_id, ("agent", agent_id), details
        )
        return Told(await _find(tx, organization_id, agent_id))

    async def resume(
        self, caller: Caller, organization_id: OrganizationId, agent_id: AgentId, *, again: bool = False
    ) -> None:
        """`resume_in` as a unit of its own."""
        self.settle(
            await self.context.store.write(
                lambda tx: self.resume_in(tx, caller, organization_id, agent_id, again=again)
            )
        )

    async def resume_in(
        self,
        tx: Transaction,
        caller: Caller,
        organization_id: OrganizationId,
        agent_id: AgentId,
        *,
        again: bool = False,
    ) -> Told:
        """Give a paused agent jobs again.

        Args:
            tx: the unit of work.
            caller: who asks.
            organization_id: whose agent it is.
            agent_id: the agent.
            again: whether an agent that is not paused is left as it is.

        Raises:
            NotFound: there is no such agent.
            Conflict: it is not paused.
        """
        agent = await _find(tx, organization_id, agent_id)
        if await tx.fleet.resume(organization_id, agent_id):
            await self.context.record(tx, caller, Action.AGENT_RESUMED, organization_id, ("agent", agent_id))
        elif not again:
            raise Conflict("Agent is not paused", code="agent_not_paused")
        return Told(replace(agent, paused_at=0, paused_until=0, paused_note="", paused_by=None))

    def settle(self, told: Told) -> None:
        """Tell memory, after the commit."""
        live = self.fleet.agents.get(told.agent.id)
        if live is not None:
            live.order = told.agent.order
            if live.order is not None:
                self.dispatcher.lines.take_back(live)
            live.ring()
        job = told.job
        if job is None:
            return
        if job.state is JobState.SCHEDULED:
            self.finisher.settle(replace(job, agent_id=told.agent.id))
            self.dispatcher.lines.enqueue(job)
        elif job.id in self.dispatcher.held:
            self.dispatcher.held[job.id] = job

    async def sweep(self, caller: Caller) -> None:
        """Resume the agents whose pause is over."""
        now = self.context.clock.now()
        for live in list(self.fleet.agents.values()):
            if live.order is not None and not live.order.stop and live.order.until <= now:
                await self.resume(caller, live.organization_id, live.id, again=True)

    async def pause_queue_in(
        self, tx: Transaction, caller: Caller, queue: Queue, note: str, by: UserId | None
    ) -> Queue:
        """Hold the jobs of a queue back; call `settle_queue` after the commit.

        Raises:
            Invalid: the note is too long.
            Conflict: it is paused already.
        """
        if len(note) > MAX_PAUSE_NOTE:
            raise Invalid(
                f"Validation failed: Note takes at most {MAX_PAUSE_NOTE} characters", code="invalid_pause"
            )
        now = self.context.clock.now()
        if not await tx.accounts.pause_queue(queue.organization_id, queue.id, now, by, note):
            raise Conflict("Cluster queue is already paused", code="queue_paused")
        await self.context.record(
            tx, caller, Action.QUEUE_PAUSED, queue.organization_id, ("queue", queue.id), {"note": note}
        )
        return replace(queue, dispatch_paused=True, paused_at=now, paused_by=by, paused_note=note)

    async def resume_queue_in(self, tx: Transaction, caller: Caller, queue: Queue) -> Queue:
        """Dispatch the jobs of a queue again; call `settle_queue` after the commit.

        Raises:
            Conflict: it is not paused.
        """
        if not await tx.accounts.resume_queue(queue.organization_id, queue.id):
            raise Conflict("Cluster queue is not paused", code="queue_not_paused")
        await self.context.record(
            tx, caller, Action.QUEUE_RESUMED, queue.organization_id, ("queue", queue.id)
        )
        return replace(queue, dispatch_paused=False, paused_at=0, paused_by=None, paused_note="")

    def forget_queue(self, queue: Queue) -> None:
        """Tell memory that a queue was deleted, after the commit."""
        self.dispatcher.lines.paused.discard(queue.id)

    def settle_queue(self, queue: Queue) -> None:
        """Tell memory, after the commit."""
        paused = self.dispatcher.lines.paused
        (paused.add if queue.dispatch_paused else paused.discard)(queue.id)
        self.dispatcher.lines.rings(queue.id)


async def _find(tx: Transaction, organization_id: OrganizationId, agent_id: AgentId) -> Agent:
    agent = await tx.fleet.find(organization_id, agent_id)
    if agent is None:
        raise NotFound("No agent found")
    return agent
