"""The index of caches in the database."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, and_, bindparam, delete, func, insert, select, update

from watchword.domain.caches import CacheEntry, CacheRegistry, EntryState
from watchword.domain.ids import CacheEntryId, CacheRegistryId, ClusterId, OrganizationId
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_caches import cache_entries, cache_registries

REGISTRIES = Mapper(cache_registries, CacheRegistry)
ENTRIES = Mapper(cache_entries, CacheEntry)

_r, _e = cache_registries.c, cache_entries.c
_LIVE, _PENDING = EntryState.LIVE.value, EntryState.PENDING.value
_OWNER: BindParameter[str] = bindparam("organization_id_")
_CLUSTER: BindParameter[str] = bindparam("cluster_id_")
_ONE_REGISTRY = (_r.organization_id == _OWNER, _r.id == bindparam("id_"))
_OF_CLUSTER = (_r.organization_id == _OWNER, _r.cluster_id == _CLUSTER)
_ONE = (_e.organization_id == _OWNER, _e.id == bindparam("id_"))
_OF_REGISTRY = (_e.organization_id == _OWNER, _e.registry_id == bindparam("registry_id_"))
_ALIVE = (_e.state == _LIVE, _e.expires_at > bindparam("now_"))

_ADD_REGISTRY = Statement(insert(cache_registries))
_REGISTRY = Statement(select(*REGISTRIES.columns).where(*_ONE_REGISTRY))
_BY_SLUG = Statement(select(*REGISTRIES.columns).where(*_OF_CLUSTER, _r.slug == bindparam("slug_")))
_REGISTRIES = Statement(
    select(*REGISTRIES.columns)
    .where(*_OF_CLUSTER)
    .order_by(_r.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_DROP_REGISTRY = Statement(delete(cache_registries).where(*_ONE_REGISTRY))
_DROP_ENTRIES = Statement(delete(cache_entries).where(*_OF_REGISTRY))
_DROP_OF_CLUSTER = Statement(delete(cache_registries).where(*_OF_CLUSTER))
_DROP_ENTRIES_OF_CLUSTER = Statement(
    delete(cache_entries).where(_e.organization_id == _OWNER, _e.cluster_id == _CLUSTER)
)
_ADD = Statement(insert(cache_entries))
_FIND = Statement(select(*ENTRIES.columns).where(*_ONE))
_LIST = Statement(
    select(*ENTRIES.columns)
    .where(*_OF_REGISTRY, *_ALIVE)
    .order_by(_e.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_taken = cache_entries.alias("taken")
_COMMIT = Statement(
    update(cache_entries)
    .where(
        *_ONE,
        _e.state == _PENDING,
        _e.expires_at > bindparam("now_"),
        ~select(_taken.c.id)
        .where(
            and_(
                _taken.c.organization_id == _OWNER,
                _taken.c.registry_id == bindparam("registry_id_"),
                _taken.c.address == bindparam("address_"),
                _taken.c.scope == bindparam("scope_"),
                _taken.c.state == _LIVE,
                _taken.c.expires_at > bindparam("now_"),
            )
        )
        .exists(),
    )
    .values(state=_LIVE, used_at=bindparam("now_"), expires_at=bindparam("expires_at_"))
)
_EXACT = Statement(
    select(*ENTRIES.columns)
    .where(*_OF_REGISTRY, _e.address == bindparam("address_"), _e.scope == bindparam("scope_"), *_ALIVE)
    .order_by(_e.id.desc())
    .limit(1)
)
_RELATIVE = Statement(
    select(*ENTRIES.columns)
    .where(*_OF_REGISTRY, _e.family == bindparam("family_"), _e.scope == bindparam("scope_"), *_ALIVE)
    .order_by(_e.id.desc())
    .limit(1)
)
_USE = Statement(
    update(cache_entries)
    .where(*_ONE, _e.state == _LIVE)
    .values(used_at=bindparam("now_"), expires_at=bindparam("expires_at_"))
)
_EXPIRE = Statement(delete(cache_entries).where(*_ONE))
_LOAD = Statement(
    select(func.count(), func.coalesce(func.sum(_e.size), 0)).where(
        _e.organization_id == _OWNER, _e.cluster_id == _CLUSTER
    )
)
_EXPIRED = Statement(
    select(_e.organization_id, _e.id).where(_e.expires_at <= bindparam("now_")).limit(bindparam("limit_"))
)


class CacheRows:
    """`store.base_caches.Caches` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_registry(self, registry: CacheRegistry) -> None:
        await self._cx.run(_ADD_REGISTRY, REGISTRIES.encode(registry))

    async def registry(
        self, organization_id: OrganizationId, registry_id: CacheRegistryId
    ) -> CacheRegistry | None:
        row = await self._cx.one(_REGISTRY, {"organization_id_": organization_id, "id_": registry_id})
        return REGISTRIES.decode(row) if row else None

    async def registry_by_slug(
        self, organization_id: OrganizationId, cluster_id: ClusterId, slug: str
    ) -> CacheRegistry | None:
        parameters = {"organization_id_": organization_id, "cluster_id_": cluster_id, "slug_": slug}
        row = await self._cx.one(_BY_SLUG, parameters)
        return REGISTRIES.decode(row) if row else None

    async def registries(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[CacheRegistry]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [REGISTRIES.decode(row) for row in await self._cx.all(_REGISTRIES, parameters)]

    async def delete_registry(self, organization_id: OrganizationId, registry_id: CacheRegistryId) -> bool:
        owner = {"organization_id_": organization_id}
        await self._cx.run(_DROP_ENTRIES, owner | {"registry_id_": registry_id})
        return await self._cx.run(_DROP_REGISTRY, owner | {"id_": registry_id}) == 1

    async def delete_of_cluster(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        parameters = {"organization_id_": organization_id, "cluster_id_": cluster_id}
        await self._cx.run(_DROP_ENTRIES_OF_CLUSTER, parameters)
        await self._cx.run(_DROP_OF_CLUSTER, parameters)

    async def add_entry(self, entry: CacheEntry) -> None:
        await self._cx.run(_ADD, ENTRIES.encode(entry))

    async def entry(self, organization_id: OrganizationId, entry_id: CacheEntryId) -> CacheEntry | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": entry_id})
        return ENTRIES.decode(row) if row else None

    async def entries(
        self, organization_id: OrganizationId, registry_id: CacheRegistryId, now: int, page: Page
    ) -> Sequence[CacheEntry]:
        parameters = {
            "organization_id_": organization_id,
            "registry_id_": registry_id,
            "now_": now,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [ENTRIES.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def commit(self, entry: CacheEntry, now: int, expires_at: int) -> bool:
        parameters = {
            "organization_id_": entry.organization_id,
            "id_": entry.id,
            "registry_id_": entry.registry_id,
            "address_": entry.address,
            "scope_": entry.scope,
            "now_": now,
            "expires_at_": expires_at,
        }
        return await self._cx.run(_COMMIT, parameters) == 1

    async def exact(self, registry: CacheRegistry, scope: str, address: str, now: int) -> CacheEntry | None:
        return await self._newest(_EXACT, registry, {"scope_": scope, "address_": address, "now_": now})

    async def relative(self, registry: CacheRegistry, scope: str, family: str, now: int) -> CacheEntry | None:
        return await self._newest(_RELATIVE, registry, {"scope_": scope, "family_": family, "now_": now})

    async def _newest(
        self, statement: Statement, registry: CacheRegistry, wanted: dict[str, object]
    ) -> CacheEntry | None:
        of = {"organization_id_": registry.organization_id, "registry_id_": registry.id}
        row = await self._cx.one(statement, {**of, **wanted})
        return ENTRIES.decode(row) if row else None

    async def use(self, entry: CacheEntry, now: int, expires_at: int) -> None:
        parameters = {"organization_id_": entry.organization_id, "id_": entry.id, "now_": now}
        await self._cx.run(_USE, parameters | {"expires_at_": expires_at})

    async def expire(self, organization_id: OrganizationId, entry_id: CacheEntryId) -> bool:
        return await self._cx.run(_EXPIRE, {"organization_id_": organization_id, "id_": entry_id}) == 1

    async def load(self, organization_id: OrganizationId, cluster_id: ClusterId) -> tuple[int, int]:
        row = await self._cx.one(_LOAD, {"organization_id_": organization_id, "cluster_id_": cluster_id})
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def drop_expired(self, now: int, limit: int) -> int:
        rows = await self._cx.all(_EXPIRED, {"now_": now, "limit_": limit})
        for organization_id, entry_id in rows:
            await self._cx.run(_EXPIRE, {"organization_id_": organization_id, "id_": entry_id})
        return len(rows)
