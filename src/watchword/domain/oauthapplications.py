"""Applications of OAuth: who may ask people for access, by which flows, and where answers are sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from watchword.domain.errors import Invalid
from watchword.domain.ids import OrganizationId, ResourceId, UserId
from watchword.domain.oauth import AUTHORIZATION_CODE, DEVICE_CODE
from watchword.domain.scopes import ALL_SCOPES, GRAPHQL, REST_SCOPES, canonical

FLOWS = (AUTHORIZATION_CODE, DEVICE_CODE)
MAX_NAME = 100
MAX_REDIRECT_URIS = 20
MAX_URI = 2000
MIN_TOKEN_SECONDS = 60
MAX_TOKEN_SECONDS = 365 * 24 * 3600
# RFC 8252 §7.3: a program on the person's own machine takes whatever port is free.
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?((?:[/?].*)?)")
_CLIENT_ID = re.compile(r"[0-9a-f]{20}")
# Characters of RFC 3986; a backslash or a space is read in different ways by different programs.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]+")


@dataclass(frozen=True, slots=True)
class Application:
    """An application that people connect. One that an organization registered reaches that one alone.

    Attributes:
        organization_id: whose it is; "" for one that is built in.
        confidential: whether it has a secret; a public client runs on people's machines.
        secret_digest: SHA-256 of the secret; empty for public clients.
        flows: grant types by which people connect it.
        scopes: the most that it may be given, separated by spaces.
        token_seconds: how long its access tokens live; 0 means until they are revoked.
        refresh: whether it gets refresh tokens.
        ended_at: when it was deleted; 0 while it is there.
    """

    organization_id: OrganizationId
    id: ResourceId
    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    confidential: bool
    secret_digest: bytes
    flows: tuple[str, ...]
    scopes: str
    token_seconds: int
    refresh: bool
    created_at: int
    created_by: UserId | None
    updated_at: int
    ended_at: int = 0

    @property
    def built_in(self) -> bool:
        """Whether every installation has it."""
        return not self.organization_id

    def redirects_to(self, uri: str) -> bool:
        """Whether answers may be sent there: exactly as registered; loopback with any port."""
        asked = without_port(uri)
        return any(uri == known or (asked and asked == without_port(known)) for known in self.redirect_uris)

    def open_scopes(self, asked: frozenset[str]) -> frozenset[str]:
        """What it may have of what it asks for."""
        return asked & frozenset(self.scopes.split())


# The command line `bk`: its id stands in its source (contract rest-graphql §5.6).
BK = Application(
    organization_id=OrganizationId(""),
    id=ResourceId(""),
    client_id="5214b230f06b48938ab5",
    name="Buildkite CLI (bk)",
    redirect_uris=("http://127.0.0.1/callback",),
    confidential=False,
    secret_digest=b"",
    flows=FLOWS,
    scopes=" ".join(sorted((*REST_SCOPES, GRAPHQL))),
    token_seconds=8 * 3600,
    refresh=True,
    created_at=0,
    created_by=None,
    updated_at=0,
)
BUILT_IN = {BK.client_id: BK}


def without_port(uri: str) -> str:
    """A loopback address without its port; "" for every other address."""
    found = _LOOPBACK.fullmatch(uri)
    return f"http://{found[1]}{found[2]}" if found else ""


def check_redirect_uris(uris: Sequence[str], flows: Sequence[str]) -> tuple[str, ...]:
    """Require addresses to which codes may be sent.

    Raises:
        Invalid: one is not acceptable, there are too many, or none where the flow needs one.
    """
    found = tuple(dict.fromkeys(uri.strip() for uri in uris if uri.strip()))
    if len(found) > MAX_REDIRECT_URIS:
        raise Invalid(
            f"Validation failed: Redirect URIs takes at most {MAX_REDIRECT_URIS}", code="invalid_redirect_uri"
        )
    for uri in found:
        _check_redirect_uri(uri)
    if AUTHORIZATION_CODE in flows and not found:
        raise Invalid(
            "Validation failed: Redirect URIs can't be blank where authorization_code is allowed",
            code="invalid_redirect_uri",
        )
    return found


def _check_redirect_uri(uri: str) -> None:
    """Require https, http on loopback, or a scheme of the application's own with a dot (RFC 8252 §7)."""
    try:
        parts = urlsplit(uri)
        good = bool(_URI.fullmatch(uri)) and len(uri) <= MAX_URI and parts.username is None
        _ = parts.port
    except ValueError:
        good = False
    else:
        if parts.scheme == "https":
            good = good and bool(parts.hostname)
        elif parts.scheme == "http":
            good = good and parts.hostname in ("127.0.0.1", "::1", "localhost")
        else:
            good = good and "." in parts.scheme
    if not good:
        raise Invalid(
            f"Validation failed: {uri!r} is no redirect URI: use https, http on 127.0.0.1 or [::1], or a "
            "scheme of the application's own with a dot in it; no fragment, no name and password",
            code="invalid_redirect_uri",
        )


def check_application_name(text: str) -> str:
    """Require a name; people read it when they are asked for access.

    Raises:
        Invalid: it is empty, too long, or holds characters that cannot be seen.
    """
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Invalid(
            f"Validation failed: Name takes 1 to {MAX_NAME} visible characters", code="invalid_name"
        )
    return name


def check_flows(flows: Sequence[str]) -> tuple[str, ...]:
    """Require grant types that people connect applications by; `device_code` may be written short.

    Raises:
        Invalid: there is none, or one is unknown.
    """
    long = {"device_code": DEVICE_CODE}
    found = tuple(dict.fromkeys(long.get(flow, flow) for flow in flows))
    if not found or not set(found) <= set(FLOWS):
        raise Invalid(
            "Validation failed: Flows are authorization_code, device_code, or both", code="invalid_flows"
        )
    return found


def check_application_scopes(words: Sequence[str]) -> str:
    """Require scopes that an application may be given at most.

    Raises:
        Invalid: there is none, or one is unknown.
    """
    try:
        found = canonical(words)
    except ValueError as error:
        raise Invalid(f"Validation failed: {error}", code="unknown_scope") from None
    if not found or not found <= ALL_SCOPES:
        raise Invalid("Validation failed: Scopes can't be blank", code="scopes_missing")
    return " ".join(sorted(found))


def check_token_seconds(seconds: int) -> int:
    """Require a lifetime of access tokens; 0 means until they are revoked.

    Raises:
        Invalid: it is out of bounds.
    """
    if seconds and not MIN_TOKEN_SECONDS <= seconds <= MAX_TOKEN_SECONDS:
        raise Invalid(
            f"Validation failed: Token lifetime is from {MIN_TOKEN_SECONDS} to {MAX_TOKEN_SECONDS} seconds, "
            "or 0 for tokens that live until they are revoked",
            code="invalid_lifetime",
        )
    return seconds


def is_client_id(text: str) -> bool:
    """Whether a text has the form of a client id."""
    return _CLIENT_ID.fullmatch(text) is not None
