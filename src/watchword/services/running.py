"""Running jobs: what a job says of itself while it runs: more time, a failure to come."""

from dataclasses import dataclass

from watchword.domain.errors import Conflict, Invalid
from watchword.domain.events import Action
from watchword.domain.pipelines import (
    MAX_PROMISE_REASON,
    MAX_TIMEOUT_MINUTES,
    TIMEOUT_EXTENSION_MINUTES,
    Job,
    JobState,
)
from watchword.services.context import Caller, Context
from watchword.services.dispatching import Dispatcher
from watchword.store.base import Transaction

_CONFLICT = 409


@dataclass(slots=True)
class Runner:
    """Changes jobs in agents' hands, at their own wish."""

    context: Context
    dispatcher: Dispatcher

    async def change_timeout(self, caller: Caller, job: Job, minutes: int) -> None:
        """Change how long a job may run, counted from its start (contract agent-api §2.3).

        Raises:
            Invalid: it is no positive number, or over an hour more than the job had at first.
            Conflict: the job is being cancelled or has ended.
        """
        initial = job.initial_timeout_minutes or job.timeout_minutes
        limit = initial + TIMEOUT_EXTENSION_MINUTES if initial else MAX_TIMEOUT_MINUTES
        if not 0 < minutes <= limit:
            raise Invalid(
                f"Validation failed: The timeout of this job is 1 to {limit} minutes", code="invalid_timeout"
            )

        async def work(tx: Transaction) -> Job | None:
            if not await tx.builds.set_timeout(job, minutes, initial):
                raise Conflict("The timeout of a job that has ended cannot change.", code="job_not_running")
            details = {"timeout_in_minutes": minutes}
            await self.context.record(
                tx, caller, Action.JOB_UPDATED, job.organization_id, ("job", job.id), details
            )
            return await tx.builds.job(job.organization_id, job.id)

        changed = await self.context.store.write(work)
        if changed is not None and job.id in self.dispatcher.held:
            self.dispatcher.held[job.id] = changed

    async def promise_failure(self, caller: Caller, job: Job, status: int, reason: str) -> None:
        """Note that a running job will fail; repeating the same status changes nothing.

        Raises:
            Invalid: the status is 0, or the reason too long.
            Conflict: another status was promised (409), or the job does not run.
        """
        if status == 0 or len(reason) > MAX_PROMISE_REASON:
            raise Invalid(
                f"A promised failure has an exit status other than 0 and a reason of at most "
                f"{MAX_PROMISE_REASON} characters.",
                code="invalid_promise",
            )

        async def work(tx: Transaction) -> Job | None:
            if await tx.builds.promise_failure(job, str(status), reason, self.context.clock.now()):
                details = {"exit_status": str(status), "reason": reason}
                await self.context.record(
                    tx, caller, Action.JOB_FAILURE_PROMISED, job.organization_id, ("job", job.id), details
                )
            return await tx.builds.job(job.organization_id, job.id)

        changed = await self.context.store.write(work)
        if changed is None or changed.fence != job.fence or not _runs(changed):
            raise Conflict("This job does not run.", code="job_not_running")
        if changed.promised_status != str(status):
            raise Conflict(
                f"This job promised to fail with {changed.promised_status}.",
                code="failure_promised",
                status=_CONFLICT,
            )
        if job.id in self.dispatcher.held:
            self.dispatcher.held[job.id] = changed


def _runs(job: Job) -> bool:
    return job.state.held and job.state is not JobState.ACCEPTED
