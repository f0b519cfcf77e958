"""Queues of a cluster (contract rest-graphql §2.7)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, UnsetType

from watchword.domain import accounts
from watchword.domain.errors import Invalid
from watchword.domain.ids import UserId
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER, Description
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.users import User, show_person
from watchword.services.accounts import add_queue
from watchword.services.queries import Access, Unit, find_cluster, find_queue, people, queues_of
from watchword.services.queues import delete_queue, read_affinity, update_queue

QUEUES = CLUSTER + "/queues"


class Queue(msgspec.Struct, kw_only=True):
    """A line of jobs, which agents join by its key."""

    id: str
    graphql_id: str
    key: str
    description: str | None
    url: str
    web_url: str
    cluster_url: str
    retry_agent_affinity: str
    dispatch_paused: bool
    dispatch_paused_by: User | None
    dispatch_paused_at: str | None
    dispatch_paused_note: str | None
    created_at: str
    created_by: User | None


class NewQueue(Body):
    """What a new queue is."""

    key: str | None = None
    description: Description | None = None
    retry_agent_affinity: str | None = None
    hostedAgents: dict[str, Any] | None = None  # noqa: N815 - the contract's own spelling


class QueueChange(Body):
    """What changes of a queue: an absent key leaves it as it is, a null description clears it."""

    description: Description | UnsetType | None = UNSET
    retry_agent_affinity: str | None = None
    hostedAgents: dict[str, Any] | None = None  # noqa: N815 - the contract's own spelling


class PauseDispatch(Body):
    """Why dispatch is paused, under either name (contract rest-graphql §2.7)."""

    dispatch_paused_note: str | None = None
    note: str | None = None


def show_queue(
    site: Site,
    organization: accounts.Organization,
    queue: accounts.Queue,
    people: Mapping[UserId, accounts.User],
) -> Queue:
    """A queue as JSON."""
    at = ("organizations", organization.slug, "clusters", queue.cluster_id)
    return Queue(
        id=queue.id,
        graphql_id=graphql_id("ClusterQueue", queue.id),
        key=queue.key,
        description=queue.description or None,
        url=site.rest(*at, "queues", queue.id),
        web_url=site.web(*at, "queues", queue.id),
        cluster_url=site.rest(*at),
        retry_agent_affinity=queue.retry_agent_affinity.value,
        dispatch_paused=queue.dispatch_paused,
        dispatch_paused_by=show_person(people, queue.paused_by),
        dispatch_paused_at=maybe_instant(queue.paused_at),
        dispatch_paused_note=queue.paused_note or None,
        created_at=instant(queue.created_at),
        created_by=show_person(people, queue.created_by),
    )


@get(QUEUES, opt=needs("queue.read", query=PAGED), summary="List queues")
async def list_queues(request: RestRequest) -> Response[list[Queue]]:
    """Queues of the cluster, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[accounts.Queue], list[Queue]]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        rows = await queues_of(tx, cluster, call.page.window)
        found = await people(tx, [user for queue in rows for user in (queue.created_by, queue.paused_by)])
        page = call.page.cut(rows)
        return rows, [show_queue(call.site, access.organization, queue, found) for queue in page]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(QUEUES + "/{queue:str}", opt=needs("queue.read"), summary="Get a queue")
async def get_queue(request: RestRequest) -> Queue:
    """One queue by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Queue:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        queue = await find_queue(tx, cluster, call.path("queue"))
        found = await people(tx, [queue.created_by, queue.paused_by])
        return show_queue(call.site, access.organization, queue, found)

    return await call.read(work)


@post(QUEUES, opt=needs("queue.create", body=NewQueue, keyed=True), summary="Create a queue")
async def create_queue(request: RestRequest) -> Response[Queue]:
    """Create a self-hosted queue."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Queue:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = call.decode(NewQueue)
        _refuse_hosted(asked.hostedAgents)
        queue = await add_queue(
            call.context,
            tx,
            access.caller,
            cluster,
            asked.key or "",
            description=asked.description or "",
            affinity=read_affinity(asked.retry_agent_affinity),
            created_by=access.user.id,
        )
        return show_queue(call.site, access.organization, queue, {access.user.id: access.user})

    return await call.create(work)


