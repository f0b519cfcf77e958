"""Signed reports of leaks: as GitHub's partner programme signs them, and the same with a time in front.

GitHub signs the raw body with ECDSA over P-256 and SHA-256, writes the signature as base64 of its ASN.1 DER,
and publishes its keys as a list of `key_identifier`, `key` (PEM) and `is_current`. Whoever plays a partner
(a drill, the fake partner, a test) makes a `ReportKey`, publishes `key_list`, and sends `github_headers`.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

KEY_ID_HEADER = "Github-Public-Key-Identifier"
SIGNATURE_HEADER = "Github-Public-Key-Signature"
# Headers of a generic signed report, whose time is signed with it.
SIGNED_KEY_ID_HEADER = "Watchword-Key-Id"
SIGNED_TIME_HEADER = "Watchword-Timestamp"
SIGNED_SIGNATURE_HEADER = "Watchword-Signature"

MAX_KEYS = 50
MAX_KEY_ID = 255
MAX_KEY_LIST = 256 * 1024
_MAX_PEM = 4096
_MAX_SIGNATURE = 256
_ECDSA = ec.ECDSA(hashes.SHA256())
# Order of the group of P-256 (SEC 2 §2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class UnfitKey(ValueError):
    """A key, or a list of keys, is none that reports may be signed with."""


@dataclass(frozen=True, slots=True, repr=False)
class ReportKey:
    """A key that signs reports: a partner's half of the protocol.

    Attributes:
        id: hex SHA-256 of the public key, as it stands in lists and headers.
    """

    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    id: str

    def __repr__(self) -> str:
        return f"ReportKey({self.id[:12]}…)"

    @classmethod
    def generate(cls) -> "ReportKey":
        """A fresh P-256 key."""
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(private, key_id(private.public_key()))

    @classmethod
    def read(cls, pem: str) -> "ReportKey":
        """A key as `pem` writes it.

        Raises:
            UnfitKey: it is no private key that reports are signed with.
        """
        try:
            private = load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnfitKey("no private key in PEM, without a password") from None
        if isinstance(private, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            return cls(private, key_id(_fitting(private.public_key())))
        raise UnfitKey("neither ECDSA over P-256 nor Ed25519")

    def pem(self) -> str:
        """The private key (PKCS 8, no password): for a file that its owner alone may read."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def public_pem(self) -> str:
        """The public key, as lists and settings hold it."""
        return public_pem(self.private.public_key())

    def sign(self, message: bytes) -> str:
        """Base64 of a signature of the message."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return base64.b64encode(self.private.sign(message)).decode()
        return base64.b64encode(self.private.sign(message, _ECDSA)).decode()


def public_pem(key: PublicKey) -> str:
    """A public key as lists and settings hold it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(key: PublicKey) -> str:
    """Hex SHA-256 of a public key: the name of those that name themselves."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def github_headers(key: ReportKey, body: bytes) -> dict[str, str]:
    """The headers of a report in GitHub's protocol, over its raw body."""
    return {
        "Content-Type": "application/json",
        KEY_ID_HEADER: key.id,
        SIGNATURE_HEADER: key.sign(body),
    }


def signed_headers(key: ReportKey, body: bytes, seconds: int) -> dict[str, str]:
    """The headers of a generic signed report that is sent at a time, in seconds since the epoch."""
    return {
        "Content-Type": "application/json",
        SIGNED_KEY_ID_HEADER: key.id,
        SIGNED_TIME_HEADER: str(seconds),
        SIGNED_SIGNATURE_HEADER: key.sign(timed(str(seconds), body)),
    }


def timed(seconds: str, body: bytes) -> bytes:
    """What a generic report's signature covers: its time as it was sent, a dot, the raw body."""
    return seconds.encode("latin-1") + b"." + body


def key_list(keys: Sequence[tuple[ReportKey, bool]]) -> bytes:
    """The document that a partner publishes; with each key whether it is current."""
    rows = [
        {"key_identifier": key.id, "key": key.public_pem(), "is_current": current} for key, current in keys
    ]
    return json.dumps({"public_keys": rows}).encode()


