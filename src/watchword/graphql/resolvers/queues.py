"""Queues of clusters (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Awaitable, Callable, Mapping

from watchword.domain import accounts
from watchword.domain.errors import Invalid
from watchword.domain.ids import ClusterId, QueueId
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, nothing
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import listed
from watchword.graphql.finding import node, organization_id
from watchword.graphql.resolvers.clusters import cluster_of
from watchword.graphql.resolvers.users import by
from watchword.services.accounts import add_queue
from watchword.services.lookups import EVERYTHING, queue_by_id
from watchword.services.queries import Access, Unit, find_cluster, queues_of
from watchword.services.queues import delete_queue, read_affinity, update_queue

MISSING = "No queue found"


def show_queue(queue: accounts.Queue) -> Thing:
    """A queue as an object."""
    values = {
        "id": ids.encode("ClusterQueue", queue.id),
        "uuid": queue.id,
        "key": queue.key,
        "description": queue.description or None,
        "dispatchPaused": queue.dispatch_paused,
        "dispatchPausedAt": queue.paused_at or None,
        "dispatchPausedNote": queue.paused_note or None,
        "hosted": False,
        "hostedAgents": None,
        "retryAgentAffinity": queue.retry_agent_affinity.value,
        "stackHealth": None,
    }
    return Thing("ClusterQueue", queue.organization_id, queue, values)


by("ClusterQueue", "createdBy", "created_by")
by("ClusterQueue", "dispatchPausedBy", "paused_by")
cluster_of("ClusterQueue")
nothing("ClusterQueue", "metrics")


async def find_one(tx: Unit, access: Access, uuid: str) -> accounts.Queue | None:
    """A queue of an organization."""
    return await queue_by_id(tx, access.id, QueueId(uuid)) if uuid else None


@node("ClusterQueue", "queue.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A queue of one of the organization's clusters."""
    queue = await find_one(tx, access, uuid)
    return show_queue(queue) if queue is not None else None


def queue_of(of: str, attribute: str) -> None:
    """Bind the field `clusterQueue`, which shows a queue whose id stands in the record."""

    @field(of, "clusterQueue", "queue.read")
    async def resolve(call: Call, record: accounts.Queue, _arguments: Arguments) -> Thing | None:
        queue_id: QueueId | None = getattr(record, attribute)
        if queue_id is None:
            return None

        async def read() -> accounts.Queue | None:
            return await call.read(lambda tx: queue_by_id(tx, record.organization_id, queue_id))

        found = await call.once(("queue", queue_id), read)
        return show_queue(found) if found is not None else None


@field("Cluster", "defaultQueue", "queue.read")
async def default_queue(call: Call, cluster: accounts.Cluster, _arguments: Arguments) -> Thing | None:
    """The queue of jobs and agents that name none."""
    queue_id = cluster.default_queue_id
    if queue_id is None:
        return None
    found = await call.read(lambda tx: queue_by_id(tx, cluster.organization_id, queue_id))
    return show_queue(found) if found is not None else None


@field("Cluster", "queues", "queue.read")
async def queues_of_cluster(call: Call, cluster: accounts.Cluster, arguments: Arguments) -> object:
    """All queues; oldest first unless ordered."""
    rows = await call.read(lambda tx: queues_of(tx, cluster, EVERYTHING))
    order = arguments.get("order")
    if order == "KEY":
        rows.sort(key=lambda one: one.key)
    elif order == "RECENTLY_CREATED":
        rows.reverse()
    return listed(rows, arguments, show_queue, lambda one: one.id)


def _refuse_hosted(order: Order) -> None:
    """Refuse settings of machines that a queue would bring along.

    Raises:
        Invalid: there are some.
    """
    if order.input.get("hostedAgents") is not None:
        raise Invalid(
            "Validation failed: hosted agents are not supported by this server; queues are self-hosted",
            code="unsupported",
        )


