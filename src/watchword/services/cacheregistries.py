"""Cache registries as people manage them: made, deleted, their entries listed and expired."""

from watchword.domain.accounts import Cluster, slugify
from watchword.domain.caches import (
    KEEP_DAYS,
    CacheEntry,
    CacheRegistry,
    Sharing,
    check_keep_days,
    check_slug,
)
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import CacheEntryId, CacheRegistryId, UserId, is_uuid
from watchword.services.accounts import check_name
from watchword.services.context import Caller, Context
from watchword.store.base import Duplicate, Page, Transaction

_SWEPT = 500


async def create_registry(
    context: Context,
    tx: Transaction,
    caller: Caller,
    cluster: Cluster,
    name: str,
    *,
    slug: str = "",
    sharing: Sharing = Sharing.BRANCH,
    keep_days: int = KEEP_DAYS,
    created_by: UserId | None = None,
) -> CacheRegistry:
    """Create a registry, inside a unit of work; its slug is made of its name unless given.

    Raises:
        Invalid: name, slug or days are not acceptable.
        Conflict: the cluster has the slug.
    """
    made = CacheRegistry(
        cluster.organization_id,
        CacheRegistryId(context.new_id()),
        cluster.id,
        check_slug(slug or slugify(name)),
        check_name(name),
        sharing,
        check_keep_days(keep_days),
        context.clock.now(),
        created_by,
    )
    try:
        await tx.caches.add_registry(made)
    except Duplicate:
        raise Conflict(f"Validation failed: Slug {made.slug} already exists", code="taken") from None
    await _record(context, tx, caller, Action.CACHE_REGISTRY_CREATED, made)
    return made


async def delete_registry(context: Context, tx: Transaction, caller: Caller, registry: CacheRegistry) -> None:
    """Forget a registry with its entries, inside a unit of work. The bytes stay where they are.

    Raises:
        NotFound: it is gone already.
    """
    if not await tx.caches.delete_registry(registry.organization_id, registry.id):
        raise NotFound("No cache registry found")
    await _record(context, tx, caller, Action.CACHE_REGISTRY_DELETED, registry)


async def find_registry(tx: Transaction, cluster: Cluster, text: str) -> CacheRegistry:
    """A registry of a cluster by id or slug.

    Raises:
        NotFound: there is none.
    """
    if is_uuid(text):
        found = await tx.caches.registry(cluster.organization_id, CacheRegistryId(text.lower()))
    else:
        found = await tx.caches.registry_by_slug(cluster.organization_id, cluster.id, text)
    if found is None or found.cluster_id != cluster.id:
        raise NotFound("No cache registry found")
    return found


async def registries_of(tx: Transaction, cluster: Cluster, page: Page) -> list[CacheRegistry]:
    """Registries of a cluster, oldest first."""
    return list(await tx.caches.registries(cluster.organization_id, cluster.id, page))


async def entries_of(
    context: Context, tx: Transaction, registry: CacheRegistry, page: Page
) -> list[CacheEntry]:
    """Entries of a registry that jobs may still restore, oldest first."""
    now = context.clock.now()
    return list(await tx.caches.entries(registry.organization_id, registry.id, now, page))


async def expire_entry(
    context: Context, tx: Transaction, caller: Caller, registry: CacheRegistry, text: str
) -> None:
    """Expire an entry by its id, inside a unit of work.

    Raises:
        NotFound: the registry has none.
    """
    found = None
    if is_uuid(text):
        found = await tx.caches.entry(registry.organization_id, CacheEntryId(text.lower()))
    if found is None or found.registry_id != registry.id:
        raise NotFound("No cache entry found")
    await expire_in(context, tx, caller, found)


async def sweep_caches(context: Context) -> int:
    """Forget entries that have expired; how many."""
    now = context.clock.now()
    return await context.store.write(lambda tx: tx.caches.drop_expired(now, _SWEPT))


async def expire_in(context: Context, tx: Transaction, caller: Caller, entry: CacheEntry) -> None:
    """Expire an entry inside a unit of work; one that is gone changes nothing."""
    if await tx.caches.expire(entry.organization_id, entry.id):
        await note_in(context, tx, caller, Action.CACHE_ENTRY_EXPIRED, entry)


async def note_in(
    context: Context, tx: Transaction, caller: Caller, action: Action, entry: CacheEntry
) -> None:
    """Write down what became of an entry."""
    data = {"registry_id": entry.registry_id, "pipeline_id": entry.pipeline_id, "scope": entry.scope}
    await context.record(tx, caller, action, entry.organization_id, ("cache_entry", entry.id), data)


async def _record(
    context: Context, tx: Transaction, caller: Caller, action: Action, registry: CacheRegistry
) -> None:
    data = {"slug": registry.slug, "cluster_id": registry.cluster_id, "sharing": registry.sharing.value}
    await context.record(tx, caller, action, registry.organization_id, ("cache_registry", registry.id), data)
