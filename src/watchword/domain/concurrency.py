"""Concurrency groups: which of an organization's jobs get a place in a group."""

from collections.abc import Sequence

from watchword.domain.pipelines import Job, JobState

_PLACED = (
    JobState.SCHEDULED,
    JobState.RESERVED,
    JobState.ACCEPTED,
    JobState.RUNNING,
    JobState.CANCELING,
    JobState.TIMING_OUT,
)


def admit(jobs: Sequence[Job]) -> list[Job]:
    """Jobs of a concurrency group that get a place now.

    Ordered jobs start in the order of their making: one waits for every older job of the group that has
    no place yet, also for those of other builds that are not ready. Older jobs of its own build that
    are not ready do not hold it up, because they may depend on it.

    Args:
        jobs: those of the group that have not ended.
    """
    placed = sum(job.state in _PLACED for job in jobs)
    admitted: list[Job] = []
    ahead: list[Job] = []
    for job in sorted(jobs, key=lambda each: each.id):
        if job.state is JobState.WAITING:
            ahead.append(job)
        elif job.state is JobState.LIMITED:
            held_up = job.concurrency_ordered and any(
                other.state is JobState.LIMITED or other.build_id != job.build_id for other in ahead
            )
            if held_up or placed >= job.concurrency_limit:
                ahead.append(job)
                continue
            admitted.append(job)
            placed += 1
    return admitted
