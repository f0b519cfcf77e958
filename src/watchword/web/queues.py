"""Queues of a cluster: the cluster's first page."""

from litestar import get

from watchword.domain.accounts import Cluster, Queue
from watchword.services.queries import Access, Unit, find_cluster, queues_of
from watchword.web.clusters import CLUSTERS
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

CLUSTER = CLUSTERS + "/{cluster:str}"


@get(CLUSTER, opt=page("queue.read"))
async def list_queues(request: WebRequest) -> Page:
    """Queues of the cluster, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Cluster, list[Queue]]:
        cluster = await find_cluster(tx, access.id, visit.path("cluster"))
        return cluster, await queues_of(tx, cluster, visit.paging.window)

    cluster, queues = await visit.read(work)
    paging, shown = visit.paging.cut(queues)
    return visit.show("clusters/queues.html", cluster=cluster, queues=shown, paging=paging)


HANDLERS = (list_queues,)
