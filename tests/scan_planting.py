"""Hides values in eight kinds of files, and noise that looks like values."""

import random
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from scan_values import CHECKED, near_miss, value_of
from watchword.domain.kinds import BASE58, HEX, Kind

MIB = 1 << 20
Context = Callable[[Sequence[str]], str]


def _each(line: str) -> Context:
    return lambda values: "".join([line.replace("@", value) for value in values])


def _minified(values: Sequence[str]) -> str:
    return "!function(){" + "".join([f'a({{t:"{value}",u:1}}),b="' for value in values]) + '"}();'


CONTEXTS: dict[str, Context] = {
    "code.py": _each('    client = Client(token="@", retries=3)\n'),
    "values.yaml": _each("  - name: ci\n    token: @\n"),
    "settings.json": lambda values: '{"tokens":["' + '","'.join(values) + '"]}',
    "production.env": _each("export CI_TOKEN=@\n"),
    "server.log": _each('10.0.0.1 [22/Nov/2026:10:00:00] "GET / HTTP/1.1" 200 auth="Bearer @" 0.003\n'),
    "addresses.txt": _each("https://ci.example.com/hooks?x=1&token=@&y=2\n"),
    "README.md": _each("Use `@` as the token, as [described](https://example.com/x#@).\n"),
    "bundle.min.js": _minified,
}


def planted(kind: Kind, count: int, seed: int = 0) -> list[str]:
    """Values of a kind; the same ones each time."""
    source = random.Random(f"{seed} {kind}")
    return [value_of(kind, source) for _ in range(count)]


def spread(values: Sequence[str]) -> Iterable[tuple[str, Sequence[str]]]:
    """Each value for one of the contexts."""
    marks = [len(values) * number // len(CONTEXTS) for number in range(len(CONTEXTS) + 1)]
    return [(name, values[first:last]) for name, (first, last) in zip(CONTEXTS, pairwise(marks), strict=True)]


_ALPHABETS = (
    BASE58.encode(),
    HEX.encode(),
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"etaoin shrdlu\ncmfwyp vbgkjqxz 0123456789 _.:=-/(){}[]\"'\n  etaoinshrdlu_bkctpsuaer",
    bytes(range(256)),
)


def noise(seed: int, size: int) -> bytes:
    """Random text or bytes with 32 strings in each MiB that have a value's shape and a wrong checksum."""
    source = random.Random(f"noise {seed}")
    alphabet = _ALPHABETS[seed % len(_ALPHABETS)]
    table = bytes(alphabet[number * len(alphabet) // 256] for number in range(256))
    data = bytearray(source.randbytes(size).translate(table))
    for _ in range(32 * size // MIB):
        miss = near_miss(source.choice(CHECKED), source).encode()
        at = source.randrange(size - len(miss) - 2)
        data[at : at + len(miss) + 2] = b" " + miss + b" "
    return bytes(data)
