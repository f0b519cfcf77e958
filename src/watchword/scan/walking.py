"""Walks folders: every regular file once, in the order of the paths, no link followed."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator

from watchword.scan.looking import Skip

Trouble = Callable[[str, str], None]


def walk(paths: Iterable[str], trouble: Trouble, skip: Skip | None = None) -> Iterator[str]:
    """The files under these paths, those of a folder by name.

    A path that is named itself is followed where it is a link, and read whatever `skip` says of it.

    Args:
        paths: files and folders.
        trouble: is told what cannot be read.
        skip: what to leave out, with all that is below it.
    """
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            trouble(path, reason(error))
            continue
        if stat.S_ISDIR(mode):
            yield from _below(path, trouble, skip)
        elif stat.S_ISREG(mode):
            yield path
        else:
            trouble(path, "It is neither a file nor a folder.")


def _below(folder: str, trouble: Trouble, skip: Skip | None) -> Iterator[str]:
    # A stack and not recursion: folders may be deeper than Python's stack.
    waiting: list[tuple[str, bool]] = [(folder, True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            with os.scandir(path) as entries:
                found = [
                    (entry.path, below)
                    for entry in entries
                    if (below := entry.is_dir(follow_symlinks=False)) or entry.is_file(follow_symlinks=False)
                ]
        except OSError as error:
            trouble(path, reason(error))
            continue
        if skip is not None:
            found = [(path, below) for path, below in found if not skip(path, below)]
        found.sort(key=_order, reverse=True)
        waiting += found


def _order(entry: tuple[str, bool]) -> str:
    path, is_folder = entry
    return path + "/" if is_folder else path


def reason(error: OSError) -> str:
    """What an error of the system says, as a sentence."""
    return f"{error.strerror or error}."
