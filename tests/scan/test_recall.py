"""Every value that is hidden is found: of each kind, in each context, in files, git histories and archives.

`WATCHWORD_LONG=1` (`make soak`) hides 10,000 of each kind in each context in each place; without it 10,000 of
each kind are spread over the contexts in files, and fewer are hidden in all contexts in all places.
"""

import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from properties.property_profiles import LONG
from scan_planting import CONTEXTS, planted, spread
from watchword.domain.kinds import KINDS, Body, Kind
from watchword.scan.archives import Archives
from watchword.scan.encodings import Decoder
from watchword.scan.findings import Finding, Proof
from watchword.scan.history import scan_history
from watchword.scan.looking import Look
from watchword.scan.tree import scan_tree

MANY = 10_000
SOME = MANY if LONG else 60

# A trusted issuer stands among tokens and has no value.
WITH_VALUES = [kind for kind in Kind if KINDS[kind].shape.body is not Body.NONE]


def check(kind: Kind, hidden: Iterable[str], findings: Iterable[Finding]) -> None:
    """What was hidden, and nothing else, was found, with the right family and proof."""
    shape = KINDS[kind].shape
    found = set()
    for finding in findings:
        assert finding.hit.family == shape.name
        assert finding.hit.proof is (Proof.CHECKSUM if shape.checked else Proof.SHAPE)
        found.add(finding.hit.value.reveal())
    wanted = set(hidden)
    assert len(found) == len(wanted)
    assert found == wanted


@pytest.mark.timeout(3600 if LONG else 240)
@pytest.mark.parametrize("kind", WITH_VALUES)
def test_ten_thousand_of_each_kind(kind: Kind, tmp_path: Path) -> None:
    values = planted(kind, MANY)
    assert len(set(values)) == MANY
    for name, some in spread(values):
        (tmp_path / name).write_text(CONTEXTS[name](some))
    check(kind, values, scan_tree([str(tmp_path)], Look(decoders=(Decoder(),))))


@pytest.mark.timeout(3600 if LONG else 240)
@pytest.mark.parametrize("kind", WITH_VALUES)
def test_every_context_in_every_place(kind: Kind, tmp_path: Path) -> None:
    values = planted(kind, SOME, seed=1)
    files = {name: context(values).encode() for name, context in CONTEXTS.items()}
    work = tmp_path / "work"
    work.mkdir()
    for name, content in files.items():
        (work / name).write_bytes(content)
    look = Look(decoders=(Decoder(),), openers=(Archives(decoders=(Decoder(),)),))
    by_place = [list(scan_tree([str(work)], look)), _in_git(work, look), _in_archives(tmp_path, files, look)]
    for findings in by_place:
        found: dict[str, list[Finding]] = {name: [] for name in CONTEXTS}
        for one in findings:
            if one.place.members or not one.place.path.endswith((".zip", ".gz")):
                found[(one.place.members or (one.place.path.rpartition("/")[2],))[-1]].append(one)
        for some in found.values():
            check(kind, values, some)


def _in_git(work: Path, look: Look) -> list[Finding]:
    def git(*words: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *who, *words], cwd=work, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "bring them in")
    git("rm", "-rq", ".")
    git("commit", "-qm", "take them out")
    return list(scan_history(str(work), look))


def _in_archives(folder: Path, files: dict[str, bytes], look: Look) -> list[Finding]:
    names = sorted(files)
    with zipfile.ZipFile(folder / "half.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names[::2]:
            archive.writestr(name, files[name])
    with tarfile.open(folder / "half.tar.gz", "w:gz", compresslevel=1) as layers:
        for name in names[1::2]:
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            layers.addfile(info, io.BytesIO(files[name]))
    return list(scan_tree([str(folder / "half.zip"), str(folder / "half.tar.gz")], look))
