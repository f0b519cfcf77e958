"""What `watchword scan` was asked, and a way to read it that loads nothing: a hook runs at each commit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

FORMATS = ("text", "json", "sarif")
_MANY = frozenset({"brand"})
_NUMBERS = frozenset({"jobs"})


@dataclass(frozen=True, slots=True)
class Asked:
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


_FLAGS = {"--" + field.name.replace("_", "-"): field for field in fields(Asked) if field.name != "paths"}


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
        if field is None or (field.name in known and field.name not in _MANY):
            return None
        if isinstance(field.default, bool):
            if equals:
                return None
            known[field.name] = True
            continue
        value = text if equals else next(rest, "-")
        if not value or value.startswith("-") or not _fits(field.name, value):
            return None
        if field.name in _MANY:
            known[field.name] = (*known.get(field.name, ()), value)
        else:
            known[field.name] = int(value) if field.name in _NUMBERS else value
    return Asked(paths=tuple(paths), **known)


def _fits(name: str, value: str) -> bool:
    if name in _NUMBERS:
        return value.isascii() and value.isdigit()
    return name != "format" or value in FORMATS
