"""What `watchword scan` was asked, and a way to read it that loads nothing: a hook runs at each commit."""

from collections.abc import Sequence
from typing import Any, NamedTuple

FORMATS = ("text", "json", "sarif")
_MANY = frozenset({"brand"})
_NUMBERS = frozenset({"jobs"})


class Asked(NamedTuple):
    """The words of one scan; `cli.scan` describes each."""

    paths: tuple[str, ...] = ()
    git: bool = False
    since: str | None = None
    staged: bool = False
    stdin: bool = False
    archive: bool = False
    format: str = "text"
    verify: bool = False
    reveal: bool = False
    checksum_only: bool = False
    shape_only: bool = False
    brand: tuple[str, ...] = ()
    baseline: str | None = None
    write_baseline: str | None = None
    allow: str | None = None
    respect_gitignore: bool = False
    no_decode: bool = False
    jobs: int = 0
    output: str | None = None
    install_hook: bool = False
    credentials: str | None = None


_FLAGS = {"--" + field.replace("_", "-"): field for field in Asked._fields if field != "paths"}


def quickly(words: Sequence[str]) -> Asked | None:
    """Read the words of a scan; None where they are better read, and refused, by the whole command line.

    It knows only what needs no thought: long options, spelled out, and paths.
    """
    known: dict[str, Any] = {}
    paths: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            paths += rest
            break
        if not word.startswith("-"):
            paths.append(word)
            continue
        name, equals, text = word.partition("=")
        field = _FLAGS.get(name)
        if field is None or (field in known and field not in _MANY):
            return None
        if isinstance(Asked._field_defaults[field], bool):
            if equals:
                return None
            known[field] = True
            continue
        value = text if equals else next(rest, "-")
        if not value or value.startswith("-") or not _fits(field, value):
            return None
        if field in _MANY:
            known[field] = (*known.get(field, ()), value)
        else:
            known[field] = int(value) if field in _NUMBERS else value
    return Asked(paths=tuple(paths), **known)


def _fits(name: str, value: str) -> bool:
    if name in _NUMBERS:
        return value.isascii() and value.isdigit()
    return name != "format" or value in FORMATS
