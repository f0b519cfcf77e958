"""Scans files and folders."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from watchword.scan.content import Reader
from watchword.scan.crew import AHEAD, TASK_BYTES
from watchword.scan.findings import Finding
from watchword.scan.looking import Look, Quiet, Skip, Watcher
from watchword.scan.packing import Packer
from watchword.scan.passing import packed, unpacked
from watchword.scan.spread import Spread
from watchword.scan.walking import Files, walk

_BATCH = 256  # files
_Task = list[tuple[str, list[str]]]


def scan_tree(
    paths: Iterable[str],
    look: Look,
    *,
    jobs: int = 1,
    skip: Skip | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Finding]:
    """The findings in files and in all files below folders.

    They come in a stable order, whatever the number of processes: as the paths are given; in a folder its
    files by name, then its folders by name; in a file by offset.

    Further processes are forked with this call, so make it before anything starts threads (a display that
    refreshes itself): with threads running, one process does all. `skip` and `watcher` are called in this
    process, while the findings are asked for.

    Args:
        paths: files and folders, as they will be named in findings.
        look: what is looked for, and how.
        jobs: processes that share the work.
        skip: what to leave out.
        watcher: is told how far the scan is, and what cannot be read.
    """
    told = watcher or Quiet()
    files = walk(paths, told.trouble, skip)
    spread = Spread(_work(look), jobs, AHEAD)
    return _shared(files, spread, told) if spread.shares else _alone(files, look, told)


def _alone(files: Iterable[Files], look: Look, watcher: Watcher) -> Iterator[Finding]:
    packer = Packer(Reader(look), watcher.trouble)
    for some in files:
        packer.add(some)
        yield from _told(packer, watcher)
    packer.flush()
    yield from _told(packer, watcher)


def _told(packer: Packer, watcher: Watcher) -> list[Finding]:
    files, size, findings = packer.taken()
    if files:
        watcher.read(files, size)
    return findings


def _shared(files: Iterable[Files], spread: Spread, watcher: Watcher) -> Iterator[Finding]:
    for count, size, findings, troubles in spread.results(_tasks(files)):
        for name, why in troubles:
            watcher.trouble(name, why)
        watcher.read(count, size)
        yield from map(unpacked, findings)


def _tasks(files: Iterable[Files]) -> Iterator[_Task]:
    task: _Task = []
    count = size = 0
    for folder, names, _ in files:
        for first in range(0, len(names), _BATCH):
            some = names[first : first + _BATCH]
            task.append((folder, some))
            count += len(some)
            size += len(folder) + sum(map(len, some))
            if count >= _BATCH or size >= TASK_BYTES // 2:
                yield task
                task, count, size = [], 0, 0
    if task:
        yield task


def _work(look: Look) -> Callable[[_Task], tuple[Any, ...]]:
    troubles: list[tuple[str, str]] = []
    # For all tasks: to make one takes as long as to read a few files.
    packer = Packer(Reader(look), lambda name, why: troubles.append((name, why)))

    def work(task: _Task) -> tuple[Any, ...]:
        troubles.clear()
        for folder, names in task:
            packer.add(Files(folder, names))
        packer.flush()
        files, size, findings = packer.taken()
        return files, size, list(map(packed, findings)), troubles.copy()

    return work
