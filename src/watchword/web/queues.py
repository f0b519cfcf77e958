"""Queues of a cluster: the cluster's first page; made, changed and deleted."""

from collections.abc import Sequence
from functools import partial

from litestar import get, post

from watchword.domain.accounts import Cluster, Queue, User
from watchword.domain.errors import Conflict, WatchwordError
from watchword.domain.ids import UserId
from watchword.services.accounts import add_queue
from watchword.services.queries import Access, Unit, find_cluster, find_queue, people, queues_of
from watchword.services.queries import Page as Window
from watchword.services.queues import delete_queue, read_affinity, update_queue
from watchword.services.rosters import Crew, ListedJob
from watchword.web.clusters import CLUSTER, cluster_here, home
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

QUEUES = CLUSTER + "/queues"
QUEUE = QUEUES + "/{queue:str}"
# A cluster has fewer (contract rest-graphql §1.10).
ALL = Window(100)
_MOST_JOBS = 20


async def find_here(visit: Visit, tx: Unit, access: Access) -> tuple[Cluster, Queue]:
    """The cluster and the queue of the path.

    Raises:
        NotFound: one of them is not there.
    """
    cluster = await find_cluster(tx, access.id, visit.path("cluster"))
    return cluster, await find_queue(tx, cluster, visit.path("queue"))


def at(visit: Visit) -> str:
    """Where the queue of the path is."""
    return f"{home(visit)}/queues/{visit.path('queue')}"


@get(CLUSTER, opt=page("queue.read"))
async def list_queues(request: WebRequest) -> Page:
    """Queues of the cluster, oldest first, each with its agents and jobs in numbers."""
    visit = Visit.of(request)
    rosters = visit.authority.rosters

    async def work(tx: Unit, access: Access) -> tuple[Cluster, list[tuple[Queue, Crew]]]:
        cluster = await find_cluster(tx, access.id, visit.path("cluster"))
        queues = await queues_of(tx, cluster, ALL)
        return cluster, [(queue, rosters.crew(queue.id)) for queue in queues]

    cluster, queues = await visit.read(work)
    return visit.show("clusters/queues.html", cluster=cluster, queues=queues)


@get(QUEUE, opt=page("queue.read"))
async def show_queue(request: WebRequest) -> Page:
    """One queue: whether it dispatches, its agents in numbers, what runs and what comes next."""
    visit = Visit.of(request)
    rosters = visit.authority.rosters

    async def work(
        tx: Unit, access: Access
    ) -> tuple[Cluster, Queue, dict[UserId, User], Sequence[ListedJob], Sequence[ListedJob]]:
        cluster, queue = await find_here(visit, tx, access)
        known = await people(tx, [queue.created_by, queue.paused_by])
        running = await rosters.running(tx, queue, _MOST_JOBS)
        return cluster, queue, known, running, await rosters.waiting(tx, queue, _MOST_JOBS)

    cluster, queue, known, running, waiting = await visit.read(work)
    return visit.show(
        "queues/show.html",
        cluster=cluster,
        queue=queue,
        known=known,
        crew=rosters.crew(queue.id),
        running=running,
        waiting=waiting,
    )


# -- made and changed ------------------------------------------------------------------------------


@get(QUEUES + "/new", opt=page("queue.create"))
async def ask_for_queue(request: WebRequest) -> Page:
    """The form of a new queue."""
    visit = Visit.of(request)
    return visit.show("queues/edit.html", cluster=await visit.read(partial(cluster_here, visit)), queue=None)


@post(QUEUES, opt=page("queue.create"), status_code=200)
async def create_queue(request: WebRequest) -> Page:
    """Create a queue and show it."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Queue:
        return await add_queue(
            visit.context,
            tx,
            access.caller,
            await cluster_here(visit, tx, access),
            visit.form.text("key"),
            description=visit.form.text("description"),
            affinity=read_affinity(visit.form.text("affinity") or None),
            created_by=access.user.id,
        )

    try:
        queue = await visit.write(work)
    except WatchwordError as error:
        cluster = await visit.read(partial(cluster_here, visit))
        return visit.show_again("queues/edit.html", _named(error), cluster=cluster, queue=None)
    return visit.go(f"{home(visit)}/queues/{queue.id}", done="queue-created")


def _named(error: WatchwordError) -> WatchwordError | Problem:
    """A key that is taken is the key's problem; other forms have names."""
    return Problem.of(error, "key") if error.code == "taken" else error


