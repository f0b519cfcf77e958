"""Clusters: the list with what each has, and a new one."""

from collections.abc import Sequence
from dataclasses import dataclass

from litestar import get, post

from watchword.domain.accounts import Cluster, Queue
from watchword.domain.errors import WatchwordError
from watchword.services.accounts import add_cluster
from watchword.services.queries import Access, Unit, clusters_of, find_cluster
from watchword.services.rosters import Crew, joinable, queues_by_cluster
from watchword.web.needs import page
from watchword.web.paging import Paging
from watchword.web.visit import Page, Visit, WebRequest

CLUSTERS = "/organizations/{org:str}/clusters"
CLUSTER = CLUSTERS + "/{cluster:str}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A cluster in the list.

    Attributes:
        tokens: how many agent tokens let agents join now.
    """

    cluster: Cluster
    queues: Sequence[Queue]
    crew: Crew
    tokens: int


def base(visit: Visit) -> str:
    """Where the organization's clusters are."""
    return f"/organizations/{visit.path('org')}/clusters"


def home(visit: Visit) -> str:
    """Where the cluster of the path is."""
    return f"{base(visit)}/{visit.path('cluster')}"


async def cluster_here(visit: Visit, tx: Unit, access: Access) -> Cluster:
    """The cluster of the path.

    Raises:
        NotFound: there is none.
    """
    return await find_cluster(tx, access.id, visit.path("cluster"))


@get(CLUSTERS, opt=page("cluster.read"))
async def list_clusters(request: WebRequest) -> Page:
    """All clusters, oldest first; one statement for the queues of all of them, one for their tokens."""
    visit = Visit.of(request)
    rosters = visit.authority.rosters

    async def work(tx: Unit, access: Access) -> tuple[Paging, list[Listed], Crew, int]:
        paging, shown = visit.paging.cut(await clusters_of(tx, access.id, visit.paging.window))
        queues = await queues_by_cluster(tx, access.id)
        tokens = await joinable(tx, access.id, visit.now)
        listed = []
        for cluster in shown:
            own = queues.get(cluster.id, ())
            crew = Crew.together(rosters.crew(queue.id) for queue in own)
            listed.append(Listed(cluster, own, crew, tokens.get(cluster.id, 0)))
        outside = Crew.together(map(rosters.crew, rosters.outside(access.id)))
        return paging, listed, outside, tokens.get(None, 0)

    paging, listed, outside, tokens = await visit.read(work)
    return visit.show(
        "clusters/index.html",
        base=base(visit),
        clusters=listed,
        paging=paging,
        outside=outside,
        outside_tokens=tokens,
    )


@get(CLUSTERS + "/new", opt=page("cluster.create"))
async def ask_for_cluster(request: WebRequest) -> Page:
    """The form of a new cluster."""
    visit = Visit.of(request)
    await visit.read(_nothing)
    return visit.show("clusters/edit.html", base=base(visit))


async def _nothing(_tx: Unit, _access: Access) -> None:
    return None


@post(CLUSTERS, opt=page("cluster.create"), status_code=200)
async def create_cluster(request: WebRequest) -> Page:
    """Create a cluster and show it."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> Cluster:
        return await add_cluster(
            visit.context,
            tx,
            access.caller,
            access.id,
            visit.form.text("name"),
            description=visit.form.text("description"),
            emoji=visit.form.text("emoji"),
            color=visit.form.text("color"),
            created_by=access.user.id,
        )

    try:
        cluster = await visit.write(work)
    except WatchwordError as error:
        return visit.show_again("clusters/edit.html", error, base=base(visit))
    return visit.go(f"{base(visit)}/{cluster.id}", done="cluster-created")


HANDLERS = (list_clusters, ask_for_cluster, create_cluster)
