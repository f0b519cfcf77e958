"""Packages and their files: taken in whole or not at all, found, given out, deleted."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from watchword.domain.errors import Conflict, Forbidden, Malformed, NotFound, TooLarge, Unavailable
from watchword.domain.events import Action
from watchword.domain.ids import PackageFileId, PackageId, is_uuid
from watchword.domain.packages import Package, PackageFile
from watchword.domain.registries import Registry
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.packagedoor import Admitted
from watchword.services.packagenames import Upload
from watchword.services.registries import MISSING as NO_REGISTRY
from watchword.store.base import Duplicate, Transaction

MISSING = "No package found"
# One answer lists at most this many; more would be no registry of one team's packages any more.
MAX_LISTED = 50_000
_BLAKE2_BYTES = 32
_REDIRECT_SECONDS = 900
# Files whose bytes one sweep takes away.
_AT_ONCE = 50
# No limit, in what a database counts.
_ENDLESS = 2**62


# -- taking in -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Intake:
    """Bytes on their way in: counted, digested, refused before their end if they are not those announced."""

    upload: Upload
    limit: int
    size: int = 0
    sha256: str = ""

    async def checked(self, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes.

        Raises:
            TooLarge: they are too many.
            Malformed: there are none, or they have another digest than was announced.
        """
        sha256, blake2 = hashlib.sha256(), hashlib.blake2b(digest_size=_BLAKE2_BYTES)
        async for piece in source:
            self.size += len(piece)
            if self.size > self.limit:
                raise TooLarge(f"A package's file takes at most {self.limit} bytes.", code="file_too_large")
            sha256.update(piece)
            blake2.update(piece)
            yield piece
        if not self.size:
            raise Malformed("The file is empty.", code="file_empty")
        self.sha256 = sha256.hexdigest()
        for announced, found in (
            (self.upload.sha256, self.sha256),
            (self.upload.blake2, blake2.hexdigest()),
        ):
            if announced and announced != found:
                raise Malformed(
                    "The file has another digest than was announced; send it again.", code="digest_mismatch"
                )


def file_limit(context: Context) -> int:
    """Bytes that a file may have."""
    return context.installation.quotas.package_file_bytes or _ENDLESS


async def receive(context: Context, admitted: Admitted, upload: Upload, source: AsyncIterator[bytes]) -> bool:
    """Take a file into a registry; False where these very bytes are there already.

    Raises:
        Conflict: the name is taken, also by a file that was deleted (409).
        Malformed: the bytes are not those that were announced.
        TooLarge: they are too many.
        Forbidden: the registry is full.
        NotFound: the registry was deleted meanwhile.
    """
    registry = admitted.registry
    if upload.sha256:
        known = await context.store.read(lambda tx: _named(tx, registry, upload.filename))
        if known is not None:
            _require_same(known, upload.sha256)
            return False
    file = PackageFile(
        organization_id=registry.organization_id,
        id=PackageFileId(context.new_id()),
        registry_id=registry.id,
        package_id=PackageId(""),
        project=upload.project,
        filename=upload.filename,
        size=0,
        sha256="",
        requires_python=upload.requires_python,
        created_at=context.clock.now(),
        token_id=admitted.token_id,
    )
    intake = _Intake(upload, file_limit(context))
    await context.objects.put(file.object_key, intake.checked(source))
    whole = replace(file, size=intake.size, sha256=intake.sha256)
    kept = False
    try:
        kept = await context.store.write(lambda tx: _add(context, tx, admitted, upload, whole))
    finally:
        if not kept:
            await context.objects.delete(file.folder)
    return kept


async def _named(tx: Transaction, registry: Registry, filename: str) -> PackageFile | None:
    return await tx.packages.file_named(registry.organization_id, registry.id, filename)


def _require_same(known: PackageFile, sha256: str) -> None:
    """Require that a file that is there is the one that is sent.

    Raises:
        Conflict: it is another one, or was deleted.
    """
    if known.deleted_at:
        raise Conflict(
            f"File already existed and was deleted: {known.filename!r}. A name is never used again; "
            "upload another version.",
            code="file_exists",
            status=409,
        )
    if known.sha256 != sha256:
        raise Conflict(
            f"File already exists: {known.filename!r}, with other content. Upload another version.",
            code="file_exists",
            status=409,
        )


async def _add(
    context: Context, tx: Transaction, admitted: Admitted, upload: Upload, file: PackageFile
) -> bool:
    registry = admitted.registry
    known = await _named(tx, registry, upload.filename)
    if known is not None:
        _require_same(known, file.sha256)
        return False
    limit = context.installation.quotas.registry_bytes or _ENDLESS
    if not await tx.registries.grow(registry.organization_id, registry.id, file.size, limit):
        if await tx.registries.find(registry.organization_id, registry.id) is None:
            raise NotFound(NO_REGISTRY)
        raise Forbidden(f"This registry takes at most {limit} bytes; delete packages.", code="registry_full")
    package = await tx.packages.by_version(
        registry.organization_id, registry.id, upload.project, upload.version
    )
    try:
        if package is None:
            package = _package(context, admitted, upload)
            await tx.packages.add(package)
        await tx.packages.add_file(replace(file, package_id=package.id))
    except Duplicate:
        raise Conflict(
            "The same version was uploaded at this very moment; try again.", code="file_exists", status=409
        ) from None
    data = {
        "registry_id": registry.id,
        "name": package.project,
        "version": package.version,
        "filename": file.filename,
        "sha256": file.sha256,
        "size": file.size,
    }
    await context.record(
        tx,
        admitted.caller,
        Action.PACKAGE_UPLOADED,
        registry.organization_id,
        ("package", package.id),
        data,
    )
    return True


