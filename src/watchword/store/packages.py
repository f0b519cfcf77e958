"""Packages in registries and their files, in the database."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, bindparam, func, insert, select, text, update

from watchword.domain.ids import OrganizationId, PackageFileId, PackageId, RegistryId
from watchword.domain.packages import Package, PackageFile
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.tables_registries import package_files, packages, registries

PACKAGES = Mapper(packages, Package)
FILES = Mapper(package_files, PackageFile)

_p, _f, _r = packages.c, package_files.c, registries.c
# Partial indexes are used only where their conditions stand word for word.
_LIVE = text("packages.deleted_at = 0")
_LIVE_FILE = text("package_files.deleted_at = 0")
_DOOMED = text("package_files.deleted_at > 0 AND package_files.purged_at = 0")
_ONE = (_p.organization_id == bindparam("organization_id_"), _p.id == bindparam("id_"))
_INSIDE = (
    _p.organization_id == bindparam("organization_id_"),
    _p.registry_id == bindparam("registry_id_"),
    _LIVE,
)
_ONE_FILE = (_f.organization_id == bindparam("organization_id_"), _f.id == bindparam("id_"))
_FILE_INSIDE = (
    _f.organization_id == bindparam("organization_id_"),
    _f.registry_id == bindparam("registry_id_"),
)
_OF_PACKAGE = (_f.organization_id == bindparam("organization_id_"), _f.package_id == bindparam("id_"))
_LIMIT: BindParameter[int] = bindparam("limit_")

_ADD = Statement(insert(packages))
_FIND = Statement(select(*PACKAGES.columns).where(*_ONE, _LIVE))
_BY_VERSION = Statement(
    select(*PACKAGES.columns).where(
        *_INSIDE, _p.project == bindparam("project_"), _p.version == bindparam("version_")
    )
)
_NEWEST = Statement(select(*PACKAGES.columns).where(*_INSIDE).order_by(_p.id.desc()).limit(_LIMIT))
_BEFORE = Statement(
    select(*PACKAGES.columns).where(*_INSIDE, _p.id < bindparam("id_")).order_by(_p.id.desc()).limit(_LIMIT)
)
_AFTER = Statement(
    select(*PACKAGES.columns).where(*_INSIDE, _p.id > bindparam("id_")).order_by(_p.id).limit(_LIMIT)
)
_COUNT = Statement(select(func.count()).select_from(packages).where(*_INSIDE))
_PROJECTS = Statement(select(_p.project).where(*_INSIDE).distinct().order_by(_p.project).limit(_LIMIT))
_VERSIONS = Statement(
    select(_p.version).where(*_INSIDE, _p.project == bindparam("project_")).order_by(_p.version).limit(_LIMIT)
)
_END = Statement(update(packages).where(*_ONE, text("deleted_at = 0")).values(deleted_at=bindparam("at_")))
_END_FILES = Statement(
    update(package_files).where(*_OF_PACKAGE, text("deleted_at = 0")).values(deleted_at=bindparam("at_"))
)
_ADD_FILE = Statement(insert(package_files))
_FILE = Statement(select(*FILES.columns).where(*_ONE_FILE, _LIVE_FILE))
_FILE_NAMED = Statement(select(*FILES.columns).where(*_FILE_INSIDE, _f.filename == bindparam("filename_")))
_OF_PROJECT = Statement(
    select(*FILES.columns)
    .where(*_FILE_INSIDE, _f.project == bindparam("project_"), _LIVE_FILE)
    .order_by(_f.filename)
    .limit(_LIMIT)
)
_FILES_OF = Statement(select(*FILES.columns).where(*_OF_PACKAGE, _LIVE_FILE).order_by(_f.id))
_ALL_DOOMED = Statement(select(*FILES.columns).where(_DOOMED).order_by(_f.deleted_at).limit(_LIMIT))
_WEIGHED = Statement(select(_f.registry_id, _f.size).where(*_ONE_FILE))
_PURGE = Statement(
    update(package_files).where(*_ONE_FILE, text("purged_at = 0")).values(purged_at=bindparam("at_"))
)
_SHRINK = Statement(
    update(registries)
    .where(_r.organization_id == bindparam("organization_id_"), _r.id == bindparam("id_"))
    .values(size=_r.size - bindparam("size_"))
)


class PackageRows:
    """`store.base_registries.Packages` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, package: Package) -> None:
        await self._cx.run(_ADD, PACKAGES.encode(package))

    async def find(self, organization_id: OrganizationId, package_id: PackageId) -> Package | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": package_id})
        return PACKAGES.decode(row) if row else None

    async def by_version(
        self, organization_id: OrganizationId, registry_id: RegistryId, project: str, version: str
    ) -> Package | None:
        parameters = {
            "organization_id_": organization_id,
            "registry_id_": registry_id,
            "project_": project,
            "version_": version,
        }
        row = await self._cx.one(_BY_VERSION, parameters)
        return PACKAGES.decode(row) if row else None

    async def before(
        self, organization_id: OrganizationId, registry_id: RegistryId, package_id: PackageId, limit: int
    ) -> Sequence[Package]:
        parameters = {"organization_id_": organization_id, "registry_id_": registry_id, "limit_": limit}
        if not package_id:
            return [PACKAGES.decode(row) for row in await self._cx.all(_NEWEST, parameters)]
        rows = await self._cx.all(_BEFORE, parameters | {"id_": package_id})
        return [PACKAGES.decode(row) for row in rows]

    async def after(
        self, organization_id: OrganizationId, registry_id: RegistryId, package_id: PackageId, limit: int
    ) -> Sequence[Package]:
        parameters = {
            "organization_id_": organization_id,
            "registry_id_": registry_id,
            "id_": package_id,
            "limit_": limit,
        }
        return [PACKAGES.decode(row) for row in await self._cx.all(_AFTER, parameters)]

    async def count(self, organization_id: OrganizationId, registry_id: RegistryId) -> int:
        row = await self._cx.one(_COUNT, {"organization_id_": organization_id, "registry_id_": registry_id})
        return int(row[0]) if row else 0

    async def projects(
        self, organization_id: OrganizationId, registry_id: RegistryId, limit: int
    ) -> Sequence[str]:
        parameters = {"organization_id_": organization_id, "registry_id_": registry_id, "limit_": limit}
        return [name for (name,) in await self._cx.all(_PROJECTS, parameters)]

    async def versions(
        self, organization_id: OrganizationId, registry_id: RegistryId, project: str, limit: int
    ) -> Sequence[str]:
        parameters = {
            "organization_id_": organization_id,
            "registry_id_": registry_id,
            "project_": project,
            "limit_": limit,
        }
        return [version for (version,) in await self._cx.all(_VERSIONS, parameters)]

    async def end(self, organization_id: OrganizationId, package_id: PackageId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": package_id, "at_": at}
        if await self._cx.run(_END, parameters) != 1:
            return False
        await self._cx.run(_END_FILES, parameters)
        return True

    async def add_file(self, file: PackageFile) -> None:
        await self._cx.run(_ADD_FILE, FILES.encode(file))

    async def file(self, organization_id: OrganizationId, file_id: PackageFileId) -> PackageFile | None:
        row = await self._cx.one(_FILE, {"organization_id_": organization_id, "id_": file_id})
        return FILES.decode(row) if row else None

    async def file_named(
        self, organization_id: OrganizationId, registry_id: RegistryId, filename: str
    ) -> PackageFile | None:
        parameters = {
            "organization_id_": organization_id,
            "registry_id_": registry_id,
            "filename_": filename,
        }
        row = await self._cx.one(_FILE_NAMED, parameters)
        return FILES.decode(row) if row else None

    async def files_of_project(
        self, organization_id: OrganizationId, registry_id: RegistryId, project: str, limit: int
    ) -> Sequence[PackageFile]:
        parameters = {
            "organization_id_": organization_id,
            "registry_id_": registry_id,
            "project_": project,
            "limit_": limit,
        }
        return [FILES.decode(row) for row in await self._cx.all(_OF_PROJECT, parameters)]

    async def files_of(self, organization_id: OrganizationId, package_id: PackageId) -> Sequence[PackageFile]:
        parameters = {"organization_id_": organization_id, "id_": package_id}
        return [FILES.decode(row) for row in await self._cx.all(_FILES_OF, parameters)]

    async def doomed(self, limit: int) -> Sequence[PackageFile]:
        return [FILES.decode(row) for row in await self._cx.all(_ALL_DOOMED, {"limit_": limit})]

    async def purge(self, organization_id: OrganizationId, file_id: PackageFileId, at: int) -> None:
        parameters = {"organization_id_": organization_id, "id_": file_id}
        row = await self._cx.one(_WEIGHED, parameters)
        if row is None or await self._cx.run(_PURGE, parameters | {"at_": at}) != 1:
            return
        registry_id, size = row
        await self._cx.run(_SHRINK, {"organization_id_": organization_id, "id_": registry_id, "size_": size})
