"""Where credentials for repositories come from, in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from watchword.domain.ids import ClusterId, OrganizationId, RepositoryCredentialId
from watchword.domain.repositorycredentials import RepositoryCredential
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import clusters
from watchword.store.tables_repositories import repository_credentials

CREDENTIALS = Mapper(repository_credentials, RepositoryCredential)

_c = repository_credentials.c
_ONE = (_c.organization_id == bindparam("organization_id_"), _c.id == bindparam("id_"))
_OF_CLUSTER = (
    _c.organization_id == bindparam("organization_id_"),
    _c.cluster_id == bindparam("cluster_id_"),
)

_ADD = Statement(insert(repository_credentials))
_FIND = Statement(select(*CREDENTIALS.columns).where(*_ONE))
_LIST = Statement(
    select(*CREDENTIALS.columns)
    .where(*_OF_CLUSTER)
    .order_by(_c.pattern)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_NOTE_USE = Statement(update(repository_credentials).where(*_ONE).values(last_used_at=bindparam("at_")))
_DELETE = Statement(delete(repository_credentials).where(*_ONE, _c.cluster_id == bindparam("cluster_id_")))
_DELETE_OF_CLUSTER = Statement(delete(repository_credentials).where(*_OF_CLUSTER))
_COUNT = Statement(
    update(clusters)
    .where(
        clusters.c.organization_id == bindparam("organization_id_"), clusters.c.id == bindparam("cluster_id_")
    )
    .values(
        repository_credentials=select(func.count())
        .select_from(repository_credentials)
        .where(*_OF_CLUSTER)
        .scalar_subquery()
    )
)


class RepositoryRows:
    """`store.base_repositories.Repositories` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, credential: RepositoryCredential) -> None:
        await self._cx.run(_ADD, CREDENTIALS.encode(credential))
        await self._count(credential.organization_id, credential.cluster_id)

    async def find(
        self, organization_id: OrganizationId, credential_id: RepositoryCredentialId
    ) -> RepositoryCredential | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": credential_id})
        return CREDENTIALS.decode(row) if row else None

    async def list(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[RepositoryCredential]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [CREDENTIALS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def note_use(
        self, organization_id: OrganizationId, credential_id: RepositoryCredentialId, at: int
    ) -> bool:
        parameters = {"organization_id_": organization_id, "id_": credential_id, "at_": at}
        return await self._cx.run(_NOTE_USE, parameters) == 1

    async def delete(
        self, organization_id: OrganizationId, cluster_id: ClusterId, credential_id: RepositoryCredentialId
    ) -> bool:
        parameters = {"organization_id_": organization_id, "cluster_id_": cluster_id, "id_": credential_id}
        gone = await self._cx.run(_DELETE, parameters) == 1
        await self._count(organization_id, cluster_id)
        return gone

    async def delete_of_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        parameters = {"organization_id_": organization_id, "cluster_id_": cluster_id}
        await self._cx.run(_DELETE_OF_CLUSTER, parameters)

    async def _count(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        await self._cx.run(_COUNT, {"organization_id_": organization_id, "cluster_id_": cluster_id})
