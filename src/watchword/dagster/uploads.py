"""Snapshots, logs and artifacts on their way to the object store (contract §7).

The address that takes bytes, and the one that gives them, are credentials: no token comes with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from watchword.dagster.answers import refuse
from watchword.dagster.call import Call
from watchword.dagster.inflating import decode
from watchword.dagster.paths import variants
from watchword.dagster.rest import Answering, Rest
from watchword.domain.dagsteruploads import (
    GZIP,
    MAX_ARTIFACT,
    MAX_SNAPSHOT,
    PLAIN,
    DagsterUpload,
    UploadKind,
    check_snapshot,
)
from watchword.domain.errors import Invalid, NotFound
from watchword.edge.forms import read_form
from watchword.edge.http import Request, Response, Streamed
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.dagsterdoor import KINDS
from watchword.services.dagsteruploads import DOWNLOADS, UPLOADS

_MARK = "__class__"
_MAX_QUERY = 100
_MAX_DIGITS = 12
_ONE = "/{organization_id}/{upload_id}"
_SAFE = [
    (b"content-type", b"application/octet-stream"),
    (b"content-disposition", b"attachment"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
]


@dataclass(slots=True)
class Bytes:
    """Handlers of what goes into the object store."""

    authority: Authority
    rest: Rest

    def routes(self) -> list[Route]:
        """The operations; a signature in the address stands in for a token where bytes come or go."""
        operations: list[tuple[str, str, Answering]] = [
            ("GET", "/check_snapshot", self.check),
            ("PUT", "/confirm_upload", self.confirm),
            ("GET", "/gen_logs_url", self.log),
            ("POST", "/gen_artifact_post", self.artifact),
            ("POST", "/gen_artifact_get", self.artifact_address),
        ]
        return [
            *(
                Route(method, address, self.rest.guarded(work), KINDS, refuse)
                for method, path, work in operations
                for address in variants(path)
            ),
            Route("PUT", f"{UPLOADS}{_ONE}", self.put, (), refuse),
            Route("POST", f"{UPLOADS}{_ONE}", self.form, (), refuse),
            Route("GET", f"{DOWNLOADS}{_ONE}", self.get, (), refuse),
        ]

    async def check(self, request: Request, call: Call) -> Response:
        """Whether a snapshot is there, else where to put it."""
        given = _query(request)
        sha1 = given.get("sha1", [""])[0]
        kind, size = check_snapshot(given.get("type", [""])[0], sha1, given.get("size", [""])[0])
        formats = given.get("formats", [GZIP])
        format_ = GZIP if GZIP in formats else PLAIN
        found = await self.authority.uploads.stored(call.here, kind, sha1)
        stored = upload = None
        if found is not None:
            stored = _stored(found)
        else:
            opened = await self.authority.uploads.open(call.here, kind, sha1, size, format_)
            upload = {
                _MARK: "SnapshotUploadData",
                "sha1": sha1,
                "format": format_,
                "uri": opened.upload.uri,
                "presigned_put_url": opened.url,
                "id": opened.upload.id,
                "type": kind.value,
            }
        return Response.json({_MARK: "CheckSnapshotResult", "stored_snapshot": stored, "upload_data": upload})

    async def confirm(self, request: Request, call: Call) -> Response:
        """A snapshot that has been put; what it holds was looked at while it came."""
        given = _object(decode(await request.body()))
        upload = await self.authority.uploads.confirm(call.here, str(given.get("id", "")))
        return Response.json({_MARK: "ConfirmUploadResult", "stored_snapshot": _stored(upload)})

    async def log(self, request: Request, call: Call) -> Response:
        """Where to put what a step wrote; each time whole, in place of what was there."""
        given = _query(request)
        size = given.get("size_bytes", ["0"])[0]
        if not size.isascii() or not size.isdigit() or len(size) > _MAX_DIGITS:
            raise Invalid("size_bytes is a number.", code="invalid_size")
        if not int(size):
            return Response.json({"skip_upload": True})
        name = "/".join([*given.get("log_key", []), given.get("io_type", [""])[0]])
        opened = await self.authority.uploads.open(call.here, UploadKind.LOG, name, int(size))
        return Response.json({"url": opened.url})

    async def artifact(self, request: Request, call: Call) -> Response:
        """Where to put an artifact, as a form."""
        key = _key(decode(await request.body()))
        opened = await self.authority.uploads.open(call.here, UploadKind.ARTIFACT, key, MAX_ARTIFACT)
        address = urlsplit(opened.url)
        return Response.json({"url": opened.url, "fields": dict(parse_qsl(address.query))})

    async def artifact_address(self, request: Request, call: Call) -> Response:
        """Where to read an artifact."""
        uploads = self.authority.uploads
        found = await uploads.stored(call.here, UploadKind.ARTIFACT, _key(decode(await request.body())))
        if found is None:
            raise NotFound("There is no artifact of this key.", code="no_such_artifact")
        return Response.json({"url": uploads.download(found)})

    async def put(self, request: Request, organization_id: str, upload_id: str) -> Response:
        """Bytes of an object."""
        uploads = self.authority.uploads
        upload = await uploads.for_put(request.query(), organization_id, upload_id)
        await uploads.take(upload, request.stream(MAX_SNAPSHOT))
        return Response.json({"id": upload.id})

    async def form(self, request: Request, organization_id: str, upload_id: str) -> Response:
        """The same as the file of a form."""
        uploads = self.authority.uploads
        upload = await uploads.for_put(request.query(), organization_id, upload_id)
        form = await read_form(request, upload.size)
        await uploads.take(upload, form.file)
        return Response.json({"id": upload.id}, 201)

    async def get(self, request: Request, organization_id: str, upload_id: str) -> Response:
        """Bytes of an artifact, which no browser shows as a page of ours."""
        uploads = self.authority.uploads
        upload = await uploads.for_get(request.query(), organization_id, upload_id)
        length = (b"content-length", str(upload.stored).encode())
        return Streamed(200, await uploads.read(upload), [*_SAFE, length])


def _stored(upload: DagsterUpload) -> dict[str, Any]:
    return {
        _MARK: "StoredSnapshot",
        "sha1": upload.name,
        "format": upload.format,
        "uri": upload.uri,
        "decompressed_size": upload.size,
    }


def _query(request: Request) -> dict[str, list[str]]:
    """The query's parameters, of which some come several times."""
    request.query()  # refuses what no text may hold
    found: dict[str, list[str]] = {}
    text = request.scope.get("query_string", b"").decode("latin-1")
    try:
        pairs = parse_qsl(text, max_num_fields=_MAX_QUERY)
    except ValueError:
        raise Invalid("There are too many parameters.", code="too_many_parameters") from None
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _object(given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise Invalid("This is no object.", code="no_object")
    return given


def _key(given: object) -> str:
    key = _object(given).get("key")
    if not isinstance(key, str) or not key:
        raise Invalid("key is missing.", code="key_missing")
    return key
