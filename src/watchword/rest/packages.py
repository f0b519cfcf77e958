"""Packages in a registry: listed, seen, deleted. Files go by the package index (docs/registries.md)."""

from typing import Any

import msgspec
from litestar import Response, delete, get

from watchword.domain import packages, registries
from watchword.rest.call import CURSORED, Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.rest.pages import CursorRequest
from watchword.rest.registries import REGISTRY, Registry, registry_page, registry_path, show_registry
from watchword.services.packagefiles import delete_package, find_package, packages_part
from watchword.services.queries import Access, Unit
from watchword.services.registries import find_registry

PACKAGES = REGISTRY + "/packages"
PACKAGE = PACKAGES + "/{package:str}"


class PackageOrganization(msgspec.Struct, kw_only=True):
    """Whose a package is."""

    id: str
    slug: str
    url: str
    web_url: str


class PackageFile(msgspec.Struct, kw_only=True):
    """A file of a package."""

    filename: str
    size: int
    sha256: str
    created_at: str


class Package(msgspec.Struct, kw_only=True):
    """A version of a package."""

    id: str
    name: str
    version: str
    variant: str | None
    metadata: dict[str, Any]
    url: str
    web_url: str
    created_at: str
    organization: PackageOrganization
    registry: Registry


class WholePackage(Package, kw_only=True):
    """A version of a package with its files."""

    files: list[PackageFile]


class PackageLinks(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Addresses of this part of the list and of its neighbours."""

    self: str
    next: str | None = None
    prev: str | None = None


class PackageList(msgspec.Struct, kw_only=True):
    """Part of a registry's packages."""

    items: list[Package]
    links: PackageLinks


def _fields(
    call: Call, access: Access, registry: registries.Registry, package: packages.Package
) -> dict[str, Any]:
    site, slug = call.site, access.organization.slug
    return {
        "id": package.id,
        "name": package.project,
        "version": package.version,
        "variant": None,
        "metadata": {"name": package.name, "summary": package.summary or None},
        "url": site.rest(*registry_path(slug, registry), "packages", package.id),
        "web_url": registry_page(site, slug, registry),
        "created_at": instant(package.created_at),
        "organization": PackageOrganization(
            id=access.id,
            slug=slug,
            url=site.rest("organizations", slug),
            web_url=site.web("organizations", slug),
        ),
        "registry": show_registry(site, slug, registry),
    }


@get(PACKAGES, opt=needs("package.read", query=CURSORED), summary="List packages")
async def list_packages(request: RestRequest) -> Response[PackageList]:
    """Packages of a registry, newest first, a part at a time."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[PackageList, dict[str, str]]:
        registry = await find_registry(tx, access, call.path("registry"))
        asked = CursorRequest.read(request.query_params)
        part = await packages_part(tx, registry, asked.after, asked.before, asked.size)
        url = call.site.rest(*registry_path(access.organization.slug, registry), "packages")
        links = PackageLinks(self=url)
        ends = f"per_page={asked.size}"
        if part.rows and part.older:
            links.next = f"{url}?after={asked.encode(part.rows[-1].id)}&{ends}"
        if part.rows and part.newer:
            links.prev = f"{url}?before={asked.encode(part.rows[0].id)}&{ends}"
        header = ", ".join(
            f'<{target}>; rel="{name}"'
            for name, target in (("next", links.next), ("prev", links.prev))
            if target
        )
        items = [Package(**_fields(call, access, registry, one)) for one in part.rows]
        return PackageList(items=items, links=links), {"link": header} if header else {}

    listed, headers = await call.read(work)
    return Response(listed, headers=headers, media_type="application/json")


@get(PACKAGE, opt=needs("package.read"), summary="Get a package")
async def get_package(request: RestRequest) -> WholePackage:
    """One version of a package by its id, with its files."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> WholePackage:
        registry = await find_registry(tx, access, call.path("registry"))
        package = await find_package(tx, registry, call.path("package"))
        files = [
            PackageFile(
                filename=one.filename,
                size=one.size,
                sha256=one.sha256,
                created_at=instant(one.created_at),
            )
            for one in await tx.packages.files_of(access.id, package.id)
        ]
        return WholePackage(**_fields(call, access, registry, package), files=files)

    return await call.read(work)


@delete(PACKAGE, opt=needs("package.delete"), summary="Delete a package")
async def remove_package(request: RestRequest) -> None:
    """Delete a version of a package with its files. Their names are never used again."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        registry = await find_registry(tx, access, call.path("registry"))
        package = await find_package(tx, registry, call.path("package"))
        await delete_package(call.context, tx, access, package)

    await call.write(work)


HANDLERS = (list_packages, get_package, remove_package)
