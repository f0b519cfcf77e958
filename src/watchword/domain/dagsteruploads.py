"""What agents and runs put into the object store: snapshots of definitions and errors, logs, artifacts."""

from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import DagsterUploadId, DeploymentId, OrganizationId

MAX_SNAPSHOT = 128 * 1024 * 1024
MAX_LOG = 128 * 1024 * 1024
MAX_ARTIFACT = 1024 * 1024 * 1024
MAX_NAME = 1_000
GZIP, PLAIN = "json.gz", "json"
URI = "watchword:"
# An address to put bytes to serves this long, and for one file.
OPEN_SECONDS = 900
_SHA1 = 40


class UploadKind(StrEnum):
    """What it is."""

    REPOSITORY = "repository"
    JOB = "job"
    ERROR = "error"
    LOG = "log"
    ARTIFACT = "artifact"

    @property
    def snapshot(self) -> bool:
        """Whether it is found again by the digest of its content."""
        return self in (UploadKind.REPOSITORY, UploadKind.JOB, UploadKind.ERROR)


class UploadState(StrEnum):
    """Whether its bytes are there."""

    OPEN = "open"
    FILLED = "filled"


@dataclass(frozen=True, slots=True)
class DagsterUpload:
    """One object. Times are microseconds, 0 means not yet.

    Attributes:
        name: digest of a snapshot's content (SHA-1, as clients say), path of a log, key of an artifact.
        format: of a snapshot: whether it is compressed.
        size: bytes of a snapshot when it is not compressed; the most that anything else may have.
    """

    organization_id: OrganizationId
    id: DagsterUploadId
    deployment_id: DeploymentId
    kind: UploadKind
    name: str
    format: str
    size: int
    state: UploadState
    stored: int
    created_at: int
    filled_at: int = 0

    @property
    def folder(self) -> str:
        """The prefix in the object store under which there is nothing but this."""
        return f"dagster/{self.organization_id}/{self.deployment_id}/{self.id}"

    @property
    def key(self) -> str:
        """Where its bytes are in the object store."""
        return f"{self.folder}/content"

    @property
    def uri(self) -> str:
        """How clients name a snapshot."""
        return f"{URI}{self.id}"


def check_snapshot(kind: str, sha1: str, size: str) -> tuple[UploadKind, int]:
    """Kind and size of a snapshot that is announced.

    Raises:
        Invalid: one of them, or the digest, is none.
    """
    if kind not in {each.value for each in UploadKind if each.snapshot}:
        raise Invalid("type is repository, job or error.", code="invalid_snapshot")
    if len(sha1) != _SHA1 or not set(sha1) <= set("0123456789abcdef"):
        raise Invalid("sha1 has 40 hexadecimal digits.", code="invalid_snapshot")
    if not size.isascii() or not size.isdigit() or len(size) > len(str(MAX_SNAPSHOT)):
        raise Invalid("size is a number of bytes.", code="invalid_snapshot")
    if int(size) > MAX_SNAPSHOT:
        raise Invalid(f"A snapshot has at most {MAX_SNAPSHOT} bytes.", code="snapshot_too_large")
    return UploadKind(kind), int(size)
