"""Does what `watchword scan` was asked. Loads little: a hook runs at each commit."""

import os
import sys
from collections.abc import Iterable, Iterator
from io import BufferedReader
from itertools import chain
from typing import TYPE_CHECKING, cast

from watchword.cli.output import say
from watchword.cli.scanwords import Asked
from watchword.domain.errors import Invalid, WatchwordError
from watchword.domain.kinds import DEFAULT_BRAND
from watchword.scan.findings import Finding, Proof
from watchword.scan.judging import ALLOW, BASELINE, Judge, find_root, once, read_allowances, read_baseline
from watchword.scan.limits import Notes, Unread
from watchword.scan.looking import Decoder, Look, Opener, Skip
from watchword.scan.report import Report, as_json, lines, summary

if TYPE_CHECKING:
    from watchword.cli.scanbar import Bar

NOTHING, FOUND, FAILED = 0, 1, 2
_HEAD = 512
_MOST_JOBS = 16
_MAX_BRAND = 8


def run(asked: Asked) -> int:
    """Scan and report; return the exit status."""
    try:
        _check(asked)
        if asked.install_hook:
            from watchword.cli.scanhook import install  # noqa: PLC0415 - rare

            install(asked.paths[0] if asked.paths else ".")
            return NOTHING
        return _scan(asked)
    except WatchwordError as error:
        say(f"watchword: {error.message} ({error.code})")
        return FAILED


def _check(asked: Asked) -> None:
    if sum((asked.git, asked.staged, asked.stdin)) > 1:
        raise Invalid("give one of --git, --staged and --stdin", code="two_sources")
    if asked.since is not None and not asked.git:
        raise Invalid("--since goes with --git", code="since_without_git")
    if asked.stdin and asked.paths:
        raise Invalid("--stdin takes no paths", code="two_sources")
    if asked.checksum_only and asked.shape_only:
        raise Invalid("give one of --checksum-only and --shape-only", code="two_proofs")
    for brand in asked.brand:
        if not (brand.isascii() and brand.isalnum() and brand.islower() and len(brand) <= _MAX_BRAND):
            raise Invalid("a brand is 1 to 8 lower-case letters and digits", code="invalid_brand")


def _scan(asked: Asked) -> int:
    notes = Notes()
    judge = _judge(asked)
    progress = _Progress()
    found = list(once(_wanted(asked, progress.over(_findings(asked, notes, progress)))))
    judged = [judge.judge(finding) for finding in found]
    known = None
    if asked.verify:
        from watchword.cli.scanserver import live  # noqa: PLC0415 - needs the HTTP client

        known = live([one.finding.digest for one in judged if one.by is None], asked.credentials)
    unread = [*progress.troubles, *notes.all()]
    report = Report(judged, unread, known, asked.reveal, progress.files, progress.size)
    _write(asked, report)
    if asked.write_baseline is not None:
        # What its line or the allow file admits needs no baseline.
        fresh = [one.finding for one in judged if one.by is None or one.why == "known before"]
        _save(asked.write_baseline, judge.baseline_of(fresh))
    for line in summary(report):
        say(line)
    if asked.write_baseline is not None:
        return NOTHING
    if report.news:
        return FOUND
    return FAILED if progress.troubles else NOTHING


def _judge(asked: Asked) -> Judge:
    root = find_root(asked.paths[0] if asked.paths else ".")
    allow = asked.allow or _there(root, ALLOW)
    baseline = asked.baseline or (None if asked.write_baseline else _there(root, BASELINE))
    return Judge(root, read_allowances(allow) if allow else (), read_baseline(baseline) if baseline else ())


def _there(root: str, name: str) -> str | None:
    path = os.path.join(root, name)  # noqa: PTH118 - pathlib is slow to load
    return path if os.path.isfile(path) else None  # noqa: PTH113


def _look(asked: Asked, notes: Notes, *, opening: bool) -> Look:
    brands = asked.brand or (DEFAULT_BRAND,)
    decoders: tuple[Decoder, ...] = ()
    if not asked.no_decode:
        from watchword.scan import encodings  # noqa: PLC0415

        decoders = (encodings.Decoder(brands),)
    openers: tuple[Opener, ...] = ()
    if opening:
        from watchword.scan.archives import Archives  # noqa: PLC0415

        openers = (Archives(brands, decoders, notes=notes),)
    return Look(brands, decoders, openers)


