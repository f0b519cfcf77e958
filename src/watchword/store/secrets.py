"""Cluster secrets in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from watchword.domain.ids import ClusterId, OrganizationId, SecretId
from watchword.domain.secrets import ClusterSecret
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_secrets import secrets

SECRETS = Mapper(secrets, ClusterSecret)

_s = secrets.c
_ONE = (_s.organization_id == bindparam("organization_id_"), _s.id == bindparam("id_"))
_OF_CLUSTER = (
    _s.organization_id == bindparam("organization_id_"),
    _s.cluster_id == bindparam("cluster_id_"),
)
_CHANGED = ("description", "policy", "sealed", "updated_at", "updated_by")

_ADD = Statement(insert(secrets))
_FIND = Statement(select(*SECRETS.columns).where(*_ONE))
_BY_KEY = Statement(
    select(*SECRETS.columns)
    .where(*_OF_CLUSTER, func.lower(_s.key) == bindparam("key_"))
    .order_by(_s.id)
    .limit(1)
)
_NOTE_READ = Statement(update(secrets).where(*_ONE).values(last_read_at=bindparam("at_")))
_LIST = Statement(
    select(*SECRETS.columns)
    .where(*_OF_CLUSTER)
    .order_by(_s.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_SAVE = Statement(update(secrets).where(*_ONE).values({name: bindparam(f"{name}_") for name in _CHANGED}))
_DELETE = Statement(delete(secrets).where(*_ONE))
_DELETE_OF_CLUSTER = Statement(delete(secrets).where(*_OF_CLUSTER))


class SecretRows:
    """`store.base_queues.Secrets` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, secret: ClusterSecret) -> None:
        await self._cx.run(_ADD, SECRETS.encode(secret))

    async def find(self, organization_id: OrganizationId, secret_id: SecretId) -> ClusterSecret | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": secret_id})
        return SECRETS.decode(row) if row else None

    async def by_key(
        self, organization_id: OrganizationId, cluster_id: ClusterId, key: str
    ) -> ClusterSecret | None:
        parameters = {"organization_id_": organization_id, "cluster_id_": cluster_id, "key_": key.lower()}
        row = await self._cx.one(_BY_KEY, parameters)
        return SECRETS.decode(row) if row else None

    async def note_read(self, organization_id: OrganizationId, secret_id: SecretId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": secret_id, "at_": at}
        return await self._cx.run(_NOTE_READ, parameters) == 1

    async def list(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[ClusterSecret]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [SECRETS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def save(self, secret: ClusterSecret) -> None:
        row = SECRETS.encode(secret)
        names = ("organization_id", "id", *_CHANGED)
        await self._cx.run(_SAVE, {f"{name}_": row[name] for name in names})

    async def delete(self, organization_id: OrganizationId, secret_id: SecretId) -> bool:
        return await self._cx.run(_DELETE, {"organization_id_": organization_id, "id_": secret_id}) == 1

    async def delete_of_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        await self._cx.run(
            _DELETE_OF_CLUSTER, {"organization_id_": organization_id, "cluster_id_": cluster_id}
        )
