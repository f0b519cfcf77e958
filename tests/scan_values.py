"""Values for the scanner's tests: of every kind, made from a seed; older forms and near misses too."""

import base64
import json
import random

from watchword.crypto.values import mint, mint_signed
from watchword.domain.kinds import BASE58, KINDS, VALUED, Body, Kind

KEY = bytes(range(32))
KINDS_TO_FIND = VALUED
CHECKED = tuple(kind for kind, spec in KINDS.items() if spec.shape.checked)
# Of the documentation of those who issued them; nothing in them can be checked.
LEGACY = (
    "bkua_4f6ccde8c73e26244d73c5a77c91c242c0c818ce",
    "bkar_" + "D3Efk6R62Fj7uprMGXsGjLhqugSfAXtAvpSjpMsykTzrHQnCH3rKETjo1NJ4yD9cSuGxsW5t3"[:73],
)


def value_of(kind: Kind, source: random.Random, *, brand: str = "bk") -> str:
    """A value of the kind; the same one for the same state of the source."""
    body = KINDS[kind].shape.body
    cell = source.choice((10, 10, 3, 999))
    hexadecimal = f"{source.getrandbits(128):032x}"
    match body:
        case Body.BASE58 | Body.HEX:
            return mint(kind, brand=brand, cell=cell, token_bytes=source.randbytes).reveal()
        case Body.JWT:
            claims = {"sub": hexadecimal, "aud": "a", "iss": "w", "exp": 2, "iat": 1, "organization_id": "o"}
            payload = _encode(json.dumps(claims, separators=(",", ":")).encode())
            return f"{brand}aj_eyJhbGciOiJIUzUxMiJ9.{payload}.{_encode(source.randbytes(64))}"
        case Body.SIGNED:
            signed = {"_rails": {"data": [hexadecimal], "exp": "2030-05-16T02:36:34.076Z"}}
            text = json.dumps(signed, separators=(",", ":")).encode()
            return mint_signed(text, KEY, brand=brand).reveal()
        case Body.DAGSTER_AGENT:
            uuid = f"{hexadecimal[:12]}4{hexadecimal[13:16]}a{hexadecimal[17:]}"
            return f"agent:org-{source.randrange(1000)}:{uuid}"
        case Body.DAGSTER_USER:
            return f"user:{hexadecimal}"
        case Body.NONE:
            raise ValueError("there is no value")


def near_miss(kind: Kind, source: random.Random) -> str:
    """A string of a checked kind's shape whose checksum does not hold."""
    value = value_of(kind, source)
    place = source.randrange(len(value) - 20, len(value))
    alphabet = "0123456789abcdef" if KINDS[kind].shape.body is Body.HEX else BASE58
    other = source.choice([character for character in alphabet if character != value[place]])
    return value[:place] + other + value[place + 1 :]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
