"""Scans what git's index is about to commit."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from watchword.scan.content import Reader
from watchword.scan.findings import Finding
from watchword.scan.gitting import Git
from watchword.scan.looking import Look, Quiet, Skip, Watcher
from watchword.scan.objects import looked_at

_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class _Change:
    """A file that the next commit changes: its objects before and after, and its path before and after."""

    before: str
    after: str
    path_before: str
    path: str


def scan_staged(
    repository: str, look: Look, *, skip: Skip | None = None, watcher: Watcher | None = None
) -> Iterator[Finding]:
    """The findings that the next commit would bring in; places are those of the staged files.

    A value that the file had before, on whatever line and under whatever name, is no news and is not told;
    nor is one that a merge takes over from the same file of the other side.

    Args:
        repository: a folder inside the work tree; for `.`, the index that git gave a hook counts.
        look: what is looked for, and how.
        skip: paths of the repository to leave out.
        watcher: is told how far the scan is (in files), and what cannot be read.

    Raises:
        Invalid: it is no repository, or git does not trust its owner.
        Unavailable: git is not installed.
    """
    git = Git(repository)
    told = watcher or Quiet()
    changes = [one for one in _changes(git) if skip is None or not skip(one.path, False)]
    return _news(git, look, changes, told)


def _news(git: Git, look: Look, changes: list[_Change], watcher: Watcher) -> Iterator[Finding]:
    reader = Reader(look)
    found = _contents(git, reader, {one.after for one in changes}, watcher)
    suspects = [one for one in changes if found.get(one.after)]
    old = _contents(git, reader, {one.before for one in suspects if one.before.strip("0")}, watcher)
    merged = _merged(git)
    for change in suspects:
        known = {finding.digest for finding in old.get(change.before, ())}
        for side in merged:
            known |= _values_at(git, reader, side, change.path, watcher)
        for finding in found[change.after]:
            if finding.digest not in known:
                yield finding._replace(place=finding.place._replace(path=change.path))
    watcher.read(len(changes), 0)


def _contents(git: Git, reader: Reader, names: set[str], watcher: Watcher) -> dict[str, list[Finding]]:
    wanted = [name.encode() for name in sorted(names)]
    return {name: findings for name, _, findings in looked_at(git, reader, wanted, watcher.trouble)}


def _changes(git: Git) -> Iterator[_Change]:
    git.output("rev-parse", "--git-dir")
    head = git.answer("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not head:  # no commit yet: what comes is compared with the empty tree
        head = git.output("hash-object", "-t", "tree", os.devnull)
    told = git.output(
        "diff-index", "--cached", "--raw", "-z", "--no-abbrev", "-M", "--no-ext-diff", head.decode().strip()
    )
    fields = iter(told.split(b"\0"))
    for record in fields:
        if not record:
            return
        _, mode, before, after, status = record[1:].decode().split(" ")
        path = path_before = os.fsdecode(next(fields))
        if status[0] in "RC":
            path = os.fsdecode(next(fields))
        if status[0] not in "DU" and mode != _SUBMODULE:
            yield _Change(before, after, path_before, path)


def _merged(git: Git) -> list[str]:
    """The other sides of a merge that is under way."""
    return git.answer("rev-parse", "--verify", "--quiet", "MERGE_HEAD").decode().split()


def _values_at(git: Git, reader: Reader, commit: str, path: str, watcher: Watcher) -> set[bytes]:
    told = git.answer("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}")
    name = told.decode().strip()
    return {one.digest for one in _contents(git, reader, {name} if name else set(), watcher).get(name, ())}
