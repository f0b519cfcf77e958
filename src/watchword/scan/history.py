"""Scans git histories: every object once; commits and paths are looked up afterwards, for findings alone."""

import os
from collections.abc import Iterable, Iterator

from watchword.domain.errors import Invalid
from watchword.scan.attribution import by_date, commits, described, entries
from watchword.scan.findings import Commit, Finding
from watchword.scan.gitting import Git, end
from watchword.scan.listing import Spool, objects_of, out
from watchword.scan.looking import Look, Quiet, Skip, Watcher
from watchword.scan.objects import work
from watchword.scan.passing import unpacked
from watchword.scan.spread import Spread

COMMIT_MESSAGE, TAG_MESSAGE = "COMMIT_MSG", "TAG_MSG"
_ALL = ["--all"]
_Found = dict[str, tuple[str, list[Finding]]]  # object -> its kind and its findings
_Placed = tuple[int, str, Finding]  # number of the commit, object


def scan_history(
    repository: str,
    look: Look,
    *,
    since: str | None = None,
    unreachable: bool = False,
    jobs: int = 1,
    skip: Skip | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Finding]:
    """The findings in every version of every file that a git repository knows, and in its messages.

    A value is told once for each path, with the first commit that brought it in there. A commit's message has
    the path `COMMIT_MSG`, a tag's `TAG_MSG`, with the tag's own name in the commit's place. What no commit
    has any more has its object's name for a path, and no commit. They come in the order of the commits.

    Further processes are forked with this call, so make it before anything starts threads. `skip` and
    `watcher` are called in this process, while the findings are asked for.

    Args:
        repository: a folder inside the work tree, or a bare repository.
        look: what is looked for, and how.
        since: a revision; only what `HEAD` has and it has not is looked at.
        unreachable: whether objects that no reference reaches any more are looked at too (all of them are
            read anyway, so it costs nothing); not together with `since`.
        jobs: processes that share the work.
        skip: paths of the repository to leave out of the report.
        watcher: is told how far the scan is (in objects), and what cannot be read.

    Raises:
        Invalid: it is no repository, git does not trust its owner, or there is no such revision.
        Unavailable: git is not installed.
    """
    git = Git(repository)
    git.output("rev-parse", "--git-dir")
    told = watcher or Quiet()
    tips = _ALL if since is None else _range(git, since)
    spool = Spool()
    spread = Spread(work(git, look, spool), jobs)
    return _History(git, tips, told, skip, jobs).findings(spool, spread, unreachable=unreachable)


def _range(git: Git, since: str) -> list[str]:
    try:
        start = git.output("rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}")
    except Invalid as error:
        if error.code != "git_refuses":
            raise
        raise Invalid(
            f"The repository knows no commit by the name {since}.", code="unknown_revision"
        ) from None
    return ["HEAD", "^" + start.decode().strip()]


class _History:
    def __init__(self, git: Git, tips: list[str], watcher: Watcher, skip: Skip | None, jobs: int) -> None:
        self._git, self._tips, self._watcher, self._skip, self._jobs = git, tips, watcher, skip, jobs

    def findings(self, spool: Spool, spread: Spread, *, unreachable: bool) -> Iterator[Finding]:
        self._tell_gaps()
        found: _Found = {}
        listing = objects_of(self._git, self._tips, self._watcher.trouble)
        try:
            for count, size, some, troubles in spread.results(spool.tasks(listing, self._jobs)):
                self._watcher.read(count, size)
                for name, why in troubles:
                    self._watcher.trouble(name, why)
                for name, kind, packed in some:
                    found[name] = (kind, list(map(unpacked, packed)))
        finally:
            listing.close()
            spool.file.close()
        if found:
            placed = self._placed(found, spool.commits, unreachable=unreachable)
            yield from _once(sorted(placed, key=_order))

    def _tell_gaps(self) -> None:
        """Say which part of the history is not here."""
        if self._git.output("rev-parse", "--is-shallow-repository").strip() == b"true":
            self._watcher.trouble(
                self._git.repository, "The clone is shallow: what came before its first commits is not here."
            )
        if self._git.answer("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"):
            self._watcher.trouble(
                self._git.repository, "The clone is partial: objects that were not fetched are not looked at."
            )

    def _placed(self, found: _Found, listed: list[str], *, unreachable: bool) -> Iterator[_Placed]:
        """The findings with their commits and paths, each with its commit's number."""
        order = commits(self._git, self._tips, listed, self._watcher.trouble)
        if unreachable and self._tips == _ALL:
            reached = set(order)
            order += by_date(self._git, [name for name in listed if name not in reached])
        numbers = {name: number for number, name in enumerate(order)}
        blobs = {name for name, (kind, _) in found.items() if kind == "blob"}
        brought = entries(self._git, order, blobs, self._jobs, self._watcher.trouble) if blobs else {}
        tags = self._tags()
        named = {name for name in found if name in numbers or name in tags}
        named |= {order[entry.number] for some in brought.values() for entry in some}
        makers = described(self._git, named)
        lost: _Found = {}
        for name, (kind, findings) in found.items():
            if name in numbers:
                yield from self._at(findings, numbers[name], COMMIT_MESSAGE, makers.get(name))
            elif name in tags:
                yield from self._at(findings, len(order), TAG_MESSAGE, makers.get(name))
            elif name in brought:
                for entry in brought[name]:
                    yield from self._at(findings, entry.number, entry.path, makers.get(order[entry.number]))
            else:
                lost[name] = (kind, findings)
        if lost and self._tips == _ALL:
            paths = {} if unreachable else self._reached(lost)
            for name, (_, findings) in lost.items():
                if unreachable or name in paths:
                    yield from self._at(findings, len(order), paths.get(name) or name, None)

    def _at(
        self, findings: list[Finding], number: int, path: str, commit: Commit | None
    ) -> Iterator[_Placed]:
        if self._skip is not None and self._skip(path, False):
            return
        for finding in findings:
            thing = finding.place.path
            yield number, thing, finding._replace(place=finding.place._replace(path=path, commit=commit))

    def _tags(self) -> set[str]:
        listed = self._git.output("for-each-ref", "--format=%(objecttype) %(objectname)")
        return {line[4:] for line in listed.decode().splitlines() if line.startswith("tag ")}

    def _reached(self, lost: _Found) -> dict[str, str]:
        """Objects that a reference reaches, though no commit does (a tag on a file), with their paths."""
        found: dict[str, str] = {}
        process = self._git.start("rev-list", "--objects", "--missing=allow-any", "--all")
        try:
            for line in out(process):
                name, _, path = line.rstrip(b"\n").partition(b" ")
                if (key := name.decode()) in lost:
                    found[key] = os.fsdecode(path)
        finally:
            end(process)
        return found


def _order(placed: _Placed) -> tuple[int, str, str, tuple[str, ...], int]:
    number, thing, finding = placed
    place = finding.place
    return number, place.path, thing, place.members, place.offset


def _once(placed: Iterable[_Placed]) -> Iterator[Finding]:
    """Each value once for each path: where the first version of the file that has it has it."""
    first: dict[tuple[str, tuple[str, ...], bytes], str] = {}
    for _, thing, finding in placed:
        key = (finding.place.path, finding.place.members, finding.digest)
        if first.setdefault(key, thing) == thing:
            yield finding
