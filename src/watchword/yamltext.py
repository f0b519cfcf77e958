"""YAML 1.2 from text to plain values, within bounds; for the server and for the agent alike (decision 0024).

Values are those of JSON: objects with texts as names, lists, texts, numbers, booleans, null. Anchors and
merge keys work, and what they unfold to is counted, so that a small text cannot become a large value.
A name that comes twice in one object is refused, for one of the two would be lost.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from watchword.domain.errors import Invalid

MAX_CHARACTERS = 256 * 1024
MAX_VALUES = 50_000
MAX_DEPTH = 50
MAX_DOCUMENTS = 100
MAX_DIGITS = 400

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CORE = "tag:yaml.org,2002:"

_Start = MappingStartEvent | SequenceStartEvent
_Node = _Start | ScalarEvent | AliasEvent


@dataclass(slots=True)
class _Value:
    """A value that is read.

    Attributes:
        value: as JSON has it.
        size: how many values it is when all of its aliases are unfolded.
        depth: how deep it is nested then.
    """

    value: Any
    size: int = 1
    depth: int = 0


@dataclass(slots=True)
class _Open:
    """An object or list whose end has not come yet.

    Attributes:
        event: its beginning.
        parts: what it holds; of an object names and values in turn, each with its event.
    """

    event: _Start
    parts: list[tuple[_Node, _Value]] = field(default_factory=list)


@dataclass(slots=True)
class _Document:
    """One document while it is read."""

    opened: list[_Open] = field(default_factory=list)
    anchors: dict[str, _Value | None] = field(default_factory=dict)
    values: int = 0
    result: _Value = field(default_factory=lambda: _Value(None))


def read_yaml(text: str, limit: int = MAX_CHARACTERS) -> Any:  # noqa: ANN401 - a decoded document is any of JSON's values
    """Read one YAML document; an empty text is null.

    It takes a second for some 50,000 characters: a server reads in a thread.

    Raises:
        Invalid: it cannot be read, is over a bound, or is more than one document; line and column are named.
    """
    documents = read_all_yaml(text, limit)
    if len(documents) > 1:
        raise Invalid(f"One YAML document is expected, and {len(documents)} are there.", code="invalid_yaml")
    return documents[0] if documents else None


def read_all_yaml(text: str, limit: int = MAX_CHARACTERS) -> list[Any]:
    """Read all documents of a text.

    Raises:
        Invalid: one cannot be read or is over a bound; line and column are named.
    """
    if len(text) > limit:
        raise Invalid(f"A YAML text takes at most {limit} characters.", code="invalid_yaml")
    documents: list[_Document] = []
    try:
        for event in _events(text):
            if isinstance(event, DocumentStartEvent):
                if len(documents) == MAX_DOCUMENTS:
                    raise _refuse(event, f"there are more than {MAX_DOCUMENTS} documents.")
                documents.append(_Document())
            elif documents:
                _take(documents[-1], event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Invalid(
            f"The YAML cannot be read: {where}{error.problem or error.context}.", code="invalid_yaml"
        ) from None
    except YAMLError as error:
        raise Invalid(
            f"The YAML cannot be read: {str(error).splitlines()[0]}.", code="invalid_yaml"
        ) from None
    return [document.result.value for document in documents]


def _events(text: str) -> Iterator[Event]:
    """Parse a text into events; no value is made yet."""
    reader = YAML(typ="safe", pure=True)
    yield from reader.parse(text)


def _refuse(event: Event, problem: str) -> Invalid:
    """Make the error that names line and column."""
    mark = event.start_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return Invalid(f"The YAML cannot be read: {where}{problem}", code="invalid_yaml")


def _take(document: _Document, event: Event) -> None:
    """Take one event of a document."""
    if isinstance(event, MappingStartEvent | SequenceStartEvent):
        _open(document, event)
    elif isinstance(event, MappingEndEvent | SequenceEndEvent):
        opened = document.opened.pop()
        mapping = isinstance(opened.event, MappingStartEvent)
        value = _object(opened) if mapping else [part.value for _, part in opened.parts]
        size = 1 + sum(part.size for _, part in opened.parts)
        depth = 1 + max((part.depth for _, part in opened.parts), default=0)
        _put(document, opened.event, _Value(value, size, depth))
    elif isinstance(event, ScalarEvent):
        _put(document, event, _Value(_scalar(event)))
    elif isinstance(event, AliasEvent):
        _put(document, event, _aliased(document, event))


def _open(document: _Document, event: _Start) -> None:
    """Begin an object or a list."""
    if len(document.opened) == MAX_DEPTH:
        raise _refuse(event, f"it is nested more than {MAX_DEPTH} deep.")
    if _tag(event) not in ("", "map" if isinstance(event, MappingStartEvent) else "seq"):
        raise _refuse(event, f"the tag {event.tag} is not known.")
    if event.anchor:
        document.anchors[event.anchor] = None
    document.opened.append(_Open(event))


def _put(document: _Document, event: _Node, value: _Value) -> None:
    """Put a value that is complete where it belongs."""
    if event.anchor and not isinstance(event, AliasEvent):
        document.anchors[event.anchor] = value
    # Each event is counted once; what an alias unfolds to is counted again, for it is there again.
    document.values += value.size if isinstance(event, AliasEvent) else 1
    if document.values > MAX_VALUES:
        raise _refuse(event, f"the document holds more than {MAX_VALUES} values, aliases unfolded.")
    if len(document.opened) + value.depth > MAX_DEPTH:
        raise _refuse(event, f"it is nested more than {MAX_DEPTH} deep, aliases unfolded.")
    if document.opened:
        document.opened[-1].parts.append((event, value))
    else:
        document.result = value


def _aliased(document: _Document, event: AliasEvent) -> _Value:
    """Find the value of an alias."""
    if event.anchor not in document.anchors:
        raise _refuse(event, f"the anchor {event.anchor} is not known.")
    value = document.anchors[event.anchor]
    if value is None:
        raise _refuse(event, f"the anchor {event.anchor} would hold itself.")
    return value


def _object(opened: _Open) -> dict[str, Any]:
    """Make an object; names of its own win over those that are merged into it."""
    pairs = list(zip(opened.parts[::2], opened.parts[1::2], strict=True))
    names = [None if _is_merge(event) else _name(event, value.value) for (event, value), _ in pairs]
    own: set[str] = set()
    for name, ((event, _), _) in zip(names, pairs, strict=True):
        if name in own:
            raise _refuse(event, f"the name {name} comes twice in one object.")
        if name is not None:
            own.add(name)
    result: dict[str, Any] = {}
    for name, (_, (event, value)) in zip(names, pairs, strict=True):
        if name is not None:
            result[name] = value.value
        else:
            merged = _merged(event, value.value)
            result |= {key: part for key, part in merged.items() if key not in own and key not in result}
    return result


def _is_merge(event: _Node) -> bool:
    """Whether a name is the merge key."""
    return isinstance(event, ScalarEvent) and event.value == "<<" and _plain(event)


def _merged(event: _Node, value: object) -> dict[str, Any]:
    """What a merge key brings: of several objects the first has precedence."""
    found: dict[str, Any] = {}
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, dict):
            raise _refuse(event, "<< takes an object, or a list of objects.")
        found |= {key: part[key] for key in part if key not in found}
    return found


def _name(event: _Node, value: object) -> str:
    """Make the name of an object's part; JSON knows texts only."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and isinstance(event, ScalarEvent):
        return str(event.value)
    raise _refuse(event, "the name of an object's part is a text, a number or a boolean.")


