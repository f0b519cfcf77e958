"""What git ignores, as git itself says."""

import os
from collections.abc import Iterable

from watchword.domain.errors import Invalid
from watchword.scan.gitting import Git
from watchword.scan.looking import Skip


def ignored(paths: Iterable[str]) -> Skip:
    """Whether git ignores a path below these folders. What it tracks is not ignored, whatever rules say.

    Args:
        paths: folders; a file that is named itself is read anyway.

    Raises:
        Invalid: a folder is in no repository.
        Unavailable: git is not installed.
    """
    kept: set[str] = set()
    for path in paths:
        if os.path.isdir(path):
            kept.update(_kept(path))

    def skip(path: str, folder: bool) -> bool:  # noqa: FBT001 - the seam's shape
        del folder
        return path not in kept

    return skip


def _kept(top: str) -> Iterable[str]:
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    try:
        listed = Git(top).output(*words)
    except Invalid:
        raise Invalid(
            f"{top} is in no git repository; leave --respect-gitignore out", code="no_repository"
        ) from None
    start = top if top.endswith("/") else f"{top}/"
    for name in filter(None, listed.split(b"\0")):
        path = start + os.fsdecode(name)
        yield path
        # Its folders are walked; those that hold nothing else are not.
        at = path.rfind("/")
        while at > len(start) - 1:
            yield path[:at]
            at = path.rfind("/", 0, at)
