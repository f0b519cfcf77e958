"""Job tokens: JSON Web Tokens (RFC 7519), HS512 and nothing else, behind the brand's prefix."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from watchword.crypto.keys import Key
from watchword.crypto.values import Secret

_ALGORITHM = "HS512"
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
    # Not `jwt.encode`: that adds `typ` to the header, and the seeds' header is `alg` alone.
    signed = jws.serialize_compact(
        {"alg": _ALGORITHM},
        json.dumps(payload, separators=(",", ":")).encode(),
        _octets(key.secret),
        algorithms=[_ALGORITHM],
    )
    return Secret(prefix + signed)


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
    """Whether the value is signed with `key`, with HS512 and a header that says no more than that."""
    token = value[len(prefix) :]
    if token.partition(".")[0] != _HEADER:
        return False
    try:
        jws.deserialize_compact(token, _octets(key.secret), algorithms=[_ALGORITHM])
    except (JoseError, ValueError, TypeError, RecursionError):
        return False
    return True


@lru_cache(maxsize=64)
def _octets(secret: bytes) -> OctKey:
    """A key as the library wants it; making one costs more than a signature."""
    return OctKey.import_key(secret)


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


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
