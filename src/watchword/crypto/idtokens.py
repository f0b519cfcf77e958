"""Signatures of ID tokens (JWS, RFC 7515), by the keys that an issuer publishes.

The algorithms are the asymmetric ones that the issuer announced: neither `none` nor an HMAC with a public
key as its secret can pass, whatever a token's header says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_TYPES = ("RSA", "EC", "OKP")
_MAX_TOKEN = 32 * 1024
_MAX_KEYS = 50


class UnknownKey(Exception):
    """No published key has the token's key id; there may be newer ones."""


class BadToken(Exception):
    """The token does not pass."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature is right; its claims are not judged here."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]


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
    for each in fitting:
        try:
            key = jwk.import_key(dict(each))
            decoded = jwt.decode(token, key, algorithms=allowed)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return Verified(decoded.header, decoded.claims)
    raise BadToken("signature")


def _fitting(keys: Sequence[Mapping[str, Any]], kid: object) -> list[Mapping[str, Any]]:
    usable = [one for one in keys[:_MAX_KEYS] if one.get("kty") in _TYPES and one.get("use", "sig") == "sig"]
    return [one for one in usable if kid is None or one.get("kid") == kid]
