"""Feeds the scanner's parsers with damaged input: `python tests/scan_fuzzing.py TARGET [LIBFUZZER OPTIONS]`.

`make fuzz` runs each target for a minute, the tests for a moment. An exception that is none of the agreed
ones, an input that takes over ten seconds, or more memory than the limit ends a run with a failure.
"""

import base64
import bz2
import contextlib
import gzip
import io
import lzma
import random
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["watchword.scan"]):
    from watchword.domain.errors import Invalid
    from watchword.scan.archives import Archives
    from watchword.scan.encodings import Decoder
    from watchword.scan.engine import Engine
    from watchword.scan.explain import Explainer
    from watchword.scan.judging import read_allowances, read_baseline
    from watchword.scan.limits import MIB, Limits

from scan_values import KINDS_TO_FIND, value_of

_ENGINE = Engine()
_DECODER = Decoder()
_EXPLAINER = Explainer()
_LIMITS = Limits(total=8 * MIB, ratio_from=MIB, members=200, spool=4 * MIB, memory=32 * MIB)
_FILE = Path(tempfile.mkdtemp()) / "input"


def engine(data: bytes) -> None:
    """Hits stand where they say, in order, and do not overlap."""
    end = 0
    for hit in _ENGINE.hits(data):
        assert hit.start >= end
        assert data[hit.start : hit.end].decode() == hit.value.reveal()
        end = hit.end


def encodings(data: bytes) -> None:
    """Hits lie inside of what they were found in."""
    for hit in _DECODER(data):
        assert 0 <= hit.start < hit.end <= len(data)


def archives(data: bytes) -> None:
    """Whatever is in it, it ends, and raises nothing."""
    opener = Archives(decoders=(_DECODER,), limits=_LIMITS)
    for finding in opener.findings("input", io.BytesIO(data)):
        assert finding.place.members
    opener.notes.all()


def exceptions(data: bytes) -> None:
    """A file of exceptions is read or refused."""
    _FILE.write_bytes(data)
    for read in (read_baseline, read_allowances):
        with contextlib.suppress(Invalid):
            list(read(str(_FILE)))


def explain(data: bytes) -> None:
    """Every string has an explanation."""
    _EXPLAINER.explain(data.decode("utf-8", "replace")).document()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "engine": engine,
    "encodings": encodings,
    "archives": archives,
    "exceptions": exceptions,
    "explain": explain,
}


def seeds(target: str) -> list[bytes]:
    """Inputs to begin with."""
    source = random.Random(1)
    values = [value_of(kind, source).encode() for kind in KINDS_TO_FIND]
    if target in ("engine", "explain"):
        return values
    if target == "encodings":
        return [
            *map(base64.b64encode, values),
            *(value.decode().encode("utf-16-le") for value in values),
            *(base64.encodebytes(value.decode().encode("utf-16-le")) for value in values),
            *(value.replace(b"_", b"%5F").replace(b":", b"%3A") for value in values),
        ]
    if target == "exceptions":
        return [b'{"version": 1, "findings": [{"fingerprint": "0123456789ab", "path": "a"}]}', b"a/* # why\n"]
    return packed(b"\n".join(values))


def packed(content: bytes) -> list[bytes]:
    """The content in archives of each form."""
    tar, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in ("a", "b/" * 60):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("a", content)
        files.writestr("b.tar", tar.getvalue())
    deb = b"!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n"
    wholes = [tar.getvalue(), zipped.getvalue(), deb]
    return [*wholes, gzip.compress(wholes[0]), bz2.compress(content), lzma.compress(content)]


def main() -> None:
    """Fuzz one target, beginning with its seeds."""
    name = sys.argv[1]
    corpus = Path(tempfile.mkdtemp())
    for number, seed in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(seed)
    options = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=20000", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:], str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
