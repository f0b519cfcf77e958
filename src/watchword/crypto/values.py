"""Token values: mint, recognise, check offline, digest, mask. Design §1 has the shapes."""

import base64
import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, NoReturn

from watchword.domain.kinds import (
    BASE58,
    CHECKSUM_BASE58,
    CHECKSUM_HEX,
    DEFAULT_BRAND,
    DEFAULT_CELL,
    KINDS,
    SHAPES,
    Body,
    Kind,
    Shape,
)

MAX_VALUE = 2048
_CELL = r"[A-Za-z0-9_-]{2,4}"
_B64URL = r"[A-Za-z0-9_-]"
_ROUNDS = 256 // len(BASE58)
_EVEN_BASE58 = bytes(ord(BASE58[byte % len(BASE58)]) for byte in range(256))
_UNEVEN = bytes(range(_ROUNDS * len(BASE58), 256))
_BASE58_INDEX = {character: index for index, character in enumerate(BASE58)}


class Secret:
    """A value that must not be seen: masked when printed, never pickled, compared in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Call it only where the value leaves for its holder."""
        return self._value

    def masked(self) -> str:
        """Prefix and digest prefix: enough to find the token, useless to an attacker."""
        prefix = self._value.split("_", 1)[0][:5] + "_" if "_" in self._value[:6] else ""
        return f"{prefix}…({fingerprint(digest(self._value))})"

    def __repr__(self) -> str:
        return f"Secret({self.masked()})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(digest(self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


class Recognised(NamedTuple):
    """What a value shows offline: its shape, brand, cell, and whether its checksum holds.

    `checksum` is None for shapes that have none we can check without a key.
    """

    shape: Shape
    brand: str
    cell: int | None
    checksum: bool | None


def digest(value: str) -> bytes:
    """SHA-256 of the value: what is stored, and what a finder may send us instead of it."""
    return hashlib.sha256(value.encode()).digest()


def fingerprint(of: bytes) -> str:
    """The first 12 hex digits of a digest, for people."""
    return of[:6].hex()


def encode_cell(cell: int) -> str:
    """Write an installation's number as base64url of its decimal digits, without padding."""
    return base64.urlsafe_b64encode(str(cell).encode()).rstrip(b"=").decode()


@lru_cache(maxsize=1024)
def decode_cell(text: str) -> int | None:
    """Read a cell; None where the text is none."""
    try:
        digits = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        return None
    return int(digits) if digits.isdecimal() else None


def checksum_base58(text: str) -> str:
    """CRC32 of `text` as six base58 characters."""
    number = zlib.crc32(text.encode())
    characters = []
    for _ in range(CHECKSUM_BASE58):
        number, index = divmod(number, 58)
        characters.append(BASE58[index])
    return "".join(reversed(characters))


def checksum_hex(text: str) -> str:
    """CRC32 of `text` as eight hex digits."""
    return f"{zlib.crc32(text.encode()):08x}"


def prefix(shape: Shape, brand: str = DEFAULT_BRAND) -> str:
    """What every value of the shape starts with."""
    return brand + shape.prefix if shape.branded else shape.prefix