def _plain(event: ScalarEvent) -> bool:
    """Whether a scalar stands without quotes and without a tag."""
    return bool(event.implicit[0]) and event.tag is None


def _tag(event: _Start | ScalarEvent) -> str:
    """Tag of an event, without the usual prefix; empty where it has none, `!` included."""
    tag = None if event.tag is None else str(event.tag)
    return "" if tag in (None, "!") else tag.removeprefix(_CORE)


def _scalar(event: ScalarEvent) -> Any:  # noqa: ANN401 - a scalar is any of JSON's
    """Make the value of a scalar, by its tag or as YAML 1.2 resolves it; dates stay texts."""
    text = str(event.value)
    tag = _tag(event)
    if tag == "str" or (not tag and not _plain(event)):
        return text
    try:
        value = _resolve(text)
    except ValueError:
        raise _refuse(event, f"a number takes at most {MAX_DIGITS} digits.") from None
    if not tag:
        return value
    if tag == "float" and type(value) is int:
        return float(value)
    kinds: dict[str, type] = {"null": type(None), "bool": bool, "int": int, "float": float}
    if tag not in kinds:
        raise _refuse(event, f"the tag {event.tag} is not known.")
    if type(value) is not kinds[tag]:
        raise _refuse(event, f"{text!r} is not what the tag {event.tag} says.")
    return value


def _resolve(text: str) -> Any:  # noqa: ANN401 - a scalar is any of JSON's
    """Make the value of a plain scalar (core schema of YAML 1.2)."""
    if _NULL.fullmatch(text):
        return None
    if found := _BOOLEAN.fullmatch(text):
        return found[1] is not None
    if len(text) > MAX_DIGITS and (_WHOLE.fullmatch(text) or _OTHER_BASE.fullmatch(text)):
        raise ValueError(text)
    if _WHOLE.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else _endless_or_text(text)


def _endless_or_text(text: str) -> float | str:
    """Make a number that JSON does not know, so that a reader of documents refuses it; else the text."""
    if found := _ENDLESS.fullmatch(text):
        return float("nan") if found[1] is None else float(f"{found[1]}inf")
    return text
