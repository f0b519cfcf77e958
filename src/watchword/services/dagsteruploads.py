"""What Dagster agents and runs put into the object store, by addresses that are credentials (contract §7).

An address is signed, for one object, for a quarter of an hour, and takes bytes once. A snapshot is held to
the size and the digest that were announced for it while it passes, and never unpacked beyond them.
"""

import hashlib
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from watchword.domain.dagsteruploads import (
    GZIP,
    MAX_ARTIFACT,
    MAX_LOG,
    MAX_NAME,
    OPEN_SECONDS,
    URI,
    DagsterUpload,
    UploadKind,
    UploadState,
)
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Conflict, Invalid, NotFound, TooLarge
from watchword.domain.ids import DagsterUploadId, OrganizationId
from watchword.services.context import Context
from watchword.services.links import check_query, signed_query
from watchword.store.base import Transaction

UPLOADS = "/dagster/uploads"
DOWNLOADS = "/dagster/downloads"
MAX_ERROR_SNAPSHOT = 1024 * 1024
_PIECE = 256 * 1024
# The client says json.gz and sends zlib; either is told by its head.
_EITHER_BITS = zlib.MAX_WBITS | 32
_ABANDONED_US = 24 * 3_600_000_000
_ROWS = 500
_PUT, _GET = "dagster-put", "dagster-get"


@dataclass(frozen=True, slots=True)
class Opened:
    """An object that may be put, and the address that takes it."""

    upload: DagsterUpload
    url: str


@dataclass(slots=True)
class Uploads:
    """Opens, fills and finds objects."""

    context: Context

    async def stored(self, deployment: Deployment, kind: UploadKind, name: str) -> DagsterUpload | None:
        """The object of a name, if its bytes are there."""

        async def work(tx: Transaction) -> DagsterUpload | None:
            found = await tx.dagster_uploads.filled(
                deployment.organization_id, deployment.id, kind, name[:MAX_NAME]
            )
            return found[0] if found else None

        return await self.context.store.read(work)

    async def open(
        self, deployment: Deployment, kind: UploadKind, name: str, size: int, format_: str = ""
    ) -> Opened:
        """An address for an object that is to come.

        Raises:
            Invalid: its name is too long.
            TooLarge: so it is itself.
        """
        most = {UploadKind.LOG: MAX_LOG, UploadKind.ARTIFACT: MAX_ARTIFACT}.get(kind)
        if most is not None and size > most:
            raise TooLarge(f"This takes at most {most} bytes.", code="upload_too_large")
        if not name or len(name) > MAX_NAME:
            raise Invalid(f"A name has 1 to {MAX_NAME} characters.", code="invalid_upload")
        now = self.context.clock.now()
        upload = DagsterUpload(
            deployment.organization_id,
            DagsterUploadId(self.context.new_id()),
            deployment.id,
            kind,
            name,
            format_,
            size,
            UploadState.OPEN,
            0,
            now,
        )
        await self.context.store.write(lambda tx: tx.dagster_uploads.add(upload))
        return Opened(upload, self._address(UPLOADS, _PUT, upload))

    def _address(self, base: str, word: str, upload: DagsterUpload) -> str:
        words = upload.organization_id, upload.id
        query = urlencode(signed_query(self.context, OPEN_SECONDS, word, *words))
        return f"{self.context.installation.url}{base}/{'/'.join(words)}?{query}"

    async def for_put(self, query: Mapping[str, str], organization_id: str, id_: str) -> DagsterUpload:
        """The object that an address takes the bytes of.

        Raises:
            Forbidden: the address is not ours, or its time is over.
            NotFound: there is no such object (any more).
            Conflict: its bytes have come: an address takes them once.
        """
        check_query(self.context, query, _PUT, organization_id, id_)
        upload = await self._find(OrganizationId(organization_id), id_)
        if upload.state is not UploadState.OPEN:
            raise Conflict("This address has taken its bytes; ask for a new one.", code="upload_ended")
        return upload

    async def take(self, upload: DagsterUpload, source: AsyncIterator[bytes]) -> None:
        """Keep the bytes of an object, whole or not at all.

        Raises:
            Invalid: they are not what was announced; nothing is kept.
            TooLarge: they are more than that.
            Conflict: somebody else was faster with the same address.
        """
        held = _Held(upload)
        await self.context.objects.put(upload.key, held.pass_on(source))
        now = self.context.clock.now()
        older: list[DagsterUpload] = []

        async def work(tx: Transaction) -> bool:
            older[:] = (
                []
                if upload.kind.snapshot
                else await tx.dagster_uploads.filled(
                    upload.organization_id, upload.deployment_id, upload.kind, upload.name
                )
            )
            fresh = await tx.dagster_uploads.fill(upload.organization_id, upload.id, held.stored, now)
            for one in older if fresh else ():
                await tx.dagster_uploads.delete(one.organization_id, one.id)
            return fresh

        if not await self.context.store.write(work):
            raise Conflict("This address has taken its bytes; ask for a new one.", code="upload_ended")
        for one in older:  # a log that is written on comes whole each time
            await self.context.objects.delete(one.folder)

    async def confirm(self, deployment: Deployment, id_: str) -> DagsterUpload:
        """A snapshot whose bytes have come.

        Raises:
            NotFound: there is none of this id in the deployment, or its bytes have not come.
        """
        upload = await self._find(deployment.organization_id, id_)
        if upload.deployment_id != deployment.id or upload.state is not UploadState.FILLED:
            raise NotFound("The bytes of this snapshot have not come.", code="no_such_upload")
        return upload

    def download(self, upload: DagsterUpload) -> str:
        """An address from which whoever holds it may read an object."""
        return self._address(DOWNLOADS, _GET, upload)

    async def for_get(self, query: Mapping[str, str], organization_id: str, id_: str) -> DagsterUpload:
        """The object that an address opens.

        Raises:
            Forbidden: the address is not ours, or its time is over.
            NotFound: there is no such object (any more).
        """
        check_query(self.context, query, _GET, organization_id, id_)
        return await self._find(OrganizationId(organization_id), id_)

    async def read(self, upload: DagsterUpload) -> AsyncIterator[bytes]:
        """The bytes of an object, in pieces."""
        return await self.context.objects.read(upload.key, 0, upload.stored)

    async def error_text(self, deployment: Deployment, uri: str) -> str:
        """What an error snapshot says."""
        upload = await self.confirm(deployment, uri.removeprefix(URI))
        if upload.size > MAX_ERROR_SNAPSHOT:
            return "The error is too large to be shown."
        packed = b"".join([piece async for piece in await self.read(upload)])
        content = zlib.decompress(packed, _EITHER_BITS) if upload.format == GZIP else packed
        return error_message(content)

    async def _find(self, organization_id: OrganizationId, id_: str) -> DagsterUpload:
        async def work(tx: Transaction) -> DagsterUpload:
            upload = await tx.dagster_uploads.find(organization_id, DagsterUploadId(id_))
            if upload is None:
                raise NotFound("No upload found", code="no_such_upload")
            return upload

        return await self.context.store.read(work)

    async def forget(self, logs_before: int) -> None:
        """Forget some objects that were announced and never came, and logs that are older than a time."""
        before = self.context.clock.now() - _ABANDONED_US
        gone = await self.context.store.read(lambda tx: tx.dagster_uploads.due(before, logs_before, _ROWS))
        for upload in gone:
            await self.context.objects.delete(upload.folder)

        async def work(tx: Transaction) -> None:
            for upload in gone:
                await tx.dagster_uploads.delete(upload.organization_id, upload.id)

        if gone:
            await self.context.store.write(work)


