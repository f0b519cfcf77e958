"""Sealing: AES-256-GCM with the key's number and the associated data bound in (NIST SP 800-38D)."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.crypto.keys import KeyRing, Purpose

_NONCE = 12
_NUMBER = 4


def seal(keys: KeyRing, content: bytes, bound_to: str) -> bytes:
    """Encrypt `content` so that it opens only together with the same `bound_to`."""
    key = keys.active(Purpose.SEALING)
    nonce = secrets.token_bytes(_NONCE)
    number = key.number.to_bytes(_NUMBER, "big")
    return number + nonce + AESGCM(key.secret).encrypt(nonce, content, number + bound_to.encode())


def unseal(keys: KeyRing, sealed: bytes, bound_to: str) -> bytes | None:
    """Decrypt; None where key, binding or content do not fit."""
    number = sealed[:_NUMBER]
    key = keys.find(Purpose.SEALING, int.from_bytes(number, "big"))
    if key is None:
        return None
    nonce, content = sealed[_NUMBER : _NUMBER + _NONCE], sealed[_NUMBER + _NONCE :]
    try:
        return AESGCM(key.secret).decrypt(nonce, content, number + bound_to.encode())
    except (InvalidTag, ValueError):
        return None
