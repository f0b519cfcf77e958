"""Cache registries of a cluster: made and deleted, and what jobs saved in them."""

from collections.abc import Sequence

import msgspec
from litestar import get, post

from watchword.domain.accounts import Cluster
from watchword.domain.caches import DEFAULT_SLUG, KEEP_DAYS, CacheEntry, CacheRegistry, KeyPart, Sharing
from watchword.domain.errors import Invalid, WatchwordError
from watchword.services.cacheregistries import (
    create_registry,
    delete_registry,
    entries_of,
    expire_entry,
    find_registry,
    registries_of,
)
from watchword.services.queries import Access, Unit
from watchword.web.clusters import CLUSTER, cluster_here, home
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.paging import Paging
from watchword.web.visit import Page, Visit, WebRequest

CACHES = CLUSTER + "/caches"
CACHE = CACHES + "/{cache_registry:str}"
_SHARING = (
    (Sharing.BRANCH.value, "A branch's jobs: its own, and the default branch's"),
    (Sharing.PIPELINE.value, "All jobs of a pipeline, pull requests included"),
    (Sharing.CLUSTER.value, "All jobs of the cluster, pull requests included"),
)
_FIELDS = {"taken": "name", "invalid_slug": "name", "invalid_keep_days": "keep_days"}


def at(visit: Visit) -> str:
    """Where the cluster's registries are."""
    return f"{home(visit)}/caches"


async def _find(visit: Visit, tx: Unit, access: Access) -> tuple[Cluster, CacheRegistry]:
    cluster = await cluster_here(visit, tx, access)
    return cluster, await find_registry(tx, cluster, visit.path("cache_registry"))


async def _show(visit: Visit, *errors: WatchwordError) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[Cluster, Paging, Sequence[CacheRegistry]]:
        cluster = await cluster_here(visit, tx, access)
        rows = await registries_of(tx, cluster, visit.paging.window)
        return cluster, *visit.paging.cut(rows)

    cluster, paging, shown = await visit.read(work)
    problems = [Problem.of(one, _FIELDS.get(one.code)) for one in errors]
    return visit.show_again(
        "caches/index.html",
        *problems,
        cluster=cluster,
        registries=shown,
        paging=paging,
        sharing=_SHARING,
        words=dict(_SHARING),
        default=DEFAULT_SLUG,
        keep_days=str(KEEP_DAYS),
    )


@get(CACHES, opt=page("cache_registry.read"))
async def list_registries(request: WebRequest) -> Page:
    """Registries of the cluster, oldest first, and the form of a new one."""
    return await _show(Visit.of(request))


@post(CACHES, opt=page("cache_registry.create"), status_code=200)
async def create_one(request: WebRequest) -> Page:
    """Create a registry."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        days = visit.form.text("keep_days") or str(KEEP_DAYS)
        if visit.form.text("sharing") not in tuple(Sharing) or not days.isascii() or not days.isdigit():
            raise Invalid("Choose who shares, and name a number of days.", code="invalid_keep_days")
        await create_registry(
            visit.context,
            tx,
            access.caller,
            await cluster_here(visit, tx, access),
            visit.form.text("name"),
            sharing=Sharing(visit.form.text("sharing")),
            keep_days=int(days[:9]),
            created_by=access.user.id,
        )

    try:
        await visit.write(work)
    except WatchwordError as error:
        return await _show(visit, error)
    return visit.go(at(visit), done="cache-registry-created")


@get(CACHE, opt=page("cache_registry.read"))
async def show_registry(request: WebRequest) -> Page:
    """What jobs saved in a registry and may still restore, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> tuple[Cluster, CacheRegistry, Paging, Sequence[CacheEntry]]:
        cluster, registry = await _find(visit, tx, access)
        rows = await entries_of(visit.context, tx, registry, visit.paging.window)
        return cluster, registry, *visit.paging.cut(rows)

    cluster, registry, paging, shown = await visit.read(work)
    return visit.show(
        "caches/registry.html",
        cluster=cluster,
        registry=registry,
        entries=[(entry, _key(entry), _scope(entry)) for entry in shown],
        paging=paging,
    )


def _key(entry: CacheEntry) -> str:
    return " ".join(part.value for part in msgspec.json.decode(entry.cache_key, type=list[KeyPart]))


def _scope(entry: CacheEntry) -> str:
    """Which jobs restore it, without the pipeline's id, which says nothing to people."""
    if not entry.scope:
        return "the cluster"
    return entry.scope.removeprefix(entry.pipeline_id).removeprefix("/") or "the pipeline's default branch"


@post(CACHE + "/delete", opt=page("cache_registry.delete"), status_code=200)
async def remove_one(request: WebRequest) -> Page:
    """Forget a registry with its entries."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        _, registry = await _find(visit, tx, access)
        await delete_registry(visit.context, tx, access.caller, registry)

    await visit.write(work)
    return visit.go(at(visit), done="cache-registry-deleted")


@post(CACHE + "/entries/{cache_entry:str}/expire", opt=page("cache_entry.expire"), status_code=200)
async def expire_one(request: WebRequest) -> Page:
    """No job restores it any more."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> str:
        _, registry = await _find(visit, tx, access)
        await expire_entry(visit.context, tx, access.caller, registry, visit.path("cache_entry"))
        return registry.id

    registry_id = await visit.write(work)
    return visit.go(f"{at(visit)}/{registry_id}", done="cache-entry-expired")


HANDLERS = (list_registries, create_one, show_registry, remove_one, expire_one)
