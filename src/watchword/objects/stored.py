"""Objects on obstore: a local folder, S3, Google Cloud Storage or Azure behind one contract."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import cast

import structlog
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store, from_url

from watchword.domain.errors import Unavailable
from watchword.objects.base import Method, Missing

log = structlog.get_logger("watchword.objects")

Remote = S3Store | GCSStore | AzureStore

# S3 takes no smaller parts; two at once hold 10 MiB of memory for each upload that passes through us.
_PART_BYTES = 5 * 1024 * 1024
_PARTS_AT_ONCE = 2
_PIECE_BYTES = 256 * 1024
_MAX_DETAIL = 300


class StoredObjects:
    """`objects.base.Objects` on an obstore store.

    Args:
        store: where the objects are.
        folder: the same place as a folder, if it is one: what is written there is synced to disk.
        direct: whether others may be given signed addresses of the store itself.
    """

    def __init__(self, store: LocalStore | Remote, folder: Path | None, *, direct: bool) -> None:
        self._store = store
        self._folder = folder
        self._direct = direct

    async def put(self, key: str, source: AsyncIterator[bytes]) -> None:
        """Write an object whole, or leave what was there."""
        with _translated(writing=True):
            await self._store.put_async(
                key, source, use_multipart=None, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
            )
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder, self._folder / key)

    async def size(self, key: str) -> int | None:
        """Bytes of an object; None if there is none."""
        try:
            with _translated():
                return (await self._store.head_async(key))["size"]
        except Missing:
            return None

    async def read(self, key: str, first: int, count: int) -> AsyncIterator[bytes]:
        """Open an object and give a range of it in pieces."""
        if count == 0:
            return _nothing()
        with _translated():
            found = await self._store.get_async(key, options={"range": (first, first + count)})
        return _pieces(found.stream(_PIECE_BYTES))

    async def delete(self, prefix: str) -> None:
        """Delete every object below a prefix."""
        with _translated():
            async for batch in self._store.list_async(prefix):
                for one in batch:
                    with suppress(FileNotFoundError):
                        await self._store.delete_async(one["path"])

    async def sign(self, method: Method, key: str, seconds: int) -> str | None:
        """A presigned address; None for a folder, and where the credentials cannot sign."""
        if not self._direct or isinstance(self._store, LocalStore):
            return None
        # Azure wants a header with each PUT that agents do not send.
        if method == "PUT" and isinstance(self._store, AzureStore):
            return None
        from obstore import sign_async  # noqa: PLC0415 - not for a folder

        try:
            return await sign_async(self._store, method, key, timedelta(seconds=seconds))
        except (BaseError, OSError, ValueError):
            return None


def open_objects(address: str, folder: Path, *, direct: bool) -> StoredObjects:
    """The object store that the settings name.

    Credentials, region and endpoint come from the environment, the machine's role or the usual files, by
    obstore's rules (`AWS_…`, `GOOGLE_…`, `AZURE_…`); never from the address.

    Args:
        address: `s3://bucket/prefix`, `gs://…`, `az://…`, or nothing for the folder.
        folder: where objects are kept if no address is given; made if it is missing.
        direct: whether agents and people may be sent to the store itself.
    """
    if address:
        return StoredObjects(cast("Remote", from_url(address)), None, direct=direct)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return StoredObjects(LocalStore(folder, automatic_cleanup=True), folder, direct=direct)


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    with _translated():
        async for piece in stream:
            yield bytes(piece)


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


@contextmanager
def _translated(*, writing: bool = False) -> Iterator[None]:
    """Errors of the store in our words; those of the bytes' source pass as they are."""
    try:
        yield
    except (BaseError, OSError) as error:
        if isinstance(error, FileNotFoundError) and not writing:
            raise Missing("The bytes are not there (any more).") from error
        log.warning("objects_failed", error=type(error).__name__, detail=str(error)[:_MAX_DETAIL])
        refusal = Unavailable("The object store cannot do this now; try again.", code="objects_unavailable")
        raise refusal from error


def _sync(root: Path, path: Path) -> None:
    """Have a file and the folders down to it on disk."""
    for place in (path, *path.parents):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if place == root:
            return