@get(QUEUE + "/edit", opt=page("queue.update"))
async def ask_for_changes(request: WebRequest) -> Page:
    """The form of a queue as it is."""
    return await _show("queues/edit.html", Visit.of(request))


@post(QUEUE + "/edit", opt=page("queue.update"), status_code=200)
async def change_queue(request: WebRequest) -> Page:
    """Change description and affinity; the key stays, because agents name it."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        _, queue = await find_here(visit, tx, access)
        await update_queue(
            visit.context,
            tx,
            access.caller,
            queue,
            description=visit.form.text("description"),
            affinity=read_affinity(visit.form.text("affinity") or None, queue.retry_agent_affinity),
        )

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show("queues/edit.html", visit, error)
    return visit.go(at(visit), done="queue-updated")


async def _show(template: str, visit: Visit, *errors: WatchwordError, note: bool = False) -> Page:
    """A page about the queue of the path, with what is wrong with its form.

    Raises:
        NotFound: it is not there.
    """
    cluster, queue = await visit.read(partial(find_here, visit))
    crew = visit.authority.rosters.crew(queue.id)
    problems = [Problem.of(error, "note") if note else error for error in errors]
    return visit.show_again(template, *problems, cluster=cluster, queue=queue, crew=crew)


# -- held back and let go --------------------------------------------------------------------------


@get(QUEUE + "/pause", opt=page("queue.pause"))
async def ask_before_pause(request: WebRequest) -> Page:
    """What a pause means, and a note for whoever wonders."""
    return await _show("queues/pause.html", Visit.of(request))


@post(QUEUE + "/pause", opt=page("queue.pause"), status_code=200)
async def pause_queue(request: WebRequest) -> Page:
    """Hold the queue's jobs back; pausing it twice changes nothing."""
    visit = Visit.of(request)
    controller = visit.authority.controller

    async def work(tx: Unit, access: Access) -> Queue:
        _, queue = await find_here(visit, tx, access)
        return await controller.pause_queue_in(
            tx, access.caller, queue, visit.form.text("note"), access.user.id
        )

    try:
        controller.settle_queue(await visit.write(work))
    except Conflict:
        return visit.go(at(visit))
    except WatchwordError as error:
        return await _show("queues/pause.html", visit, error, note=True)
    return visit.go(at(visit), done="queue-paused")


@post(QUEUE + "/resume", opt=page("queue.resume"), status_code=200)
async def resume_queue(request: WebRequest) -> Page:
    """Dispatch the queue's jobs again."""
    visit = Visit.of(request)
    controller = visit.authority.controller

    async def work(tx: Unit, access: Access) -> Queue:
        _, queue = await find_here(visit, tx, access)
        return await controller.resume_queue_in(tx, access.caller, queue)

    try:
        controller.settle_queue(await visit.write(work))
    except Conflict:
        return visit.go(at(visit))
    return visit.go(at(visit), done="queue-resumed")


# -- deleted ---------------------------------------------------------------------------------------


@get(QUEUE + "/delete", opt=page("queue.delete"))
async def ask_before_deletion(request: WebRequest) -> Page:
    """What stands against a queue's deletion, else the question."""
    return await _show("queues/delete.html", Visit.of(request))


@post(QUEUE + "/delete", opt=page("queue.delete"), status_code=200)
async def remove_queue(request: WebRequest) -> Page:
    """Delete a queue that is not the default one and has neither agents nor unfinished jobs."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Queue:
        _, queue = await find_here(visit, tx, access)
        await delete_queue(visit.context, tx, access.caller, queue)
        return queue

    try:
        visit.authority.controller.forget_queue(await visit.write(work))
    except WatchwordError as error:
        return await _show("queues/delete.html", visit, error)
    return visit.go(home(visit), done="queue-deleted")


HANDLERS = (
    list_queues,
    show_queue,
    ask_for_queue,
    create_queue,
    ask_for_changes,
    change_queue,
    ask_before_pause,
    pause_queue,
    resume_queue,
    ask_before_deletion,
    remove_queue,
)
