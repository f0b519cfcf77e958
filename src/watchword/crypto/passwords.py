"""Passwords: argon2id (RFC 9106) with the parameters that OWASP names as the least; slow on purpose.

Every function here takes tens of milliseconds and 19 MiB: call it in a thread, never on the loop.
"""

import base64

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_TIME, _MEMORY, _LANES = 2, 19 * 1024, 1
_SALT, _TAG = 16, 32
_HASHER = PasswordHasher(
    time_cost=_TIME, memory_cost=_MEMORY, parallelism=_LANES, hash_len=_TAG, salt_len=_SALT
)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).rstrip(b"=").decode()


# A well-formed hash that no password has: whoever is unknown, or has none, costs as much as the others.
DUMMY_HASH = f"$argon2id$v=19$m={_MEMORY},t={_TIME},p={_LANES}${_base64(bytes(_SALT))}${_base64(bytes(_TAG))}"


def hash_password(password: str) -> str:
    """The hash to store, with its parameters and a fresh salt."""
    return _HASHER.hash(password)


def password_matches(stored: str, password: str) -> bool:
    """Whether a password is the one of a stored hash; never for an empty or damaged one, at the same cost."""
    try:
        return _HASHER.verify(stored or DUMMY_HASH, password)
    except InvalidHashError:
        password_matches(DUMMY_HASH, password)
        return False
    except VerificationError:
        return False


def needs_rehash(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)
