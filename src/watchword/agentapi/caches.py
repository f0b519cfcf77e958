"""Caches of jobs: an index; agents keep the bytes in storage of their own (contract agent-api §2.11).

Agents take nothing but 200 for success, and for a miss 404 with exactly the service's words.
"""

from dataclasses import dataclass

import msgspec

from watchword.agentapi.jobs import instant, job_caller
from watchword.agentapi.secrets import OWN_TOKEN
from watchword.domain.caches import STORE, Address, CacheEntry, KeyPart, check_address
from watchword.domain.errors import NotFound
from watchword.domain.jobrights import JobRight, require_right
from watchword.domain.pipelines import Job
from watchword.edge.http import Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority

_LIMIT = 1024 * 1024


class _Digest(msgspec.Struct):
    algorithm: str
    value: str


class _Blob(msgspec.Struct):
    digest: _Digest
    file_size: int
    compression: str


class _Wish(msgspec.Struct, kw_only=True):
    """What peek, retrieve and expire ask for."""

    target_paths: list[str]
    cache_key: list[KeyPart]

    @property
    def address(self) -> Address:
        return check_address(self.target_paths, self.cache_key)


class _Save(_Wish, kw_only=True):
    blobs: list[_Blob]
    platform: str | None = ""


class _Commit(msgspec.Struct, kw_only=True):
    upload_id: str


_WISH = msgspec.json.Decoder(_Wish)
_SAVE = msgspec.json.Decoder(_Save)
_COMMIT = msgspec.json.Decoder(_Commit)


@dataclass(slots=True)
class Caches:
    """Handlers of the index."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take: agents that know them have job tokens."""
        registry = "/v3/cache_registries/{slug}"
        return [
            Route("GET", registry, self.registry, OWN_TOKEN, right=JobRight.CACHES),
            Route("POST", f"{registry}/peek", self.peek, OWN_TOKEN, right=JobRight.CACHES),
            Route("PUT", f"{registry}/store", self.save, OWN_TOKEN, right=JobRight.CACHES),
            Route("PUT", f"{registry}/commit", self.commit, OWN_TOKEN, right=JobRight.CACHES),
            Route("POST", f"{registry}/retrieve", self.retrieve, OWN_TOKEN, right=JobRight.CACHES),
            Route("POST", f"{registry}/expire", self.expire, OWN_TOKEN, right=JobRight.CACHES),
        ]

    async def registry(self, request: Request, slug: str) -> Response:
        """The registry, and that agents keep the bytes."""
        found = await self.authority.caches.registry(await self._job(request), slug)
        return Response.json({"uuid": found.id, "name": found.name, "store": STORE})

    async def peek(self, request: Request, slug: str) -> Response:
        """Whether an entry of this very key is there; then nothing is saved."""
        job = await self._job(request)
        wish = decode(_WISH, await request.body(_LIMIT))
        entry = await self.authority.caches.peek(job, slug, wish.address)
        return Response.json(_shown(entry, "Cache entry exists"))

    async def save(self, request: Request, slug: str) -> Response:
        """An entry is announced; the agent knows by itself where its bytes go."""
        job = await self._job(request)
        asked = decode(_SAVE, await request.body(_LIMIT))
        blobs = [
            (one.digest.algorithm, one.digest.value, one.file_size, one.compression) for one in asked.blobs
        ]
        upload_id = await self.authority.caches.save(job, slug, asked.address, blobs, asked.platform or "")
        return Response.json(
            {
                "upload_id": upload_id,
                "multipart": False,
                "upload_instructions": [],
                "message": "Cache entry announced",
            }
        )

    async def commit(self, request: Request, slug: str) -> Response:
        """The bytes are there."""
        job = await self._job(request)
        asked = decode(_COMMIT, await request.body(_LIMIT))
        first = await self.authority.caches.commit(job_caller(request, job), job, slug, asked.upload_id)
        return Response.json(
            {"message": "Cache entry saved" if first else "Another job has saved this cache entry"}
        )

    async def retrieve(self, request: Request, slug: str) -> Response:
        """The entry to restore."""
        job = await self._job(request)
        wish = decode(_WISH, await request.body(_LIMIT))
        found = await self.authority.caches.retrieve(job, slug, wish.address)
        return Response.json(
            {
                **_shown(found.entry, "Cache entry found"),
                "expires_at": instant(found.entry.expires_at),
                "fallback": found.fallback,
                "multipart": False,
                "download_instructions": [],
            }
        )

    async def expire(self, request: Request, slug: str) -> Response:
        """The bytes of an entry are gone, or are not what they should be."""
        job = await self._job(request)
        wish = decode(_WISH, await request.body(_LIMIT))
        caller = job_caller(request, job)
        expired = await self.authority.caches.expire(caller, job, slug, wish.address)
        return Response.json(
            {"message": "Cache entry expired" if expired else "No cache entry of this job's to expire"}
        )

    async def _job(self, request: Request) -> Job:
        presented = await self.authority.verifier.verify(
            request.credential(), OWN_TOKEN, address=request.address, agent=request.agent
        )
        if presented.job is None:
            raise NotFound("No job found")
        require_right(presented.job.token_rights, request.right)
        return presented.job


def _shown(entry: CacheEntry, message: str) -> dict[str, object]:
    return {
        "target_paths": list(entry.target_paths),
        "cache_key": msgspec.Raw(entry.cache_key.encode()),
        "blobs": msgspec.Raw(entry.blobs.encode()),
        "store": STORE,
        "message": message,
    }