def mint(
    kind: Kind,
    *,
    brand: str = DEFAULT_BRAND,
    cell: int = DEFAULT_CELL,
    token_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Secret:
    """Make a value of a kind that is random through and through.

    Args:
        kind: any kind with a base58 or hex body.
        brand: the installation's brand.
        cell: the installation's number.
        token_bytes: source of that many random bytes; replaced by property tests alone.

    Raises:
        ValueError: the kind's value is signed (`jwt`, `signing`) or belongs to an organization.
    """
    shape = KINDS[kind].shape
    if not shape.checked:
        raise ValueError(f"a {KINDS[kind].title} is not random alone; it has its own constructor")
    base58 = shape.body is Body.BASE58
    random = _base58(shape.random, token_bytes) if base58 else token_bytes(shape.random // 2).hex()
    text = prefix(shape, brand) + encode_cell(cell) + shape.separator + random
    return Secret(text + (checksum_base58(text) if base58 else checksum_hex(text)))


def _base58(count: int, token_bytes: Callable[[int], bytes]) -> str:
    """Random base58 characters, each as likely: bytes of the last, incomplete round are thrown away."""
    found = b""
    while len(found) < count:
        found += token_bytes(2 * count).translate(_EVEN_BASE58, _UNEVEN)
    return found[:count].decode()


def mint_dagster(kind: Kind, organization: str = "") -> Secret:
    """Make a Dagster agent or user token (contract dagster-agents-api): shape alone, no checksum.

    Raises:
        ValueError: the kind is not one of Dagster's, or an agent token names no organization.
    """
    raw = bytearray(secrets.token_bytes(16))
    if kind is Kind.DAGSTER_USER:
        return Secret("user:" + raw.hex())
    if kind is not Kind.DAGSTER_AGENT or not organization:
        raise ValueError("a Dagster agent token names its organization")
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return Secret(f"agent:{organization}:{raw.hex()}")


def mint_signed(payload: bytes, key: bytes, *, brand: str = DEFAULT_BRAND) -> Secret:
    """Make a registry or temporary package token: base64url JSON, two dashes, 160 bits of HMAC-SHA-256."""
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    text = f"{brand}pt_{body}"
    return Secret(f"{text}--{_mac(text, key)}")


def check_signed(value: str, key: bytes) -> bytes | None:
    """Return the payload of a signed value, or None where the MAC does not hold."""
    text, dashes, mac = value.rpartition("--")
    if not dashes or not hmac.compare_digest(_mac(text, key).encode(), mac.encode()):
        return None
    body = text.partition("pt_")[2]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def _mac(text: str, key: bytes) -> str:
    return hmac.digest(key, text.encode(), "sha256")[:20].hex()


def pattern(shape: Shape, brand: str = DEFAULT_BRAND) -> str:
    """A regular expression (RE2 syntax) for the shape's values, for scanners of any make.

    Raises:
        ValueError: the shape has no values.
    """
    start = re.escape(prefix(shape, brand))
    match shape.body:
        case Body.BASE58:
            count = shape.random + CHECKSUM_BASE58
            return rf"{start}{_CELL}{re.escape(shape.separator)}[1-9A-HJ-NP-Za-km-z]{{{count}}}"
        case Body.HEX:
            count = shape.random + CHECKSUM_HEX
            return rf"{start}{_CELL}{re.escape(shape.separator)}[0-9a-f]{{{count}}}"
        case Body.JWT:
            return rf"{start}eyJ{_B64URL}{{10,}}\.eyJ{_B64URL}{{10,}}\.{_B64URL}{{86}}"
        case Body.SIGNED:
            return rf"{start}eyJ{_B64URL}{{10,}}={{0,2}}--[0-9a-f]{{40}}"
        case Body.DAGSTER_AGENT:
            return rf"{start}[a-z0-9][a-z0-9_-]{{0,62}}:[0-9a-f]{{12}}4[0-9a-f]{{3}}[89ab][0-9a-f]{{15}}"
        case Body.DAGSTER_USER:
            return rf"{start}[0-9a-f]{{32}}"
        case Body.NONE:
            raise ValueError("a shape without values has no pattern")


class Recogniser:
    """Recognises values of the current brand and of former ones, offline.

    Args:
        brands: the current brand first, then those that stay verifiable.
    """

    def __init__(self, brands: Sequence[str] = (DEFAULT_BRAND,)) -> None:
        self._shapes: dict[str, tuple[Shape, str, re.Pattern[str]]] = {}
        for shape in SHAPES:
            for brand in brands if shape.branded else ("",):
                compiled = re.compile(pattern(shape, brand))
                self._shapes[prefix(shape, brand)] = (shape, brand, compiled)

    def recognise(self, value: str) -> Recognised | None:
        """Tell what a value is by its shape and checksum; None where it is no shape of ours."""
        found = self._match(value)
        if found is None:
            return None
        shape, brand, _ = found
        if not shape.checked:
            return Recognised(shape, brand, None, None)
        start = len(brand) + len(shape.prefix)
        cell = decode_cell(value[start : value.index(shape.separator, start)])
        return Recognised(shape, brand, cell, checksum_holds(shape, value))

    def shape_of(self, value: str) -> Shape | None:
        """The shape of a value whose checksum, if it has one, holds; None for anything else."""
        found = self._match(value)
        if found is None or (found[0].checked and not checksum_holds(found[0], value)):
            return None
        return found[0]

    def masked(self, text: str) -> str:
        """A text in which every value of a shape of ours is masked, as for an address that may hold one."""
        for _, _, compiled in self._shapes.values():
            text = compiled.sub(lambda found: Secret(found.group()).masked(), text)
        return text

    def _match(self, value: str) -> tuple[Shape, str, re.Pattern[str]] | None:
        if len(value) > MAX_VALUE:
            return None
        mark = "_" if ":" not in value[:6] else ":"
        found = self._shapes.get(value[: value.find(mark) + 1])
        return found if found is not None and found[2].fullmatch(value) else None


def checksum_holds(shape: Shape, value: str) -> bool:
    """Whether a well-shaped value of a checked shape ends in the CRC32 of what stands before."""
    if shape.body is Body.HEX:
        return value[-CHECKSUM_HEX:] == checksum_hex(value[:-CHECKSUM_HEX])
    number = 0
    for character in value[-CHECKSUM_BASE58:]:
        number = number * 58 + _BASE58_INDEX[character]
    return number == zlib.crc32(value[:-CHECKSUM_BASE58].encode())
