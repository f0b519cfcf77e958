"""Organizations, users, members, clusters and queues in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, update

from watchword.domain.accounts import Cluster, Member, Organization, Queue, User
from watchword.domain.ids import ClusterId, OrganizationId, QueueId, UserId
from watchword.store.base import Page
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.tables import clusters, members, organizations, queues, users

ORGANIZATIONS = Mapper(organizations, Organization)
USERS = Mapper(users, User)
MEMBERS = Mapper(members, Member)
CLUSTERS = Mapper(clusters, Cluster)
QUEUES = Mapper(queues, Queue)

_o, _c, _q = organizations.c, clusters.c, queues.c
_CLUSTER = (_c.organization_id == bindparam("organization_id_"), _c.id == bindparam("id_"))
_QUEUES = (
    select(*QUEUES.columns)
    .where(_q.organization_id == bindparam("organization_id_"), _q.cluster_id == bindparam("cluster_id_"))
    .order_by(_q.id)
)

_ADD_ORGANIZATION = Statement(insert(organizations))
_SET_DEFAULT_CLUSTER = Statement(
    update(organizations).where(_o.id == bindparam("id_")).values(default_cluster_id=bindparam("cluster_id_"))
)
_ORGANIZATION = Statement(select(*ORGANIZATIONS.columns).where(_o.id == bindparam("id_")))
_ORGANIZATION_BY_SLUG = Statement(select(*ORGANIZATIONS.columns).where(_o.slug == bindparam("slug_")))
_ALL_ORGANIZATIONS = Statement(select(*ORGANIZATIONS.columns).order_by(_o.id))
_ADD_USER = Statement(insert(users))
_USER = Statement(select(*USERS.columns).where(users.c.id == bindparam("id_")))
_ADD_MEMBER = Statement(insert(members))
_MEMBER = Statement(
    select(*MEMBERS.columns).where(
        members.c.organization_id == bindparam("organization_id_"), members.c.user_id == bindparam("id_")
    )
)
_ADD_CLUSTER = Statement(insert(clusters))
_FIND_CLUSTER = Statement(select(*CLUSTERS.columns).where(*_CLUSTER))
_LIST_CLUSTERS = Statement(
    select(*CLUSTERS.columns)
    .where(_c.organization_id == bindparam("organization_id_"))
    .order_by(_c.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_SAVE_CLUSTER = Statement(
    update(clusters)
    .where(*_CLUSTER)
    .values(
        {
            name: bindparam(f"{name}_")
            for name in ("name", "description", "emoji", "color", "default_queue_id")
        }
    )
)
_DELETE_CLUSTER = Statement(delete(clusters).where(*_CLUSTER))
_DELETE_QUEUES = Statement(
    delete(queues).where(
        _q.organization_id == bindparam("organization_id_"), _q.cluster_id == bindparam("id_")
    )
)
_ADD_QUEUE = Statement(insert(queues))
_QUEUE = Statement(
    select(*QUEUES.columns).where(
        _q.organization_id == bindparam("organization_id_"), _q.id == bindparam("id_")
    )
)
_QUEUE_BY_KEY = Statement(_QUEUES.where(_q.key == bindparam("key_")))
_ONE_QUEUE = (_q.organization_id == bindparam("organization_id_"), _q.id == bindparam("id_"))
_PAUSE_QUEUE = Statement(
    update(queues)
    .where(*_ONE_QUEUE, _q.dispatch_paused == 0)
    .values(
        dispatch_paused=1,
        paused_at=bindparam("at_"),
        paused_by=bindparam("by_"),
        paused_note=bindparam("note_"),
    )
)
_RESUME_QUEUE = Statement(
    update(queues)
    .where(*_ONE_QUEUE, _q.dispatch_paused == 1)
    .values(dispatch_paused=0, paused_at=0, paused_by=None, paused_note="")
)
_PAUSED_QUEUES = Statement(select(_q.id).where(_q.dispatch_paused == 1))
_LIST_QUEUES = Statement(_QUEUES.limit(bindparam("limit_")).offset(bindparam("offset_")))


class AccountRows:
    """`store.base.Accounts` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_organization(self, organization: Organization) -> None:
        await self._cx.run(_ADD_ORGANIZATION, ORGANIZATIONS.encode(organization))

    async def set_default_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        await self._cx.run(_SET_DEFAULT_CLUSTER, {"id_": organization_id, "cluster_id_": cluster_id})

    async def organization(self, organization_id: OrganizationId) -> Organization | None:
        row = await self._cx.one(_ORGANIZATION, {"id_": organization_id})
        return ORGANIZATIONS.decode(row) if row else None

    async def organization_by_slug(self, slug: str) -> Organization | None:
        row = await self._cx.one(_ORGANIZATION_BY_SLUG, {"slug_": slug})
        return ORGANIZATIONS.decode(row) if row else None

    async def organizations(self) -> Sequence[Organization]:
        return [ORGANIZATIONS.decode(row) for row in await self._cx.all(_ALL_ORGANIZATIONS, {})]

    async def add_user(self, user: User) -> None:
        await self._cx.run(_ADD_USER, USERS.encode(user))

    async def user(self, user_id: UserId) -> User | None:
        row = await self._cx.one(_USER, {"id_": user_id})
        return USERS.decode(row) if row else None

    async def add_member(self, member: Member) -> None:
        await self._cx.run(_ADD_MEMBER, MEMBERS.encode(member))

    async def member(self, organization_id: OrganizationId, user_id: UserId) -> Member | None:
        row = await self._cx.one(_MEMBER, {"organization_id_": organization_id, "id_": user_id})
        return MEMBERS.decode(row) if row else None

    async def add_cluster(self, cluster: Cluster) -> None:
        await self._cx.run(_ADD_CLUSTER, CLUSTERS.encode(cluster))

    async def cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> Cluster | None:
        row = await self._cx.one(_FIND_CLUSTER, {"organization_id_": organization_id, "id_": cluster_id})
        return CLUSTERS.decode(row) if row else None

    async def clusters(self, organization_id: OrganizationId, page: Page) -> Sequence[Cluster]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [CLUSTERS.decode(row) for row in await self._cx.all(_LIST_CLUSTERS, parameters)]

    async def save_cluster(self, cluster: Cluster) -> None:
        row = CLUSTERS.encode(cluster)
        await self._cx.run(_SAVE_CLUSTER, {f"{name}_": value for name, value in row.items()})

    async def delete_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        parameters = {"organization_id_": organization_id, "id_": cluster_id}
        await self._cx.run(_DELETE_QUEUES, parameters)
        await self._cx.run(_DELETE_CLUSTER, parameters)

    async def add_queue(self, queue: Queue) -> None:
        await self._cx.run(_ADD_QUEUE, QUEUES.encode(queue))

    async def queue(self, organization_id: OrganizationId, queue_id: QueueId) -> Queue | None:
        row = await self._cx.one(_QUEUE, {"organization_id_": organization_id, "id_": queue_id})
        return QUEUES.decode(row) if row else None

    async def queue_by_key(
        self, organization_id: OrganizationId, cluster_id: ClusterId, key: str
    ) -> Queue | None:
        parameters = {"organization_id_": organization_id, "cluster_id_": cluster_id, "key_": key}
        row = await self._cx.one(_QUEUE_BY_KEY, parameters)
        return QUEUES.decode(row) if row else None

    async def queues(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[Queue]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [QUEUES.decode(row) for row in await self._cx.all(_LIST_QUEUES, parameters)]

    async def pause_queue(
        self, organization_id: OrganizationId, queue_id: QueueId, at: int, by: UserId | None, note: str
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": queue_id,
            "at_": at,
            "by_": by,
            "note_": note,
        }
        return await self._cx.run(_PAUSE_QUEUE, parameters) == 1

    async def resume_queue(self, organization_id: OrganizationId, queue_id: QueueId) -> bool:
        parameters = {"organization_id_": organization_id, "id_": queue_id}
        return await self._cx.run(_RESUME_QUEUE, parameters) == 1

    async def paused_queues(self) -> Sequence[QueueId]:
        return [QueueId(row[0]) for row in await self._cx.all(_PAUSED_QUEUES, {})]
