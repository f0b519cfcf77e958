"""Outlines: a build's steps and jobs in the order in which people read them."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.buildsteps import GATES, BuildStep
from watchword.domain.ids import JobId, StepId
from watchword.domain.pipelines import Job
from watchword.domain.steps import StepType


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an outline: a job with its former attempts, or a step that has none.

    Attributes:
        step: the step; None for a job of a build that has no steps.
        job: the latest attempt; None for a group, a wait, a block, a trigger.
        former: attempts that it replaces, oldest first.
        grouped: whether it stands in the group above it.
    """

    step: BuildStep | None
    job: Job | None = None
    former: tuple[Job, ...] = ()
    grouped: bool = False

    @property
    def first(self) -> Job:
        """The first attempt.

        Raises:
            ValueError: it is no job.
        """
        if self.job is None:
            raise ValueError("a step without a job has no attempts")
        return self.former[0] if self.former else self.job

    @property
    def gate(self) -> bool:
        """Whether it is for a person to let the build go on here."""
        return self.step is not None and self.job is None and self.step.step.type in GATES

    @property
    def group(self) -> bool:
        """Whether it is the heading of a group."""
        return self.step is not None and self.step.step.type is StepType.GROUP


def outline(steps: Sequence[BuildStep], jobs: Sequence[Job]) -> list[Row]:
    """The rows of a build: steps by their place, each with the latest attempts of its jobs."""
    by_id = {job.id: job for job in jobs}
    latest: dict[StepId | None, list[Row]] = {}
    rows = {step.id: step for step in steps}
    for job in jobs:
        if job.retried_in is None or job.retried_in not in by_id:
            step = rows.get(job.step_id) if job.step_id is not None else None
            grouped = step is not None and step.group_id is not None
            row = Row(step, job, _former(job, by_id), grouped)
            latest.setdefault(step.id if step is not None else None, []).append(row)
    found = latest.get(None, [])
    order = {job.id: at for at, job in enumerate(jobs)}
    for step in sorted(steps, key=lambda one: one.position):
        # A new attempt stands where the first one stood.
        made = sorted(latest.get(step.id, ()), key=lambda row: order[row.first.id])
        found += made or [Row(step, grouped=step.group_id is not None)]
    return found


def _former(job: Job, by_id: dict[JobId, Job]) -> tuple[Job, ...]:
    former: list[Job] = []
    source = job.retry_source
    while source is not None and source in by_id and len(former) < len(by_id):
        former.append(by_id[source])
        source = by_id[source].retry_source
    return tuple(reversed(former))
