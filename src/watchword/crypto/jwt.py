"""Job tokens: JSON Web Tokens (RFC 7519), HS512 and nothing else, behind the brand's prefix."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from watchword.crypto.keys import Key
from watchword.crypto.values import Secret

_HEADER = "eyJhbGciOiJIUzUxMiJ9"  # {"alg":"HS512"}, the seeds' header, written in this one way
MAX_TOKEN = 2048


@dataclass(frozen=True, slots=True)
class JobClaims:
    """What a job token says. Times are whole seconds; `fence` is not in the value, the job row has it."""

    sub: str
    aud: str
    iss: str
    iat: int
    exp: int
    organization_id: str


def sign(claims: JobClaims, key: Key, prefix: str) -> Secret:
    """Make the value; the same claims and key give the same value, so an accept can be repeated."""
    payload = {
        "sub": claims.sub,
        "aud": claims.aud,
        "iss": claims.iss,
        "exp": claims.exp,
        "iat": claims.iat,
        "organization_id": claims.organization_id,
    }
    text = json.dumps(payload, separators=(",", ":")).encode()
    signed = f"{_HEADER}.{_encode(text)}"
    return Secret(f"{prefix}{signed}.{_signature(signed, key)}")


def read_claims(value: str, prefix: str) -> JobClaims | None:
    """Read a value's claims WITHOUT checking its signature; None where they are not a job token's."""
    if len(value) > MAX_TOKEN or not value.startswith(prefix):
        return None
    parts = value[len(prefix) :].split(".")
    if len(parts) != 3:  # noqa: PLR2004 - RFC 7515 §3.1
        return None
    try:
        claims = json.loads(_decode(parts[1]).decode("utf-8"), object_pairs_hook=_unique)
        return JobClaims(
            sub=_text(claims, "sub"),
            aud=_text(claims, "aud"),
            iss=_text(claims, "iss"),
            iat=_number(claims, "iat"),
            exp=_number(claims, "exp"),
            organization_id=_text(claims, "organization_id"),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def signature_holds(value: str, prefix: str, key: Key) -> bool:
    """Whether the value is signed with `key`, with HS512 and a header that says no more than that.

    The signature is compared as text, so that it can be written in one way alone.
    """
    signed, _, signature = value[len(prefix) :].rpartition(".")
    if signed.partition(".")[0] != _HEADER or not value.isascii():
        return False
    return hmac.compare_digest(_signature(signed, key), signature)


def _signature(signed: str, key: Key) -> str:
    """HMAC with SHA-512 (RFC 7518 §3.2) of header and payload."""
    return _encode(hmac.digest(key.secret, signed.encode(), "sha512"))


def _encode(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        raise ValueError("base64url has one way to write a value")
    return raw


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose names are unique: readers differ in which of two they take (RFC 7519 §4)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _text(claims: Mapping[str, object], name: str) -> str:
    found = claims[name]
    # Ids go into queries before the signature is checked; lone surrogates and NUL cannot.
    if not isinstance(found, str) or not (found.isascii() and found.isprintable()):
        raise TypeError(name)
    return found


def _number(claims: Mapping[str, object], name: str) -> int:
    found = claims[name]
    if not isinstance(found, int) or isinstance(found, bool):
        raise TypeError(name)
    return found
