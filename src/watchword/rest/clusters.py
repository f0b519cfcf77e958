"""Clusters (contract rest-graphql §2.5)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, Meta, UnsetType

from watchword.domain import accounts
from watchword.domain.errors import Invalid
from watchword.domain.ids import QueueId, UserId
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant
from watchword.rest.maintainers import Maintainers, NewMaintainer, show_maintainers
from watchword.rest.users import User, show_person
from watchword.services.accounts import add_cluster, delete_cluster, save_cluster
from watchword.services.maintainers import Appointment, appoint, appointments_by_cluster, appointments_of
from watchword.services.queries import Access, Unit, clusters_of, find_cluster, people

CLUSTERS = "/v2/organizations/{org:str}/clusters"
CLUSTER = CLUSTERS + "/{cluster:str}"

Description = Annotated[str, Meta(max_length=1024)]
Emoji = Annotated[str, Meta(max_length=64)]


class Cluster(msgspec.Struct, kw_only=True):
    """A group of queues."""

    id: str
    graphql_id: str
    default_queue_id: str | None
    name: str
    description: str | None
    emoji: str | None
    color: str | None
    maintainers: Maintainers
    url: str
    web_url: str
    queues_url: str
    default_queue_url: str | None
    hosted_git_mirror_enabled: bool
    hosted_container_cache_enabled: bool
    created_at: str
    created_by: User | None


class NewCluster(Body):
    """What a new cluster is."""

    name: str | None = None
    description: Description | None = None
    emoji: Emoji | None = None
    color: str | None = None
    maintainers: Annotated[list[NewMaintainer], Meta(max_length=100)] | None = None


class ClusterChange(Body):
    """What changes of a cluster: an absent key leaves it as it is, null clears it."""

    name: str | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    emoji: Emoji | UnsetType | None = UNSET
    color: str | UnsetType | None = UNSET
    default_queue_id: str | UnsetType | None = UNSET
    hosted_git_mirror_enabled: bool | None = None
    hosted_container_cache_enabled: bool | None = None


def show_cluster(
    site: Site,
    organization: accounts.Organization,
    cluster: accounts.Cluster,
    people: Mapping[UserId, accounts.User],
    maintainers: Iterable[Appointment] = (),
) -> Cluster:
    """A cluster as JSON."""
    at = ("organizations", organization.slug, "clusters", cluster.id)
    queue_id = cluster.default_queue_id
    return Cluster(
        id=cluster.id,
        graphql_id=graphql_id("Cluster", cluster.id),
        default_queue_id=queue_id,
        name=cluster.name,
        description=cluster.description or None,
        emoji=cluster.emoji or None,
        color=cluster.color or None,
        maintainers=show_maintainers(maintainers),
        url=site.rest(*at),
        web_url=site.web(*at),
        queues_url=site.rest(*at, "queues"),
        default_queue_url=site.rest(*at, "queues", queue_id) if queue_id is not None else None,
        hosted_git_mirror_enabled=False,
        hosted_container_cache_enabled=False,
        created_at=instant(cluster.created_at),
        created_by=show_person(people, cluster.created_by),
    )


async def _show(call: Call, tx: Unit, access: Access, cluster: accounts.Cluster) -> Cluster:
    found = await people(tx, [cluster.created_by])
    maintainers = await appointments_of(tx, access, cluster)
    return show_cluster(call.site, access.organization, cluster, found, maintainers)


@get(CLUSTERS, opt=needs("cluster.read", query=PAGED), summary="List clusters")
async def list_clusters(request: RestRequest) -> Response[list[Cluster]]:
    """Clusters of the organization, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[accounts.Cluster], list[Cluster]]:
        rows = await clusters_of(tx, access.id, call.page.window)
        shown = call.page.cut(rows)
        found = await people(tx, [cluster.created_by for cluster in shown])
        given = await appointments_by_cluster(tx, access)
        return rows, [
            show_cluster(call.site, access.organization, one, found, given.get(one.id, ())) for one in shown
        ]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(CLUSTER, opt=needs("cluster.read"), summary="Get a cluster")
async def get_cluster(request: RestRequest) -> Cluster:
    """One cluster by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> Cluster:
        return await _show(call, tx, access, await find_cluster(tx, access.id, call.path("cluster")))

    return await call.read(work)


@post(CLUSTERS, opt=needs("cluster.create", body=NewCluster, keyed=True), summary="Create a cluster")
async def create_cluster(request: RestRequest) -> Response[Cluster]:
    """Create a cluster without queues, and give it to its maintainers."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Cluster:
        asked = call.decode(NewCluster)
        cluster = await add_cluster(
            call.context,
            tx,
            access.caller,
            access.id,
            asked.name or "",
            description=asked.description or "",
            emoji=asked.emoji or "",
            color=asked.color or "",
            created_by=access.user.id,
        )
        for one in asked.maintainers or ():
            await appoint(call.context, tx, access, cluster, one.user, one.team)
        return await _show(call, tx, access, cluster)

    return await call.create(work)


@route(
    CLUSTER,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("cluster.update", body=ClusterChange),
    summary="Update a cluster",
)
async def update_cluster(request: RestRequest) -> Cluster:
    """Change a cluster."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> Cluster:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = call.decode(ClusterChange)
        if asked.hosted_git_mirror_enabled or asked.hosted_container_cache_enabled:
            raise Invalid(
                "Validation failed: Hosted agents are not available here; every queue is self-hosted",
                code="hosted_agents",
            )
        queue_id = cluster.default_queue_id
        if asked.default_queue_id is not UNSET:
            queue_id = QueueId(asked.default_queue_id.lower()) if asked.default_queue_id else None
        changed = replace(
            cluster,
            name=cluster.name if asked.name is UNSET else asked.name or "",
            description=cluster.description if asked.description is UNSET else asked.description or "",
            emoji=cluster.emoji if asked.emoji is UNSET else asked.emoji or "",
            color=cluster.color if asked.color is UNSET else asked.color or "",
            default_queue_id=queue_id,
        )
        await save_cluster(call.context, tx, access.caller, changed)
        return await _show(call, tx, access, await find_cluster(tx, access.id, cluster.id))

    return await call.write(work)


@delete(CLUSTER, opt=needs("cluster.delete"), summary="Delete a cluster")
async def remove_cluster(request: RestRequest) -> None:
    """Delete a cluster with its queues and revoke its agent tokens."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        await delete_cluster(call.context, tx, access.caller, cluster, access.user.id)

    await call.write(work)


HANDLERS = (list_clusters, get_cluster, create_cluster, update_cluster, remove_cluster)
