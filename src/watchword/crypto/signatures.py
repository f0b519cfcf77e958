"""Signatures of ours alone: HMAC-SHA256 over a list of words, for addresses that carry their own right."""

import base64
import hashlib
import hmac

from watchword.crypto.keys import Key


def sign(key: Key, *words: str) -> str:
    """A signature of the words in their order, URL-safe; no two lists of words run together."""
    message = b"".join(len(word.encode()).to_bytes(4, "big") + word.encode() for word in words)
    return base64.urlsafe_b64encode(hmac.digest(key.secret, message, hashlib.sha256)).decode().rstrip("=")


def holds(key: Key, signature: str, *words: str) -> bool:
    """Whether a signature is ours, at the same cost for every wrong one."""
    return hmac.compare_digest(sign(key, *words).encode(), signature.encode())
