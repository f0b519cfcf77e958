r"""Finds values that are not written plainly: in base64, in UTF-16, in base64 of UTF-16, with escapes."""

from collections.abc import Callable, Iterator, Sequence

from watchword.crypto.values import MAX_VALUE
from watchword.domain.kinds import DEFAULT_BRAND
from watchword.scan.engine import Engine
from watchword.scan.findings import Encoding, Hit, Proof
from watchword.scan.patterns import families
from watchword.scan.runs import Run, base64_line, base64_lines, decoded, escaped, utf16
from watchword.scan.spellings import Literals, base64_spellings, pieces, wide

_LONGEST_BREAK = 80
_GROUP = 4
_Begin = Callable[[bytes, int], Run]


class Decoder:
    """Finds encoded values in bytes; a `looking.Decoder`.

    Nothing is decoded but runs of characters with the encoding of a value's prefix in them, so that bytes
    without one cost a search for literals; each run is decoded once in each way.

    Args:
        brands: brands whose values are looked for.
    """

    def __init__(self, brands: Sequence[str] = (DEFAULT_BRAND,)) -> None:
        self._engine = Engine(brands)
        prefixes = list(dict.fromkeys(family.prefix for family in families(brands)))
        # For each literal: characters of its spelling before it, and of the group before that.
        self._base64: dict[bytes, set[tuple[bytes, bytes]]] = {}
        for prefix in prefixes:
            for text in (prefix, wide(prefix)):
                self._look_for_base64(text)
        self._wide = frozenset(wide(prefix)[:-1] for prefix in prefixes)
        self._escaped = frozenset(literal for prefix in prefixes for literal in _escapes(prefix))
        self._literals = Literals({*self._base64, *self._wide, *self._escaped})
        self._wide_literals = Literals(self._wide)

    def __call__(self, data: bytes) -> Iterator[Hit]:
        """The encoded values in `data`, each once, by where they stand."""
        found: dict[int, Hit] = {}
        for hit in self._all(data, sorted(self._literals.places(data))):
            other = found.setdefault(hit.start, hit)
            if other.proof is not Proof.CHECKSUM and hit.end > other.end:
                found[hit.start] = hit
        yield from (found[start] for start in sorted(found))

    def _look_for_base64(self, text: bytes) -> None:
        for spelling in base64_spellings(text):
            for passed, piece in pieces(spelling.literal):
                known = self._base64.setdefault(piece, set())
                known.add((spelling.literal[:passed], spelling.lead))

    def _all(self, data: bytes, places: list[tuple[int, bytes]]) -> Iterator[Hit]:
        lines, broken = _Progress(), _Progress()
        wide_end = escaped_end = 0
        next_escape = _NextEscape(data)
        for at, literal in places:
            for before, lead in self._base64.get(literal, ()):
                start = _back(data, at, before)
                if start is not None:
                    yield from self._in_base64(lines.run(data, start, base64_line), lines, start, lead)
                    yield from self._in_base64(broken.run(data, start, base64_lines), broken, start, lead)
            if literal in self._wide and at >= wide_end:
                run, encoding = utf16(data, at)
                wide_end = run.end
                yield from self._in_run(run, encoding)
            if literal in self._escaped and at >= escaped_end and next_escape(at) - at <= MAX_VALUE:
                run, encoding = escaped(data, at)
                escaped_end = run.end
                # What holds no escape was found as it stands.
                yield from (hit for hit in self._in_run(run, encoding) if _longer(hit))

    def _in_base64(self, run: Run, progress: "_Progress", start: int, lead: bytes) -> Iterator[Hit]:
        """The values in a run, if it was not read yet with groups that begin where this spelling says."""
        index = run.index(start)
        missing = (len(lead) - index) % _GROUP
        if missing in progress.read:
            return
        progress.read.add(missing)
        # Of what stands before the run, only the last character says something of the run's own bytes.
        text = decoded((lead if index == 0 else b"A" * missing) + run.text)
        for hit in self._in_bytes(text):
            first, last = 8 * hit.start // 6 - missing, -(-8 * hit.end // 6) - missing
            yield hit._replace(start=run.place(max(first, 0)), end=run.place(last - 1) + 1)

    def _in_bytes(self, text: bytes) -> Iterator[Hit]:
        for hit in self._engine.hits(text):
            yield hit._replace(encoding=Encoding.BASE64)
        end = 0
        for at, _ in sorted(self._wide_literals.places(text)):
            if at >= end:
                run, _ = utf16(text, at)
                end = run.end
                yield from self._in_run(run, Encoding.BASE64_UTF16)

    def _in_run(self, run: Run, encoding: Encoding) -> Iterator[Hit]:
        for hit in self._engine.hits(run.text):
            yield hit._replace(start=run.place(hit.start), end=run.place(hit.end), encoding=encoding)


class _Progress:
    """The run that is being read, and with how many characters missing from its first group it was."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self.read: set[int] = set()

    def run(self, data: bytes, start: int, begin: _Begin) -> Run:
        """The run that holds a place: the one that is being read, or a new one that begins there."""
        if self._run is None or not self._run.start <= start < self._run.end:
            self._run = begin(data, start)
            self.read = set()
        return self._run


class _NextEscape:
    """Where the next character stands that begins an escape; asked for places in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = dict.fromkeys((b"%", b"\\"), -1)

    def __call__(self, at: int) -> int:
        """The place of the next one; the end of the data where there is none."""
        for mark, place in self._next.items():
            if place < at:
                found = self._data.find(mark, at)
                self._next[mark] = found if found >= 0 else len(self._data) + MAX_VALUE
        return min(self._next.values())


def _escapes(prefix: bytes) -> Iterator[bytes]:
    """What a value with escaped characters begins with: the first of them may be the prefix's last."""
    yield prefix[:-1] + b"%"
    yield prefix[:-1] + b"\\"
    # A colon is escaped where the value's other ones are; plain `user:` stands in too many files.
    if not prefix.endswith(b":"):
        yield prefix


def _longer(hit: Hit) -> bool:
    return hit.end - hit.start > len(hit.value.reveal())


def _back(data: bytes, at: int, text: bytes) -> int | None:
    """Where `text` begins that ends before `at`, over line breaks; None where it is not there."""
    for character in reversed(text):
        floor = max(0, at - _LONGEST_BREAK)
        while at > floor and (data[at - 1] in b" \t\r\n" or data[at - 2 : at] in (b"\\n", b"\\r")):
            at -= 1 if data[at - 1] in b" \t\r\n" else 2
        at -= 1
        if at < 0 or data[at] != character:
            return None
    return at
