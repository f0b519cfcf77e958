"""The credential in an `Authorization` header, as the adapters for frameworks read it."""

import base64
import binascii


def value_of(header: str | None) -> str | None:
    """The value behind `Bearer` or `Token`; behind `Basic` the password, or the user name without one."""
    scheme, _, rest = (header or "").strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() in ("bearer", "token"):
        return rest or None
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password or user or None
