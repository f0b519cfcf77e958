"""Stacks of a cluster: controllers that start an agent for each job."""

from collections.abc import Mapping

from litestar import get

from watchword.domain.accounts import Cluster, Queue
from watchword.domain.ids import QueueId
from watchword.domain.stacks import StackState
from watchword.services.queries import Access, Unit, queues_of
from watchword.web.clusters import CLUSTER, cluster_here
from watchword.web.needs import page
from watchword.web.queues import ALL
from watchword.web.visit import Page, Visit, WebRequest

STACKS = CLUSTER + "/stacks"
_WORDS = {
    StackState.CONNECTED: ("Connected", "good"),
    StackState.DISCONNECTED: ("Disconnected", "plain"),
    StackState.LOST: ("Lost", "bad"),
}


@get(STACKS, opt=page("queue.read"))
async def list_stacks(request: WebRequest) -> Page:
    """Stacks by key: whether they are heard of, and how many jobs each has reserved."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Cluster, Mapping[QueueId, Queue]]:
        cluster = await cluster_here(visit, tx, access)
        return cluster, {queue.id: queue for queue in await queues_of(tx, cluster, ALL)}

    cluster, queues = await visit.read(work)
    stacks = await visit.authority.stacks.of_cluster(cluster.organization_id, cluster.id)
    now = visit.authority.context.clock.now()
    return visit.show(
        "clusters/stacks.html",
        cluster=cluster,
        queues=queues,
        stacks=[(stack, _WORDS[stack.state(now)], reserved) for stack, reserved in stacks],
    )


HANDLERS = (list_stacks,)
