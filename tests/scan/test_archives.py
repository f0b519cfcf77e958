"""Archives are opened by what they hold, each member is named, and bombs are only noted."""

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from scan_values import value_of
from watchword.domain.kinds import Kind
from watchword.scan.archives import Archives
from watchword.scan.encodings import Decoder
from watchword.scan.findings import Encoding
from watchword.scan.limits import MIB, Limits, Notes
from watchword.scan.looking import Look
from watchword.scan.tree import scan_tree

SOURCE = random.Random(4)
VALUE = value_of(Kind.AGENT, SOURCE)
CONFIG = f"name=x\ntoken={VALUE}\n".encode()
Pack = Callable[[dict[str, bytes]], bytes]


def tar(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def deb(members: dict[str, bytes]) -> bytes:
    data = lzma.compress(tar(members))
    parts = {"debian-binary": b"2.0\n", "control.tar.gz": gzip.compress(tar({})), "data.tar.xz": data}
    packed = b"!<arch>\n"
    for name, content in parts.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}".encode() + b"`\n" + content
        packed += b"\n" * (len(content) % 2)
    return packed


PACKS: dict[str, Pack] = {
    "zip": zipped,
    "zip-stored": lambda members: zipped(members, zipfile.ZIP_STORED),
    "zip-lzma": lambda members: zipped(members, zipfile.ZIP_LZMA),
    "pyz": lambda members: b"#!/usr/bin/env python3\n" + zipped(members),
    "tar-pax": tar,
    "tar-gnu": lambda members: tar(members, tarfile.GNU_FORMAT),
    "tar-ustar": lambda members: tar(members, tarfile.USTAR_FORMAT),
    "tar.gz": lambda members: gzip.compress(tar(members)),
    "tar.bz2": lambda members: bz2.compress(tar(members)),
    "tar.xz": lambda members: lzma.compress(tar(members)),
    "tar.zst": lambda members: zstandard.compress(tar(members)),
}


def found(
    content: bytes, limits: Limits | None = None
) -> tuple[list[tuple[tuple[str, ...], int, int]], Notes]:
    notes = Notes()
    opener = Archives(decoders=(Decoder(),), limits=limits, notes=notes)
    assert opener.wants("any-name", content[:512])
    findings = list(opener.findings("any-name", io.BytesIO(content)))
    assert all(one.hit.value.reveal() == VALUE for one in findings)
    return [(one.place.members, one.place.line, one.place.column) for one in findings], notes


@pytest.mark.parametrize("form", PACKS)
def test_members_are_found_and_named(form: str) -> None:
    long = "/".join(["a-folder"] * 10) + "/agent.cfg"
    content = PACKS[form]({"README": b"nothing", "etc/agent.cfg": CONFIG, long: CONFIG, "empty": b""})
    places, notes = found(content)
    assert places == [(("etc/agent.cfg",), 2, 7), ((long,), 2, 7)]
    assert notes.all() == []


@pytest.mark.parametrize(
    ("compress", "suffix"),
    [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz"), (zstandard.compress, ".zst")],
)
def test_compressed_files(compress: Callable[[bytes], bytes], suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"agent.log{suffix}").write_bytes(compress(CONFIG) + compress(CONFIG))
    findings = list(scan_tree([str(tmp_path)], Look(openers=(Archives(),))))
    # What was compressed in two pieces is one content.
    assert [(one.place.members, one.place.line) for one in findings if one.place.members] == [
        (("agent.log",), 2),
        (("agent.log",), 4),
    ]


def test_a_debian_package() -> None:
    assert found(deb({"./etc/agent.cfg": CONFIG}))[0] == [(("data.tar.xz", "./etc/agent.cfg"), 2, 7)]


def test_container_images_of_both_layouts() -> None:
    layer = tar({"etc/agent.cfg": CONFIG})
    old = {"manifest.json": b"[]", "5f70/layer.tar": layer, "repositories": b"{}"}
    oci = {"oci-layout": b"{}", "blobs/sha256/ab12": gzip.compress(layer), "blobs/sha256/cd": CONFIG}
    assert found(tar(old))[0] == [(("5f70/layer.tar", "etc/agent.cfg"), 2, 7)]
    assert found(tar(oci))[0] == [
        (("blobs/sha256/ab12", "etc/agent.cfg"), 2, 7),
        (("blobs/sha256/cd",), 2, 7),
    ]


def test_nested_and_encoded() -> None:
    inner = zipped({"a.txt": CONFIG.decode().encode("utf-16-le")})
    content = PACKS["tar.gz"]({"lib/x.jar": zipped({"deep/y.whl": inner})})
    opener = Archives(decoders=(Decoder(),))
    (one,) = opener.findings("x", io.BytesIO(content))
    assert one.place.members == ("lib/x.jar", "deep/y.whl", "a.txt")
    assert one.hit.encoding is Encoding.UTF16_LE


def why(content: bytes, limits: Limits) -> list[str]:
    return [one.why for one in found(content, limits)[1].all()]


def test_limits_are_noted_and_end_nothing_else() -> None:
    bomb = gzip.compress(bytes(4 * MIB), 9)
    small = Limits(total=64 * MIB, ratio=20, ratio_from=MIB)
    # The rest of the archive that holds it is read.
    places, notes = found(tar({"bomb.gz": bomb, "agent.cfg": CONFIG}), small)
    assert places == [(("agent.cfg",), 2, 7)]
    assert [(one.members, one.why) for one in notes.all()] == [
        (("bomb.gz",), "unpacks to more than 20 times its size")
    ]
    assert why(zipped({"a": bytes(4 * MIB)}), small) == ["unpacks to more than 20 times its size"]
    assert why(tar({"a": bomb}), Limits(total=MIB)) == ["unpacks to more than 1 MiB"]
    assert why(tar({str(one): b"x" for one in range(9)}), Limits(members=8)) == ["holds more than 8 files"]
    assert why(zipped({str(one): b"" for one in range(99)}), Limits(directory=100))[0].startswith("its dir")
    assert why(PACKS["tar.gz"]({"a.zip": zipped({"b": bytes(99)})}), Limits(spool=50))[0].startswith(
        "is larger"
    )
    nest = CONFIG
    for _ in range(5):
        nest = gzip.compress(nest)
    assert "no more are opened" in why(nest, Limits(depth=3))[0]
    assert found(nest)[0] == [(("content",) * 5, 2, 7)]


def test_memory_stays_bounded() -> None:
    # A header says that a name of 8 GB follows; zeros compress well.
    header = bytearray(tar({"x": b""})[:512])
    header[124:136] = b"77777777777\0"
    header[156:157] = b"x"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    content = gzip.compress(bytes(header) + bytes(64 * MIB), 9)
    tracemalloc.start()
    notes = why(content, Limits(ratio=100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert notes == ["ends too early"]
    assert peak < 16 * MIB


def test_damage_is_noted_and_what_came_before_is_told() -> None:
    for form, pack in PACKS.items():
        whole = pack({"agent.cfg": CONFIG, "noise": SOURCE.randbytes(MIB)})
        places, notes = found(whole[: len(whole) - 4096 - MIB // 2])
        assert notes.all(), form
        if not form.startswith(("zip", "pyz", "tar.bz2")):
            assert places == [(("agent.cfg",), 2, 7)], form


def test_what_cannot_be_opened_is_noted() -> None:
    assert why(b"7z\xbc\xaf\x27\x1c" + bytes(99), Limits()) == ["archives of 7z are not opened"]
    encrypted = bytearray(
        zipped({"a": CONFIG}, zipfile.ZIP_STORED).replace(VALUE.encode(), b"?" * len(VALUE))
    )
    for at in (encrypted.find(b"PK\3\4") + 6, encrypted.find(b"PK\1\2") + 8):
        encrypted[at] |= 1
    assert why(bytes(encrypted), Limits()) == ["is encrypted"]


def test_plain_files_are_no_archives() -> None:
    opener = Archives()
    for head in (b"", CONFIG, b"PK", b"BZ", b"#!/bin/sh\n", bytes(512), b"0" * 512, json.dumps({}).encode()):
        assert not opener.wants("x.zip", head)