def _package(context: Context, admitted: Admitted, upload: Upload) -> Package:
    return Package(
        organization_id=admitted.registry.organization_id,
        id=PackageId(context.new_id()),
        registry_id=admitted.registry.id,
        name=upload.name,
        project=upload.project,
        version=upload.version,
        summary=upload.summary,
        created_at=context.clock.now(),
        created_by=admitted.user_id,
    )


# -- finding and giving out ----------------------------------------------------------------------


async def projects(context: Context, registry: Registry) -> Sequence[str]:
    """Normalised names of a registry's packages, in order."""
    return await context.store.read(
        lambda tx: tx.packages.projects(registry.organization_id, registry.id, MAX_LISTED)
    )


async def files_of_project(context: Context, registry: Registry, project: str) -> Sequence[PackageFile]:
    """Files of all versions of a package, by name; nothing where there is no such package."""
    return await context.store.read(
        lambda tx: tx.packages.files_of_project(registry.organization_id, registry.id, project, MAX_LISTED)
    )


async def versions_of(context: Context, registry: Registry, project: str) -> Sequence[str]:
    """Versions of a package, by their text."""
    return await context.store.read(
        lambda tx: tx.packages.versions(registry.organization_id, registry.id, project, MAX_LISTED)
    )


async def find_file(context: Context, registry: Registry, text: str, filename: str) -> PackageFile:
    """A file by the id and name in its address.

    Raises:
        NotFound: there is none, or not in this registry.
    """
    file = None
    if is_uuid(text):
        file_id = PackageFileId(text.lower())
        file = await context.store.read(lambda tx: tx.packages.file(registry.organization_id, file_id))
    if file is None or file.registry_id != registry.id or file.filename != filename:
        raise NotFound("No file found")
    return file


async def elsewhere(context: Context, file: PackageFile) -> str | None:
    """An address of the object store itself that serves the file for a while, if there is one."""
    return await context.objects.sign("GET", file.object_key, _REDIRECT_SECONDS)


async def give(context: Context, file: PackageFile, first: int, count: int) -> AsyncIterator[bytes]:
    """`count` bytes of a file from byte `first`.

    Raises:
        Missing: its bytes are gone.
    """
    return await context.objects.read(file.object_key, first, count)


async def find_package(tx: Transaction, registry: Registry, text: str) -> Package:
    """A package by the id in a path.

    Raises:
        NotFound: there is none, or not in this registry.
    """
    package = None
    if is_uuid(text):
        package = await tx.packages.find(registry.organization_id, PackageId(text.lower()))
    if package is None or package.registry_id != registry.id:
        raise NotFound(MISSING)
    return package


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a registry's packages, newest first; whether there are newer and older ones."""

    rows: tuple[Package, ...]
    newer: bool
    older: bool


async def packages_part(tx: Transaction, registry: Registry, after: str, before: str, size: int) -> Part:
    """Packages of a registry, newest first.

    Args:
        tx: the unit of work.
        registry: whose they are.
        after: id of the package after which the part begins; empty for the newest.
        before: id of the package before which it ends instead.
        size: how many.
    """
    if before:
        rows = list(
            await tx.packages.after(registry.organization_id, registry.id, PackageId(before), size + 1)
        )
        return Part(tuple(reversed(rows[:size])), len(rows) > size, older=True)
    rows = list(await tx.packages.before(registry.organization_id, registry.id, PackageId(after), size + 1))
    return Part(tuple(rows[:size]), bool(after), len(rows) > size)


# -- the end -------------------------------------------------------------------------------------


async def delete_package(context: Context, tx: Transaction, access: Access, package: Package) -> None:
    """Delete a version of a package, inside a unit of work; its bytes go afterwards (`purge`).

    Raises:
        NotFound: it is gone.
    """
    if not await tx.packages.end(package.organization_id, package.id, context.clock.now()):
        raise NotFound(MISSING)
    data = {"registry_id": package.registry_id, "name": package.project, "version": package.version}
    subject = ("package", package.id)
    await context.record(tx, access.caller, Action.PACKAGE_DELETED, package.organization_id, subject, data)


async def purge(context: Context) -> int:
    """Take away the bytes of deleted files, some at a time; how many files it were."""
    doomed = await context.store.read(lambda tx: tx.packages.doomed(_AT_ONCE))
    try:
        for file in doomed:
            await context.objects.delete(file.folder)
    except Unavailable:  # the next sweep tries again
        return 0
    now = context.clock.now()

    async def work(tx: Transaction) -> None:
        for file in doomed:
            await tx.packages.purge(file.organization_id, file.id, now)

    if doomed:
        await context.store.write(work)
    return len(doomed)
