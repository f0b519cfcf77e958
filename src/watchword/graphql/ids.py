"""Global ids: base64 of `Type---uuid` (contract rest-graphql §1.4), read leniently, written strictly."""

import base64
import binascii
from dataclasses import dataclass

from watchword.domain.formats import graphql_id as encode
from watchword.domain.ids import is_uuid

__all__ = ["GlobalId", "encode", "read", "uuid_of"]

_MAX = 512
_SEPARATOR = "---"
_URL_SAFE = str.maketrans("-_", "+/")
# Types that clients know under two names.
_SAME = {"Job": "JobTypeCommand"}


@dataclass(frozen=True, slots=True)
class GlobalId:
    """What a global id names: a type and a lower-case UUID."""

    type: str
    uuid: str


def read(text: str) -> GlobalId | None:
    """Read a global id; blanks and missing padding are forgiven. None if it is none."""
    kept = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    if not kept or len(kept) > _MAX:
        return None
    try:
        plain = base64.b64decode(kept + "=" * (-len(kept) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, separator, uuid = plain.strip().partition(_SEPARATOR)
    uuid = uuid.strip()
    if not separator or not name.isidentifier() or not is_uuid(uuid):
        return None
    return GlobalId(_SAME.get(name, name), uuid.lower())


def uuid_of(text: str, *types: str) -> str:
    """The UUID of a global id of one of the types; empty where it is not one of them."""
    found = read(text)
    return found.uuid if found is not None and found.type in types else ""
