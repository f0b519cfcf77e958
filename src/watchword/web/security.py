"""What every page is held to: headers, cookies, and where a form may come from."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from watchword.crypto.values import Secret
from watchword.domain.errors import Forbidden

# The prefix makes browsers hold to: Secure, no Domain, Path=/ (RFC 6265bis §4.1.3.2).
SESSION_COOKIE = "__Host-watchword"
# Before somebody is signed in their forms are bound to this one.
VISIT_COOKIE = "__Host-watchword-visit"
CSRF_FIELD = "csrf"

CONTENT_SECURITY = "content-security-policy"


def content_security(connect: str = "'self'", form: str = "") -> str:
    """The policy of a page.

    Args:
        connect: the one address that its script may ask; our own where no other is named.
        form: where else the answer to its form may send the browser; browsers follow no redirect of a form
            to where forms may not go.
    """
    target = f"'self' {form}".rstrip()
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {connect}; form-action {target}; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types watchword"
    )


HEADERS: tuple[tuple[str, str], ...] = (
    (CONTENT_SECURITY, content_security()),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
NO_STORE = ("cache-control", "no-store")
TRANSPORT = ("strict-transport-security", "max-age=31536000")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = frozenset({"localhost", "localhost."})
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request says that it comes from, and how it came.

    Attributes:
        host: the Host header.
        encrypted: whether it came by TLS, to us or to a proxy that we trust.
        public_url: the installation's own address.
    """

    host: str
    encrypted: bool
    public_url: str

    @property
    def can_sign_in(self) -> bool:
        """Whether a browser keeps our cookies here: over TLS, or where the name is loopback."""
        public = urlsplit(self.public_url)
        return (
            self.encrypted
            or is_loopback(self.host)
            or (public.scheme == "https" and public.netloc.lower() == self.host.lower())
        )


def is_loopback(host: str) -> bool:
    """Whether a Host header names this very machine, which browsers trust without TLS."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def new_key() -> Secret:
    """A value for the visit's cookie."""
    return Secret(secrets.token_urlsafe(_KEY_BYTES))


def csrf_token(cookie: Secret) -> str:
    """The token in the forms of whoever holds a cookie; nobody else can make it."""
    return hmac.new(cookie.reveal().encode(), b"watchword console form", hashlib.sha256).hexdigest()


def require_same_site(method: str, headers: Mapping[str, str], host: str) -> None:
    """Refuse what another site makes a browser send; clients that say nothing need the form's token alone.

    Raises:
        Forbidden: it comes from another site.
    """
    if method in _SAFE:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        allowed = site == "same-origin"
    elif origin is not None and origin != "null":
        allowed = urlsplit(origin).netloc.lower() == host.lower()
    else:
        allowed = True
    if not allowed:
        raise Forbidden(
            "This form was sent from another site; open it here and try again.", code="cross_site"
        )


def require_token(method: str, given: str, cookie: Secret | None) -> None:
    """Require the form's token.

    Raises:
        Forbidden: it is missing or not this visitor's.
    """
    if method in _SAFE:
        return
    if cookie is None or not hmac.compare_digest(given.encode(), csrf_token(cookie).encode()):
        raise Forbidden(
            "This form is out of date; open the page again and send it anew.", code="form_out_of_date"
        )


def cookie_header(name: str, value: str, max_age: int | None = None) -> tuple[str, str]:
    """A `Set-Cookie` header; `max_age` in seconds, 0 deletes, None lives as long as the browser."""
    age = "" if max_age is None else f"; Max-Age={max_age}"
    return "set-cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}"
