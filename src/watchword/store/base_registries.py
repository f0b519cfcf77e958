"""The store's contract for package registries, the packages in them and their files."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import OrganizationId, PackageFileId, PackageId, RegistryId
from watchword.domain.packages import Package, PackageFile
from watchword.domain.registries import Registry
from watchword.domain.tokens import Token
from watchword.store.page import Page


class Registries(Protocol):
    """Package registries; deleted ones are not found."""

    async def add(self, registry: Registry) -> None:
        """Insert. Raises `Duplicate` where the organization has the slug."""

    async def find(self, organization_id: OrganizationId, registry_id: RegistryId) -> Registry | None:
        """By id."""

    async def by_slug(self, organization_id: OrganizationId, slug: str) -> Registry | None:
        """By slug."""

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[Registry]:
        """Oldest first."""

    async def save(self, registry: Registry) -> None:
        """Write what may be changed. Raises `Duplicate` where the organization has the slug."""

    async def grow(
        self, organization_id: OrganizationId, registry_id: RegistryId, size: int, limit: int
    ) -> bool:
        """Count bytes; False where the registry is gone, or would hold more than the limit."""

    async def live_tokens(
        self, organization_id: OrganizationId, registry_id: RegistryId, now: int
    ) -> Sequence[Token]:
        """Tokens of every kind that open it and have neither ended nor expired, oldest first."""

    async def end(self, organization_id: OrganizationId, registry_id: RegistryId, at: int) -> bool:
        """Delete with its packages; False if there was none. Its files are doomed."""


class Packages(Protocol):
    """Packages and their files; deleted ones are not found, where nothing else is said."""

    async def add(self, package: Package) -> None:
        """Insert. Raises `Duplicate` where the registry has the version."""

    async def find(self, organization_id: OrganizationId, package_id: PackageId) -> Package | None:
        """By id."""

    async def by_version(
        self, organization_id: OrganizationId, registry_id: RegistryId, project: str, version: str
    ) -> Package | None:
        """By normalised name and version."""

    async def before(
        self, organization_id: OrganizationId, registry_id: RegistryId, package_id: PackageId, limit: int
    ) -> Sequence[Package]:
        """Packages of a registry that are older than one, newest first; the newest where its id is empty."""

    async def after(
        self, organization_id: OrganizationId, registry_id: RegistryId, package_id: PackageId, limit: int
    ) -> Sequence[Package]:
        """Packages of a registry that are newer than one, oldest first."""

    async def count(self, organization_id: OrganizationId, registry_id: RegistryId) -> int:
        """How many packages a registry has."""

    async def projects(
        self, organization_id: OrganizationId, registry_id: RegistryId, limit: int
    ) -> Sequence[str]:
        """Normalised names, in order."""

    async def versions(
        self, organization_id: OrganizationId, registry_id: RegistryId, project: str, limit: int
    ) -> Sequence[str]:
        """Versions of a package, by their text."""

    async def end(self, organization_id: OrganizationId, package_id: PackageId, at: int) -> bool:
        """Delete; False if there was none. Its files are doomed."""

    async def add_file(self, file: PackageFile) -> None:
        """Insert. Raises `Duplicate` where the registry has, or had, a file of the name."""

    async def file(self, organization_id: OrganizationId, file_id: PackageFileId) -> PackageFile | None:
        """By id."""

    async def file_named(
        self, organization_id: OrganizationId, registry_id: RegistryId, filename: str
    ) -> PackageFile | None:
        """By name; a deleted one too."""

    async def files_of_project(
        self, organization_id: OrganizationId, registry_id: RegistryId, project: str, limit: int
    ) -> Sequence[PackageFile]:
        """Files of all versions of a package, by name."""

    async def files_of(self, organization_id: OrganizationId, package_id: PackageId) -> Sequence[PackageFile]:
        """Files of one version, oldest first."""

    async def doomed(self, limit: int) -> Sequence[PackageFile]:
        """Deleted files of all organizations whose bytes are still there, those deleted first first."""

    async def purge(self, organization_id: OrganizationId, file_id: PackageFileId, at: int) -> None:
        """Note that a file's bytes are gone, and count them no more."""
