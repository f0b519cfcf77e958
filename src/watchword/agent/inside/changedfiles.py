"""`if_changed` of steps: resolved before the upload, by the files that changed since a base."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchword.agent.errors import ConfigError
from watchword.agent.inside.globs import matches

_KEY = "if_changed"


def apply_if_changed(steps: list[Any], changed: Callable[[], list[str] | None]) -> None:
    """Take `if_changed` out of steps; those whose patterns match no changed file become skipped.

    Args:
        steps: decoded steps; they are changed.
        changed: gives the changed files when first needed; None if they are not known, and then
            nothing is skipped.

    Raises:
        ConfigError: an `if_changed` is neither a pattern, a list of them, nor include and exclude.
    """
    for step in steps:
        if not isinstance(step, dict):
            continue
        if isinstance(step.get("steps"), list):
            apply_if_changed(step["steps"], changed)
        wanted = step.pop(_KEY, None)
        if wanted is None:
            continue
        include, exclude = _patterns(wanted)
        files = changed()
        if files is not None and not any(_wanted(file, include, exclude) for file in files):
            step["skip"] = "no file that matches if_changed has changed"


def changed_since(base: str, *, fetch: bool) -> list[str]:
    """The files that differ from the base's and HEAD's common ancestor.

    Raises:
        ConfigError: git cannot tell.
    """
    if fetch:
        _git("fetch", "--", "origin", base.removeprefix("origin/"))
    common = _git("merge-base", "--", base, "HEAD").strip()
    return [name for name in _git("diff", "--name-only", "-z", common, "HEAD").split("\0") if name]


def changed_in(path: Path) -> list[str]:
    """The files that a file lists, one a line.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the changed files from {path}: {error}") from None


def _git(*words: str) -> str:
    try:
        done = subprocess.run(("git", *words), capture_output=True, check=True, text=True)  # noqa: S603, S607 - git
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise ConfigError(f"git cannot tell what has changed: {reason.strip()}") from None
    return done.stdout


def _patterns(wanted: object) -> tuple[list[str], list[str]]:
    if isinstance(wanted, dict):
        return _list(wanted.get("include")), _list(wanted.get("exclude", []))
    return _list(wanted), []


def _list(value: object) -> list[str]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise ConfigError(f"{_KEY} takes a pattern, a list of patterns, or include and exclude")
    return patterns


def _wanted(file: str, include: list[str], exclude: list[str]) -> bool:
    if any(matches(pattern, file) for pattern in exclude):
        return False
    return any(matches(pattern, file) for pattern in include)
