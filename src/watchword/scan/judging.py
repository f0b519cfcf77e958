"""What may stand where it stands: baselines, allow files, words on the line."""

import fnmatch
import json
import os
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from watchword.domain.errors import Invalid
from watchword.scan.findings import Encoding, Finding

BASELINE = ".watchword-baseline.json"
ALLOW = ".watchword-allow"
_VERSION = 1
_MAX_FILE = 64 << 20
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")


class By(StrEnum):
    """What says that a finding needs nobody's attention."""

    LINE = "line"  # `watchword:allow` on its line
    ALLOW = "allow"  # the allow file
    BASELINE = "baseline"  # it was there before


class Judged(NamedTuple):
    """A finding, what suppresses it, and the reason that is given for that."""

    finding: Finding
    by: By | None = None
    why: str = ""


class Allowance(NamedTuple):
    """A line of an allow file: a fingerprint, or a glob of paths, and why."""

    what: str
    why: str

    def admits(self, finding: Finding, path: str) -> bool:
        """Whether it speaks of this finding."""
        if _FINGERPRINT.fullmatch(self.what):
            return finding.fingerprint == self.what
        return fnmatch.fnmatchcase(path, self.what) or path.startswith(self.what.rstrip("/") + "/")


class Judge:
    """Tells what is news.

    Args:
        root: folder that the paths in baseline and allow file start from.
        allowances: of the allow file.
        baseline: fingerprints and paths of what is known.
    """

    def __init__(
        self,
        root: str = ".",
        allowances: Iterable[Allowance] = (),
        baseline: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._root = root
        self._allowances = tuple(allowances)
        self._baseline = frozenset(baseline)

    def judge(self, finding: Finding) -> Judged:
        """The finding with what suppresses it."""
        if finding.allowed:
            return Judged(finding, By.LINE, "watchword:allow")
        if not self._allowances and not self._baseline:
            return Judged(finding)
        path = self.path(finding)
        for allowance in self._allowances:
            if allowance.admits(finding, path):
                return Judged(finding, By.ALLOW, allowance.why)
        if (finding.fingerprint, path) in self._baseline:
            return Judged(finding, By.BASELINE, "known before")
        return Judged(finding)

    def path(self, finding: Finding) -> str:
        """A finding's path from the root, members of archives behind exclamation marks."""
        place = finding.place
        path = place.path
        if path != "-" and place.commit is None:
            path = os.path.relpath(path, self._root)
        return "!".join((path.replace(os.sep, "/"), *place.members))

    def baseline_of(self, findings: Iterable[Finding]) -> str:
        """Text of a baseline file that knows these findings; it holds no values."""
        known = {(self.path(finding), finding.fingerprint): finding.hit.family for finding in findings}
        rows = [
            {"fingerprint": fingerprint, "path": path, "family": family}
            for (path, fingerprint), family in sorted(known.items())
        ]
        return json.dumps({"version": _VERSION, "findings": rows}, indent=2) + "\n"


def read_baseline(path: str) -> Iterator[tuple[str, str]]:
    """The fingerprints and paths of a baseline file.

    Raises:
        Invalid: it cannot be read, or is none.
    """
    try:
        document = json.loads(_text(path))
        if document["version"] != _VERSION:
            raise ValueError  # noqa: TRY301 - said below
        yield from [(str(row["fingerprint"]), str(row["path"])) for row in document["findings"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Invalid(f"{path} is no baseline file of this version", code="bad_baseline") from None


def read_allowances(path: str) -> Iterator[Allowance]:
    """The lines of an allow file: a fingerprint or a glob of paths, then `#` and the reason.

    Raises:
        Invalid: it cannot be read, or a line gives no reason.
    """
    for number, line in enumerate(_text(path).splitlines(), start=1):
        what, _, why = (part.strip() for part in line.partition("#"))
        if what and not why:
            raise Invalid(f"{path}, line {number}: say why, behind a #", code="bad_allow_file")
        if what:
            yield Allowance(what.removeprefix("./"), why)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_FILE)
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", code="cannot_read") from None


def find_root(path: str) -> str:
    """The folder whose allow file and baseline apply: the next one up that has one, or is a repository's."""
    start = os.path.abspath(path)
    folder = each = start if os.path.isdir(start) else os.path.dirname(start)
    while not any(os.path.exists(os.path.join(each, name)) for name in (ALLOW, BASELINE, ".git")):
        above = os.path.dirname(each)
        if above == each:
            return folder
        each = above
    return each


def once(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those of an unopened archive that were found in its members too."""
    known = list(findings)
    inside = {(one.place.path, one.digest) for one in known if one.place.members}
    return [
        one
        for one in known
        if one.place.members
        or one.place.line
        or one.hit.encoding is not Encoding.PLAIN
        or (one.place.path, one.digest) not in inside
    ]
