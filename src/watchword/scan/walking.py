"""Walks folders: every regular file once, in a stable order, no link followed."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from watchword.scan.looking import Skip

Trouble = Callable[[str, str], None]
_HANDLES = os.scandir in os.supports_fd and os.open in os.supports_dir_fd
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class Files(NamedTuple):
    """Files of one folder.

    Attributes:
        folder: the folder's name with a slash at its end; empty for paths that were named themselves.
        names: the files' names in it, in order.
        handle: the open folder, while it is being walked; None where there is none.
    """

    folder: str
    names: list[str]
    handle: int | None = None


def walk(paths: Iterable[str], trouble: Trouble, skip: Skip | None = None) -> Iterator[Files]:
    """The files under these paths: those of a folder by name, then its folders by name.

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
            yield Files("", [path])
        else:
            trouble(path, "It is neither a file nor a folder.")


def _below(top: str, trouble: Trouble, skip: Skip | None) -> Iterator[Files]:
    # A stack and not recursion: folders may be deeper than Python's stack.
    waiting = [top if top.endswith(os.sep) else top + "/"]
    link = 0  # the first one may be a link
    while waiting:
        folder = waiting.pop()
        try:
            # A slash at the end would follow a link after all.
            handle = os.open(folder[:-1] or "/", _FOLDER | link) if _HANDLES else None
        except OSError as error:
            trouble(folder.rstrip("/"), reason(error))
            continue
        link = _NO_LINK
        try:
            names, folders = _listed(folder, handle)
            if skip is not None:
                names = [name for name in names if not skip(folder + name, False)]
                folders = [name for name in folders if not skip(folder + name, True)]
            waiting += [f"{folder}{name}/" for name in folders]
            if names:
                yield Files(folder, names, handle)
        except OSError as error:
            trouble(folder.rstrip("/"), reason(error))
        finally:
            if handle is not None:
                os.close(handle)


def _listed(folder: str, handle: int | None) -> tuple[list[str], list[str]]:
    """Names of files, and of folders backwards, because they go on a stack."""
    names, folders = [], []
    with os.scandir(folder if handle is None else handle) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                names.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
    names.sort()
    folders.sort(reverse=True)
    return names, folders


def reason(error: OSError) -> str:
    """What an error of the system says, as a sentence."""
    return f"{error.strerror or error}."