@mutation("clusterQueueCreate", "queue.create")
async def create(order: Order) -> Mapping[str, object]:
    """Create a self-hosted queue."""
    _refuse_hosted(order)

    async def work(tx: Unit, access: Access) -> accounts.Queue:
        cluster = await find_cluster(tx, access.id, ids.uuid_of(order.text("clusterId"), "Cluster"))
        order.require(access, cluster=cluster.id)
        return await add_queue(
            order.context,
            tx,
            access.caller,
            cluster,
            order.text("key"),
            description=order.text("description"),
            affinity=_affinity(order, accounts.Affinity.WARMEST),
            created_by=access.user.id,
        )

    return {"clusterQueue": show_queue(await order.write(organization_id(order), work, defer=True))}


async def _dispatch(
    order: Order, change: Callable[[Unit, Access, accounts.Queue], Awaitable[accounts.Queue]]
) -> Mapping[str, object]:
    """Change whether a queue dispatches."""
    uuid = ids.uuid_of(str(order.input["id"]), "ClusterQueue")

    async def look(tx: Unit, access: Access) -> accounts.Queue | None:
        return await find_one(tx, access, uuid)

    queue = await order.write_found(look, MISSING, change, cluster=_cluster)
    order.call.authority.controller.settle_queue(queue)
    return {"queue": show_queue(queue)}


def _cluster(queue: accounts.Queue) -> ClusterId:
    return queue.cluster_id


@mutation("clusterQueuePauseDispatch", "queue.pause")
async def pause(order: Order) -> Mapping[str, object]:
    """Hold the queue's jobs back."""
    controller = order.call.authority.controller

    async def change(tx: Unit, access: Access, queue: accounts.Queue) -> accounts.Queue:
        return await controller.pause_queue_in(tx, access.caller, queue, order.text("note"), access.user.id)

    return await _dispatch(order, change)


@mutation("clusterQueueResumeDispatch", "queue.resume")
async def resume(order: Order) -> Mapping[str, object]:
    """Dispatch the queue's jobs again."""
    controller = order.call.authority.controller

    async def change(tx: Unit, access: Access, queue: accounts.Queue) -> accounts.Queue:
        return await controller.resume_queue_in(tx, access.caller, queue)

    return await _dispatch(order, change)


async def _find(order: Order, tx: Unit, access: Access) -> accounts.Queue:
    """The queue that the input names, and the right to change it."""
    queue = await find_one(tx, access, ids.uuid_of(str(order.input["id"]), "ClusterQueue"))
    return order.found(access, queue, MISSING, _cluster)


@mutation("clusterQueueUpdate", "queue.update")
async def update(order: Order) -> Mapping[str, object]:
    """Change what the input names; the cluster's default queue stays what it is."""
    _refuse_hosted(order)

    async def work(tx: Unit, access: Access) -> accounts.Queue:
        queue = await _find(order, tx, access)
        return await update_queue(
            order.context,
            tx,
            access.caller,
            queue,
            description=order.text("description") if "description" in order.input else None,
            affinity=_affinity(order, queue.retry_agent_affinity),
        )

    return {"clusterQueue": show_queue(await order.write(organization_id(order), work, defer=True))}


def _affinity(order: Order, otherwise: accounts.Affinity) -> accounts.Affinity:
    return read_affinity(order.input.get("retryAgentAffinity"), otherwise)


@mutation("clusterQueueDelete", "queue.delete")
async def delete(order: Order) -> Mapping[str, object]:
    """Delete a queue that nobody uses."""

    async def work(tx: Unit, access: Access) -> accounts.Queue:
        queue = await _find(order, tx, access)
        await delete_queue(order.context, tx, access.caller, queue)
        return queue

    queue = await order.write(organization_id(order), work, defer=True)
    order.call.authority.controller.forget_queue(queue)
    return {"deletedClusterQueueId": ids.encode("ClusterQueue", queue.id)}
