"""Says of any string what it is: which token's value, and if it nearly is one, what is wrong with it."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from watchword.crypto.values import MAX_VALUE, Secret, checksum_holds, decode_cell, digest, fingerprint
from watchword.domain.kinds import CHECKSUM_BASE58, CHECKSUM_HEX, DEFAULT_BRAND, Body, Shape
from watchword.scan.encodings import Decoder
from watchword.scan.engine import Engine
from watchword.scan.findings import Encoding
from watchword.scan.lookup import PREFIX_DIGITS
from watchword.scan.patterns import Family, families
from watchword.scan.report import kinds, title

MAX_TEXT = 64 << 10
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"
_SCHEME = re.compile(r"\A(?:authorization:\s*)?(?:bearer|token)\s+", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"\A(?:export\s+|-+)?[A-Za-z_][A-Za-z0-9_.-]*\s*[=:]\s*(?=\S)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_ANY_BRAND = re.compile(r"([a-z0-9]{1,8}?)(ct|ar|aa|aj|ua|pt|pat|ps|tx)_", re.IGNORECASE)
_HEX_CHARACTERS = re.compile(r"[0-9a-fA-F]{12,64}")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a string is.

    Attributes:
        value: the value in it, or the whole string where none is.
        family: name of the family whose shape it has or nearly has; empty where there is none.
        whole: whether it has the shape; else something is wrong with it, and `problems` say what.
        brand, cell: as in the value; empty and None where it names none.
        checksum: whether its checksum holds; None where it has none that can be checked offline.
        problems: what is wrong, and what had to be taken away or decoded to find the value.
        notes: what else there is to say.
        contents: what a job token or a registry token says, without any check of its signature.
    """

    value: Secret
    family: str = ""
    whole: bool = False
    brand: str = ""
    cell: int | None = None
    checksum: bool | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contents: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the value."""
        return digest(self.value.reveal())

    def document(self) -> dict[str, Any]:
        """The explanation for programs; the value is not in it."""
        return {
            "recognised": self.whole,
            "family": self.family or None,
            "title": title(self.family) if self.family else None,
            "kinds": list(kinds(self.family)) if self.family else [],
            "brand": self.brand or None,
            "cell": self.cell,
            "checksum": self.checksum,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "contents": self.contents,
            "fingerprint": fingerprint(self.digest),
            "digest_prefix": self.digest.hex()[:PREFIX_DIGITS],
        }


class Explainer:
    """Explains strings.

    Args:
        brands: brands of the installation.
    """

    def __init__(self, brands: Sequence[str] = (DEFAULT_BRAND,)) -> None:
        self._families = families(brands)
        self._brands = brands
        self._engine = Engine(brands)
        self._decoder = Decoder(brands)

    def explain(self, text: str) -> Explanation:
        """What the string is, or nearly is."""
        text = text[:MAX_TEXT]
        found: Explanation | None = None
        for candidate, done in self._candidates(text):
            explained = self._as_value(candidate, done)
            if explained is not None:
                # Typing errors are told of the string as it is, before anything is taken away from it.
                if explained.whole and explained.checksum is not False:
                    return explained
                found = found or explained
        return (
            found or self._inside(text) or self._near(text) or Explanation(Secret(text), notes=_other(text))
        )

    def _candidates(self, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield text, ()
        done: tuple[str, ...] = ()
        for change, what in _CHANGES:
            changed = change(text)
            if changed != text:
                text, done = changed, (*done, what)
                yield text, done
        lower = _ANY_BRAND.match(text)
        if lower and lower.group() != lower.group().lower():
            changed = lower.group().lower() + text[lower.end() :]
            yield changed, (*done, "its prefix is in capitals")

    def _as_value(self, text: str, done: tuple[str, ...]) -> Explanation | None:
        for family in self._families:
            found = (
                family.pattern.fullmatch(text.encode("utf-8", "replace")) if len(text) <= MAX_VALUE else None
            )
            if found is not None:
                return _whole(family, text, done)
        return None

    def _inside(self, text: str) -> Explanation | None:
        """A value somewhere in a longer text, plain or encoded."""
        raw = text.encode("utf-8", "replace")
        for hit in (*self._engine.hits(raw), *self._decoder(raw)):
            family = next(one for one in self._families if one.name == hit.family and one.brand == hit.brand)
            plain = hit.encoding is Encoding.PLAIN
            how = "" if plain else f"it is encoded ({hit.encoding.value})"
            # Base64 has up to three characters more at its ends.
            rest = len(raw) - (hit.end - hit.start)
            around = "there is more text around it" if rest > (0 if plain else 3) else ""
            return _whole(family, hit.value.reveal(), tuple(filter(None, (how, around))))
        return None

    def _near(self, text: str) -> Explanation | None:
        """What begins like a value and is none."""
        text = _bare(text)
        for family in self._families:
            start = family.prefix.decode()
            if not family.legacy and text.startswith(start):
                return Explanation(
                    Secret(text), family.name, brand=family.brand, problems=_misfit(family, text)
                )
        found = _ANY_BRAND.match(text)
        if found is None or found.group(1).lower() in self._brands:
            return None
        brand = found.group(1).lower()
        other = Explainer((brand,)).explain(brand + text[len(brand) :])
        if not other.whole:
            return None
        problem = f"its brand is {brand}, not {' or '.join(self._brands)}"
        return Explanation(
            other.value, other.family, True, brand, other.cell, other.checksum, (problem, *other.problems)
        )


def _bare(text: str) -> str:
    for change, _ in _CHANGES[:-1]:
        text = change(text)
    return text


def _unbased(text: str) -> str:
    if not _BASE64.fullmatch(text):
        return text
    try:
        plain = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
        decoded = plain.decode("ascii")
    except (ValueError, binascii.Error):
        return text
    return decoded.strip() if decoded.strip().isprintable() else text


_CHANGES: tuple[tuple[Callable[[str], str], str], ...] = (
    (str.strip, "white space stands around it"),
    (lambda text: _ASSIGNMENT.sub("", text, count=1), "a name stands before it"),
    (lambda text: text.strip(_QUOTES + ",; "), "quotes or commas stand around it"),
    (lambda text: _SCHEME.sub("", text, count=1), "the name of a scheme stands before it"),
    (lambda text: text.strip(_QUOTES + ",; "), "quotes or commas stand around it"),
    (
        lambda text: unquote(text) if "%" in text else text,
        "it is encoded for an address (%)",
    ),
    (_unbased, "it is encoded in base64"),
)


def _whole(family: Family, text: str, done: tuple[str, ...]) -> Explanation:
    cell: int | None = None
    holds: bool | None = None
    problems = list(done)
    notes: list[str] = []
    if family.checked:
        start = len(family.prefix)
        cell = decode_cell(text[start : text.index(family.shape.separator, start)])
        holds = checksum_holds(family.shape, text)
        if not holds:
            last = "six" if family.shape.body is Body.BASE58 else "eight"
            problems.append(f"typo? the last {last} characters do not fit: they are the checksum of the rest")
            notes.append("values that were issued elsewhere have no checksum of ours")
    elif family.legacy:
        notes.append("an older form, issued elsewhere: it names no installation and has no checksum of ours")
    elif family.shape.body in (Body.DAGSTER_AGENT, Body.DAGSTER_USER):
        notes.append("its shape has no room for a checksum; only the server that issued it can tell")
    contents = _contents(family.shape.body, text[len(family.prefix) :])
    if contents:
        notes.append("what it says is shown unchecked: only the installation that signed it can check it")
    if family.shape.body is Body.JWT:
        notes.append("the number of its key is not in it: the job's record has it")
    return Explanation(
        Secret(text), family.name, True, family.brand, cell, holds, tuple(problems), tuple(notes), contents
    )


def _contents(body: Body, text: str) -> dict[str, Any]:
    match body:
        case Body.JWT:
            header, claims, _ = text.split(".")
            return {"header": _json(header), "claims": _json(claims)}
        case Body.SIGNED:
            return {"payload": _json(text.rpartition("--")[0])}
        case _:
            return {}


def _json(text: str) -> Any:  # noqa: ANN401 - decoded JSON
    """Decoded JSON; None where it is none."""
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None


def _misfit(family: Family, text: str) -> tuple[str, ...]:
    """What is wrong with a text that begins like the family's values."""
    shape = family.shape
    if not shape.checked:
        return ("it begins like one, and the rest does not fit",)
    checksum, alphabet = (
        (CHECKSUM_BASE58, "base58") if shape.body is Body.BASE58 else (CHECKSUM_HEX, "lower-case hex digits")
    )
    cell, separator, rest = text[len(family.prefix) :].partition(shape.separator)
    if not separator:
        return (f"the {shape.separator!r} behind the installation's number is missing",)
    if decode_cell(cell) is None:
        return ("the number of the installation cannot be read",)
    return (_misfit_length(rest, shape.random + checksum) or _misfit_letters(shape, text, rest, alphabet),)


