"""Which files are artifacts, and what is announced about them."""

import asyncio
import hashlib
import mimetypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from watchword.agent.errors import ConfigError
from watchword.agent.inside.artifactwire import Described
from watchword.agent.inside.globs import find

_PIECE = 1024 * 1024
_UNKNOWN_TYPE = "binary/octet-stream"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to take.

    Attributes:
        patterns: files or patterns of them.
        literal: whether they are names of files and not patterns.
        follow: whether `**` goes into folders that are links.
        skip_links: whether files that are links are left out.
        content_type: of all files; empty: by their names.
    """

    patterns: Sequence[str]
    literal: bool = False
    follow: bool = False
    skip_links: bool = False
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to upload, and what is announced about it."""

    path: Path
    described: Described


async def collect(choice: Choice, folder: Path) -> list[LocalFile]:
    """Find the files and take their checksums.

    Raises:
        ConfigError: a file cannot be read, or a pattern makes no sense.
    """
    found: dict[Path, str] = {}
    for pattern in choice.patterns:
        for path in await asyncio.to_thread(_matching, pattern, choice, folder):
            found.setdefault(path, pattern)
    return [
        LocalFile(path, await asyncio.to_thread(_describe, path, pattern, folder, choice.content_type))
        for path, pattern in found.items()
    ]


def _matching(pattern: str, choice: Choice, folder: Path) -> list[Path]:
    if choice.literal:
        path = folder / pattern
        if not path.is_file():
            raise ConfigError(f"there is no file {pattern}")
        return [path]
    try:
        found = list(find(pattern, folder, follow=choice.follow))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return [path for path in found if not (choice.skip_links and path.is_symlink())]


def _describe(path: Path, pattern: str, folder: Path, content_type: str) -> Described:
    """Checksums and names; the path is relative to the folder, or to the root if the pattern was absolute."""
    sha1, sha256, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                sha1.update(piece)
                sha256.update(piece)
                size += len(piece)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    base = Path("/") if pattern.startswith(("/", "~")) else folder
    return Described(
        path=os.path.relpath(path, base),
        absolute_path=os.path.abspath(path),  # noqa: PTH100 - links stay as they are
        glob_path=pattern,
        file_size=size,
        sha1sum=sha1.hexdigest(),
        sha256sum=sha256.hexdigest(),
        content_type=content_type or mimetypes.guess_type(path.name)[0] or _UNKNOWN_TYPE,
    )
