"""The store's contract for stacks: the controllers, the jobs that they take, what they say of them."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import ClusterId, JobId, OrganizationId, QueueId, StackId
from watchword.domain.pipelines import Job, JobState
from watchword.domain.stacks import Cursor, Stack, StackNotification, WaitingJob
from watchword.store.base_work import HeldBack
from watchword.store.page import Page


class Stacks(Protocol):
    """Stacks, and notifications about jobs."""

    async def add(self, stack: Stack) -> None:
        """Insert. Raises `Duplicate` where the cluster has the key."""

    async def save(self, stack: Stack) -> None:
        """Write what registering says anew: type, queue, metadata, and that it is registered."""

    async def find(self, organization_id: OrganizationId, stack_id: StackId) -> Stack | None:
        """By id, also one that left."""

    async def by_key(self, organization_id: OrganizationId, cluster_id: ClusterId, key: str) -> Stack | None:
        """By key, also one that left."""

    async def of_cluster(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[Stack]:
        """Those of a cluster by key, also those that left."""

    async def count(self, organization_id: OrganizationId) -> int:
        """How many are registered."""

    async def deregister(self, organization_id: OrganizationId, stack_id: StackId, at: int) -> bool:
        """Note that it left; False if it had."""

    async def forget(self, organization_id: OrganizationId, before: int) -> int:
        """Delete those that left before a time; how many they were."""

    async def touch(self, polls: Sequence[tuple[OrganizationId, StackId, int]]) -> None:
        """Note when they last asked for jobs."""

    async def add_notification(self, notification: StackNotification) -> bool:
        """Insert; False if the job has one of this number."""

    async def count_notifications(self, organization_id: OrganizationId, job_id: JobId) -> int:
        """How many a job has; their numbers go from 1 to this."""

    async def notifications(
        self, organization_id: OrganizationId, job_id: JobId
    ) -> Sequence[StackNotification]:
        """Those of a job, in order."""


class Reservations(Protocol):
    """Jobs as stacks take them: reserved, given back, ended without an agent."""

    async def waiting(
        self, organization_id: OrganizationId, queue_id: QueueId, after: Cursor, limit: int
    ) -> Sequence[WaitingJob]:
        """Scheduled jobs of a queue, oldest first."""

    async def reserve(
        self,
        organization_id: OrganizationId,
        cluster_id: ClusterId,
        queue_id: QueueId | None,
        stack_id: StackId,
        job_ids: Sequence[JobId],
        until: int,
    ) -> Sequence[Job]:
        """Scheduled → reserved, one fence higher, for those of the jobs that can be; they are answered.

        Others stay as they are: jobs in another state, of another cluster, in a queue that is paused.
        Of several who reserve a job at once, one gets it.

        Args:
            organization_id: owner.
            cluster_id: the cluster that the jobs belong to.
            queue_id: the only queue that they may wait in; None for any of the cluster.
            stack_id: who reserves.
            job_ids: the jobs.
            until: when the reservation ends.
        """

    async def overdue(self, now: int, limit: int) -> Sequence[Job]:
        """Jobs of all organizations whose reservation is over, longest over first."""

    async def give_back(self, job: Job, now: int) -> bool:
        """Reserved → scheduled under the same fence, if its reservation is over at `now`."""

    async def fail(self, job: Job) -> bool:
        """Scheduled or reserved → finished under the same fence, with the outcome that `job` carries."""

    async def states(
        self, organization_id: OrganizationId, cluster_id: ClusterId, job_ids: Sequence[JobId]
    ) -> Sequence[tuple[JobId, QueueId | None, JobState]]:
        """Queue and state of those of the jobs that belong to a cluster."""

    async def count_reserved(self, organization_id: OrganizationId) -> Sequence[HeldBack]:
        """How many jobs are reserved, by queue and rules."""

    async def count_by_stack(self, organization_id: OrganizationId) -> Sequence[tuple[StackId, int]]:
        """How many jobs each stack has reserved."""
