"""The package registry's routes: the simple index, files, uploads (docs/registries.md)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from watchword.domain.errors import NotFound, WatchwordError
from watchword.domain.packages import PackageAccess, PackageFile
from watchword.edge.http import TEXT, Request, Response
from watchword.edge.ranges import answer_in_part
from watchword.edge.router import Route
from watchword.packages.pages import show_files, show_projects
from watchword.packages.uploads import Rest, read_upload_form
from watchword.packages.wire import asked_type, knock, refuse
from watchword.services.authority import Authority
from watchword.services.packagedoor import KINDS, Admitted
from watchword.services.packagefiles import (
    elsewhere,
    file_limit,
    files_of_project,
    find_file,
    give,
    projects,
    receive,
    versions_of,
)
from watchword.services.packagenames import project_of, read_upload

INDEX = "/packages/{org}/{registry}/pypi"
_NOT_ACCEPTABLE = 406
# What is read of an upload whose token does not pass, so that its client reads why.
_READ_OVER = 64 * 1024 * 1024


@dataclass(slots=True)
class PackageIndex:
    """Handlers of one registry's packages."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations. Reading a public registry takes no token; the door says so."""
        return [
            Route("GET", f"{INDEX}/simple", self.index, KINDS, refuse),
            Route("GET", f"{INDEX}/simple/{{project}}", self.project, KINDS, refuse),
            Route("GET", f"{INDEX}/files/{{file}}/{{filename}}", self.file, KINDS, refuse),
            Route("POST", INDEX, self.upload, KINDS, refuse),
            Route("POST", f"{INDEX}/legacy", self.upload, KINDS, refuse),
        ]

    async def _admit(self, request: Request, org: str, registry: str, wanted: PackageAccess) -> Admitted:
        return await self.authority.package_door.admit(knock(request, org, registry), wanted)

    async def index(self, request: Request, org: str, registry: str) -> Response:
        """Every package of the registry."""
        admitted = await self._admit(request, org, registry, PackageAccess.READ)
        if not request.scope["path"].endswith("/"):
            return _redirect("simple/")
        kind = _kind(request)
        found = await projects(self.authority.context, admitted.registry)
        return show_projects(kind, admitted.registry.slug, found)

    async def project(self, request: Request, org: str, registry: str, project: str) -> Response:
        """The files of one package."""
        admitted = await self._admit(request, org, registry, PackageAccess.READ)
        name = project_of(project)
        if not name:
            raise NotFound("No such package here.")
        if not request.scope["path"].endswith("/"):
            return _redirect(f"{quote(name, safe='')}/")
        kind = _kind(request)
        context = self.authority.context
        files = await files_of_project(context, admitted.registry, name)
        if not files:
            raise NotFound("No such package here.")
        return show_files(kind, name, files, await versions_of(context, admitted.registry, name))

    async def file(self, request: Request, org: str, registry: str, file: str, filename: str) -> Response:
        """A file, or a range of it; left to the object store where that can serve it."""
        admitted = await self._admit(request, org, registry, PackageAccess.READ)
        context = self.authority.context
        found = await find_file(context, admitted.registry, file, filename)
        location = await elsewhere(context, found)
        if location is not None:
            return Response(302, b"", [(b"location", location.encode())])

        async def part(first: int, count: int) -> AsyncIterator[bytes]:
            return await give(context, found, first, count)

        return await answer_in_part(request, found.size, _headers(found), part)

    async def upload(self, request: Request, org: str, registry: str) -> Response:
        """Take a file in. The same bytes once more are no error; other bytes under its name are."""
        rest, readable = Rest(request), _READ_OVER
        try:
            admitted = await self._admit(request, org, registry, PackageAccess.WRITE)
            readable = file_limit(self.authority.context)
            return await self._take(request, admitted)
        except WatchwordError:
            await rest.read_over(readable)
            raise

    async def _take(self, request: Request, admitted: Admitted) -> Response:
        context = self.authority.context
        form = await read_upload_form(request, file_limit(context))
        upload = read_upload(form.fields, form.filename)
        new = await receive(context, admitted, upload, form.file)
        said = "uploaded" if new else "there already"
        return Response(200, f"{upload.filename}: {said}\n".encode(), [TEXT])


def routes(authority: Authority) -> list[Route]:
    """The routes of package registries."""
    return PackageIndex(authority).routes()


def _kind(request: Request) -> str:
    """The content type that the client takes.

    Raises:
        WatchwordError: it takes none that there is (406).
    """
    kind = asked_type(request)
    if kind is None:
        raise WatchwordError(
            "This page is there as HTML and as JSON (PEP 691).", code="not_acceptable", status=_NOT_ACCEPTABLE
        )
    return kind


def _redirect(to: str) -> Response:
    """Go on to the same address with a slash at its end, from which links are read (PEP 503)."""
    return Response(301, b"", [(b"location", to.encode())])


def _headers(file: PackageFile) -> list[tuple[bytes, bytes]]:
    name = quote(file.filename, safe="")
    return [
        (b"content-type", b"application/octet-stream"),
        (b"content-disposition", f"attachment; filename*=UTF-8''{name}".encode()),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
        (b"accept-ranges", b"bytes"),
        (b"etag", f'"{file.sha256}"'.encode()),
    ]
