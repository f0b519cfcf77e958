"""Artifacts as a job's scripts use them: upload, search, download, checksum (contract section 2.5)."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from watchword.agent.errors import AgentError, ApiError, ConfigError
from watchword.agent.inside.artifactbytes import Carrier
from watchword.agent.inside.artifactfiles import Choice, LocalFile, collect
from watchword.agent.inside.artifactwire import Batch, Created, Etag, Found, Instructions, State
from watchword.agent.inside.buckets import Bucket, open_bucket
from watchword.agent.inside.caller import Caller
from watchword.agent.retry import always
from watchword.agent.transport import segment

BATCH = 30
PARALLEL = 8
MOST_BYTES = 5 * 1024**3

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: a pattern, in a step's or job's artifacts, maybe those of retried jobs too."""

    pattern: str
    build: str
    scope: str = ""
    retried: bool = False


class Artifacts:
    """The artifacts of a job and of its build.

    Args:
        caller: makes the calls.
        tell: hears what happens, line by line.
    """

    def __init__(self, caller: Caller, tell: Tell) -> None:
        self._caller = caller
        self._policy = caller.policy
        self._carrier = Carrier(caller.http, caller.policy)
        self._tell = tell

    async def upload(self, job: str, choice: Choice, folder: Path, destination: str) -> None:
        """Upload files.

        Args:
            job: whose artifacts they become.
            choice: which files.
            folder: where relative patterns begin.
            destination: address of a bucket of one's own; empty for the server's storage.

        Raises:
            ConfigError: a file cannot be read or is too big, or the destination is none we know.
            ApiError: the server refused.
            AgentError: some of the files could not be uploaded.
        """
        bucket = open_bucket(destination, self._caller.environ) if destination else None
        files = await collect(choice, folder)
        if not files:
            self._tell("No files match: nothing to upload")
            return
        _check_sizes(files, bucket)
        self._tell(f"Uploading {len(files)} files")
        failed = 0
        for start in range(0, len(files), BATCH):
            failed += await self._batch(job, files[start : start + BATCH], bucket, destination)
        if failed:
            raise AgentError(f"{failed} of {len(files)} artifacts could not be uploaded")
        self._tell("All artifacts are uploaded")

    async def search(self, query: Query, *, duplicates: bool) -> list[Found]:
        """Find artifacts; of several with one path the newest only, unless `duplicates`.

        Raises:
            ApiError: every attempt failed.
        """
        params = {"query": query.pattern, "scope": query.scope, "state": "finished"}
        flags = {"include_retried_jobs": query.retried, "include_duplicates": duplicates}
        return await self._caller.fetch(
            list[Found],
            "GET",
            f"builds/{segment(query.build)}/artifacts/search",
            self._policy.artifact_search,
            params={name: value for name, value in params.items() if value}
            | {name: "true" for name, on in flags.items() if on},
            again=always,
        )

    async def download(self, query: Query, target: Path) -> None:
        """Download what is found below a folder.

        Raises:
            ConfigError: nothing is found, or an artifact's path leads out of the folder.
            ApiError: the search failed.
            AgentError: some artifacts could not be downloaded.
        """
        found = await self.search(query, duplicates=False)
        if not found:
            raise ConfigError(f"no artifacts match {query.pattern!r}")
        pairs = [(artifact, _target(target, artifact.path)) for artifact in found]
        self._tell(f"Downloading {len(pairs)} artifacts to {target}")
        limit = asyncio.Semaphore(PARALLEL)

        async def fetch(artifact: Found, path: Path) -> bool:
            async with limit:
                return await self._fetch(artifact, path)

        done = await asyncio.gather(*(fetch(artifact, path) for artifact, path in pairs))
        if not all(done):
            raise AgentError(f"{done.count(False)} of {len(done)} artifacts could not be downloaded")

    async def checksum(self, query: Query, *, sha256: bool) -> str:
        """The checksum of the one artifact that matches.

        Raises:
            ConfigError: none matches, several do, or it has no such checksum.
            ApiError: the search failed.
        """
        found = await self.search(query, duplicates=False)
        if len(found) != 1:
            raise ConfigError(f"{len(found)} artifacts match {query.pattern!r}: exactly one must")
        value = found[0].sha256sum if sha256 else found[0].sha1sum
        if not value:
            raise ConfigError(f"the server does not know the checksum of {found[0].path}")
        return value

    async def _batch(self, job: str, files: list[LocalFile], bucket: Bucket | None, destination: str) -> int:
        """Announce, upload and report some files; gives how many failed."""
        if bucket is not None:
            for file in files:
                file.described.url = bucket.address(file.described.path)
        path = f"jobs/{segment(job)}/artifacts"
        request = Batch(
            id=str(uuid4()), upload_destination=destination, artifacts=[file.described for file in files]
        )
        created = await self._caller.fetch(Created, "POST", path, self._policy.artifact_create, body=request)
        if len(created.artifact_ids) != len(files):
            raise ApiError(f"POST {path}", "the server gave a wrong number of ids", retryable=False)
        limit = asyncio.Semaphore(PARALLEL)

        async def send(file: LocalFile, identity: str) -> State:
            async with limit:
                return await self._one(file, identity, _instructions(created, identity), bucket)

        states = await asyncio.gather(*map(send, files, created.artifact_ids))
        await self._caller.send(
            "PUT", path, self._policy.artifact_state, body={"artifacts": states}, again=always
        )
        return sum(state.state != "finished" for state in states)

    async def _one(
        self, file: LocalFile, identity: str, instructions: Instructions, bucket: Bucket | None
    ) -> State:
        etags: list[Etag] = []
        try:
            if bucket is not None:
                await bucket.put(file.described.path, file.path, file.described.content_type)
            else:
                etags = await self._carrier.upload(file, instructions)
        except (AgentError, OSError) as error:
            self._tell(f"{file.described.path} could not be uploaded: {error}")
            return State(id=identity, state="error")
        self._tell(f"Uploaded {file.described.path} ({file.described.file_size} bytes)")
        return State(id=identity, state="finished", multipart=len(etags) > 1, multipart_etags=etags)

    async def _fetch(self, artifact: Found, path: Path) -> bool:
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            bucket = _bucket_of(artifact, self._caller.environ)
            if bucket is not None:
                await bucket.get(artifact.path, path)
            else:
                await self._carrier.download(artifact.url or "", path)
        except (AgentError, OSError) as error:
            self._tell(f"{artifact.path} could not be downloaded: {error}")
            return False
        self._tell(f"Downloaded {artifact.path}")
        return True


def _instructions(created: Created, identity: str) -> Instructions:
    own = (created.per_artifact_instructions or {}).get(identity)
    return own or created.upload_instructions or Instructions()


def _bucket_of(artifact: Found, environ: Mapping[str, str]) -> Bucket | None:
    """The bucket of one's own that an artifact is in; None if the server has it."""
    destination = artifact.upload_destination or ""
    return open_bucket(destination, environ) if "://" in destination else None


def _check_sizes(files: list[LocalFile], bucket: Bucket | None) -> None:
    for file in files:
        if bucket is None and file.described.file_size > MOST_BYTES:
            raise ConfigError(f"{file.described.path} is over 5 GiB: upload it to a bucket of your own")


def _target(folder: Path, path: str) -> Path:
    """Where an artifact goes.

    Raises:
        ConfigError: its path leads out of the folder.
    """
    base = folder.resolve()
    target = (base / path.replace("\\", "/").lstrip("/")).resolve()
    if not target.is_relative_to(base) or target == base:
        raise ConfigError(f"the artifact's path {path!r} leads out of {folder}")
    return target
