"""Fields of a step: where a value stands, what kind it must be, and the sentence that refuses it."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from watchword.domain.errors import Invalid

MAX_DEPTH = 50
MAX_VALUES = 50_000
MAX_SHOWN = 60
_LARGEST = 2**63 - 1
# Above this, numbers of pipeline documents are written with an exponent (as the agents' library does).
_EXPONENT_FROM = 1e21

Object = Mapping[str, Any]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document something stands.

    Attributes:
        number: of the step, counted from 1; `2.1` is the first step of the group that is step 2. Empty for
            the document itself.
        name: key or label of the step; may be empty.
    """

    number: str = ""
    name: str = ""

    def __str__(self) -> str:
        if not self.number:
            return "The pipeline"
        return f"Step {self.number} ({shown(self.name)})" if self.name else f"Step {self.number}"

    def refuse(self, key: str, problem: str) -> Invalid:
        """Make the error that names the step and the key; an empty key means the step itself."""
        return Invalid(f"{self}: {f'`{key}` {problem}' if key else problem}", code="invalid_pipeline")


def shown(value: object) -> str:
    """Write a value for an error message, cut where it is long."""
    text = f'"{value}"' if isinstance(value, str) else kind(value)
    text = text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 2] + '…"'


def kind(value: object) -> str:
    """Name the kind of a decoded value for people."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number" if not abs(value) <= _LARGEST else f"the number {value}"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f" (did you mean `{near[0]}`?)" if near else ""


def check_values(place: Place, key: str, value: object, allowance: int = MAX_VALUES) -> int:
    """Refuse what a document cannot hold: anything but JSON, NUL, broken text, endless nesting.

    It asks nothing of what is beneath: a document decoded from YAML may hold one object in many places, and
    each place is counted.

    Args:
        place: the step.
        key: where in the step the value stands; empty for the step itself, whose keys are then named.
        value: anything.
        allowance: how many values it may hold.

    Returns:
        How many values it holds.

    Raises:
        Invalid: it holds such a value, or too many.
    """
    waiting: list[tuple[object, int, str]] = [(value, 0, key)]
    seen = 0
    while waiting:
        item, depth, within = waiting.pop()
        seen += 1
        if seen > allowance:
            raise place.refuse(within, f"makes the document hold more than {MAX_VALUES} values.")
        if depth > MAX_DEPTH:
            raise place.refuse(within, f"is nested more than {MAX_DEPTH} deep.")
        problem = _value_problem(item)
        if problem:
            raise place.refuse(within, problem)
        if isinstance(item, Mapping):
            waiting.extend((name, depth + 1, within) for name in item)
            waiting.extend((part, depth + 1, within or name) for name, part in item.items())
        elif isinstance(item, list | tuple):
            waiting.extend((part, depth + 1, within) for part in item)
    return seen


def _value_problem(item: object) -> str:
    """Say what is wrong with one value, what it holds aside."""
    if isinstance(item, str):
        return _text_problem(item)
    if isinstance(item, bool) or item is None:
        return ""
    if isinstance(item, int):
        return "" if abs(item) <= _LARGEST else "holds a number of more than 64 bits."
    if isinstance(item, float):
        return "" if math.isfinite(item) else "holds a number that is not finite."
    if isinstance(item, Mapping):
        odd = [name for name in item if not isinstance(name, str)]
        return f"has a key that is not a text but {kind(odd[0])}." if odd else ""
    return "" if isinstance(item, list | tuple) else f"holds a {type(item).__name__}, which JSON cannot say."


def _text_problem(text: str) -> str:
    """Say what is wrong with a text: NUL ends it early in other programs, half a character cannot be sent."""
    if "\0" in text:
        return "has a text with a NUL character."
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has a text that is not Unicode (half of a surrogate pair)."
    return ""


def known_keys(place: Place, within: str, value: Object, known: Sequence[str]) -> None:
    """Refuse keys that are not known, with the list of those that are.

    Args:
        place: the step.
        within: key that holds the object, empty for the step itself.
        value: the object.
        known: its keys.

    Raises:
        Invalid: there is another.
    """
    for key in value:
        if key not in known:
            name = f"{within}.{key}" if within else key
            hint = suggest(key, known)
            raise place.refuse(name, f"is not a known key{hint}. Known keys: {', '.join(known)}.")


def scalar_text(value: object) -> str | None:
    """Write a scalar as the agents' library does; None where it is no scalar.

    true and false in words, whole numbers in digits, null as nothing.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXPONENT_FROM else repr(value)
    return str(value) if isinstance(value, int | str) else None


def text(place: Place, key: str, value: object, limit: int = _LARGEST) -> str:
    """Read a text; scalars become one, null is empty.

    Raises:
        Invalid: it is an object or a list, or too long.
    """
    found = scalar_text(value)
    if found is None:
        raise place.refuse(key, f"must be a text, not {kind(value)}.")
    if len(found) > limit:
        raise place.refuse(key, f"is longer than {limit} characters.")
    return found


def flag(place: Place, key: str, value: object, *, default: bool = False) -> bool:
    """Read a boolean; the words true and false are taken too, for interpolation leaves texts.

    Raises:
        Invalid: it is neither.
    """
    if value is None or value == "":
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    raise place.refuse(key, f"must be true or false, not {shown(value)}.")


def whole(place: Place, key: str, value: object, low: int, high: int) -> int:
    """Read a whole number between two bounds; digits in a text are taken too.

    Raises:
        Invalid: it is none, or outside.
    """
    number = whole_number(value)
    if number is None:
        raise place.refuse(key, f"must be a whole number, not {shown(value)}.")
    if not low <= number <= high:
        raise place.refuse(key, f"must be between {low} and {high}, not {number}.")
    return number


def whole_number(value: object) -> int | None:
    """Read a whole number, or nothing."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        digits = value.strip()
        bare = digits.removeprefix("-")
        return int(digits) if bare.isascii() and bare.isdigit() and len(bare) < MAX_SHOWN else None
    return value if isinstance(value, int) else None


def texts(place: Place, key: str, value: object) -> tuple[str, ...]:
    """Read a text or a list of texts; null is none.

    Raises:
        Invalid: it is something else.
    """
    if value is None:
        return ()
    return tuple(items(place, key, value, text))


def items(place: Place, key: str, value: object, read: Callable[[Place, str, object], _Read]) -> list[_Read]:
    """Read a list with one reader for its parts; one part alone is a list of one.

    Raises:
        Invalid: a part is not acceptable.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    return [read(place, key, part) for part in parts]


def an_object(place: Place, key: str, value: object, known: Sequence[str]) -> Object:
    """Read an object with known keys.

    Raises:
        Invalid: it is none, or has others.
    """
    if not isinstance(value, Mapping):
        raise place.refuse(key, f"must be an object, not {kind(value)}.")
    known_keys(place, key, value, known)
    return value


def one_of(place: Place, key: str, value: object, words: Sequence[str]) -> str:
    """Read one of some words.

    Raises:
        Invalid: it is another.
    """
    found = value if isinstance(value, str) else ""
    if found not in words:
        raise place.refuse(key, f"must be {' or '.join(words)}, not {shown(value)}{suggest(found, words)}.")
    return found
