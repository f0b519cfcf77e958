"""Accounts: organizations, the people in them and what each may do."""

import re
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import ClusterId, OrganizationId, QueueId, UserId


class Role(StrEnum):
    """Role of a member in an organization."""

    ADMIN = "admin"
    MEMBER = "member"


class Affinity(StrEnum):
    """Which agent a queue prefers for another attempt of a job (contract rest-graphql §2.7)."""

    WARMEST = "prefer-warmest"  # whoever asks first: an agent that works asks soonest
    DIFFERENT = "prefer-different"  # one that did not have the attempt before


class SsoMode(StrEnum):
    """Whether a member must come through single sign-on, where an organization has it."""

    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization; `default_cluster_id` receives pipelines that name no cluster."""

    id: OrganizationId
    slug: str
    name: str
    default_cluster_id: ClusterId | None
    default_timeout_minutes: int
    maximum_timeout_minutes: int
    created_at: int


@dataclass(frozen=True, slots=True)
class User:
    """A person."""

    id: UserId
    email: str
    name: str
    password_hash: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """A person in an organization."""

    organization_id: OrganizationId
    user_id: UserId
    role: Role
    created_at: int
    sso_mode: SsoMode = SsoMode.OPTIONAL


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group of queues; an agent token belongs to exactly one.

    Attributes:
        repository_credentials: how many sources of credentials for repositories it has.
    """

    organization_id: OrganizationId
    id: ClusterId
    name: str
    description: str
    emoji: str
    color: str
    default_queue_id: QueueId | None
    created_at: int
    created_by: UserId | None
    repository_credentials: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """A line of jobs inside a cluster, addressed by `key` in agent tags."""

    organization_id: OrganizationId
    id: QueueId
    cluster_id: ClusterId
    key: str
    description: str
    dispatch_paused: bool
    created_at: int
    created_by: UserId | None
    paused_at: int = 0
    paused_by: UserId | None = None
    paused_note: str = ""
    retry_agent_affinity: Affinity = Affinity.WARMEST


_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_QUEUE_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


# First parts of paths that programs call (design §2), in lower case; the console has the others.
MACHINES = frozenset(
    {
        ".well-known",
        "agentedge.v1.agentedgeservice",
        "dagster",
        "graphql",
        "healthz",
        "leaks",
        "metrics",
        "oauth",
        "packages",
        "portal",
        "readyz",
        "v1",
        "v2",
        "v3",
    }
)
# Addresses of machines at which people arrive too, by the bare name alone: a command line sends them there.
DOORS = frozenset({"dagster"})
# And those at which they decide what programs may do; what follows a slash there is theirs too.
CONSENT = ("oauth/authorize", "oauth/device")
# First parts of the console's own paths; an organization's pages begin with its slug.
PAGES = frozenset(
    {
        "cli-auth",
        "device",
        "events",
        "forgot-password",
        "help",
        "invitations",
        "organizations",
        "recover",
        "reset-password",
        "sign-in",
        "sign-out",
        "static",
        "step-up",
        "user",
        "verify-email",
        "welcome",
    }
)


def check_organization_slug(text: str) -> str:
    """Require a slug that is not the first part of another path.

    Raises:
        Invalid: it is no slug, or it is taken by the server itself.
    """
    if check_slug(text) in MACHINES | PAGES:
        raise Invalid(
            f"Validation failed: {text!r} is a path of the server itself; take another slug",
            code="reserved_slug",
        )
    return text


def check_slug(text: str) -> str:
    """Require lower-case letters, digits and dashes.

    Raises:
        Invalid: it has other characters, or more than 63.
    """
    if not _SLUG.fullmatch(text):
        raise Invalid(
            f"Validation failed: {text!r} is no slug; use lower-case letters, digits and dashes",
            code="invalid_slug",
        )
    return text


def check_queue_key(text: str) -> str:
    """Require letters, digits, dash and underscore (contract rest-graphql §2.7).

    Raises:
        Invalid: it has other characters.
    """
    if not _QUEUE_KEY.fullmatch(text):
        raise Invalid("Validation failed: Key takes letters, digits, - and _ only", code="invalid_queue_key")
    return text


def check_color(text: str) -> str:
    """Require `#` and six hex digits, or nothing.

    Raises:
        Invalid: it is something else.
    """
    if text and not _COLOR.fullmatch(text):
        raise Invalid("Validation failed: Color is written #RRGGBB", code="invalid_color")
    return text


MAX_DESCRIPTION = 1024
MAX_EMOJI = 64


def check_words(description: str, emoji: str) -> None:
    """Require that what a cluster says of itself is not too long (contract rest-graphql §2.5).

    Raises:
        Invalid: it is.
    """
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(
            f"Validation failed: Description takes at most {MAX_DESCRIPTION} characters",
            code="invalid_description",
        )
    if len(emoji) > MAX_EMOJI:
        raise Invalid(f"Validation failed: Emoji takes at most {MAX_EMOJI} characters", code="invalid_emoji")


def slugify(name: str) -> str:
    """Make a slug of a name; empty where nothing of it can stand in one."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
