"""The table of token kinds: shape, subject, life and storage of each; everything else asks it."""

from enum import StrEnum
from typing import NamedTuple

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
HEX = "0123456789abcdef"

DEFAULT_BRAND = "bk"
DEFAULT_CELL = 10


class Kind(StrEnum):
    """What a token is. The text is stored and shown; it never changes."""

    AGENT = "agent"
    UNCLUSTERED_AGENT = "unclustered_agent"
    AGENT_SESSION = "agent_session"
    JOB = "job"
    API_ACCESS = "api_access"
    REGISTRY = "registry"
    TEMPORARY_PACKAGE = "temporary_package"
    PORTAL_SERVICE = "portal_service"
    PORTAL_EPHEMERAL = "portal_ephemeral"
    PORTAL_USER = "portal_user"
    PORTAL_SECRET = "portal_secret"  # noqa: S105 - the name of a kind
    TOKEN_EXCHANGE = "token_exchange"  # noqa: S105 - the name of a kind
    OAUTH_REFRESH = "oauth_refresh"
    DAGSTER_AGENT = "dagster_agent"
    DAGSTER_USER = "dagster_user"
    TRUSTED_ISSUER = "trusted_issuer"


class Body(StrEnum):
    """How the part after the prefix is built."""

    BASE58 = "base58"  # cell, separator, random base58, six base58 characters of CRC32
    HEX = "hex"  # cell, separator, random hex, eight hex digits of CRC32
    JWT = "jwt"  # HS512 JSON Web Token (RFC 7519)
    SIGNED = "signed"  # base64url JSON, "--", 40 hex digits of MAC
    DAGSTER_AGENT = "dagster_agent"  # organization, ":", version-4 UUID as 32 hex digits
    DAGSTER_USER = "dagster_user"  # 32 hex digits
    NONE = "none"  # there is no value: others issue what is presented


class Shape(NamedTuple):
    """A family of values that look alike offline.

    Attributes:
        name: stable name for findings and patterns.
        prefix: text before the body; for branded shapes without the brand, e.g. `ct_`.
        branded: whether the installation's brand stands before the prefix.
        body: how the rest is built.
        separator: between cell and random part.
        random: random characters, checksum aside.
    """

    name: str
    prefix: str
    branded: bool
    body: Body
    separator: str = ""
    random: int = 0

    @property
    def checked(self) -> bool:
        """Whether a checksum inside the value can be checked offline, without a secret."""
        return self.body in (Body.BASE58, Body.HEX)


class KindSpec(NamedTuple):
    """One row of the table.

    Attributes:
        kind: the kind.
        title: what people call it.
        shape: how its value looks.
        shared: several holders may use one value at once (decides how a rotation commits).
        revealable: an organization's policy may allow to reveal it later.
        imported: a value issued elsewhere may be taken over.
    """

    kind: Kind
    title: str
    shape: Shape
    shared: bool = False
    revealable: bool = False
    imported: bool = False


CHECKSUM_BASE58 = 6
CHECKSUM_HEX = 8

_CT = Shape("agent-token", "ct_", True, Body.BASE58, ".", 71)
_AR = Shape("unclustered-agent-token", "ar_", True, Body.BASE58, ".", 71)
_AA = Shape("agent-session-token", "aa_", True, Body.BASE58, ".", 71)
_AJ = Shape("job-token", "aj_", True, Body.JWT)
_UA = Shape("api-access-token", "ua_", True, Body.HEX, ".", 32)
_PT = Shape("registry-token", "pt_", True, Body.SIGNED)
_PAT = Shape("portal-token", "pat_", True, Body.HEX, "_", 32)
_PS = Shape("portal-secret", "ps_", True, Body.HEX, "_", 52)
_TX = Shape("token-exchange-token", "tx_", True, Body.HEX, ".", 32)
_UR = Shape("oauth-refresh-token", "ur_", True, Body.HEX, ".", 32)
_DA = Shape("dagster-agent-token", "agent:", False, Body.DAGSTER_AGENT)
_DU = Shape("dagster-user-token", "user:", False, Body.DAGSTER_USER)
_NO = Shape("trusted-issuer", "", False, Body.NONE)

SHAPES: tuple[Shape, ...] = (_CT, _AR, _AA, _AJ, _UA, _PT, _PAT, _PS, _TX, _UR, _DA, _DU)

KINDS: dict[Kind, KindSpec] = {
    spec.kind: spec
    for spec in (
        KindSpec(Kind.AGENT, "agent token", _CT, shared=True, revealable=True, imported=True),
        KindSpec(
            Kind.UNCLUSTERED_AGENT,
            "unclustered agent token",
            _AR,
            shared=True,
            revealable=True,
            imported=True,
        ),
        KindSpec(Kind.AGENT_SESSION, "agent session token", _AA),
        KindSpec(Kind.JOB, "job token", _AJ),
        KindSpec(Kind.API_ACCESS, "API access token", _UA, imported=True),
        KindSpec(Kind.REGISTRY, "registry token", _PT, shared=True, revealable=True),
        KindSpec(Kind.TEMPORARY_PACKAGE, "temporary package token", _PT),
        KindSpec(Kind.PORTAL_SERVICE, "portal token", _PAT, shared=True, revealable=True),
        KindSpec(Kind.PORTAL_EPHEMERAL, "ephemeral portal token", _PAT),
        KindSpec(Kind.PORTAL_USER, "user-invoked portal token", _PAT),
        KindSpec(Kind.PORTAL_SECRET, "portal secret", _PS, revealable=True),
        KindSpec(Kind.TOKEN_EXCHANGE, "token-exchange access token", _TX),
        KindSpec(Kind.OAUTH_REFRESH, "OAuth refresh token", _UR),
        KindSpec(Kind.DAGSTER_AGENT, "Dagster agent token", _DA, shared=True, revealable=True, imported=True),
        KindSpec(Kind.DAGSTER_USER, "Dagster user token", _DU, revealable=True, imported=True),
        KindSpec(Kind.TRUSTED_ISSUER, "trusted issuer", _NO),
    )
}


# Kinds whose values somebody can lose or find; a trusted issuer's record has none.
VALUED: tuple[Kind, ...] = tuple(kind for kind, spec in KINDS.items() if spec.shape.body is not Body.NONE)


def kinds_of(shape: Shape) -> tuple[Kind, ...]:
    """Kinds whose values have this shape; only the stored record tells them apart."""
    return tuple(spec.kind for spec in KINDS.values() if spec.shape is shape)
