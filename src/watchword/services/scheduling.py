"""Scheduling: what follows when a job ends, a step is unblocked, a build is cancelled or grows.

`advance_in` is part of the unit of work that changed the build; it holds the build for this unit, so that
two ends at once are seen by one of them. `settle` puts what it moved before the agents, after the commit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from watchword.domain.accounts import Affinity
from watchword.domain.buildsteps import BuildStep, Outcome, StepState
from watchword.domain.concurrency import admit
from watchword.domain.ids import AgentId, BuildId, JobId, OrganizationId
from watchword.domain.matrix import permuted
from watchword.domain.pipelines import Build, Job, JobState
from watchword.domain.retrying import automatic_retry, soft_failed
from watchword.domain.scheduling import survey
from watchword.domain.steps import Step
from watchword.domain.webhooks import EVENTS_OF_BUILDS, JOB_FINISHED, JOB_SCHEDULED
from watchword.services.context import Context
from watchword.services.dispatching import Dispatcher
from watchword.store.base import Transaction

AUTOMATIC, MANUAL = "automatic", "manual"


@dataclass(frozen=True, slots=True)
class Moved:
    """Jobs that a unit of work moved, for memory to follow after the commit.

    Attributes:
        scheduled: may be offered to agents now.
        withdrawn: may not any more.
        held: are in agents' hands, in a new state.
    """

    scheduled: tuple[Job, ...] = ()
    withdrawn: tuple[Job, ...] = ()
    held: tuple[Job, ...] = ()

    def __add__(self, other: "Moved") -> "Moved":
        return Moved(
            self.scheduled + other.scheduled, self.withdrawn + other.withdrawn, self.held + other.held
        )


@dataclass(slots=True)
class Scheduler:
    """Moves builds on."""

    context: Context
    dispatcher: Dispatcher

    async def advance_in(
        self,
        tx: Transaction,
        organization_id: OrganizationId,
        build_id: BuildId,
        groups: Iterable[str] = (),
    ) -> Moved:
        """Apply what follows from the present state of a build, inside a unit of work.

        Args:
            tx: the unit of work.
            organization_id: owner of the build.
            build_id: the build.
            groups: concurrency groups in which a place may have become free already.
        """
        build = await tx.builds.enter_build(organization_id, build_id)
        return await self._advance_in(tx, build, groups) if build is not None else Moved()

    async def _advance_in(self, tx: Transaction, build: Build, groups: Iterable[str]) -> Moved:
        organization_id, build_id = build.organization_id, build.id
        now = self.context.clock.now()
        steps = await tx.steps.of_build(organization_id, build_id)
        plan = survey(build, steps, await tx.builds.standings(organization_id, build_id))
        moved, touched = Moved(), {group for group in groups if group}
        for job_id, state in plan.jobs.items():
            job = await tx.builds.job(organization_id, job_id)
            if job is not None:
                moved += await self._move(tx, job, state, now)
                touched |= {job.concurrency_group} - {""}
        for change in plan.steps:
            await tx.steps.set_state(organization_id, change.id, change.state, change.outcome)
        if (plan.state, plan.blocked_state) != (build.state, build.blocked_state):
            await tx.builds.set_build_state(organization_id, build_id, plan.state, now, plan.blocked_state)
            word = EVENTS_OF_BUILDS.get(plan.state)
            if word is not None and plan.state is not build.state:
                await self.context.tell(tx, word, organization_id, ("build", build_id))
        for group in sorted(touched):
            moved += await self._admit(tx, organization_id, group, now)
        return moved

    async def _move(self, tx: Transaction, job: Job, state: JobState, now: int) -> Moved:
        if state in (JobState.CANCELED, JobState.CANCELING):
            return await self.cancel_job_in(tx, job, now)
        if state is JobState.SCHEDULED and job.concurrency_group:
            state = JobState.LIMITED  # the group gives it a place below
        if await tx.builds.move_job(job, state, now) and state is JobState.SCHEDULED:
            await self.context.tell(tx, JOB_SCHEDULED, job.organization_id, ("job", job.id))
            return Moved(scheduled=(replace(job, state=state, runnable_at=now),))
        return Moved()

    async def cancel_job_in(self, tx: Transaction, job: Job, now: int) -> Moved:
        """Cancel one job inside a unit of work; `advance_in` is still to be called."""
        await tx.builds.cancel(job, now)
        found = await tx.builds.job(job.organization_id, job.id)
        if found is None:
            return Moved()
        if found.state.ended and not job.state.ended:  # nobody held it: nobody finishes it
            await self.context.tell(tx, JOB_FINISHED, job.organization_id, ("job", job.id))
        return Moved(held=(found,)) if found.state.held else Moved(withdrawn=(found,))

    async def _admit(self, tx: Transaction, organization_id: OrganizationId, group: str, now: int) -> Moved:
        """Give the free places of a concurrency group to jobs that wait for one."""
        await tx.builds.enter_group(organization_id, group)
        admitted = [
            replace(job, state=JobState.SCHEDULED, runnable_at=now)
            for job in admit(await tx.builds.group_jobs(organization_id, group))
            if await tx.builds.move_job(job, JobState.SCHEDULED, now)
        ]
        for job in admitted:
            await self.context.tell(tx, JOB_SCHEDULED, organization_id, ("job", job.id))
        return Moved(scheduled=tuple(admitted))

    def settle(self, moved: Moved) -> None:
        """Let memory follow what was committed."""
        for job in moved.withdrawn:
            self.dispatcher.lines.withdraw(job)
        for job in moved.held:
            if job.id in self.dispatcher.held:
                self.dispatcher.held[job.id] = job
        for job in moved.scheduled:
            self.dispatcher.lines.enqueue(job)

    async def grade_in(self, tx: Transaction, job: Job) -> Job:
        """The job with `soft_failed` as its step asks, by the exit status that it carries."""
        if job.exit_status == "0":
            return job
        step = await step_in(tx, job)
        soft = step is not None and step.soft_fail != () and soft_failed(step.soft_fail, job.exit_status)
        return replace(job, soft_failed=soft)

    async def ended_in(self, tx: Transaction, build: Build, job: Job) -> Moved:
        """What follows the end of a held job: another attempt by its step's rules, then the build.

        Args:
            tx: the unit of work, which has entered the build.
            build: the build.
            job: the ended job.
        """
        ran = job.state in (JobState.FINISHED, JobState.TIMED_OUT) and not job.passed
        if ran and not build.canceled_at and job.retried_in is None:
            step = await step_in(tx, job)
            if step is not None and automatic_retry(
                step.retries, job.exit_status, job.signal, job.signal_reason, job.retries
            ):
                await self.retry_in(tx, job, AUTOMATIC)
        return await self._advance_in(tx, build, (job.concurrency_group,))

    async def retry_in(self, tx: Transaction, job: Job, retry_type: str) -> Job | None:
        """Make another attempt of an ended job; None if there is one. `advance_in` is still to be called."""
        again = JobId(self.context.new_id())
        if not await tx.builds.replace_job(job, again):
            return None
        made = job.again(again, self.context.clock.now(), retry_type)
        made = replace(made, avoided_agent_id=await _avoided(tx, job))
        await tx.builds.add_job(made)
        return made

    async def reopen_in(self, tx: Transaction, build: Build) -> None:
        """Let what failed for the sake of others wait again, because one of them is tried again."""
        await tx.builds.reopen_build(build.organization_id, build.id)
        for step in await tx.steps.of_build(build.organization_id, build.id):
            if step.outcome is Outcome.ERRORED:
                await tx.steps.set_state(build.organization_id, step.id, StepState.WAITING, Outcome.NONE)
        for job in await tx.builds.jobs(build.organization_id, build.id):
            if job.state is JobState.WAITING_FAILED:
                await tx.builds.move_job(job, JobState.WAITING, 0)


async def _avoided(tx: Transaction, job: Job) -> AgentId | None:
    """The agent that had a job, where the job's queue prefers another one for the next attempt."""
    if job.queue_id is None or job.agent_id is None:
        return None
    queue = await tx.accounts.queue(job.organization_id, job.queue_id)
    prefers = queue is not None and queue.retry_agent_affinity is Affinity.DIFFERENT
    return job.agent_id if prefers else None


async def step_in(tx: Transaction, job: Job) -> Step | None:
    """The step of a job, as the job's permutation makes it; None for jobs without one."""
    row = await tx.steps.find(job.organization_id, job.step_id) if job.step_id is not None else None
    return step_of(row, job) if row is not None else None


def step_of(row: BuildStep, job: Job) -> Step:
    """A job's step with the job's permutation of its matrix put in."""
    step = row.step
    if not step.matrix or job.matrix not in step.matrix:
        return step
    return permuted(step, step.matrix.index(job.matrix))
