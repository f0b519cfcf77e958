"""Says of git's objects which commit brought them in first, under which path."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from watchword.domain.errors import Invalid
from watchword.scan.findings import Commit
from watchword.scan.gitting import Git, end, records
from watchword.scan.listing import LINE_WORDS, names_file, out
from watchword.scan.spread import Spread
from watchword.scan.walking import Trouble

_PIECE = 1_000  # commits
_PATIENCE = 20  # commits of a piece that cannot be compared, before the rest of it is given up
_COMPARE = ["diff-tree", "--stdin", "-r", "-m", "--root", "--raw", "--no-abbrev", "-z", "--always"]
_PLAIN = ["--no-renames", "--no-ext-diff", "--no-textconv"]


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A commit that has an object which one of its parents does not have.

    Attributes:
        number: its place among the commits, oldest first.
        path: the object's path in it.
    """

    number: int
    path: str


def commits(git: Git, tips: Sequence[str], listed: Collection[str], trouble: Trouble) -> list[str]:
    """Commits, parents before children, else by date.

    Args:
        git: the repository.
        tips: what `git rev-list` is asked for.
        listed: all commits that there are, for a history that git cannot follow to its beginning.
        trouble: is told of that.
    """
    try:
        return git.output("rev-list", "--date-order", "--reverse", *tips).decode().split()
    except Invalid as error:
        trouble(git.repository, f"The history has gaps, so commits are taken by date. {error.message}")
        return by_date(git, listed)


def by_date(git: Git, names: Collection[str]) -> list[str]:
    """Commits by the date of their authors."""
    found = described(git, names)
    return sorted(found, key=lambda name: (found[name].at, name))


def entries(
    git: Git, order: Sequence[str], wanted: Collection[str], jobs: int, trouble: Trouble
) -> dict[str, list[Entry]]:
    """Where wanted objects came in, the first commit first, each path once.

    Args:
        git: the repository.
        order: the commits, oldest first.
        wanted: names of objects.
        jobs: processes that share the work.
        trouble: is told of commits that cannot be compared.
    """
    marks = [*range(0, len(order), _PIECE), len(order)]
    found: dict[str, dict[str, int]] = {}
    spread = Spread(_work(git, order, frozenset(wanted)), jobs)
    for seen, troubles in spread.results(pairwise(marks)):
        for name in troubles:
            trouble(name, "Git cannot compare this commit with its parents.")
        for number, thing, path in seen:
            found.setdefault(thing, {}).setdefault(path, number)
    return {
        thing: sorted(Entry(number, path) for path, number in paths.items()) for thing, paths in found.items()
    }


def _work(
    git: Git, order: Sequence[str], wanted: frozenset[str]
) -> Callable[[tuple[int, int]], tuple[Any, ...]]:
    def compare(piece: tuple[int, int]) -> tuple[Any, ...]:
        first, last = piece
        seen: list[tuple[int, str, str]] = []
        troubles: list[str] = []
        while first < last and len(troubles) < _PATIENCE:
            done = -1
            for done, thing, path in _compared(git, order[first:last]):
                if thing in wanted:
                    seen.append((first + done, thing, path))
            if done < 0:
                # Git ends where something is missing that a comparison needs.
                troubles.append(order[first])
            first += max(done, 0) + 1
        return seen, troubles

    return compare


def _compared(git: Git, order: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """For each commit its number, and what its trees have that a parent's have not, or nothing."""
    number = -1
    current = b""
    with names_file(name.encode() for name in order) as names:
        process = git.start(*_COMPARE, *_PLAIN, stdin=names.fileno())
        try:
            told = records(out(process), b"\0")
            for record in told:
                if record.startswith(b":"):
                    thing = record.split(b" ")[3].decode()
                    yield number, thing, os.fsdecode(next(told, b""))
                elif record != current:
                    # A merge is told once for each parent.
                    current = record
                    number += 1
                    yield number, "", ""
        finally:
            end(process)


def described(git: Git, names: Collection[str]) -> dict[str, Commit]:
    """What commits and tags say of themselves: who made them, and when."""
    found: dict[str, Commit] = {}
    with names_file(name.encode() for name in names) as listed:
        process = git.start("cat-file", "--batch", stdin=listed.fileno())
        try:
            stream = out(process)
            while len(header := stream.readline().split()) == LINE_WORDS:
                text = stream.read(int(header[2]) + 1).partition(b"\n\n")[0]
                name = header[0].decode()
                found[name] = _commit(name, text)
        finally:
            end(process)
    return found


def _commit(name: str, text: bytes) -> Commit:
    for line in text.split(b"\n"):
        word, _, rest = line.partition(b" ")
        if word in (b"author", b"tagger"):
            author, _, when = rest.rpartition(b"> ")
            seconds = when.partition(b" ")[0]
            at = int(seconds) if seconds.lstrip(b"-").isdigit() else 0
            return Commit(name, author.decode("utf-8", "replace") + ">", at)
    return Commit(name, "", 0)
