"""Package registries: where an organization keeps packages (contract rest-graphql §2.13)."""

import re
from dataclasses import dataclass

from watchword.domain.accounts import slugify
from watchword.domain.errors import Invalid
from watchword.domain.ids import OrganizationId, RegistryId, ResourceId, UserId

PYTHON = "python"
# Ecosystems whose packages are served; registries of others hold tokens, and no packages.
SERVED = (PYTHON,)
# What a registry is: it holds packages of its own, and mirrors nobody's.
TYPE = "source"
MAX_POLICY = 16 * 1024
MAX_TEAMS = 100

_ECOSYSTEM = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class Registry:
    """A package registry. Times are microseconds; 0 means not.

    Attributes:
        slug: made of the name, once in the organization.
        ecosystem: whose packages it holds; never changes.
        public: whether anybody may read its packages without a token.
        oidc_policy: what was given, as text; kept and given back, nothing follows of it.
        team_ids: teams whose members reach it; empty for every member of the organization.
        size: bytes of its files.
        deleted_at: when it was deleted; its files go afterwards.
    """

    organization_id: OrganizationId
    id: RegistryId
    slug: str
    name: str
    ecosystem: str
    description: str
    emoji: str
    color: str
    public: bool
    oidc_policy: str
    team_ids: tuple[str, ...]
    size: int
    created_at: int
    created_by: UserId | None
    updated_at: int
    deleted_at: int = 0

    @property
    def resource_id(self) -> ResourceId:
        """Its id as tokens that open it have it."""
        return ResourceId(self.id)

    @property
    def served(self) -> bool:
        """Whether packages can be put into it and installed from it."""
        return self.ecosystem in SERVED


def check_ecosystem(text: str) -> str:
    """Require the name of an ecosystem: a lower-case word.

    Raises:
        Invalid: it is none.
    """
    if not _ECOSYSTEM.fullmatch(text):
        raise Invalid(
            "Validation failed: Ecosystem is a lower-case word, as python; it cannot be changed later",
            code="invalid_ecosystem",
        )
    return text


def check_policy(text: str) -> str:
    """Require that an OIDC policy is not too long.

    Raises:
        Invalid: it is.
    """
    if len(text) > MAX_POLICY:
        raise Invalid(
            f"Validation failed: OIDC policy takes at most {MAX_POLICY} characters",
            code="invalid_oidc_policy",
        )
    return text


def registry_slug(name: str) -> str:
    """The slug of a name.

    Raises:
        Invalid: nothing of the name can stand in one.
    """
    slug = slugify(name)
    if not slug:
        raise Invalid("Validation failed: Name needs a letter or a digit", code="invalid_name")
    return slug
