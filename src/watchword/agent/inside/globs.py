"""File patterns as artifacts use them: `*`, `?`, `[…]`, `{a,b}`, and `**` for any number of folders."""

import os
import re
from collections.abc import Iterator
from fnmatch import translate
from functools import lru_cache
from pathlib import Path

_MAGIC = re.compile(r"[*?\[]")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MOST = 1000


def find(pattern: str, folder: Path, *, follow: bool = False) -> Iterator[Path]:
    """The files that a pattern names, sorted, each once.

    Args:
        pattern: relative to the folder unless it begins with `/` or `~/`.
        folder: where relative patterns begin.
        follow: whether `**` goes into folders that are links.

    Raises:
        ValueError: the braces name too many alternatives.
    """
    found: dict[Path, None] = {}
    for single in expand(os.path.expanduser(pattern)):  # noqa: PTH111 - text
        parts = [part for part in single.split("/") if part not in ("", ".")]
        start = Path("/") if single.startswith("/") else folder
        for path in sorted(_below(start, parts, follow=follow)):
            found[path] = None
    yield from (path for path in found if path.is_file())


def expand(pattern: str) -> list[str]:
    """The alternatives of a pattern with braces.

    Raises:
        ValueError: there are more than a thousand.
    """
    done, open_ones = [], [pattern]
    while open_ones:
        text = open_ones.pop(0)
        match = _BRACES.search(text)
        if match is None:
            done.append(text)
            continue
        if len(open_ones) + len(done) > _MOST:
            raise ValueError(f"the pattern {pattern!r} has too many alternatives")
        open_ones += [text[: match.start()] + part + text[match.end() :] for part in match[1].split(",")]
    return list(dict.fromkeys(done))


def matches(pattern: str, path: str) -> bool:
    """Whether a path, relative as the pattern is, is one that the pattern names.

    Raises:
        ValueError: the braces name too many alternatives.
    """
    return any(_whole(single.removeprefix("./")).fullmatch(path) for single in expand(pattern))


@lru_cache
def _whole(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern without braces."""
    text = "".join(
        "(?:.*/)?" if part == "**/" else ".*" if part == "**" else _one(part)
        for part in re.findall(r"\*\*/?|\[!?\]?[^\]/]*\]|.", pattern, re.DOTALL)
    )
    return re.compile(text, re.DOTALL)


def _one(part: str) -> str:
    if part == "*":
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if part.startswith("[") and len(part) > 1:
        inner = part[1:-1].replace("\\", "\\\\")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(part)


def _below(folder: Path, parts: list[str], *, follow: bool) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _below(folder, rest, follow=follow)
        for name in _names(folder):
            inner = folder / name
            if inner.is_dir() and (follow or not inner.is_symlink()):
                yield from _below(inner, parts, follow=follow)
            elif not rest and inner.is_file():
                yield inner
    elif _MAGIC.search(part):
        matches = _matcher(part)
        for name in _names(folder):
            if matches.match(name):
                yield from _below(folder / name, rest, follow=follow)
    elif (folder / part).exists():
        yield from _below(folder / part, rest, follow=follow)


@lru_cache
def _matcher(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names
    except OSError:
        return []
