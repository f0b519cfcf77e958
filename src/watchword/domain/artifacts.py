"""Artifacts: the files that jobs leave behind; their records, states and the patterns that find them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import ArtifactId, BuildId, JobId, OrganizationId

MAX_BATCH = 30
MAX_SIZE = 5 * 1024**3
MAX_PATH = 4096
# A file in parts takes as many of this size as it needs; below two of them it comes in one piece.
PART_SIZE = 16 * 1024**2

_DIGESTS = {"sha1": re.compile(r"([0-9a-f]{40})?"), "sha256": re.compile(r"([0-9a-f]{64})?")}
_CONTENT_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(; *charset=[\w.-]{1,40})?", re.ASCII)
_DESTINATION = re.compile(r"(s3|gs|rt)://.+|https://[a-z0-9.-]+\.blob\.core\.windows\.net/.+")
_ADDRESS = re.compile(r"[a-z0-9+.-]{2,10}://[!-~]+")


class ArtifactState(StrEnum):
    """Where an artifact stands (contracts agent-api §2.5 and rest-graphql §2.17).

    New: announced, its bytes may still come. Deleted: by a person. Expired: by retention.
    """

    NEW = "new"
    FINISHED = "finished"
    ERROR = "error"
    DELETED = "deleted"
    EXPIRED = "expired"

    @property
    def kept(self) -> bool:
        """Whether its bytes take room."""
        return self in (ArtifactState.NEW, ArtifactState.FINISHED)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a job. `place` is its position in its batch; `parts` how many objects hold its bytes.

    Where `upload_destination` is set the agent kept the file elsewhere with credentials of its own, and
    `url` says where.
    """

    organization_id: OrganizationId
    id: ArtifactId
    build_id: BuildId
    job_id: JobId
    batch_id: str
    place: int
    path: str
    absolute_path: str
    glob_path: str
    content_type: str
    size: int
    sha1: str
    sha256: str
    upload_destination: str
    url: str
    parts: int
    state: ArtifactState
    created_at: int
    ended_at: int

    @property
    def ours(self) -> bool:
        """Whether its bytes are in our object store."""
        return not self.upload_destination

    @property
    def folder(self) -> str:
        """Where its objects are."""
        return f"artifacts/{self.organization_id}/{self.build_id}/{self.id}"

    def object_key(self, part: int) -> str:
        """The object of a part; parts count from 1."""
        return f"{self.folder}/{part}"

    @property
    def part_sizes(self) -> tuple[int, ...]:
        """Bytes of each part: nearly equal, the first ones a byte longer (contract agent-api §2.5)."""
        size, rest = divmod(self.size, self.parts)
        return tuple(size + (number < rest) for number in range(self.parts))


def check_artifact(artifact: Artifact) -> Artifact:
    """Require what a server can keep and a client can use.

    Raises:
        Invalid: naming what is not acceptable.
    """
    name = artifact.path[:100]
    if not artifact.path or len(artifact.path) > MAX_PATH or "\0" in artifact.path:
        raise Invalid(f"An artifact's path has 1 to {MAX_PATH} characters.", code="invalid_path")
    if len(artifact.absolute_path) > MAX_PATH or len(artifact.glob_path) > MAX_PATH:
        raise Invalid(f"A path of {name!r} has over {MAX_PATH} characters.", code="invalid_path")
    if artifact.size < 0 or (artifact.ours and artifact.size > MAX_SIZE):
        raise Invalid(f"{name!r} is over 5 GiB, the most for one artifact.", code="artifact_too_large")
    for kind, pattern in _DIGESTS.items():
        if not pattern.fullmatch(getattr(artifact, kind)):
            raise Invalid(f"The {kind} of {name!r} is no digest in lower-case hex.", code="invalid_digest")
    if artifact.upload_destination and not _DESTINATION.fullmatch(artifact.upload_destination):
        raise Invalid("An upload destination is s3://, gs://, rt:// or Azure.", code="invalid_destination")
    if artifact.url and (len(artifact.url) > MAX_PATH or not _ADDRESS.fullmatch(artifact.url)):
        raise Invalid(f"The url of {name!r} is no address.", code="invalid_url")
    return artifact


def content_type_of(text: str) -> str:
    """A content type as announced, or the one that says nothing where it is none."""
    return text if _CONTENT_TYPE.fullmatch(text) else "application/octet-stream"


def parts_of(size: int) -> int:
    """How many parts a file of this size is cut into."""
    return 1 if size < 2 * PART_SIZE else -(-size // PART_SIZE)


def matches(pattern: str, path: str) -> bool:
    """Whether a path fits a pattern: `*` stands for any characters, slashes too; nothing else is special.

    Backslashes of Windows count as slashes (contract agent-api §9).
    """
    pattern, path = pattern.replace("\\", "/"), path.replace("\\", "/")
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == path
    last = rest.pop()
    if len(path) < len(first) + len(last) or not path.startswith(first) or not path.endswith(last):
        return False
    at, end = len(first), len(path) - len(last)
    for word in rest:  # the leftmost fit of each leaves the most to those after it
        found = path.find(word, at, end)
        if found < 0:
            return False
        at = found + len(word)
    return True


def newest_by_path(artifacts: Iterable[Artifact]) -> Sequence[Artifact]:
    """The newest of each path, in the order of their creation."""
    newest = {
        artifact.path.replace("\\", "/"): artifact for artifact in sorted(artifacts, key=lambda a: a.id)
    }
    return sorted(newest.values(), key=lambda artifact: artifact.id)
