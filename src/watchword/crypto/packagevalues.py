"""Values of registry tokens and temporary package tokens: base64url JSON and a MAC (design §1).

The JSON begins with the number of the key that made the MAC, so that keys can be rotated. It holds 256
random bits besides: what decides about a value is the row of its digest, and the MAC keeps guesses and
altered values away from the database.
"""

import base64
import json
import re
import secrets

from watchword.crypto.keys import KeyRing, Purpose
from watchword.crypto.values import Secret, check_signed, mint_signed
from watchword.domain.ids import OrganizationId, ResourceId
from watchword.domain.kinds import DEFAULT_BRAND

_RANDOM_BYTES = 32
# The bytes that hold the number, in base64: `{"key":` and as many digits as a key number ever has.
_HEAD = 24
_NUMBER = re.compile(rb'\{"key":([0-9]{1,6}),')


def mint_package_value(
    keys: KeyRing,
    organization_id: OrganizationId,
    registry_id: ResourceId,
    *,
    brand: str = DEFAULT_BRAND,
    expires_at: int = 0,
    access: str = "",
) -> Secret:
    """Make a value.

    Args:
        keys: the installation's.
        organization_id: whose registry it is.
        registry_id: the registry that it opens.
        brand: the installation's brand.
        expires_at: seconds since the epoch; 0 where it does not expire.
        access: `read` or `write` of a temporary package token.
    """
    key = keys.active(Purpose.MAC)
    claims: dict[str, object] = {"key": key.number, "org": organization_id, "reg": registry_id}
    if expires_at:
        claims |= {"exp": expires_at, "access": access}
    claims["rnd"] = secrets.token_urlsafe(_RANDOM_BYTES)
    text = json.dumps(claims, separators=(",", ":"))
    return mint_signed(text.encode(), key.secret, brand=brand)


def package_value_holds(keys: KeyRing, value: str) -> bool:
    """Whether a well-shaped value carries the MAC of one of our keys; no I/O."""
    head = value.partition("pt_")[2][:_HEAD]
    try:
        found = _NUMBER.match(base64.urlsafe_b64decode(head))
    except ValueError:
        return False
    key = keys.find(Purpose.MAC, int(found[1])) if found is not None else None
    return key is not None and check_signed(value, key.secret) is not None
