"""Repository credentials: where a job's short-lived token for its repository comes from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from watchword.domain.errors import Invalid
from watchword.domain.ids import ClusterId, OrganizationId, RepositoryCredentialId, UserId
from watchword.domain.pipelines import branch_fits
from watchword.domain.repositories import repository_name

GITHUB = "https://api.github.com"
MAX_PATTERN = 512
MAX_ALSO = 50
MAX_KEY = 16 * 1024
_PATTERN = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~*-]+)+")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Source(StrEnum):
    """What a token is taken from: a secret of the cluster, or an App of a GitHub server."""

    SECRET = "secret"  # noqa: S105 - the name of a source
    GITHUB_APP = "github_app"


@dataclass(frozen=True, slots=True)
class RepositoryCredential:
    """One source of tokens, for the pipelines whose repository its pattern fits.

    Attributes:
        pattern: host and path, in which `*` stands for any text: `github.com/acme/*`.
        also: patterns of other repositories that jobs of these pipelines may ask for, such as submodules.
        secret_key: key of the secret whose value is the token.
        app_id: the App's id or client id.
        installation_id: where the App is installed; empty to ask the server for each repository.
        api_url: the GitHub server's API.
        permissions: what a token may do there, as `contents: read`.
        policy: which jobs may have a token, in the form of secrets' policies; empty for all of the cluster.
        sealed: the App's private key, which opens only for this very row; empty for secrets.
    """

    organization_id: OrganizationId
    id: RepositoryCredentialId
    cluster_id: ClusterId
    pattern: str
    also: tuple[str, ...]
    source: Source
    secret_key: str
    app_id: str
    installation_id: str
    api_url: str
    permissions: str
    policy: str
    description: str
    sealed: bytes
    created_at: int
    created_by: UserId | None
    updated_at: int
    last_used_at: int = 0

    @property
    def bound_to(self) -> str:
        """What the sealed key is bound to."""
        return f"repository_credential:{self.organization_id}:{self.cluster_id}:{self.id}"

    def serves(self, repository: str) -> bool:
        """Whether it is for pipelines of a repository, given by address."""
        return fits(self.pattern, repository)

    def grants(self, repository: str, wanted: str) -> bool:
        """Whether a job of a pipeline of one repository may ask for another one, both given by address."""
        name = repository_name(wanted)
        same = bool(name) and name == repository_name(repository)
        return same or any(fits(pattern, wanted) for pattern in self.also)


def fits(pattern: str, url: str) -> bool:
    """Whether a pattern fits a repository's address. The host is never a part of what `*` stands for."""
    name = repository_name(url)
    host, _, path = name.partition("/")
    wanted_host, _, wanted_path = pattern.partition("/")
    return bool(name) and host == wanted_host and branch_fits(wanted_path, path)


def best(rows: Sequence[RepositoryCredential], repository: str) -> RepositoryCredential | None:
    """The most particular one for a repository: the one with the longest pattern."""
    serving = [row for row in rows if row.serves(repository)]
    return max(serving, key=lambda row: (len(row.pattern), row.pattern), default=None)


def check_pattern(text: str) -> str:
    """Require a host and a path, or an address; the host has no `*`.

    Raises:
        Invalid: it is something else.
    """
    bare = text.partition("://")[2] or text
    bare = bare.strip("/").removesuffix(".git")
    host, _, path = bare.partition("/")
    if len(bare) > MAX_PATTERN or not _PATTERN.fullmatch(bare) or ".." in path or "//" in path:
        raise Invalid(
            "Validation failed: Pattern is a host and a path such as github.com/acme/*; the host has no *",
            code="invalid_pattern",
        )
    return f"{host.lower()}/{path}"


def check_also(patterns: Sequence[str]) -> tuple[str, ...]:
    """Require a few patterns.

    Raises:
        Invalid: there are too many, or one is none.
    """
    if len(patterns) > MAX_ALSO:
        raise Invalid(f"Validation failed: Also takes at most {MAX_ALSO} patterns", code="invalid_pattern")
    return tuple(check_pattern(each) for each in patterns)


def check_app(app_id: str, installation_id: str, api_url: str) -> str:
    """Require an App's id, and the address of an API; returns the address without a slash at its end.

    Raises:
        Invalid: one is missing or cannot be.
    """
    if not _ID.fullmatch(app_id) or (installation_id and not installation_id.isdigit()):
        raise Invalid(
            "Validation failed: App id is the App's number or client id, installation id a number",
            code="invalid_app",
        )
    parts = urlsplit(api_url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise Invalid("Validation failed: API url is an address such as " + GITHUB, code="invalid_app")
    if parts.username is not None or parts.password is not None:
        raise Invalid("Validation failed: API url holds no password", code="invalid_app")
    return api_url.rstrip("/")
