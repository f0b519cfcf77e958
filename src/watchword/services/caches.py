"""Caches of jobs: the index of what they saved in storage of their own (contract agent-api §2.11).

An entry that is there stays until it expires: of two jobs that save the same key at once the first one's
counts. So nothing that was restored once is replaced under the same key.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.accounts import Cluster
from watchword.domain.caches import (
    DEFAULT_SLUG,
    KEEP_DAYS,
    Address,
    CacheEntry,
    CacheRegistry,
    EntryState,
    Scopes,
    Sharing,
    check_blobs,
    check_platform,
    scopes_of,
)
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import CacheEntryId, CacheRegistryId, ClusterId, is_uuid
from watchword.domain.pipelines import Build, Job, Pipeline
from watchword.domain.tokens import DAY_US
from watchword.services.cacheregistries import expire_in, note_in
from watchword.services.context import Caller, Context
from watchword.services.jobsecrets import require_running
from watchword.services.queries import build_of
from watchword.store.base import Transaction

DEFAULT = "~"
_UPLOAD_US = DAY_US
_NOTED_US = DAY_US // 24

Blob = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class _Ground:
    """A registry as one job sees it."""

    registry: CacheRegistry
    scopes: Scopes
    pipeline: Pipeline
    build: Build


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a job may restore; `fallback` where only the parts that must match do."""

    entry: CacheEntry
    fallback: bool = False


