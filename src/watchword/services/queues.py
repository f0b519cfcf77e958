"""Queues: what can be changed of one, and when one may go. Pausing them is `services.control`'s."""

from dataclasses import replace

from watchword.domain.accounts import Affinity, Queue
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction

MAX_DESCRIPTION = 1024


def read_affinity(text: str | None, otherwise: Affinity = Affinity.WARMEST) -> Affinity:
    """An affinity as clients write it: `prefer-warmest`, or `PREFER_WARMEST` in GraphQL.

    Args:
        text: what the client wrote; None where it wrote nothing.
        otherwise: what holds then.

    Raises:
        Invalid: it is neither of the two.
    """
    if text is None:
        return otherwise
    try:
        return Affinity(text.lower().replace("_", "-"))
    except ValueError:
        raise Invalid(
            f"Validation failed: Retry agent affinity is one of {', '.join(Affinity)}",
            code="invalid_affinity",
        ) from None


async def update_queue(
    context: Context,
    tx: Transaction,
    caller: Caller,
    queue: Queue,
    *,
    description: str | None = None,
    affinity: Affinity | None = None,
) -> Queue:
    """Change a queue, inside a unit of work; its key stays, because agents name it.

    Args:
        context: the ground.
        tx: the unit of work.
        caller: who asks.
        queue: the queue as it is.
        description: the new one; None leaves it, an empty one clears it.
        affinity: which agent it prefers for another attempt; None leaves it.

    Raises:
        Invalid: the description is too long.
    """
    if description is not None and len(description) > MAX_DESCRIPTION:
        raise Invalid(
            f"Validation failed: Description takes at most {MAX_DESCRIPTION} characters",
            code="invalid_description",
        )
    changed = replace(
        queue,
        description=queue.description if description is None else description,
        retry_agent_affinity=affinity or queue.retry_agent_affinity,
    )
    await tx.queues.save(changed)
    await context.record(
        tx,
        caller,
        Action.QUEUE_UPDATED,
        queue.organization_id,
        ("queue", queue.id),
        {"key": queue.key, "retry_agent_affinity": changed.retry_agent_affinity.value},
    )
    return changed


async def delete_queue(context: Context, tx: Transaction, caller: Caller, queue: Queue) -> None:
    """Delete a queue that nobody uses, inside a unit of work; call `Controller.forget_queue` afterwards.

    Neither agents nor jobs are ended by it: what would hang without the queue is named, and stopped or
    canceled by whoever wants the queue gone.

    Raises:
        Conflict: it is its cluster's default queue, agents serve it, or jobs of it have not ended.
        NotFound: it is gone already.
    """
    cluster = await tx.accounts.cluster(queue.organization_id, queue.cluster_id)
    if cluster is not None and cluster.default_queue_id == queue.id:
        raise Conflict(
            "The cluster's default queue cannot be deleted; choose another default queue first.",
            code="default_queue",
        )
    agents = await tx.queues.agents(queue.organization_id, queue.id)
    if agents:
        raise Conflict(f"{_many(agents, 'agent')} in this queue; stop first.", code="queue_has_agents")
    jobs = await tx.queues.open_jobs(queue.organization_id, queue.id)
    if jobs:
        raise Conflict(f"{_many(jobs, 'unfinished job')} in this queue; cancel first.", code="queue_has_jobs")
    if not await tx.queues.delete(queue.organization_id, queue.id):
        raise NotFound("No queue found")
    await context.record(
        tx, caller, Action.QUEUE_DELETED, queue.organization_id, ("queue", queue.id), {"key": queue.key}
    )


def _many(count: int, name: str) -> str:
    return f"There is {count} {name}" if count == 1 else f"There are {count} {name}s"
