"""Stacks: registered by key, heard of by what they ask for, gone by leaving (contract agent-api §10.3).

What a stack reaches is what the agent token reaches that it shows: the token's cluster, and of it the one
queue that the token is limited to, if it is. Whatever lies outside answers as if it were not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from watchword.domain.accounts import Queue
from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ClusterId, OrganizationId, QueueId, StackId
from watchword.domain.pipelines import Job
from watchword.domain.restrictions import load
from watchword.domain.stacks import (
    DEFAULT_QUEUES,
    FORGOTTEN_AFTER_US,
    Cursor,
    Stack,
    WaitingJob,
    check_metadata,
    check_stack_key,
    check_stack_type,
)
from watchword.domain.tokens import MINUTE_US, Token
from watchword.services.context import Caller, Context
from watchword.services.lines import queue_key
from watchword.store.base import EVERYTHING, Transaction

# People see when a stack was heard of; a minute's delay does not matter to them.
_POLL_MAY_LAG_US = MINUTE_US


@dataclass(frozen=True, slots=True)
class StackReach:
    """What an agent token reaches.

    Attributes:
        queue_key: the only queue; empty for every one of the cluster.
    """

    organization_id: OrganizationId
    cluster_id: ClusterId
    queue_key: str = ""

    @classmethod
    def of(cls, token: Token) -> "StackReach":
        """That of a verified agent token of a cluster."""
        return cls(token.organization_id, token.cluster_id or ClusterId(""), load(token.restrictions).queue)

    def covers(self, job: Job) -> bool:
        """Whether a job is within it."""
        same = (job.organization_id, job.cluster_id) == (self.organization_id, self.cluster_id)
        return same and self.queue_key in ("", queue_key(job.rules))


@dataclass(frozen=True, slots=True)
class StackWish:
    """What a stack registers with, as it came."""

    key: str
    type: str
    queue_key: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Registered:
    """A stack with its queue; `created` where its key came for the first time."""

    stack: Stack
    queue: Queue
    created: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """Some scheduled jobs of a queue; `after` names the last one where there are more."""

    queue: Queue
    jobs: Sequence[WaitingJob]
    after: Cursor | None


async def find_stack(tx: Transaction, reach: StackReach, key: str) -> Stack:
    """A registered stack by its key.

    Raises:
        NotFound: the token's cluster has none.
    """
    found = await tx.stacks.by_key(reach.organization_id, reach.cluster_id, key)
    if found is None or found.deregistered_at:
        raise NotFound("No stack found with this key; register it first.", code="unknown_stack")
    return found


async def find_queue(tx: Transaction, reach: StackReach, key: str) -> Queue:
    """A queue by its key, or the cluster's default one by any of its spellings.

    Raises:
        NotFound: the cluster has none, or the token is for another.
    """
    owner, cluster_id = reach.organization_id, reach.cluster_id
    if key in DEFAULT_QUEUES:
        cluster = await tx.accounts.cluster(owner, cluster_id)
        queue_id = cluster.default_queue_id if cluster is not None else None
        found = await tx.accounts.queue(owner, queue_id) if queue_id is not None else None
    else:
        found = await tx.accounts.queue_by_key(owner, cluster_id, key)
    if found is None or reach.queue_key not in ("", found.key):
        raise NotFound("No queue found", code="unknown_queue")
    return found


@dataclass(slots=True)
class Stacks:
    """Registers stacks and shows them what waits.

    Attributes:
        polls: when stacks last asked for jobs, and which of that the database knows.
    """

    context: Context
    polls: dict[tuple[OrganizationId, StackId], tuple[int, int]] = field(default_factory=dict)

    async def register(self, caller: Caller, reach: StackReach, wish: StackWish) -> Registered:
        """Make a stack known, or say anew what it is; repeating it changes nothing but the time.

        Raises:
            Invalid: key, type or metadata is not acceptable.
            NotFound: there is no such queue.
            Forbidden: the organization has as many stacks as it may have.
        """
        return await self.context.store.write(lambda tx: self._register_in(tx, caller, reach, wish))

    async def _register_in(
        self, tx: Transaction, caller: Caller, reach: StackReach, wish: StackWish
    ) -> Registered:
        now, owner = self.context.clock.now(), reach.organization_id
        made = Stack(
            owner,
            StackId(self.context.new_id()),
            reach.cluster_id,
            check_stack_key(wish.key),
            check_stack_type(wish.type),
            QueueId(""),
            check_metadata(wish.metadata),
            registered_at=now,
            updated_at=now,
        )
        queue = await find_queue(tx, reach, wish.queue_key)
        made = replace(made, queue_id=queue.id)
        known = await tx.stacks.by_key(owner, reach.cluster_id, made.key)
        if known is None or known.deregistered_at:
            most = self.context.installation.quotas.organization_stacks
            if most and await tx.stacks.count(owner) >= most:
                raise Forbidden(
                    f"Your organization has {most} stacks, the most it may have.", code="stack_quota"
                )
            data = {"key": made.key, "type": made.type.value, "queue_id": queue.id}
            stack_id = made.id if known is None else known.id
            await self.context.record(tx, caller, Action.STACK_REGISTERED, owner, ("stack", stack_id), data)
        if known is None:
            await tx.stacks.forget(owner, now - FORGOTTEN_AFTER_US)
            await tx.stacks.add(made)
            return Registered(made, queue, created=True)
        made = replace(made, id=known.id, registered_at=known.registered_at, polled_at=self._polled_at(known))
        await tx.stacks.save(made)
        return Registered(made, queue, created=False)

    async def deregister(self, caller: Caller, reach: StackReach, key: str) -> None:
        """A stack leaves; what it reserved stays reserved until the time is over. Repeating it is no error.

        Raises:
            NotFound: there is none.
        """

        async def work(tx: Transaction) -> None:
            found = await tx.stacks.by_key(reach.organization_id, reach.cluster_id, key)
            if found is None:
                raise NotFound("No stack found with this key.", code="unknown_stack")
            if await tx.stacks.deregister(found.organization_id, found.id, self.context.clock.now()):
                await self.context.record(
                    tx,
                    caller,
                    Action.STACK_DEREGISTERED,
                    found.organization_id,
                    ("stack", found.id),
                    {"key": key},
                )

        await self.context.store.write(work)

    async def waiting(self, reach: StackReach, key: str, queue_key: str, after: Cursor, limit: int) -> Listed:
        """What waits in a queue, oldest first; nothing while the queue is paused.

        Raises:
            NotFound: there is no such stack or queue.
        """

        async def work(tx: Transaction) -> tuple[Stack, Listed]:
            stack = await find_stack(tx, reach, key)
            if queue_key:
                queue = await find_queue(tx, reach, queue_key)
            else:
                queue = await self._own_queue(tx, reach, stack)
            jobs: Sequence[WaitingJob] = ()
            if not queue.dispatch_paused:
                jobs = await tx.reservations.waiting(queue.organization_id, queue.id, after, limit + 1)
            more = len(jobs) > limit
            last = jobs[limit - 1] if more else None
            cursor = Cursor(last.runnable_at, last.id) if last is not None else None
            return stack, Listed(queue, jobs[:limit], cursor)

        stack, listed = await self.context.store.read(work)
        _, flushed_at = self.polls.get((stack.organization_id, stack.id), (0, stack.polled_at))
        self.polls[stack.organization_id, stack.id] = self.context.clock.now(), flushed_at
        return listed

    async def _own_queue(self, tx: Transaction, reach: StackReach, stack: Stack) -> Queue:
        queue = await tx.accounts.queue(stack.organization_id, stack.queue_id)
        if queue is None:
            raise NotFound("No queue found", code="unknown_queue")
        return await find_queue(tx, reach, queue.key)

    def _polled_at(self, stack: Stack) -> int:
        """When a stack last asked for jobs; memory knows better than the database."""
        return max(stack.polled_at, self.polls.get((stack.organization_id, stack.id), (0, 0))[0])

    async def of_cluster(
        self, organization_id: OrganizationId, cluster_id: ClusterId
    ) -> list[tuple[Stack, int]]:
        """Stacks of a cluster by key, each with the number of jobs that it has reserved."""

        async def work(tx: Transaction) -> list[tuple[Stack, int]]:
            reserved = dict(await tx.reservations.count_by_stack(organization_id))
            found = await tx.stacks.of_cluster(organization_id, cluster_id, EVERYTHING)
            return [
                (replace(stack, polled_at=self._polled_at(stack)), reserved.get(stack.id, 0))
                for stack in found
            ]

        return await self.context.store.read(work)

    async def flush(self, *, everything: bool = False) -> None:
        """Write when stacks last asked for jobs, for people and for the next start.

        Args:
            everything: at the end of a process; else what changed within a minute may wait.
        """
        age = 0 if everything else _POLL_MAY_LAG_US
        due = [(*key, at) for key, (at, flushed_at) in self.polls.items() if at - flushed_at > age]
        if not due:
            return
        await self.context.store.write(lambda tx: tx.stacks.touch(due))
        now = self.context.clock.now()
        for owner, stack_id, at in due:
            seen_at, _ = self.polls[owner, stack_id]
            self.polls[owner, stack_id] = seen_at, at
        for key, (at, flushed_at) in list(self.polls.items()):
            if at == flushed_at and now - at > _POLL_MAY_LAG_US:
                del self.polls[key]
