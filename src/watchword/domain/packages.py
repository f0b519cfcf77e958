"""Packages in a registry: one name and version each, with the files that installers fetch."""

import re
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import OrganizationId, PackageFileId, PackageId, RegistryId, TokenId, UserId
from watchword.domain.tokens import MINUTE_US

# A temporary package token lives this long (contract rest-graphql §1.11).
TEMPORARY_US = 5 * MINUTE_US
MAX_FILENAME = 255
MAX_NAME = 128
MAX_VERSION = 64
MAX_REQUIRES_PYTHON = 128
MAX_SUMMARY = 512

_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")


class PackageAccess(StrEnum):
    """What somebody wants of packages, or a temporary package token lets its holder do."""

    READ = "read"
    WRITE = "write"

    @property
    def scope(self) -> str:
        """The scope that it takes, of tokens of every kind."""
        return f"{self.value}_packages"


@dataclass(frozen=True, slots=True)
class Package:
    """A version of a package. Times are microseconds; 0 means not.

    Attributes:
        name: as its uploader writes it.
        project: the name normalised (PEP 503).
        version: normalised (PEP 440).
    """

    organization_id: OrganizationId
    id: PackageId
    registry_id: RegistryId
    name: str
    project: str
    version: str
    summary: str
    created_at: int
    created_by: UserId | None
    deleted_at: int = 0


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package. Its name is taken for good: no other bytes ever stand under it.

    Attributes:
        sha256: hex digits.
        token_id: the token that it was uploaded with.
        deleted_at: when it was deleted; its bytes go afterwards.
        purged_at: since when its bytes are gone.
    """

    organization_id: OrganizationId
    id: PackageFileId
    registry_id: RegistryId
    package_id: PackageId
    project: str
    filename: str
    size: int
    sha256: str
    requires_python: str
    created_at: int
    token_id: TokenId
    deleted_at: int = 0
    purged_at: int = 0

    @property
    def folder(self) -> str:
        """Where the object store keeps it: of ids alone, nothing of it comes from a client."""
        return f"packages/{self.organization_id}/{self.registry_id}/{self.id}"

    @property
    def object_key(self) -> str:
        """The object of its bytes."""
        return f"{self.folder}/content"


def check_filename(text: str) -> str:
    """Require a plain file name: ASCII letters and digits with `. _ + ! -` between, beginning with one.

    Raises:
        Invalid: it is none, or too long.
    """
    if len(text) > MAX_FILENAME or not _FILENAME.fullmatch(text):
        raise Invalid(
            f"The file's name takes letters, digits and . _ + ! - alone, at most {MAX_FILENAME} of them.",
            code="invalid_filename",
        )
    return text
