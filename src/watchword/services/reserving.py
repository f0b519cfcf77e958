"""Reserving: jobs that a stack takes from all other agents until it has started one for them.

A reservation is a state of the job's row, written by one conditional update: of two stacks one gets a job,
and no agent that asks for work is offered it. It survives a restart, and ends by an agent that acquires the
job, by its stack that gives up, by a cancellation, or by time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import JobId, is_uuid
from watchword.domain.pipelines import Job, JobState
from watchword.domain.stacks import MAX_FINISH_DETAIL, MAX_JOBS, STACK_ERROR, UNKNOWN_EXIT_STATUS
from watchword.services.context import Caller, Context
from watchword.services.jobanswers import environment_ahead
from watchword.services.lines import queue_key
from watchword.services.scheduling import Moved, Scheduler
from watchword.services.stacks import StackReach, find_queue, find_stack
from watchword.store.base import Transaction

_SECOND_US = 1_000_000
_MAX_STATUS = 2**31
# Reservations that one look ends; the next look comes in seconds.
_SWEPT = 1000


@dataclass(frozen=True, slots=True)
class Reserved:
    """What became of a batch, in the order in which it was asked for."""

    reserved: Sequence[str]
    not_reserved: Sequence[str]


def check_job_ids(given: Sequence[str]) -> list[JobId]:
    """Require a batch that is not too long; those that can be ids of jobs, each once.

    Raises:
        Invalid: it is too long.
    """
    if len(given) > MAX_JOBS:
        raise Invalid(f"job_uuids takes at most {MAX_JOBS} ids", code="too_many_jobs")
    return list(dict.fromkeys(JobId(text.lower()) for text in given if is_uuid(text)))


async def find_job(tx: Transaction, reach: StackReach, text: str) -> Job:
    """A job that an agent token reaches.

    Raises:
        NotFound: there is none.
    """
    job = None
    if is_uuid(text):
        job = await tx.builds.job(reach.organization_id, JobId(text.lower()))
    if job is None or not reach.covers(job):
        raise NotFound("No job found", code="unknown_job")
    return job


@dataclass(slots=True)
class Reserver:
    """Reserves jobs, gives them back, ends them without an agent."""

    context: Context
    scheduler: Scheduler

    async def reserve(
        self, caller: Caller, reach: StackReach, key: str, given: Sequence[str], seconds: int
    ) -> Reserved:
        """Reserve those of the jobs that wait for an agent in a queue that is not paused.

        Raises:
            Invalid: they are too many.
            NotFound: there is no such stack.
        """
        asked = check_job_ids(given)
        until = self.context.clock.now() + seconds * _SECOND_US

        async def work(tx: Transaction) -> Sequence[Job]:
            stack = await find_stack(tx, reach, key)
            if not asked:
                return ()
            only = None
            if reach.queue_key:
                only = (await find_queue(tx, reach, reach.queue_key)).id
            owner, cluster_id = reach.organization_id, reach.cluster_id
            got = await tx.reservations.reserve(owner, cluster_id, only, stack.id, asked, until)
            if got:
                data = {"key": key, "until": until, "job_ids": sorted(job.id for job in got)}
                await self.context.record(tx, caller, Action.STACK_RESERVED, owner, ("stack", stack.id), data)
            return got

        jobs = await self.context.store.write(work)
        for job in jobs:
            self.scheduler.dispatcher.lines.withdraw(job)
        got = {job.id for job in jobs}
        every = list(dict.fromkeys(given))
        return Reserved(
            [text for text in every if text.lower() in got],
            [text for text in every if text.lower() not in got],
        )

    async def show(self, reach: StackReach, key: str, job_id: str) -> tuple[Job, Mapping[str, str]]:
        """A job with its variables, as far as they are known before an agent has it.

        Raises:
            NotFound: there is no such stack or job.
        """

        async def work(tx: Transaction) -> tuple[Job, Mapping[str, str]]:
            await find_stack(tx, reach, key)
            job = await find_job(tx, reach, job_id)
            return job, await environment_ahead(self.context, tx, job)

        return await self.context.store.read(work)

    async def states(self, reach: StackReach, key: str, given: Sequence[str]) -> Mapping[str, JobState]:
        """States of those of the jobs that there are, by id.

        Raises:
            Invalid: they are too many.
            NotFound: there is no such stack.
        """
        asked = check_job_ids(given)

        async def work(tx: Transaction) -> Mapping[str, JobState]:
            await find_stack(tx, reach, key)
            only = await find_queue(tx, reach, reach.queue_key) if reach.queue_key else None
            found = await tx.reservations.states(reach.organization_id, reach.cluster_id, asked)
            return {job: state for job, queue, state in found if only is None or queue == only.id}

        return await self.context.store.read(work)

    async def fail(
        self,
        caller: Caller,
        reach: StackReach,
        key: str,
        job_id: str,
        exit_status: int | None,
        detail: str,
    ) -> Job:
        """End a job that no agent has taken, because its stack cannot start one.

        Raises:
            Invalid: the exit status is no number that fits, or the detail is too long.
            NotFound: there is no such stack or job.
            Conflict: an agent has it, another stack reserved it, or it has ended.
        """
        status = UNKNOWN_EXIT_STATUS if exit_status is None else exit_status
        if abs(status) >= _MAX_STATUS:
            raise Invalid("exit_status is a number of 32 bits", code="invalid_exit_status")
        if len(detail.encode()) > MAX_FINISH_DETAIL:
            raise Invalid(f"detail takes at most {MAX_FINISH_DETAIL} bytes", code="invalid_detail")

        async def work(tx: Transaction) -> tuple[Job, Moved]:
            return await self._fail_in(tx, caller, reach, key, job_id, str(status), detail)

        job, moved = await self.context.store.write(work)
        self.scheduler.settle(Moved(withdrawn=(job,)) + moved)
        return job

    async def _fail_in(
        self,
        tx: Transaction,
        caller: Caller,
        reach: StackReach,
        key: str,
        job_id: str,
        status: str,
        detail: str,
    ) -> tuple[Job, Moved]:
        stack = await find_stack(tx, reach, key)
        found = await find_job(tx, reach, job_id)
        build = await tx.builds.enter_build(found.organization_id, found.build_id)
        job = await tx.builds.job(found.organization_id, found.id)
        if build is None or job is None:
            raise NotFound("No job found", code="unknown_job")
        if job.state not in (JobState.SCHEDULED, JobState.RESERVED):
            raise Conflict(
                f"This job is {job.state.value}; a stack ends what no agent has taken.",
                code="job_not_reserved",
            )
        if job.state is JobState.RESERVED and job.reserved_by != stack.id:
            raise Conflict("Another stack has reserved this job.", code="job_not_reserved")
        ended = replace(
            job,
            state=JobState.FINISHED,
            exit_status=status,
            signal_reason=STACK_ERROR,
            stack_error=detail,
            finished_at=self.context.clock.now(),
        )
        ended = await self.scheduler.grade_in(tx, ended)
        if not await tx.reservations.fail(ended):
            raise Conflict("This job was taken meanwhile.", code="job_not_reserved")
        data = {"exit_status": status, "signal_reason": STACK_ERROR, "state": ended.state.value, "stack": key}
        await self.context.record(tx, caller, Action.JOB_FINISHED, job.organization_id, ("job", job.id), data)
        return ended, await self.scheduler.ended_in(tx, build, ended)

    async def sweep(self, caller: Caller) -> None:
        """Let jobs wait for anybody again whose reservation is over."""
        now = self.context.clock.now()
        for job in await self.context.store.read(lambda tx: tx.reservations.overdue(now, _SWEPT)):
            await self._give_back(caller, job, now)

    async def _give_back(self, caller: Caller, job: Job, now: int) -> None:
        async def work(tx: Transaction) -> bool:
            if not await tx.reservations.give_back(job, now):
                return False
            data = {"stack_id": job.reserved_by, "queue": queue_key(job.rules)}
            await self.context.record(
                tx, caller, Action.JOB_RESERVATION_EXPIRED, job.organization_id, ("job", job.id), data
            )
            return True

        if await self.context.store.write(work):
            again = replace(job, state=JobState.SCHEDULED)
            self.scheduler.settle(Moved(scheduled=(again,)))
