"""Cache registries of a cluster and what jobs saved in them: our own calls (docs/caches.md)."""

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from msgspec import Meta

from watchword.domain import caches
from watchword.domain.caches import KEEP_DAYS, Sharing
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER
from watchword.rest.formats import instant
from watchword.services.cacheregistries import (
    create_registry,
    delete_registry,
    entries_of,
    expire_entry,
    find_registry,
    registries_of,
)
from watchword.services.queries import Access, Unit, find_cluster

REGISTRIES = CLUSTER + "/cache_registries"
REGISTRY = REGISTRIES + "/{cache_registry:str}"


class CacheRegistry(msgspec.Struct, kw_only=True):
    """A registry; jobs name it by its slug, and `default` by `~` too."""

    id: str
    slug: str
    name: str
    sharing: Sharing
    keep_days: int
    created_at: str


class NewCacheRegistry(Body):
    """What a new registry is; its slug is made of its name unless given."""

    name: str | None = None
    slug: str | None = None
    sharing: Sharing = Sharing.BRANCH
    keep_days: Annotated[int, Meta(ge=1, le=caches.MAX_KEEP_DAYS)] = KEEP_DAYS


class CacheKeyPart(msgspec.Struct):
    """One part of a key; an entry of another key may stand in where the mandatory parts match."""

    value: str
    mandatory: bool


class CacheEntry(msgspec.Struct, kw_only=True):
    """What a job saved. `scope` says which jobs restore it."""

    id: str
    scope: str
    target_paths: list[str]
    cache_key: list[CacheKeyPart]
    size: int
    platform: str | None
    pipeline_id: str
    branch: str
    job_id: str
    created_at: str
    last_used_at: str
    expires_at: str


def _show(registry: caches.CacheRegistry) -> CacheRegistry:
    return CacheRegistry(
        id=registry.id,
        slug=registry.slug,
        name=registry.name,
        sharing=registry.sharing,
        keep_days=registry.keep_days,
        created_at=instant(registry.created_at),
    )


def _show_entry(entry: caches.CacheEntry) -> CacheEntry:
    return CacheEntry(
        id=entry.id,
        scope=entry.scope,
        target_paths=list(entry.target_paths),
        cache_key=msgspec.json.decode(entry.cache_key, type=list[CacheKeyPart]),
        size=entry.size,
        platform=entry.platform or None,
        pipeline_id=entry.pipeline_id,
        branch=entry.branch,
        job_id=entry.job_id,
        created_at=instant(entry.created_at),
        last_used_at=instant(entry.used_at),
        expires_at=instant(entry.expires_at),
    )


async def _named(call: Call, tx: Unit, access: Access) -> caches.CacheRegistry:
    cluster = await find_cluster(tx, access.id, call.path("cluster"))
    return await find_registry(tx, cluster, call.path("cache_registry"))


@get(REGISTRIES, opt=needs("cache_registry.read", query=PAGED), summary="List cache registries")
async def list_registries(request: RestRequest) -> Response[list[CacheRegistry]]:
    """Registries of the cluster, oldest first; the default one is there once a job has asked for it."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[caches.CacheRegistry]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        return await registries_of(tx, cluster, call.page.window)

    rows = await call.read(work)
    return call.listed([_show(each) for each in call.page.cut(rows)], rows)


@post(
    REGISTRIES,
    opt=needs("cache_registry.create", body=NewCacheRegistry, keyed=True),
    summary="Create a cache registry",
)
async def create_one(request: RestRequest) -> Response[CacheRegistry]:
    """Create a registry; with the slug `default`, the cluster's default one."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CacheRegistry:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        asked = call.decode(NewCacheRegistry)
        made = await create_registry(
            call.context,
            tx,
            access.caller,
            cluster,
            asked.name or "",
            slug=asked.slug or "",
            sharing=asked.sharing,
            keep_days=asked.keep_days,
            created_by=access.user.id,
        )
        return _show(made)

    return await call.create(work)


@delete(REGISTRY, opt=needs("cache_registry.delete"), summary="Delete a cache registry")
async def remove_one(request: RestRequest) -> None:
    """Forget a registry with its entries; the bytes stay in the agents' storage."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        await delete_registry(call.context, tx, access.caller, await _named(call, tx, access))

    await call.write(work)


@get(
    REGISTRY + "/entries",
    opt=needs("cache_registry.read", query=PAGED),
    summary="List entries of a cache registry",
)
async def list_entries(request: RestRequest) -> Response[list[CacheEntry]]:
    """What jobs may restore, oldest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[caches.CacheEntry]:
        registry = await _named(call, tx, access)
        return await entries_of(call.context, tx, registry, call.page.window)

    rows = await call.read(work)
    return call.listed([_show_entry(each) for each in call.page.cut(rows)], rows)


@delete(
    REGISTRY + "/entries/{cache_entry:str}",
    opt=needs("cache_entry.expire"),
    summary="Expire an entry of a cache registry",
)
async def expire_one(request: RestRequest) -> None:
    """No job restores it any more, and the next one that has the key may save it again."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        registry = await _named(call, tx, access)
        await expire_entry(call.context, tx, access.caller, registry, call.path("cache_entry"))

    await call.write(work)


HANDLERS = (list_registries, create_one, remove_one, list_entries, expire_one)
