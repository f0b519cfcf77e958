"""Cache registries: an index of what jobs saved elsewhere, and which jobs see which of it.

An entry belongs to a scope. By default that is the pipeline's default branch, another branch, a tag or a pull
request: a job reads its own scope and the default branch's, and writes its own alone, so that nothing that a
branch or a fork saves comes into a build of the default branch.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid, Malformed
from watchword.domain.ids import (
    CacheEntryId,
    CacheRegistryId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    UserId,
)
from watchword.domain.pipelines import Build, Pipeline
from watchword.domain.secretpolicy import Origin, origin_of

DEFAULT_SLUG = "default"
STORE = "agent_managed"
KEEP_DAYS = 7
MAX_KEEP_DAYS = 365
MAX_PARTS = 100
MAX_TEXT = 4096
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9._/+-]{1,64}")


class Sharing(StrEnum):
    """Which jobs share what they save."""

    BRANCH = "branch"
    PIPELINE = "pipeline"
    CLUSTER = "cluster"


class EntryState(StrEnum):
    """Where an entry stands: its bytes are on their way, or there."""

    PENDING = "pending"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class CacheRegistry:
    """An index of one cluster.

    Attributes:
        slug: how jobs name it; `default` is the one that they mean by `~`.
        sharing: which jobs share what they save.
        keep_days: days after its last use that an entry expires.
    """

    organization_id: OrganizationId
    id: CacheRegistryId
    cluster_id: ClusterId
    slug: str
    name: str
    sharing: Sharing
    keep_days: int
    created_at: int
    created_by: UserId | None


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One saved cache.

    Attributes:
        scope: whose it is.
        address: digest of the paths and of all parts of the key.
        family: digest of the paths and of the parts that must match; empty where none must.
        target_paths: in order, each once.
        cache_key: parts, each with `value` and `mandatory`.
        blobs: as the agent described them.
        size: bytes of the blobs together.
    """

    organization_id: OrganizationId
    id: CacheEntryId
    cluster_id: ClusterId
    registry_id: CacheRegistryId
    scope: str
    state: EntryState
    address: str
    family: str
    target_paths: tuple[str, ...]
    cache_key: str
    blobs: str
    size: int
    platform: str
    pipeline_id: PipelineId
    branch: str
    job_id: JobId
    created_at: int
    used_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One part of a key."""

    value: str
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """What a job asks for: paths as a set, and a key in parts."""

    paths: tuple[str, ...]
    key: tuple[KeyPart, ...]

    @property
    def exact(self) -> str:
        """What only the same paths and the same key have."""
        return _digest([self.paths, [part.value for part in self.key]])

    @property
    def family(self) -> str:
        """What entries have in common that may stand in; empty where nothing must match."""
        mandatory = [part.value for part in self.key if part.mandatory]
        return _digest(["family", self.paths, mandatory]) if mandatory else ""

    @property
    def written(self) -> str:
        """The key as it is kept."""
        return json.dumps([{"value": part.value, "mandatory": part.mandatory} for part in self.key])


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a job writes, and what it reads, first its own."""

    own: str
    readable: tuple[str, ...]


def check_address(paths: Sequence[str], key: Sequence[KeyPart]) -> Address:
    """Require paths and a key within bounds.

    Raises:
        Malformed: there are none, too many, or one is empty or too long.
    """
    for name, texts in (("target_paths", paths), ("cache_key", [part.value for part in key])):
        if not 1 <= len(texts) <= MAX_PARTS or not all(0 < len(text) <= MAX_TEXT for text in texts):
            raise Malformed(
                f"{name} has 1 to {MAX_PARTS} texts of 1 to {MAX_TEXT} characters.", code="invalid_cache"
            )
    return Address(tuple(sorted(set(paths))), tuple(key))


def check_blobs(blobs: Sequence[tuple[str, str, int, str]]) -> int:
    """Require blobs that can be found and checked; returns their bytes together.

    Args:
        blobs: of each the algorithm and value of its digest, its size, its compression.

    Raises:
        Malformed: there are none, too many, or one is not described as agents do.
    """
    sound = all(
        algorithm == "sha256" and _SHA256.fullmatch(value) and size >= 0 and _WORD.fullmatch(compression)
        for algorithm, value, size, compression in blobs
    )
    if not sound or not 1 <= len(blobs) <= MAX_PARTS:
        raise Malformed("blobs have a sha256 digest, a file_size and a compression.", code="invalid_cache")
    return sum(size for _, _, size, _ in blobs)


def check_platform(text: str) -> str:
    """Require a platform such as `linux/amd64`, or nothing.

    Raises:
        Malformed: it is something else.
    """
    if text and not _WORD.fullmatch(text):
        raise Malformed("platform is a word such as linux/amd64.", code="invalid_cache")
    return text


def check_slug(text: str) -> str:
    """Require a slug: small letters, digits and `-`.

    Raises:
        Invalid: it is something else.
    """
    if not _SLUG.fullmatch(text):
        raise Invalid(
            "Validation failed: Slug takes small letters, digits and -, 100 characters at most",
            code="invalid_slug",
        )
    return text


def check_keep_days(days: int) -> int:
    """Require a number of days.

    Raises:
        Invalid: it is none, or more than a year.
    """
    if not 1 <= days <= MAX_KEEP_DAYS:
        raise Invalid(f"Validation failed: Keep days is 1 to {MAX_KEEP_DAYS}", code="invalid_keep_days")
    return days


def scopes_of(registry: CacheRegistry, pipeline: Pipeline, build: Build) -> Scopes:
    """Which entries of a registry a build's jobs write and read."""
    if registry.sharing is Sharing.CLUSTER:
        return Scopes("", ("",))
    trusted = pipeline.id
    if registry.sharing is Sharing.PIPELINE:
        return Scopes(trusted, (trusted,))
    own = _own_scope(pipeline, build)
    return Scopes(own, (own,) if own == trusted else (own, trusted))


def _own_scope(pipeline: Pipeline, build: Build) -> str:
    if origin_of(pipeline.repository, build.pull_request) is not Origin.NONE:
        said: Mapping[str, str] = build.pull_request
        return f"{pipeline.id}/pull/{said.get('id', '')}/{said.get('repository', '')}"
    if build.tag:
        return f"{pipeline.id}/tag/{build.tag}"
    return pipeline.id if build.branch == pipeline.default_branch else f"{pipeline.id}/branch/{build.branch}"


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
