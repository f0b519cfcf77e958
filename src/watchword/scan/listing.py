"""Lists git's objects, and keeps the list in a file without a name."""

import os
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import IO, cast

from watchword.scan.gitting import Git, end
from watchword.scan.walking import Trouble

BLOB, COMMIT, TAG = b"blob", b"commit", b"tag"
MISSING = "The repository does not have this object."
# What git writes before an object is what it writes of it in a list.
LINE = "%(objectname) %(objecttype) %(objectsize)"
LINE_WORDS = 3
_KINDS = (BLOB, COMMIT, TAG)
_TASK_SIZE = 256 << 20
_TASK_LINES = 250_000


class Spool:
    """A list of objects in a file without a name, so that tasks are short and memory is bounded."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the scan
        self.commits: list[str] = []  # all that were listed so far

    def tasks(self, listed: Iterable[bytes], jobs: int) -> Iterator[tuple[int, int]]:
        """Write git's list down; yields pieces of it, as offset and length.

        Pieces are as large as can be: what git keeps of one object helps it with the next ones of its pack.

        Args:
            listed: lines of name, kind and size.
            jobs: how many share the work.
        """
        lines: list[bytes] = []
        size = 0
        for line in listed:
            name, _, of = line.partition(b" ")
            kind, _, length = of.partition(b" ")
            if kind not in _KINDS:
                continue
            if kind == COMMIT:
                self.commits.append(name.decode())
            lines.append(line)
            size += int(length)
            if size >= _TASK_SIZE * jobs or len(lines) >= _TASK_LINES * jobs:
                yield from self._parts(lines, size // jobs)
                lines, size = [], 0
        yield from self._parts(lines, size // jobs)

    def _parts(self, lines: list[bytes], most: int) -> Iterator[tuple[int, int]]:
        """Write lines down in pieces of one size."""
        first = size = 0
        for number, line in enumerate(lines, start=1):
            size += int(line.rpartition(b" ")[2])
            if size > most or number == len(lines):
                yield self._write(lines[first:number])
                first, size = number, 0

    def _write(self, lines: list[bytes]) -> tuple[int, int]:
        at = self.file.seek(0, os.SEEK_END)
        length = self.file.write(b"".join(lines))
        self.file.flush()
        return at, length

    def piece(self, at: int, length: int) -> list[bytes]:
        """The lines of a piece."""
        return os.pread(self.file.fileno(), length, at).splitlines()


def objects_of(git: Git, tips: Sequence[str], trouble: Trouble) -> Generator[bytes, None, None]:
    """Lines of name, kind and size, of all objects that a repository has or of those that tips reach.

    Args:
        git: the repository.
        tips: `--all` for all objects there are, reached or not; else what `git rev-list` is asked for.
        trouble: is told what is missing.
    """
    listing = ["cat-file", f"--batch-check={LINE}", "--buffer"]
    if list(tips) == ["--all"]:
        process = git.start(*listing, "--batch-all-objects", "--unordered")
        yield from _lines_of(git, process, trouble)
        return
    reached = git.output("rev-list", "--objects", "--no-object-names", "--missing=print", *tips).split()
    for name in reached:
        if name.startswith(b"?"):
            trouble(name[1:].decode(), MISSING)
    with names_file(name for name in reached if not name.startswith(b"?")) as names:
        yield from _lines_of(git, git.start(*listing, stdin=names.fileno()), trouble)


def _lines_of(git: Git, process: "subprocess.Popen[bytes]", trouble: Trouble) -> Iterator[bytes]:
    try:
        yield from out(process)
        if process.wait():
            trouble(git.repository, "Git could not list all objects.")
    finally:
        end(process)


def names_file(names: Iterable[bytes]) -> IO[bytes]:
    """Names for git's standard input, one a line: a file, because nobody has to write while git does."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's
    file.write(b"".join(name + b"\n" for name in names))
    file.seek(0)
    return file


def out(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    """What a command that was started writes."""
    return cast("IO[bytes]", process.stdout)
