"""Attempts: what a person does to move a build on: retry a job, unblock a step, change a priority."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from watchword.domain.buildsteps import GATES, BuildStep
from watchword.domain.errors import Conflict, Invalid, Malformed, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.pipelines import Build, Job, JobState
from watchword.services.context import Caller, Context
from watchword.services.scheduling import MANUAL, Moved, Scheduler
from watchword.store.base import Transaction

# What may be retried of a build at once, by the words of contract rest-graphql §1.8; none of ours expires.
FAILURES = ("canceled", "expired", "failed", "soft_failed", "timed_out")
_RAN = (JobState.FINISHED, JobState.CANCELED, JobState.TIMED_OUT)
_MAX_FIELDS = 100
_MAX_FIELD = 64 * 1024


@dataclass(slots=True)
class Attempts:
    """Moves builds on for people; each method is part of a unit of work, and `settle` follows it."""

    context: Context
    scheduler: Scheduler

    async def retry_in(self, tx: Transaction, caller: Caller, job: Job) -> tuple[Job, Moved]:
        """Make another attempt of a job that ended; what failed for its sake waits again.

        Raises:
            Malformed: it has not ended, or never ran.
            Conflict: it was retried before, or its step forbids it.
        """
        build = await tx.builds.enter_build(job.organization_id, job.build_id)
        current = await tx.builds.job(job.organization_id, job.id)
        if build is None or current is None:
            raise NotFound("No job found")
        if current.state not in _RAN:
            raise Malformed("Only failed, timed out or canceled jobs can be retried", code="not_retryable")
        row = await tx.steps.find(job.organization_id, job.step_id) if job.step_id is not None else None
        _check_allowed(row, current)
        made = await self.scheduler.retry_in(tx, current, MANUAL)
        if made is None:
            raise Conflict("This job has already been retried", code="already_retried")
        await self.scheduler.reopen_in(tx, build)
        moved = await self.scheduler.advance_in(tx, build.organization_id, build.id)
        await self.context.record(
            tx, caller, Action.JOB_RETRIED, job.organization_id, ("job", job.id), {"retried_in": made.id}
        )
        return await tx.builds.job(made.organization_id, made.id) or made, moved

    async def cancel_in(self, tx: Transaction, caller: Caller, job: Job) -> tuple[Job, Moved]:
        """Cancel one job: a waiting one ends at once, of a running one its agent hears.

        Raises:
            Conflict: it has ended.
            NotFound: it is gone.
        """
        await tx.builds.enter_build(job.organization_id, job.build_id)
        current = await tx.builds.job(job.organization_id, job.id)
        if current is None:
            raise NotFound("No job found")
        if current.state.ended:
            raise Conflict("Job can't be canceled because it's already finished.", code="job_ended")
        moved = await self.scheduler.cancel_job_in(tx, current, self.context.clock.now())
        moved += await self.scheduler.advance_in(
            tx, job.organization_id, job.build_id, (current.concurrency_group,)
        )
        await self.context.record(tx, caller, Action.JOB_CANCELING, job.organization_id, ("job", job.id))
        return await tx.builds.job(job.organization_id, job.id) or current, moved

    async def retry_failed_in(
        self, tx: Transaction, caller: Caller, build: Build, failures: frozenset[str]
    ) -> tuple[int, Moved]:
        """Make another attempt of every job of a build that failed in one of these ways; how many.

        Jobs whose step forbids it, and those that were retried before, are passed over.
        """
        entered = await tx.builds.enter_build(build.organization_id, build.id)
        if entered is None:
            raise NotFound("No build found")
        made = 0
        for job in await tx.builds.jobs(build.organization_id, build.id):
            if _failure(job) in failures and await self._allowed(tx, job):
                again = await self.scheduler.retry_in(tx, job, MANUAL)
                if again is None:
                    continue
                made += 1
                data = {"retried_in": again.id}
                await self.context.record(
                    tx, caller, Action.JOB_RETRIED, job.organization_id, ("job", job.id), data
                )
        if made:
            await self.scheduler.reopen_in(tx, entered)
        return made, await self.scheduler.advance_in(tx, build.organization_id, build.id)

    async def _allowed(self, tx: Transaction, job: Job) -> bool:
        """Whether a job that failed may be retried by hand, and was not."""
        row = await tx.steps.find(job.organization_id, job.step_id) if job.step_id is not None else None
        return job.retried_in is None and (row is None or row.step.manual.allowed)

    async def unblock_in(
        self, tx: Transaction, caller: Caller, row: BuildStep, fields: Mapping[str, str], unblocker: UserId
    ) -> tuple[BuildStep, Moved]:
        """Unblock a block or input step; its fields become meta-data of the build.

        Raises:
            Malformed: the step is of another kind.
            Invalid: a required field is missing, or too much was filled in.
            Conflict: it is not blocked.
        """
        if row.step.type not in GATES:
            raise Malformed("This job type cannot be unblocked", code="not_unblockable")
        await tx.builds.enter_build(row.organization_id, row.build_id)
        current = await tx.steps.find(row.organization_id, row.id)
        if current is None or not current.blocked:
            raise Conflict("This job is not blocked", code="not_blocked")
        filled = _filled(current, fields)
        now = self.context.clock.now()
        unblocked = replace(current, unblocked_at=now, unblocked_by=unblocker, fields=filled)
        if not await tx.steps.unblock(unblocked):
            raise Conflict("This job is not blocked", code="not_blocked")
        for key, value in filled.items():
            await tx.logs.set_meta_data(row.organization_id, row.build_id, key, value)
        await self.context.record(
            tx, caller, Action.STEP_UNBLOCKED, row.organization_id, ("step", row.id), {"fields": list(filled)}
        )
        moved = await self.scheduler.advance_in(tx, row.organization_id, row.build_id)
        return await tx.steps.find(row.organization_id, row.id) or unblocked, moved

    async def prioritize_in(
        self, tx: Transaction, caller: Caller, job: Job, priority: int
    ) -> tuple[Job, Moved]:
        """Change the priority of a job that no agent has taken.

        Raises:
            Conflict: an agent has, or it has ended.
        """
        changed = replace(job, priority=priority)
        if job.state.held or not await tx.builds.edit_job(changed):
            raise Conflict("Only jobs that no agent has taken can be reprioritized", code="job_taken")
        await self.context.record(
            tx, caller, Action.JOB_REPRIORITIZED, job.organization_id, ("job", job.id), {"priority": priority}
        )
        scheduled = (changed,) if job.state is JobState.SCHEDULED else ()
        return changed, Moved(scheduled=scheduled)


def _failure(job: Job) -> str:
    """The way in which a job failed; empty where it did not."""
    if job.state is JobState.FINISHED and not job.passed:
        return "soft_failed" if job.soft_failed else "failed"
    return job.state.value if job.state in (JobState.CANCELED, JobState.TIMED_OUT) else ""


def _check_allowed(row: BuildStep | None, job: Job) -> None:
    if row is None:
        return
    manual = row.step.manual
    if not manual.allowed:
        raise Conflict(manual.reason or "The step of this job forbids retries", code="not_retryable")
    if job.passed and not manual.permit_on_passed:
        raise Conflict(manual.reason or "A job that passed cannot be retried", code="not_retryable")


def _filled(row: BuildStep, given: Mapping[str, str]) -> dict[str, str]:
    """What was filled in, with the defaults of what was not."""
    if len(given) > _MAX_FIELDS or any(len(value) > _MAX_FIELD for value in given.values()):
        raise Invalid("Validation failed: too many or too long fields", code="invalid_fields")
    filled: dict[str, str] = {}
    for field in row.step.fields:
        key = str(field.get("key") or "") if isinstance(field, dict) else ""
        if not key:
            continue
        default = field.get("default")
        text = "\n".join(map(str, default)) if isinstance(default, list) else str(default or "")
        value = given.get(key, text)
        if not value and field.get("required", True) is not False:
            raise Invalid(f"Validation failed: the field {key!r} is required", code="missing_field")
        if value:
            filled[key] = value
    return {**filled, **{key: value for key, value in given.items() if value}}