def _misfit_length(rest: str, wanted: int) -> str:
    if len(rest) < wanted:
        missing = wanted - len(rest)
        return f"it is cut off: {missing} {'character is' if missing == 1 else 'characters are'} missing"
    return f"it is too long: {len(rest)} characters where {wanted} belong" if len(rest) > wanted else ""


def _misfit_letters(shape: Shape, text: str, rest: str, alphabet: str) -> str:
    lowered = text[: -len(rest)] + rest.lower()
    if shape.body is Body.HEX and checksum_holds(shape, lowered):
        return "its letters are in capitals; in lower case its checksum holds"
    return f"there are characters in it that are none of its alphabet ({alphabet})"


def _other(text: str) -> tuple[str, ...]:
    bare = text.strip()
    if _HEX_CHARACTERS.fullmatch(bare):
        if len(bare) == 64:  # noqa: PLR2004 - SHA-256
            return ("it may be the digest of a value (SHA-256), which lets nobody in",)
        if len(bare) == 12:  # noqa: PLR2004 - a fingerprint
            return ("it may be the fingerprint of a value, which lets nobody in",)
    if bare.startswith("eyJ") and bare.count(".") == 2:  # noqa: PLR2004 - RFC 7515
        return ("it is a JSON Web Token, and none of ours: those have a prefix",)
    return ()
