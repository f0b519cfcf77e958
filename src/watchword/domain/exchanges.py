"""Token exchange (RFC 8693): applications that show an assertion and get a person's token (contract §5.7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from watchword.domain.ids import OrganizationId, ResourceId, UserId

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a type
USER_EMAIL = "urn:buildkite:params:oauth:token-type:user-email"
USER_UUID = "urn:buildkite:params:oauth:token-type:user-uuid"
ALGORITHMS = ("RS256", "ES256")

DEFAULT_TTL_S = 3600
MIN_TTL_S = 30
MAX_TTL_S = 86_400
MAX_ASSERTION_S = 300
MAX_JTI_BYTES = 255
_LEEWAY_S = 60
_BIGGEST = 2.0**53

# What exchanged tokens may change by GraphQL: work, never people, rights or credentials.
MUTATIONS = frozenset(
    {
        "agentPause",
        "agentResume",
        "agentStop",
        "buildCancel",
        "buildCreate",
        "buildRebuild",
        "clusterQueuePauseDispatch",
        "clusterQueueResumeDispatch",
        "jobTypeBlockUnblock",
        "jobTypeCommandCancel",
        "jobTypeCommandRetry",
        "pipelineCreate",
        "pipelineUpdate",
    }
)
# By REST they may make nothing that outlives them in their person's name.
BARRED = frozenset(
    {
        "api_token.create",
        "api_token.update",
        "api_token.rotate",
        "exchange_application.create",
        "exchange_application.update",
        "oauth_application.create",
        "oauth_application.update",
        "trusted_issuer.create",
        "trusted_issuer.update",
    }
)


@dataclass(frozen=True, slots=True)
class ExchangeApplication:
    """An application of an organization. Times are microseconds; 0 means not yet.

    Attributes:
        client_id: 20 hexadecimal digits; issuer and subject of its assertions.
        jwks_url: where its keys are; "" where they are `jwks`.
        grantable: scopes that its tokens may have, separated by spaces; `defaults` are some of them.
        exchange_networks: from where it may exchange; "" for anywhere.
        use_networks: from where its tokens may be used; "" for anywhere.
        max_ttl: seconds that its tokens live at most.
        require_jti: whether every assertion is good once.
        enabled: whether it may exchange at all.
    """

    organization_id: OrganizationId
    id: ResourceId
    client_id: str
    name: str
    description: str
    jwks_url: str
    jwks: str
    grantable: str
    defaults: str
    exchange_networks: str
    use_networks: str
    max_ttl: int
    require_jti: bool
    enabled: bool
    created_at: int
    created_by: UserId | None
    updated_at: int
    ended_at: int = 0


def refuse_assertion(
    claims: Mapping[str, Any], client_id: str, audience: str, seconds: float, *, require_jti: bool
) -> str:
    """Why an assertion's claims do not pass; "" where they do.

    Args:
        claims: whose signature is right.
        client_id: of the application by whose key it is.
        audience: the token endpoint's public address.
        seconds: now.
        require_jti: whether it must be good once.
    """
    for name in ("iss", "sub"):
        if claims.get(name) != client_id:
            return f"JWT `{name}` claim is invalid"
    found = claims.get("aud")
    if found != audience and not (isinstance(found, list) and audience in found):
        return "JWT `aud` claim is invalid"
    return _refuse_times(claims, seconds) or _refuse_jti(claims, require=require_jti)


def _refuse_times(claims: Mapping[str, Any], seconds: float) -> str:
    issued, expiry = _number(claims.get("iat")), _number(claims.get("exp"))
    if issued is None or issued > seconds + _LEEWAY_S:
        return "JWT `iat` claim must be in the past"
    if expiry is None or expiry <= seconds:
        return "JWT `exp` claim must be in the future"
    if expiry > issued + MAX_ASSERTION_S:
        return "JWT `exp` claim must be at most 5 minutes after `iat`"
    if "nbf" in claims:
        start = _number(claims["nbf"])
        if start is None or start > seconds:
            return "JWT `nbf` claim must not be in the future"
    return ""


def _refuse_jti(claims: Mapping[str, Any], *, require: bool) -> str:
    if "jti" not in claims:
        return "JWT must contain a `jti` claim" if require else ""
    jti = claims["jti"]
    try:
        fits = isinstance(jti, str) and 0 < len(jti.encode()) <= MAX_JTI_BYTES
    except UnicodeEncodeError:
        fits = False
    return "" if fits else "JWT `jti` claim is invalid"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _BIGGEST else None
