"""Keys of job identity: private keys as the key file keeps them, public ones as relying parties read them.

A token is signed with the one algorithm of its key (RFC 7518 §3.3, §3.4), and names the key by its
thumbprint (RFC 7638), which no two keys share and nobody chooses.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from watchword.crypto.values import Secret

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

_RSA_BITS = 2048  # RFC 7518 §3.3: at least
_EXPONENT = 65537


class Algorithm(StrEnum):
    """How job identity is signed; RS256 is what every relying party takes."""

    RS256 = "RS256"
    ES256 = "ES256"


def make_private(algorithm: Algorithm) -> bytes:
    """A fresh private key (PKCS #8, DER)."""
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm is Algorithm.ES256:
        made = ec.generate_private_key(ec.SECP256R1())
    else:
        made = rsa.generate_private_key(_EXPONENT, _RSA_BITS)
    return made.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def algorithm_of(private: bytes) -> Algorithm:
    """The one algorithm that a key signs with.

    Raises:
        ValueError: it is no private key, or of another sort.
    """
    try:
        # What the key file holds was made here: the costly proof that its primes are primes is left out.
        key = serialization.load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    except TypeError as error:
        raise ValueError("a key with a password") from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _RSA_BITS:
        return Algorithm.RS256
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return Algorithm.ES256
    raise ValueError("no key for RS256 or ES256")


def public_jwk(private: bytes) -> dict[str, str]:
    """The public half as a JSON Web Key (RFC 7517) with `kid`, `use` and `alg`; nothing private is in it."""
    key, algorithm = _opened(private)
    shown = {name: str(value) for name, value in key.as_dict(private=False).items()}
    return {**shown, "kid": key.thumbprint(), "use": "sig", "alg": algorithm.value}


def sign(private: bytes, claims: Mapping[str, Any]) -> Secret:
    """A JSON Web Token in its compact form (RFC 7519)."""
    from joserfc import jwt  # noqa: PLC0415 - slow to import, and few installations mint at once

    key, algorithm = _opened(private)
    header = {"typ": "JWT", "alg": algorithm.value, "kid": key.thumbprint()}
    return Secret(jwt.encode(header, dict(claims), key, algorithms=[algorithm.value]))


@lru_cache(maxsize=32)
def _opened(private: bytes) -> "tuple[RSAKey | ECKey, Algorithm]":
    """A key as the library holds it, and its algorithm."""
    from joserfc.jwk import ECKey, RSAKey  # noqa: PLC0415 - slow to import

    algorithm = algorithm_of(private)
    kind = ECKey if algorithm is Algorithm.ES256 else RSAKey
    pem = serialization.load_der_private_key(
        private, None, unsafe_skip_rsa_key_validation=True
    ).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return kind.import_key(pem), algorithm