def _refuse_hosted(hosted: object) -> None:
    """Refuse to make a queue of machines that we would have to run.

    Raises:
        Invalid: that is asked.
    """
    if hosted is not None:
        raise Invalid(
            "Validation failed: Hosted agents are not available here; every queue is self-hosted",
            code="hosted_agents",
        )


@route(
    QUEUES + "/{queue:str}",
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("queue.update", body=QueueChange),
    summary="Update a queue",
)
async def change_queue(request: RestRequest) -> Queue:
    """Change a queue's description, or which agent it prefers for another attempt of a job."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Queue:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        queue = await find_queue(tx, cluster, call.path("queue"))
        asked = call.decode(QueueChange)
        _refuse_hosted(asked.hostedAgents)
        changed = await update_queue(
            call.context,
            tx,
            access.caller,
            queue,
            description=None if asked.description is UNSET else asked.description or "",
            affinity=read_affinity(asked.retry_agent_affinity, queue.retry_agent_affinity),
        )
        found = await people(tx, [changed.created_by, changed.paused_by])
        return show_queue(call.site, access.organization, changed, found)

    return await call.write(work)


@delete(QUEUES + "/{queue:str}", opt=needs("queue.delete"), summary="Delete a queue")
async def remove_queue(request: RestRequest) -> None:
    """Delete a queue that is not the default one and has neither agents nor unfinished jobs."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> accounts.Queue:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        queue = await find_queue(tx, cluster, call.path("queue"))
        await delete_queue(call.context, tx, access.caller, queue)
        return queue

    call.authority.controller.forget_queue(await call.write(work))


async def _change(
    call: Call, change: Callable[[Unit, Access, accounts.Queue], Awaitable[accounts.Queue]]
) -> Queue:
    """Change whether a queue dispatches."""

    async def work(tx: Unit, access: Access) -> tuple[accounts.Queue, Queue]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        changed = await change(tx, access, await find_queue(tx, cluster, call.path("queue")))
        found = await people(tx, [changed.created_by, changed.paused_by])
        return changed, show_queue(call.site, access.organization, changed, found)

    queue, shown = await call.write(work)
    call.authority.controller.settle_queue(queue)
    return shown


@post(
    QUEUES + "/{queue:str}/pause_dispatch",
    opt=needs("queue.pause", body=PauseDispatch),
    status_code=200,
    summary="Pause a queue's dispatch",
)
async def pause_dispatch(request: RestRequest) -> Queue:
    """Hold the queue's jobs back."""
    call = await Call.with_body(request)

    async def change(tx: Unit, access: Access, queue: accounts.Queue) -> accounts.Queue:
        asked = call.decode(PauseDispatch)
        note = asked.note or asked.dispatch_paused_note or ""
        pause = call.authority.controller.pause_queue_in
        return await pause(tx, access.caller, queue, note, access.user.id)

    return await _change(call, change)


@post(
    QUEUES + "/{queue:str}/resume_dispatch",
    opt=needs("queue.resume"),
    status_code=200,
    summary="Resume a queue's dispatch",
)
async def resume_dispatch(request: RestRequest) -> Queue:
    """Dispatch the queue's jobs again."""
    call = Call.of(request)

    async def change(tx: Unit, access: Access, queue: accounts.Queue) -> accounts.Queue:
        return await call.authority.controller.resume_queue_in(tx, access.caller, queue)

    return await _change(call, change)


HANDLERS = (
    list_queues,
    get_queue,
    create_queue,
    change_queue,
    remove_queue,
    pause_dispatch,
    resume_dispatch,
)
