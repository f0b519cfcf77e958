"""Clusters: the list, and a new one."""

from litestar import get, post

from watchword.domain.accounts import Cluster
from watchword.domain.errors import WatchwordError
from watchword.services.accounts import add_cluster
from watchword.services.queries import Access, Unit, clusters_of
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest

CLUSTERS = "/organizations/{org:str}/clusters"


def base(visit: Visit) -> str:
    """Where the organization's clusters are."""
    return f"/organizations/{visit.path('org')}/clusters"


@get(CLUSTERS, opt=page("cluster.read"))
async def list_clusters(request: WebRequest) -> Page:
    """All clusters, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> list[Cluster]:
        return await clusters_of(tx, access.id, visit.paging.window)

    paging, shown = visit.paging.cut(await visit.read(work))
    return visit.show("clusters/index.html", base=base(visit), clusters=shown, paging=paging)


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
            created_by=access.user.id,
        )

    try:
        cluster = await visit.write(work)
    except WatchwordError as error:
        return visit.show_again("clusters/edit.html", error, base=base(visit))
    return visit.go(f"{base(visit)}/{cluster.id}", done="cluster-created")


HANDLERS = (list_clusters, ask_for_cluster, create_cluster)