@dataclass(slots=True)
class Caches:
    """The index as jobs use it."""

    context: Context

    async def registry(self, job: Job, slug: str) -> CacheRegistry:
        """The registry that a job means; `~` is its cluster's default, which is made when it is asked for.

        Raises:
            NotFound: the job's cluster has none of this slug.
            Conflict: the job does not run.
        """
        return (await self.context.store.write(lambda tx: self._enter(tx, job, slug))).registry

    async def peek(self, job: Job, slug: str, address: Address) -> CacheEntry:
        """The entry of exactly this address that the job could restore.

        Raises:
            NotFound: there is none.
        """

        async def work(tx: Transaction) -> CacheEntry | None:
            ground = await self._enter(tx, job, slug)
            return await self._exact(tx, ground, address)

        found = await self.context.store.write(work)
        if found is None:
            raise _no_entry()
        return found

    async def save(
        self, job: Job, slug: str, address: Address, blobs: Sequence[Blob], platform: str
    ) -> CacheEntryId:
        """Announce an entry whose bytes are to be put into the agent's storage; its id.

        Raises:
            Malformed: a blob is not described as it must be.
            Conflict: the cluster has as many entries or bytes as it may have.
        """
        size = check_blobs(blobs)
        check_platform(platform)
        now = self.context.clock.now()

        async def work(tx: Transaction) -> CacheEntryId:
            ground = await self._enter(tx, job, slug)
            await self._require_room(tx, ground.registry.cluster_id, job, size)
            entry = CacheEntry(
                job.organization_id,
                CacheEntryId(self.context.new_id()),
                ground.registry.cluster_id,
                ground.registry.id,
                ground.scopes.own,
                EntryState.PENDING,
                address.exact,
                address.family,
                address.paths,
                address.written,
                json.dumps(_described(blobs)),
                size,
                platform,
                ground.pipeline.id,
                ground.build.branch,
                job.id,
                now,
                0,
                now + _UPLOAD_US,
            )
            await tx.caches.add_entry(entry)
            return entry.id

        return await self.context.store.write(work)

    async def commit(self, caller: Caller, job: Job, slug: str, upload_id: str) -> bool:
        """Let an entry be restored; False where another job was first, whose entry stands.

        Raises:
            NotFound: the job announced no such entry here.
        """
        now = self.context.clock.now()

        async def work(tx: Transaction) -> bool:
            ground = await self._enter(tx, job, slug)
            entry = None
            if is_uuid(upload_id):
                entry = await tx.caches.entry(job.organization_id, CacheEntryId(upload_id.lower()))
            if entry is None or entry.job_id != job.id or entry.registry_id != ground.registry.id:
                raise _no_entry()
            if entry.state is EntryState.LIVE:  # the answer was lost, and the agent repeats itself
                return True
            if not await tx.caches.commit(entry, now, _expiry(ground.registry, now)):
                await tx.caches.expire(entry.organization_id, entry.id)
                return False
            await note_in(self.context, tx, caller, Action.CACHE_ENTRY_SAVED, entry)
            return True

        return await self.context.store.write(work)

    async def retrieve(self, job: Job, slug: str, address: Address) -> Found:
        """The best entry that a job may restore: the exact key first, its own scope first.

        Raises:
            NotFound: there is none.
        """
        now = self.context.clock.now()

        async def work(tx: Transaction) -> Found | None:
            ground = await self._enter(tx, job, slug)
            exact = await self._exact(tx, ground, address)
            entry = exact or await self._relative(tx, ground, address)
            if entry is None:
                return None
            if now - entry.used_at >= _NOTED_US:
                await tx.caches.use(entry, now, _expiry(ground.registry, now))
            return Found(entry, exact is None)

        found = await self.context.store.write(work)
        if found is None:
            raise _no_entry()
        return found

    async def expire(self, caller: Caller, job: Job, slug: str, address: Address) -> bool:
        """Expire the job's own entry of an address, whose bytes are gone; False where it has none.

        An entry of another scope stays, for a branch must not take away what others restore.
        """

        async def work(tx: Transaction) -> bool:
            ground = await self._enter(tx, job, slug)
            now = self.context.clock.now()
            entry = await tx.caches.exact(ground.registry, ground.scopes.own, address.exact, now)
            if entry is not None:
                await expire_in(self.context, tx, caller, entry)
            return entry is not None

        return await self.context.store.write(work)

    async def _enter(self, tx: Transaction, job: Job, slug: str) -> _Ground:
        require_running(job)
        pipeline, build = await build_of(tx, job)
        cluster = None
        if job.cluster_id is not None:
            cluster = await tx.accounts.cluster(job.organization_id, job.cluster_id)
        if cluster is None:
            raise _no_registry()
        wanted = DEFAULT_SLUG if slug == DEFAULT else slug
        registry = await tx.caches.registry_by_slug(job.organization_id, cluster.id, wanted)
        if registry is None and wanted == DEFAULT_SLUG:
            registry = await self._default(tx, cluster)
        if registry is None:
            raise _no_registry()
        return _Ground(registry, scopes_of(registry, pipeline, build), pipeline, build)

    async def _default(self, tx: Transaction, cluster: Cluster) -> CacheRegistry:
        """The default registry of a cluster, made when it is first asked for."""
        made = CacheRegistry(
            cluster.organization_id,
            CacheRegistryId(self.context.new_id()),
            cluster.id,
            DEFAULT_SLUG,
            "Default",
            Sharing.BRANCH,
            KEEP_DAYS,
            self.context.clock.now(),
            None,
        )
        await tx.caches.add_registry(made)
        return made

    async def _exact(self, tx: Transaction, ground: _Ground, address: Address) -> CacheEntry | None:
        now = self.context.clock.now()
        for scope in ground.scopes.readable:
            found = await tx.caches.exact(ground.registry, scope, address.exact, now)
            if found is not None:
                return found
        return None

    async def _relative(self, tx: Transaction, ground: _Ground, address: Address) -> CacheEntry | None:
        now = self.context.clock.now()
        for scope in ground.scopes.readable if address.family else ():
            found = await tx.caches.relative(ground.registry, scope, address.family, now)
            if found is not None:
                return found
        return None

    async def _require_room(self, tx: Transaction, cluster_id: ClusterId, job: Job, size: int) -> None:
        quotas = self.context.installation.quotas
        entries, total = await tx.caches.load(job.organization_id, cluster_id)
        full = quotas.cluster_cache_entries and entries >= quotas.cluster_cache_entries
        if full or (quotas.cluster_cache_bytes and total + size > quotas.cluster_cache_bytes):
            raise Conflict(
                "The cluster's caches have as many entries or bytes as they may; some must expire first.",
                code="cache_quota",
            )


def _described(blobs: Sequence[Blob]) -> list[dict[str, object]]:
    return [
        {
            "digest": {"algorithm": algorithm, "value": value},
            "file_size": size,
            "compression": compression,
        }
        for algorithm, value, size, compression in blobs
    ]


def _expiry(registry: CacheRegistry, now: int) -> int:
    return now + registry.keep_days * DAY_US


def _no_entry() -> NotFound:
    return NotFound("Cache entry not found", code="cache_entry_not_found")


def _no_registry() -> NotFound:
    return NotFound("Cache registry not found", code="cache_registry_not_found")