def _findings(asked: Asked, notes: Notes, progress: "_Progress") -> Iterator[Finding]:
    jobs = asked.jobs or min(os.cpu_count() or 1, _MOST_JOBS)
    look = _look(asked, notes, opening=asked.archive)
    if asked.stdin:
        return _standard_input(look)
    if asked.git:
        from watchword.scan.history import scan_history  # noqa: PLC0415

        return chain.from_iterable(
            scan_history(
                path, look, since=asked.since, unreachable=asked.since is None, jobs=jobs, watcher=progress
            )
            for path in asked.paths or (".",)
        )
    if asked.staged:
        from watchword.scan.staged import scan_staged  # noqa: PLC0415

        return chain.from_iterable(
            scan_staged(path, look, watcher=progress) for path in asked.paths or (".",)
        )
    return _files(asked, notes, look, jobs, progress)


def _files(asked: Asked, notes: Notes, look: Look, jobs: int, progress: "_Progress") -> Iterator[Finding]:
    from watchword.scan.tree import scan_tree  # noqa: PLC0415

    paths = asked.paths or (".",)
    skip: Skip | None = None
    if asked.respect_gitignore:
        from watchword.scan.ignoring import ignored  # noqa: PLC0415

        skip = ignored(paths)
    archives = () if asked.archive else tuple(path for path in paths if _is_archive(path))
    others = tuple(path for path in paths if path not in archives)
    found = scan_tree(others, look, jobs=jobs, skip=skip, watcher=progress) if others else iter(())
    if not archives:
        return found
    opening = _look(asked, notes, opening=True)
    return chain(found, scan_tree(archives, opening, jobs=min(jobs, len(archives)), watcher=progress))


def _is_archive(path: str) -> bool:
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib is slow to load
        return False
    from watchword.scan.packings import form_of  # noqa: PLC0415

    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return form_of(file.read(_HEAD)) is not None
    except OSError:
        return False  # the scan will say so


def _standard_input(look: Look) -> Iterator[Finding]:
    from watchword.scan.content import Reader  # noqa: PLC0415

    stream = cast(BufferedReader, sys.stdin.buffer)
    head = stream.peek(_HEAD)[:_HEAD] if look.openers else b""
    for opener in look.openers:
        if opener.wants("-", head):
            # A stream is read once, and what an archive holds says more than its own bytes.
            yield from opener.findings("-", stream)
            return
    yield from Reader(look).in_stream(stream, "-")


def _wanted(asked: Asked, findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        proven = finding.hit.proof is Proof.CHECKSUM
        if (proven and asked.shape_only) or (not proven and asked.checksum_only):
            continue
        yield finding


def _write(asked: Asked, report: Report) -> None:
    if asked.format == "text":
        text = "".join(f"{line}\n" for line in lines(report))
    elif asked.format == "json":
        text = as_json(report)
    else:
        from watchword.scan.sarif import as_sarif  # noqa: PLC0415

        text = as_sarif(report)
    if asked.output is not None:
        _save(asked.output, text)
    elif text:
        try:
            print(text, end="", flush=True)
        except BrokenPipeError:
            # Who reads has enough; Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _save(path: str, text: str) -> None:
    try:
        # Values may be in it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise Invalid(f"cannot write {path}: {error.strerror}", code="cannot_write") from None


class _Progress:
    """Counts what is looked at; on a terminal it shows so."""

    def __init__(self) -> None:
        self.files = 0
        self.size = 0
        self.troubles: list[Unread] = []
        self._show: Bar | None = None

    def read(self, files: int, size: int) -> None:
        """So many more files and bytes were looked at."""
        self.files += files
        self.size += size
        if self._show is not None:
            self._show.show(self.files, self.size)

    def trouble(self, name: str, why: str) -> None:
        """Something could not be read."""
        self.troubles.append(Unread(name, (), why))

    def over(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        """The findings, while they are shown to come: the scan's processes exist by now."""
        if not sys.stderr.isatty():
            yield from findings
            return
        from watchword.cli.scanbar import Bar  # noqa: PLC0415 - nobody sees it elsewhere

        with Bar() as self._show:
            yield from findings