class _Held:
    """Bytes on their way, held to what was announced of them."""

    def __init__(self, upload: DagsterUpload) -> None:
        self._upload = upload
        self._machine = hashlib.sha1(usedforsecurity=False)
        self._unpacked = 0
        # What a step writes on while it is sent is longer than was announced.
        self._most = MAX_LOG if upload.kind is UploadKind.LOG else upload.size
        self._unpacker = zlib.decompressobj(_EITHER_BITS) if upload.format == GZIP else None
        self.stored = 0

    async def pass_on(self, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes; fails before their end unless they are what was announced."""
        async for piece in source:
            self.stored += len(piece)
            self._look_at(piece)
            yield piece
        if not self._upload.kind.snapshot:
            return
        if self._unpacked != self._upload.size or self._machine.hexdigest() != self._upload.name:
            raise Invalid("The snapshot has another digest than was announced.", code="digest_mismatch")

    def _look_at(self, piece: bytes) -> None:
        if self._unpacker is None:
            self._count(piece)
            return
        rest = piece
        try:
            while rest:
                self._count(self._unpacker.decompress(rest, _PIECE))
                rest = self._unpacker.unconsumed_tail
        except zlib.error:
            raise Invalid("The snapshot is not compressed as was announced.", code="not_compressed") from None

    def _count(self, unpacked: bytes) -> None:
        self._unpacked += len(unpacked)
        if self._unpacked > self._most:
            raise TooLarge("This is larger than was announced.", code="upload_too_large")
        if self._upload.kind.snapshot:
            self._machine.update(unpacked)


def error_message(content: bytes) -> str:
    """The message of an error in JSON as the client writes it, with its stack."""
    try:
        given = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return "The code location could not be loaded."
    if not isinstance(given, dict):
        return "The code location could not be loaded."
    stack = given.get("stack")
    lines = [line for line in stack if isinstance(line, str)] if isinstance(stack, list) else []
    return str(given.get("message") or "The code location could not be loaded.") + "".join(lines)
