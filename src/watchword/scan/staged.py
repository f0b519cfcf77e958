"""Scans what git's index is about to commit."""

from collections.abc import Iterator

from watchword.scan.findings import Finding
from watchword.scan.looking import Look, Skip, Watcher


def scan_staged(
    repository: str, look: Look, *, skip: Skip | None = None, watcher: Watcher | None = None
) -> Iterator[Finding]:
    """The findings in lines that the next commit would bring in; places are those of the staged files.

    A value that the file had before, on whatever line, is no news, and is not told.

    Args:
        repository: a folder inside the work tree.
        look: what is looked for, and how.
        skip: paths of the repository to leave out.
        watcher: is told how far the scan is, and what cannot be read.

    Raises:
        Invalid: it is no repository with a work tree, or git does not trust its owner.
        Unavailable: git is not installed.
    """
    raise NotImplementedError