def read_key_list(document: bytes) -> dict[str, PublicKey]:
    """The current keys of a partner's list, by their ids.

    A key that is not current, or is no P-256 key, is left out: nothing that it signed passes.

    Raises:
        UnfitKey: it is no such list, or longer than any.
    """
    if len(document) > MAX_KEY_LIST:
        raise UnfitKey("the list is too long")
    try:
        rows = json.loads(document)["public_keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UnfitKey("no list of public_keys") from None
    if not isinstance(rows, list) or len(rows) > MAX_KEYS:
        raise UnfitKey(f"no list of at most {MAX_KEYS} public_keys")
    found: dict[str, PublicKey] = {}
    for row in rows:
        known = _read_row(row)
        if known is not None:
            found[known[0]] = known[1]
    return found


def _read_row(row: Any) -> tuple[str, PublicKey] | None:  # noqa: ANN401 - whatever somebody published
    if not isinstance(row, Mapping) or row.get("is_current") is not True:
        return None
    name, pem = row.get("key_identifier"), row.get("key")
    if not isinstance(name, str) or not isinstance(pem, str) or not 0 < len(name) <= MAX_KEY_ID:
        return None
    try:
        key = read_public_key(pem)
    except UnfitKey:
        return None
    return (name, key) if isinstance(key, ec.EllipticCurvePublicKey) else None


def read_public_key(pem: str) -> PublicKey:
    """A public key in PEM.

    Raises:
        UnfitKey: it is neither ECDSA over P-256 nor Ed25519.
    """
    if len(pem) > _MAX_PEM:
        raise UnfitKey("longer than any key")
    try:
        return _fitting(load_pem_public_key(pem.encode()))
    except (ValueError, UnsupportedAlgorithm):
        raise UnfitKey("neither ECDSA over P-256 nor Ed25519, in PEM") from None


def _fitting(key: object) -> PublicKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise UnfitKey("neither ECDSA over P-256 nor Ed25519")


def verify(key: PublicKey | None, signature: str, message: bytes) -> bool:
    """Whether a signature holds.

    The work is the same whatever is wrong: with no key, or with what is no signature at all, one that
    cannot hold is checked instead.

    Args:
        key: None where the named key is unknown.
        signature: base64, of strict DER for ECDSA.
        message: what was signed, byte for byte.
    """
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = _decoded(signature)
        return _ed25519_holds(key, raw or bytes(_ED25519_BYTES), message) and raw is not None
    raw = _strict(signature)
    stand_in = key is None or raw is None
    holds = _ecdsa_holds(_NOBODY if key is None else key, _NOTHING if raw is None else raw, message)
    return holds and not stand_in


_ED25519_BYTES = 64


def _decoded(signature: str) -> bytes | None:
    if len(signature) > _MAX_SIGNATURE:
        return None
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None


def _strict(signature: str) -> bytes | None:
    """DER of two numbers of the group's range, written in the one way that DER allows; else None."""
    raw = _decoded(signature)
    if raw is None:
        return None
    try:
        r, s = decode_dss_signature(raw)
    except ValueError:
        return None
    if not (0 < r < _ORDER and 0 < s < _ORDER) or encode_dss_signature(r, s) != raw:
        return None
    return raw


def _ecdsa_holds(key: ec.EllipticCurvePublicKey, raw: bytes, message: bytes) -> bool:
    try:
        key.verify(raw, message, _ECDSA)
    except InvalidSignature:
        return False
    return True


def _ed25519_holds(key: ed25519.Ed25519PublicKey, raw: bytes, message: bytes) -> bool:
    try:
        key.verify(raw, message)
    except InvalidSignature:
        return False
    return True


# Nobody's key, and a signature that holds for nothing.
_NOBODY = ec.generate_private_key(ec.SECP256R1()).public_key()
_NOTHING = encode_dss_signature(_ORDER // 2, _ORDER // 3)
