"""Portals: GraphQL that an administrator stored, and that tokens of the portal may run and nothing else.

Contract rest-graphql §2.12 and §5.1 to §5.4.
"""

from dataclasses import dataclass

from watchword.domain.accounts import check_slug, slugify
from watchword.domain.errors import Invalid
from watchword.domain.ids import OrganizationId, ResourceId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import parse_networks
from watchword.domain.tokens import MINUTE_US

# What runs a portal; a secret only asks for ephemeral tokens.
PORTAL_TOKENS = (Kind.PORTAL_SERVICE, Kind.PORTAL_EPHEMERAL, Kind.PORTAL_USER)
PORTAL_KINDS = (*PORTAL_TOKENS, Kind.PORTAL_SECRET)
MAX_SECRETS = 2
MAX_NAME = 255
MAX_DESCRIPTION = 1024
MAX_QUERY = 32_768
_MAX_NETWORKS = 4096
EPHEMERAL_US = 60 * MINUTE_US
USER_US = 12 * 60 * MINUTE_US
CODE_US = 5 * MINUTE_US
# How long a code that is over is told apart from one that never was.
CODE_KEPT_US = 24 * 60 * MINUTE_US


@dataclass(frozen=True, slots=True)
class Portal:
    """A portal. Times are microseconds.

    Attributes:
        query: the document, byte for byte as it was given.
        allowed_networks: blocks from which it may be run, as they were given; empty means from anywhere.
        user_invokable: whether members may run it in their own name, by codes.
    """

    organization_id: OrganizationId
    id: ResourceId
    slug: str
    name: str
    description: str
    query: str
    allowed_networks: str
    user_invokable: bool
    created_at: int
    created_by: UserId | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class PortalCode:
    """A code by which a program asks a member for a token; 0 means not yet.

    Attributes:
        digest: SHA-256 of the code, which stands in the address that the member opens.
        secret_digest: SHA-256 of what the program alone has.
        address: from where it was asked for; empty where that is ambiguous.
        client: what the program called itself.
        decided_by: the member who approved or denied it.
    """

    organization_id: OrganizationId
    portal_id: ResourceId
    digest: bytes
    secret_digest: bytes
    created_at: int
    expires_at: int
    address: str
    client: str
    decided_by: UserId | None = None
    approved_at: int = 0
    denied_at: int = 0
    used_at: int = 0


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """One operation of a portal's document.

    Attributes:
        name: its name; empty where it has none.
        kind: `query` or `mutation`.
        fields: what it asks of the root, by name.
        variables: names of what whoever runs it may fill in.
    """

    name: str
    kind: str
    fields: tuple[str, ...]
    variables: tuple[str, ...]


def check_portal(portal: Portal) -> Portal:
    """Require that a portal's own words are acceptable; its document is checked against the schema elsewhere.

    Raises:
        Invalid: name, slug, description, document or networks are not.
    """
    if not portal.name.strip():
        raise Invalid("Validation failed: Name can't be blank", code="invalid_name")
    _require_length("Name", portal.name, MAX_NAME, "invalid_name")
    _require_length("Description", portal.description, MAX_DESCRIPTION, "invalid_description")
    if not portal.query.strip():
        raise Invalid("Validation failed: Query can't be blank", code="invalid_query")
    _require_length("Query", portal.query, MAX_QUERY, "invalid_query")
    _require_length("Allowed IP addresses", portal.allowed_networks, _MAX_NETWORKS, "too_many_networks")
    check_slug(portal.slug)
    parse_networks(portal.allowed_networks)
    return portal


def slug_of(name: str) -> str:
    """The slug of a portal whose creator chose none.

    Raises:
        Invalid: nothing of the name can stand in one.
    """
    made = slugify(name)
    if not made:
        raise Invalid("Validation failed: Slug can't be made of this name; give one", code="invalid_slug")
    return made


def lifetime(minutes: int | None, longest: int) -> int:
    """How long a token lives, in microseconds; whoever asks may only shorten it.

    Args:
        minutes: what was asked for; None where nothing was.
        longest: microseconds; what it is where nothing was asked for, and at most.

    Raises:
        Invalid: it is no positive number of minutes, or more than the longest.
    """
    if minutes is None:
        return longest
    most = longest // MINUTE_US
    if not 1 <= minutes <= most:
        raise Invalid(
            f"Validation failed: expires_in is a number of minutes from 1 to {most}",
            code="invalid_expires_in",
        )
    return minutes * MINUTE_US


def _require_length(what: str, text: str, most: int, code: str) -> None:
    if len(text) > most:
        raise Invalid(f"Validation failed: {what} takes at most {most} characters", code=code)
