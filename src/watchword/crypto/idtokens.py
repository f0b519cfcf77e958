"""Signatures of outside tokens (JWS, RFC 7515), by the keys that an issuer publishes.

The algorithms are the asymmetric ones that the issuer announced: neither `none` nor an HMAC with a public
key as its secret can pass, whatever a token's header says. Each key verifies what its type, its curve and
its own `alg` allow, and nothing else.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_TYPES = ("RSA", "EC", "OKP")
_MAX_TOKEN = 32 * 1024
_MAX_KEYS = 50
_MAX_DEPTH = 20
# What a key of a type and curve may sign with (RFC 7518 §3.1, RFC 8037 §3.1).
_OF_TYPE = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}
_COMPACT = re.compile(r"ey[A-Za-z0-9_-]+\.ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class UnknownKey(Exception):
    """No published key has the token's key id; there may be newer ones."""


class BadToken(Exception):
    """The token does not pass."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature is right; its claims are not judged here."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def is_compact(text: str, most: int = _MAX_TOKEN) -> bool:
    """Whether a text looks like a signed token of JSON in compact form; costs no more than a look at it."""
    return len(text) <= most and _COMPACT.fullmatch(text) is not None


def read_unverified(token: str) -> Verified:
    """Header and claims of a token whose signature nobody has checked yet: good for choosing a key alone.

    A name that comes twice in an object, a number that is none (`NaN`) and nesting without end are refused,
    so that nobody can read a token in two ways.

    Raises:
        BadToken: it is no such token.
    """
    if not is_compact(token):
        raise BadToken("no token in compact form")
    header, claims, _ = token.split(".")
    return Verified(_read(header), _read(claims))


def _read(part: str) -> Mapping[str, Any]:
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        found = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadToken("no JSON, or a name stands twice in it") from error
    if not isinstance(found, dict) or _deep(found, _MAX_DEPTH):
        raise BadToken("no JSON object, or one too deep")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _deep(value: object, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    return not left or any(
        _deep(one, left - 1) for one in (value.values() if isinstance(value, dict) else value)
    )


def verify(token: str, keys: Sequence[Mapping[str, Any]], algorithms: Sequence[str]) -> Verified:
    """Check a token's signature.

    Args:
        token: in its compact form.
        keys: the issuer's, as it published them (RFC 7517).
        algorithms: those that it announced; all but asymmetric ones are left out.

    Raises:
        UnknownKey: none of the keys is the one that the token names.
        BadToken: it is no such token, or its signature is wrong.
    """
    from joserfc import jwk, jws, jwt  # noqa: PLC0415 - slow to import, needed for single sign-on alone
    from joserfc.errors import JoseError  # noqa: PLC0415 - the same

    allowed = [each for each in algorithms if each in ASYMMETRIC]
    if not allowed or len(token) > _MAX_TOKEN:
        raise BadToken("no acceptable algorithm" if not allowed else "too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise BadToken("no token") from error
    if header.get("alg") not in allowed:
        raise BadToken("algorithm")
    fitting = _fitting(keys, header.get("kid"))
    if not fitting:
        raise UnknownKey
    fitting = [one for one in fitting if header["alg"] in algorithms_of(one)]
    if not fitting:
        raise BadToken("algorithm")
    for each in fitting:
        try:
            key = jwk.import_key(dict(each))
            decoded = jwt.decode(token, key, algorithms=allowed)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return Verified(decoded.header, decoded.claims)
    raise BadToken("signature")


def algorithms_of(key: Mapping[str, Any]) -> tuple[str, ...]:
    """What a published key verifies: what its type and curve allow, or its own `alg` among these."""
    kind = key.get("kty")
    found = _OF_TYPE.get((str(kind), "" if kind == "RSA" else str(key.get("crv", ""))), ())
    return found if key.get("alg") is None else tuple(one for one in found if one == key["alg"])


def _fitting(keys: Sequence[Mapping[str, Any]], kid: object) -> list[Mapping[str, Any]]:
    usable = [one for one in keys[:_MAX_KEYS] if one.get("kty") in _TYPES and one.get("use", "sig") == "sig"]
    return [one for one in usable if kid is None or one.get("kid") == kid]
