"""Folders: every value in every file with its place, odd files, any number of processes."""

import io
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from watchword.crypto.values import mint
from watchword.domain.kinds import Kind
from watchword.scan import content, crew, packing, walking
from watchword.scan.archives import Archives
from watchword.scan.content import OVERLAP, WINDOW, Reader
from watchword.scan.engine import Engine
from watchword.scan.findings import Encoding, Finding, Hit, Place
from watchword.scan.looking import Look
from watchword.scan.tree import scan_tree

JOBS = pytest.mark.parametrize("jobs", [1, 3])
Told = list[tuple[str, str, int, int, int]]


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.files = self.size = 0
        self.troubles: list[tuple[str, str]] = []

    def read(self, files: int, size: int) -> None:
        self.files += files
        self.size += size

    def trouble(self, name: str, why: str) -> None:
        self.troubles.append((name, why))


def value() -> str:
    return mint(Kind.AGENT).reveal()


def told(found: Iterable[Finding]) -> Told:
    """Values, paths, lines, columns, offsets."""
    return [
        (one.hit.value.reveal(), one.place.path, one.place.line, one.place.column, one.place.offset)
        for one in found
    ]


def scan(*paths: Path, **options: object) -> Told:
    return told(scan_tree(map(str, paths), Look(), **options))  # type: ignore[arg-type]


def plant(folder: Path, count: int) -> Told:
    """Files of many sizes in many folders, with values at known places."""
    source = random.Random(count)
    planted: Told = []
    for number in range(count):
        below = folder / f"{number % 7}" / f"{number % 3}"
        below.mkdir(parents=True, exist_ok=True)
        lines = ["x" * source.randrange(120) for _ in range(source.choice([0, 1, 50, 2000]))]
        text = "".join(line + "\n" for line in lines)
        path = below / f"file {number}"
        if number % 3:
            path.write_text(text, encoding="utf-8")
            continue
        token = value()
        path.write_text(f"{text}key: {token}\n{text}", encoding="utf-8")
        planted.append((token, str(path), len(lines) + 1, 6, len(text) + 5))
    return planted


@JOBS
def test_all_values_are_found_with_their_places_in_a_stable_order(tmp_path: Path, jobs: int) -> None:
    planted = plant(tmp_path, 300)
    notes = Notes()
    found = scan(tmp_path, jobs=jobs, watcher=notes)
    assert sorted(found) == sorted(planted)
    assert found == scan(tmp_path)
    assert notes.files == 300
    assert notes.size == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert notes.troubles == []


def test_no_value_stretches_over_two_files(tmp_path: Path) -> None:
    token = value()
    (tmp_path / "a").write_text(token[:20], encoding="utf-8")
    (tmp_path / "b").write_text(token[20:], encoding="utf-8")
    (tmp_path / "c").write_text(token, encoding="utf-8")
    (tmp_path / "d").write_text("word", encoding="utf-8")
    assert [one[1] for one in scan(tmp_path)] == [str(tmp_path / "c")]


@pytest.mark.parametrize("small", [1, 64])
def test_a_value_at_every_place_around_a_border(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    token = value()
    window, overlap = 700, 200
    monkeypatch.setattr(packing, "OVERLAP", overlap)
    for module in (content, packing):
        monkeypatch.setattr(module, "WINDOW", window)
    monkeypatch.setattr(content, "OVERLAP", overlap)
    monkeypatch.setattr(packing, "SMALL", small)
    monkeypatch.setattr(packing, "PACK", 256)
    planted: Told = []
    for before in range(0, 1500, 7):
        path = tmp_path / f"{before:04}"
        text = ("a" * 48 + "\n") * 40
        path.write_text(text[:before] + "\n" + token + "\n" + text[before:], encoding="utf-8")
        line = text[:before].count("\n") + 2
        planted.append((token, str(path), line, 1, before + 1))
    assert scan(tmp_path) == planted
    for token_, path_, *place in planted:
        with Path(path_).open("rb") as file:
            found = told(Reader(Look()).in_stream(_OneWay(file.read()), path_))
        assert found == [(token_, path_, *place)]


class _OneWay(io.BytesIO):
    """A stream that gives little at a time and cannot go back."""

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 333))


def test_windows_are_larger_than_what_two_share() -> None:
    assert WINDOW > 8 * OVERLAP


def test_binary_files_have_no_lines(tmp_path: Path) -> None:
    token = value()
    (tmp_path / "binary").write_bytes(b"\0\n\n" + token.encode())
    (tmp_path / "large").write_bytes(b"\0\n" + bytes(3 << 20) + token.encode())
    assert [one[2:] for one in scan(tmp_path)] == [(0, 4, 3), (0, (3 << 20) + 3, (3 << 20) + 2)]


def test_links_are_not_followed_unless_they_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "loop").symlink_to(folder)
    (tmp_path / "outside").write_text(value(), encoding="utf-8")
    (folder / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "way").symlink_to(folder)
    assert scan(folder) == []
    assert scan(tmp_path / "way") == []
    assert len(scan(folder / "link")) == 1
    (folder / "file").write_text(value(), encoding="utf-8")
    assert [one[1] for one in scan(tmp_path / "way")] == [str(tmp_path / "way" / "file")]


