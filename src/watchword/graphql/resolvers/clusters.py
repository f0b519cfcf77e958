"""Clusters (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from watchword.domain import accounts
from watchword.domain.ids import ClusterId, OrganizationId, QueueId
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import listed
from watchword.graphql.finding import maybe, node, organization_id
from watchword.graphql.resolvers.organizations import owned
from watchword.graphql.resolvers.users import by
from watchword.services.accounts import add_cluster, delete_cluster, save_cluster
from watchword.services.lookups import EVERYTHING
from watchword.services.queries import Access, Unit, clusters_of, find_cluster


def show_cluster(cluster: accounts.Cluster) -> Thing:
    """A cluster as an object."""
    values = {
        "id": ids.encode("Cluster", cluster.id),
        "uuid": cluster.id,
        "name": cluster.name,
        "description": cluster.description or None,
        "emoji": cluster.emoji or None,
        "color": cluster.color or None,
    }
    return Thing("Cluster", cluster.organization_id, cluster, values)


by("Cluster", "createdBy", "created_by")
owned("Cluster")


@node("Cluster", "cluster.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A cluster of an organization."""
    found = await maybe(find_cluster(tx, access.id, uuid))
    return show_cluster(found) if found is not None else None


class Clustered(Protocol):
    """A record that may belong to a cluster."""

    @property
    def organization_id(self) -> OrganizationId:
        """Whose it is."""

    @property
    def cluster_id(self) -> ClusterId | None:
        """Its cluster."""


def cluster_of(of: str, name: str = "cluster") -> None:
    """Bind the field that shows a thing's cluster."""

    @field(of, name, "cluster.read")
    async def resolve(call: Call, record: Clustered, _arguments: Arguments) -> Thing | None:
        cluster_id, owner = record.cluster_id, record.organization_id
        if cluster_id is None:
            return None

        async def read() -> accounts.Cluster | None:
            return await call.read(lambda tx: maybe(find_cluster(tx, owner, cluster_id)))

        found = await call.once(("cluster", cluster_id), read)
        return show_cluster(found) if found is not None else None


@field("Organization", "cluster", "cluster.read")
async def cluster_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> Thing | None:
    """By UUID or global id."""
    given = str(arguments["id"]).strip()
    uuid = ids.uuid_of(given, "Cluster") or given
    found = await call.read(lambda tx: maybe(find_cluster(tx, organization.id, uuid)))
    return show_cluster(found) if found is not None else None


@field("Organization", "clusters", "cluster.read")
async def clusters_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """All clusters; oldest first unless ordered."""
    rows = await call.read(lambda tx: clusters_of(tx, organization.id, EVERYTHING))
    order = arguments.get("order")
    if order == "NAME":
        rows.sort(key=lambda one: (one.name.lower(), one.id))
    elif order == "RECENTLY_CREATED":
        rows.reverse()
    return listed(rows, arguments, show_cluster, lambda one: one.id)


@mutation("clusterCreate", "cluster.create")
async def create(order: Order) -> Mapping[str, object]:
    """Create a cluster without queues."""

    async def work(tx: Unit, access: Access) -> accounts.Cluster:
        return await add_cluster(
            order.context,
            tx,
            access.caller,
            access.id,
            order.text("name"),
            description=order.text("description"),
            emoji=order.text("emoji"),
            color=order.text("color"),
            created_by=access.user.id,
        )

    return {"cluster": show_cluster(await order.write(organization_id(order), work))}


async def _find(order: Order, tx: Unit, access: Access) -> accounts.Cluster:
    """The cluster that the input names, and the right to change it."""
    cluster = await find_cluster(tx, access.id, ids.uuid_of(str(order.input["id"]), "Cluster"))
    order.require(access, cluster=cluster.id)
    return cluster


@mutation("clusterUpdate", "cluster.update")
async def update(order: Order) -> Mapping[str, object]:
    """Change what the input names; null clears it."""

    async def work(tx: Unit, access: Access) -> accounts.Cluster:
        cluster = await _find(order, tx, access)
        changes: dict[str, object] = {
            name: order.text(name)
            for name in ("name", "description", "emoji", "color")
            if name in order.input
        }
        if "defaultQueueId" in order.input:
            given = order.text("defaultQueueId")
            # An id that names no queue is the id of a queue that does not exist.
            changes["default_queue_id"] = QueueId(ids.uuid_of(given, "ClusterQueue")) if given else None
        changed = replace(cluster, **changes)  # type: ignore[arg-type] # the names are those of texts
        await save_cluster(order.context, tx, access.caller, changed)
        return await find_cluster(tx, access.id, cluster.id)

    return {"cluster": show_cluster(await order.write(organization_id(order), work, defer=True))}


@mutation("clusterDelete", "cluster.delete")
async def delete(order: Order) -> Mapping[str, object]:
    """Delete a cluster with its queues and revoke its agent tokens."""

    async def work(tx: Unit, access: Access) -> accounts.Cluster:
        cluster = await find_cluster(tx, access.id, ids.uuid_of(str(order.input["id"]), "Cluster"))
        await delete_cluster(order.context, tx, access.caller, cluster, access.user.id)
        return cluster

    cluster = await order.write(organization_id(order), work)
    return {"deletedClusterId": ids.encode("Cluster", cluster.id)}
