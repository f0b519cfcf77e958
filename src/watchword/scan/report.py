"""What a scan says: text for people, JSON for programs. Values are in neither unless they were asked for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from watchword.domain.kinds import SHAPES, kinds_of
from watchword.scan.findings import Encoding, Finding, Place, Proof
from watchword.scan.judging import Judged
from watchword.scan.limits import Unread
from watchword.scan.lookup import Known

VERSION = 1
_LEGACY = "-legacy"


class Report(NamedTuple):
    """All that a scan has to say.

    Attributes:
        found: every finding, those that are suppressed too.
        unread: what was not read, or not to its end.
        known: what a server says of digests; None where none was asked.
        reveal: whether values are shown.
        files, size: files looked at, and their bytes.
    """

    found: Sequence[Judged]
    unread: Sequence[Unread] = ()
    known: Mapping[bytes, Known] | None = None
    reveal: bool = False
    files: int = 0
    size: int = 0

    @property
    def news(self) -> list[Judged]:
        """The findings that nothing suppresses."""
        return [one for one in self.found if one.by is None]


@lru_cache(maxsize=256)
def title(family: str) -> str:
    """What people call a family of values."""
    words = (
        family.removesuffix(_LEGACY).replace("-", " ").replace("api ", "API ").replace("dagster", "Dagster")
    )
    return f"{words}, older form" if family.endswith(_LEGACY) else words


@lru_cache(maxsize=256)
def kinds(family: str) -> tuple[str, ...]:
    """Kinds of tokens whose values look so."""
    name = family.removesuffix(_LEGACY)
    return tuple(kind.value for shape in SHAPES if shape.name == name for kind in kinds_of(shape))


def shown(path: str) -> str:
    """A path as people write it."""
    return path.removeprefix("./") or path


def where(place: Place) -> str:
    """A place in one word, as editors and people read it."""
    path = "!".join((shown(place.path), *place.members))
    return f"{path}:{place.line}:{place.column}" if place.line else f"{path}:@{place.offset}"


def clean(text: str) -> str:
    """Text that cannot steer a terminal: names of files are written by others."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def lines(report: Report) -> Iterator[str]:
    """One line for each finding that is news: place, kind, fingerprint, then what else is known."""
    for judged in report.news:
        finding = judged.finding
        said = [f"{clean(where(finding.place))}: {title(finding.hit.family)}", finding.fingerprint]
        said.append("checksum holds" if finding.hit.proof is Proof.CHECKSUM else "shape only")
        if finding.hit.encoding is not Encoding.PLAIN:
            said.append(finding.hit.encoding.value)
        if (commit := finding.place.commit) is not None:
            day = datetime.fromtimestamp(commit.at, UTC).date()
            said.append(f"commit {commit.id[:12]} of {day} by {clean(commit.author)}")
        if report.known is not None:
            said.append(_state(report.known.get(finding.digest)))
        if report.reveal:
            said.append(clean(finding.hit.value.reveal()))
        yield "  ".join(said)


def _state(known: Known | None) -> str:
    if known is None:
        return "not known there"
    name = f" {clean(known.token.get('name') or known.token.get('id', ''))}" if known.token else ""
    return f"{clean(known.state).upper()}{name}"


def summary(report: Report) -> Iterator[str]:
    """What was found in all, left out and not read."""
    news = report.news
    proven = sum(one.finding.hit.proof is Proof.CHECKSUM for one in news)
    values = len({one.finding.digest for one in news})
    if news:
        yield (
            f"{len(news)} {_plural('finding', news)} of {values} {'value' if values == 1 else 'values'}: "
            f"{proven} with a checksum that holds, {len(news) - proven} by shape only"
        )
    else:
        yield f"nothing found in {report.files} {'file' if report.files == 1 else 'files'}"
    suppressed: dict[str, int] = {}
    for one in report.found:
        if one.by is not None:
            suppressed[one.by.value] = suppressed.get(one.by.value, 0) + 1
    words = {
        "line": "by watchword:allow on their lines",
        "allow": "by the allow file",
        "baseline": "known before",
    }
    for by, count in sorted(suppressed.items()):
        yield f"{count} more suppressed, {words[by]}"
    for unread in report.unread:
        yield clean(f"not fully read: {'!'.join((shown(unread.path), *unread.members))}: {unread.why}")


def _plural(word: str, things: Sequence[object]) -> str:
    return word if len(things) == 1 else f"{word}s"


def document(report: Report) -> dict[str, Any]:
    """The report for programs; `docs/scanning.md` describes it."""
    news = report.news
    return {
        "version": VERSION,
        "findings": [_row(judged, report) for judged in report.found],
        "unread": [
            {"path": shown(unread.path), "members": list(unread.members), "why": unread.why}
            for unread in report.unread
        ],
        "summary": {
            "files": report.files,
            "bytes": report.size,
            "findings": len(news),
            "checksum": sum(one.finding.hit.proof is Proof.CHECKSUM for one in news),
            "shape": sum(one.finding.hit.proof is Proof.SHAPE for one in news),
            "suppressed": len(report.found) - len(news),
        },
    }


def _row(judged: Judged, report: Report) -> dict[str, Any]:
    finding = judged.finding
    hit, place = finding.hit, finding.place
    row: dict[str, Any] = {
        "family": hit.family,
        "kinds": list(kinds(hit.family)),
        "brand": hit.brand,
        "cell": hit.cell,
        "proof": hit.proof.value,
        "encoding": hit.encoding.value,
        "fingerprint": finding.fingerprint,
        "path": shown(place.path),
        "members": list(place.members),
        "line": place.line,
        "column": place.column,
        "offset": place.offset,
        "length": hit.end - hit.start,
        "commit": None if place.commit is None else _commit(finding),
        "suppressed_by": None if judged.by is None else judged.by.value,
        "suppressed_why": judged.why,
    }
    if report.known is not None:
        known = report.known.get(finding.digest)
        row["live"] = None if known is None else known.document()
    if report.reveal:
        row["value"] = hit.value.reveal()
    return row


def _commit(finding: Finding) -> dict[str, Any]:
    commit = finding.place.commit
    if commit is None:
        return {}
    return {
        "id": commit.id,
        "author": commit.author,
        "at": datetime.fromtimestamp(commit.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def as_json(report: Report) -> str:
    """The report for programs, as text."""
    return json.dumps(document(report), indent=2, ensure_ascii=True) + "\n"
