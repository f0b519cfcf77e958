"""The bytes of artifacts: signed addresses and forms, no token (contract agent-api §1.2, §2.5, trap 11).

What is given out is never shown by a browser as a page of ours: it is an attachment of no guessed type,
in a sandbox.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from watchword.domain.artifacts import MAX_SIZE, Artifact, content_type_of
from watchword.edge.forms import read_form
from watchword.edge.http import Request, Response
from watchword.edge.ranges import answer_in_part
from watchword.edge.router import Route
from watchword.services.artifactbytes import elsewhere, for_download, for_form, for_part, give, take
from watchword.services.authority import Authority
from watchword.services.links import DOWNLOADS, PARTS, UPLOADS

_SAFE = [(b"content-security-policy", b"sandbox; default-src 'none'"), (b"accept-ranges", b"bytes")]
_MAX_DIGITS = 6


@dataclass(slots=True)
class ArtifactBytes:
    """Handlers of bytes on their way in and out."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations; a signature in the form or the address stands in for a token."""
        artifact = "{organization_id}/{artifact_id}"
        return [
            Route("POST", UPLOADS, self.form, ()),
            Route("PUT", f"{PARTS}/{artifact}/{{part}}", self.part, ()),
            Route("GET", f"{DOWNLOADS}/{artifact}", self.download, ()),
        ]

    async def form(self, request: Request) -> Response:
        """A file in a form, for the artifact of its path in the batch."""
        context = self.authority.context
        form = await read_form(request, MAX_SIZE)
        artifact = await for_form(context, form.fields)
        await take(context, artifact, 1, form.file)
        return Response.json({"id": artifact.id}, 201)

    async def part(self, request: Request, organization_id: str, artifact_id: str, part: str) -> Response:
        """One part of a file; the answer's ETag is the receipt."""
        context = self.authority.context
        artifact = await for_part(context, request.query(), organization_id, artifact_id, part)
        number = int(part) if part.isascii() and part.isdigit() and len(part) <= _MAX_DIGITS else 0
        receipt = await take(context, artifact, number, request.stream(MAX_SIZE))
        response = Response.json({"id": artifact.id})
        response.headers.append((b"etag", f'"{receipt}"'.encode()))
        return response

    async def download(self, request: Request, organization_id: str, artifact_id: str) -> Response:
        """An artifact, or a range of it; the whole is left to the object store where that can serve it."""
        context = self.authority.context
        artifact = await for_download(context, request.query(), organization_id, artifact_id)
        address = await elsewhere(context, artifact)
        if address is not None:
            return Response(302, b"", [(b"location", address.encode())])

        async def part(first: int, count: int) -> AsyncIterator[bytes]:
            return await give(context, artifact, first, count)

        return await answer_in_part(request, artifact.size, _headers(artifact), part)


def _headers(artifact: Artifact) -> list[tuple[bytes, bytes]]:
    name = quote(artifact.path.replace("\\", "/").rpartition("/")[2] or "artifact", safe="")
    return [
        (b"content-type", content_type_of(artifact.content_type).encode()),
        (b"content-disposition", f"attachment; filename*=UTF-8''{name}".encode()),
        *_SAFE,
    ]
