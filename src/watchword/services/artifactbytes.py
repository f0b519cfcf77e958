"""The bytes of artifacts that pass through us: taken in whole or not at all, given out by range."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.ids import ArtifactId, OrganizationId, is_uuid
from watchword.objects.base import Missing
from watchword.services.context import Context
from watchword.services.links import check_download, check_form, check_part, receipt
from watchword.store.base import Transaction

# How long an address of the object store itself serves that a download is sent on to.
_REDIRECT_SECONDS = 900


async def for_form(context: Context, fields: Mapping[str, str]) -> Artifact:
    """The artifact that a form's file belongs to, by its path in the batch.

    Raises:
        Forbidden: the form's fields are not ours.
        NotFound: the batch has no such path, or the job has ended.
        Conflict: the artifact is complete, or has failed.
    """
    batch = check_form(context, fields)
    path = fields.get("path", "")

    async def work(tx: Transaction) -> Artifact:
        rows = await tx.artifacts.of_batch(batch.organization_id, batch.job_id, batch.id)
        found = [artifact for artifact in rows if path in (artifact.path, artifact.id)]
        if not found:
            raise NotFound(f"This batch has no {path[:100]!r}.", code="no_such_artifact")
        await _require_open(tx, batch.organization_id, found[0])
        return found[0]

    return await context.store.read(work)


async def for_part(
    context: Context, query: Mapping[str, str], organization_id: str, id_: str, part: str
) -> Artifact:
    """The artifact that a part belongs to.

    Raises:
        Forbidden: the address is not ours.
        NotFound: there is no such artifact, or its job has ended.
        Conflict: it is complete, or has failed.
    """
    check_part(context, query, organization_id, id_, part)
    owner = OrganizationId(organization_id)

    async def work(tx: Transaction) -> Artifact:
        artifact = await _find(tx, owner, id_)
        await _require_open(tx, owner, artifact)
        return artifact

    return await context.store.read(work)


async def _find(tx: Transaction, owner: OrganizationId, id_: str) -> Artifact:
    artifact = await tx.artifacts.find(owner, ArtifactId(id_)) if is_uuid(id_) else None
    if artifact is None:
        raise NotFound("No artifact found", code="no_such_artifact")
    return artifact


async def _require_open(tx: Transaction, owner: OrganizationId, artifact: Artifact) -> None:
    """Require that bytes may still come: nobody changes an artifact once it is whole or its job is over."""
    job = await tx.builds.job(owner, artifact.job_id)
    if job is None or not job.state.held:
        raise NotFound("The job of this artifact has ended.", code="job_ended")
    if artifact.state is not ArtifactState.NEW:
        raise Conflict(f"This artifact is {artifact.state.value} already.", code="artifact_ended")


async def take(context: Context, artifact: Artifact, part: int, source: AsyncIterator[bytes]) -> str:
    """Keep the bytes of a part.

    A file in one piece is held to the digest that was announced for it, SHA-256 before SHA-1; parts to
    their sizes alone, because no digest of them is announced.

    Returns:
        The receipt for the part.

    Raises:
        Invalid: they are not the bytes that were announced; nothing is kept.
    """
    sizes = artifact.part_sizes
    if not 1 <= part <= len(sizes):
        raise NotFound("The artifact has no such part.", code="no_such_part")
    size = sizes[part - 1]
    digest = (artifact.sha256 or artifact.sha1) if artifact.parts == 1 else ""
    await context.objects.put(artifact.object_key(part), _checked(source, size, digest))
    return receipt(context, artifact, part)


async def _checked(source: AsyncIterator[bytes], size: int, digest: str) -> AsyncIterator[bytes]:
    """The same bytes; fails before their end unless they have this size, and this digest if one is given."""
    length = hashlib.sha256().digest_size * 2
    machine = hashlib.sha256() if len(digest) == length else hashlib.sha1(usedforsecurity=False)
    rest = size
    async for piece in source:
        rest -= len(piece)
        if rest < 0:
            break
        if digest:
            machine.update(piece)
        yield piece
    if rest:
        raise Invalid(f"The file has another size than was announced, {size}.", code="size_mismatch")
    if digest and machine.hexdigest() != digest:
        raise Invalid("The file has another digest than was announced.", code="digest_mismatch")


async def for_download(
    context: Context, query: Mapping[str, str], organization_id: str, id_: str
) -> Artifact:
    """The artifact that an address opens.

    Raises:
        Forbidden: the address is not ours.
        NotFound: its bytes are not there, or not any more.
    """
    check_download(context, query, organization_id, id_)
    artifact = await context.store.read(lambda tx: _find(tx, OrganizationId(organization_id), id_))
    if artifact.state is not ArtifactState.FINISHED or not artifact.ours:
        raise NotFound(f"This artifact is {artifact.state.value}.", code=f"artifact_{artifact.state.value}")
    return artifact


async def elsewhere(context: Context, artifact: Artifact) -> str | None:
    """An address of the object store itself that serves the whole artifact for a while, if there is one."""
    if artifact.parts > 1:
        return None
    return await context.objects.sign("GET", artifact.object_key(1), _REDIRECT_SECONDS)


async def give(context: Context, artifact: Artifact, first: int, count: int) -> AsyncIterator[bytes]:
    """`count` bytes of an artifact from byte `first`, across its parts; the first of them is opened at once.

    Raises:
        Missing: its bytes are gone.
    """
    spans: list[_Span] = []
    start = 0
    for part, size in enumerate(artifact.part_sizes, 1):
        begin, end = max(first, start), min(first + count, start + size)
        if begin < end:
            spans.append(_Span(artifact.object_key(part), begin - start, end - begin))
        start += size
    if not spans:
        if await context.objects.size(artifact.object_key(1)) is None:
            raise Missing("The bytes of this artifact are gone.")
        return _rest(context, None, [])
    head, *others = spans
    opened = await context.objects.read(head.key, head.first, head.count)
    return _rest(context, opened, others)


@dataclass(frozen=True, slots=True)
class _Span:
    key: str
    first: int
    count: int


async def _rest(
    context: Context, opened: AsyncIterator[bytes] | None, others: list[_Span]
) -> AsyncIterator[bytes]:
    if opened is not None:
        async for piece in opened:
            yield piece
    for span in others:
        async for piece in await context.objects.read(span.key, span.first, span.count):
            yield piece