@JOBS
def test_what_cannot_be_read_is_told_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    (tmp_path / "readable").write_text(value(), encoding="utf-8")
    (tmp_path / "locked").write_text(value(), encoding="utf-8")
    (tmp_path / "shut").mkdir()
    os.mkfifo(tmp_path / "pipe")
    opening = os.open

    def open_(path: str, *rest: object, **options: object) -> int:
        if str(path).endswith(("locked", "shut")):
            raise PermissionError(13, "Permission denied")
        return opening(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", open_)
    notes = Notes()
    found = scan(tmp_path, tmp_path / "missing", tmp_path / "pipe", jobs=jobs, watcher=notes)
    assert [Path(one[1]).name for one in found] == ["readable"]
    assert sorted((Path(name).name, why) for name, why in notes.troubles) == [
        ("locked", "Permission denied."),
        ("missing", "No such file or directory."),
        ("pipe", "It is neither a file nor a folder."),
        ("shut", "Permission denied."),
    ]


def test_names_of_any_bytes_and_deep_folders(tmp_path: Path) -> None:
    token = value()
    odd = os.fsencode(tmp_path) + b"/\xff\n"
    with open(odd, "w", encoding="utf-8") as file:  # noqa: PTH123 - a name that is no text
        file.write(token)
    deep = tmp_path.joinpath(*["d" * 60] * 30)
    deep.mkdir(parents=True)
    (deep / "file").write_text(token, encoding="utf-8")
    assert [one[1] for one in scan(tmp_path, jobs=2)] == [os.fsdecode(odd), str(deep / "file")]


@JOBS
def test_paths_are_left_out_with_what_is_below(tmp_path: Path, jobs: int) -> None:
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(value(), encoding="utf-8")
    asked: list[tuple[str, bool]] = []

    def skip(path: str, is_folder: bool) -> bool:  # noqa: FBT001 - the seam's
        asked.append((path.removeprefix(f"{tmp_path}/"), is_folder))
        return path.endswith(("/b", "/e"))

    assert [one[1] for one in scan(tmp_path, jobs=jobs, skip=skip)] == [str(tmp_path / "a/d")]
    assert sorted(asked) == [("a", True), ("a/b", True), ("a/d", False), ("e", False)]


def test_decoders_and_openers_see_every_file(tmp_path: Path) -> None:
    token = value()
    (tmp_path / "a.box").write_bytes(b"BOX" + token[::-1].encode())
    (tmp_path / "b").write_text(token[::-1], encoding="utf-8")
    (tmp_path / "large.box").write_bytes(b"BOX" + bytes(2 << 20) + token[::-1].encode())
    engine = Engine()

    def backwards(data: bytes) -> Iterator[Hit]:
        for hit in engine.hits(data[::-1]):
            start, end = len(data) - hit.end, len(data) - hit.start
            yield Hit(start, end, hit.value, hit.family, hit.brand, hit.cell, hit.proof, Encoding.BASE64)

    class Box:
        def wants(self, name: str, head: bytes) -> bool:
            return name.endswith(".box") and head.startswith(b"BOX")

        def findings(self, name: str, stream: BinaryIO) -> Iterator[Finding]:
            stream.seek(3)
            for hit in backwards(stream.read()):
                yield Finding(hit, Place(name, 1, hit.start + 1, hit.start, ("inside",)))

    look = Look(decoders=(backwards,), openers=(Box(),))
    for jobs in (1, 2):
        found = list(scan_tree([str(tmp_path)], look, jobs=jobs))
        assert [(Path(one.place.path).name, one.place.members, one.hit.encoding) for one in found] == [
            ("a.box", (), Encoding.BASE64),
            ("a.box", ("inside",), Encoding.BASE64),
            ("b", (), Encoding.BASE64),
            ("large.box", (), Encoding.BASE64),
            ("large.box", ("inside",), Encoding.BASE64),
        ]
        assert {one.hit.value.reveal() for one in found} == {token}


def test_text_with_digits_where_tar_has_its_checksum_is_text(tmp_path: Path) -> None:
    token = value()
    text = b"a" * 148 + b"0 -> LAT" + b"a" * 400 + b"\n" + token.encode()
    (tmp_path / "map").write_bytes(text)
    look = Look(openers=(Archives(),))
    assert [one[0] for one in told(scan_tree([str(tmp_path)], look))] == [token]


def test_no_process_is_forked_beside_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = plant(tmp_path, 20)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert not crew.can_fork()
        monkeypatch.setattr(crew.Crew, "_fork", lambda *_: pytest.fail("forked"))
        assert sorted(scan(tmp_path, jobs=2)) == sorted(planted)
    finally:
        stop.set()
        thread.join()


def test_a_scan_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    plant(tmp_path, 200)
    found = scan_tree([str(tmp_path)], Look(), jobs=2)
    next(found)
    found.close()  # type: ignore[attr-defined]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    plant(tmp_path, 20)
    here = os.getpid()

    def die(data: bytes) -> Iterator[Hit]:
        if os.getpid() != here:
            os._exit(9)
        yield from Engine().hits(data)

    with pytest.raises(RuntimeError, match="ended before its work was done"):
        list(scan_tree([str(tmp_path)], Look(decoders=(die,)), jobs=2))


def test_systems_without_handles_of_folders_walk_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = plant(tmp_path, 30)
    monkeypatch.setattr(walking, "_HANDLES", False)
    assert sorted(scan(tmp_path)) == sorted(planted)


def test_scanning_imports_no_library_before_it_needs_one() -> None:
    words = "import watchword.scan.tree, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], check=True, capture_output=True, text=True)
    loaded = done.stdout.split()
    for name in (
        "rich",
        "cyclopts",
        "sqlalchemy",
        "cryptography",
        "msgspec",
        "subprocess",
        "asyncio",
        "tempfile",
    ):
        assert name not in loaded
