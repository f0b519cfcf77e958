"""Notifications: what a stack says of its jobs while no agent runs them yet (contract agent-api §10.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchword.domain.errors import Invalid
from watchword.domain.ids import JobId, OrganizationId, is_uuid
from watchword.domain.pipelines import Job
from watchword.domain.stacks import (
    CLOCK_SKEW_US,
    MAX_NOTIFICATION,
    MAX_NOTIFICATIONS,
    MAX_NOTIFICATIONS_OF_JOB,
    NOTIFIED_UNTIL_US,
    Stack,
    StackNotification,
)
from watchword.services.context import Context
from watchword.services.stacks import StackReach, find_stack
from watchword.store.base import Transaction

NO_JOB = "job not found"
EXCEEDED = "job stack notification count exceeded"
_TOO_LONG = f"detail exceeds its length limit of {MAX_NOTIFICATION}"
# Others who write at once take a number first; then the next one is tried.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Note:
    """One notification as it came.

    Attributes:
        at: when it happened, microseconds; 0 for now, None where the text was no time.
    """

    job_id: str
    detail: str
    at: int | None = 0


def fault_of(note: Note) -> str:
    """What is wrong with a notification by itself; empty where nothing is."""
    if not note.detail:
        return "detail is required"
    if len(note.detail) > MAX_NOTIFICATION:
        return _TOO_LONG
    return "timestamp is invalid" if note.at is None else ""


def time_fault(job: Job, at: int, now: int) -> str:
    """What is wrong with the time of a notification about a job; empty where nothing is."""
    if at > now + CLOCK_SKEW_US:
        return "timestamp is in the future"
    if at < job.created_at - CLOCK_SKEW_US:
        return "timestamp is before the job was created"
    if job.finished_at and at > job.finished_at + NOTIFIED_UNTIL_US:
        return "timestamp is too long after the job finished"
    return ""


@dataclass(slots=True)
class StackNotes:
    """Keeps and shows notifications."""

    context: Context

    async def add(self, reach: StackReach, key: str, notes: Sequence[Note]) -> Mapping[str, list[int]]:
        """Keep notifications; what is wrong with those that are not kept, with their places in the batch.

        Raises:
            Invalid: they are too many.
            NotFound: there is no such stack.
        """
        if len(notes) > MAX_NOTIFICATIONS:
            raise Invalid(f"notifications takes at most {MAX_NOTIFICATIONS}", code="too_many_notifications")

        async def work(tx: Transaction) -> Mapping[str, list[int]]:
            stack = await find_stack(tx, reach, key)
            jobs: dict[str, Job | None] = {}
            faults: dict[str, list[int]] = {}
            for place, note in enumerate(notes):
                fault = fault_of(note) or await self._add_in(tx, reach, stack, note, jobs)
                if fault:
                    faults.setdefault(fault, []).append(place)
            return faults

        return await self.context.store.write(work)

    async def _add_in(
        self, tx: Transaction, reach: StackReach, stack: Stack, note: Note, jobs: dict[str, Job | None]
    ) -> str:
        """Keep one notification; what is wrong with it, if anything."""
        name = note.job_id.lower()
        if name not in jobs:
            jobs[name] = None
            if is_uuid(name):
                jobs[name] = await tx.builds.job(reach.organization_id, JobId(name))
        job, now = jobs[name], self.context.clock.now()
        if job is None or not reach.covers(job):
            return NO_JOB
        at = note.at or now
        fault = time_fault(job, at, now)
        if fault:
            return fault
        for _ in range(_TRIES):
            number = await tx.stacks.count_notifications(job.organization_id, job.id) + 1
            if number > MAX_NOTIFICATIONS_OF_JOB:
                return EXCEEDED
            made = StackNotification(job.organization_id, job.id, number, stack.id, note.detail, at, now)
            if await tx.stacks.add_notification(made):
                return ""
        return "another notification came at the same time; try again"

    async def of_job(self, organization_id: OrganizationId, job_id: JobId) -> Sequence[StackNotification]:
        """Those of a job, in the order in which they came."""
        return await self.context.store.read(lambda tx: tx.stacks.notifications(organization_id, job_id))
