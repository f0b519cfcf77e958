"""Stored tokens by the million: agent tokens whose values follow from their numbers."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.servers import Installation
from watchword.crypto.values import checksum_base58, digest, encode_cell, prefix
from watchword.domain.kinds import BASE58, DEFAULT_CELL, KINDS, Kind

_BATCH = 100_000
_STRIDE = 6_364_136_223_846_793_007  # prime to every power of ten: tokens lie scattered, as in life
_COLUMNS = (
    "organization_id, id, kind, digest, state, description, cluster_id, scopes, restrictions, not_before, "
    "expires_at, max_uses, uses, created_at, ended_at, ended_reason"
)
_ADD_TOKEN = (
    f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, 'agent', ?, 'active', 'bench', ?, '', '', 0, 0, 0, 0, "
    "1800000000000000, 0, '')"
)
_ADD_DIGEST = "INSERT INTO token_digests (digest, organization_id, token_id) VALUES (?, ?, ?)"


def values(count: int, seed: int = 1) -> list[str]:
    """Values of agent tokens; the same ones for the same seed."""
    source = random.Random(seed)
    shape = KINDS[Kind.AGENT].shape
    start = prefix(shape) + encode_cell(DEFAULT_CELL) + shape.separator
    texts = (start + "".join(source.choices(BASE58, k=shape.random)) for _ in range(count))
    return [text + checksum_base58(text) for text in texts]


def seed(
    installation: Installation, known: list[str], count: int, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Store `count` tokens: those of the values in `known`, and others that nobody knows the values of.

    The server must not run. Rows are written in the order of their keys; durability is off meanwhile.
    """
    raw = sqlite3.connect(installation.data / "watchword.db", isolation_level=None)
    raw.execute("PRAGMA synchronous=OFF")
    raw.execute("PRAGMA journal_mode=OFF")
    raw.execute("PRAGMA cache_size=-400000")
    raw.execute("PRAGMA foreign_keys=OFF")
    (organization,) = raw.execute("SELECT id FROM organizations").fetchone()
    numbers = random.Random(2).sample(range(count), min(len(known), count))
    digests = dict(zip(numbers, map(digest, known), strict=False))
    raw.execute("BEGIN")
    for done in range(0, count, _BATCH):
        span = range(done, min(done + _BATCH, count))
        raw.executemany(_ADD_TOKEN, _tokens(span, digests, organization, installation.cluster_id))
        tell(f"{done:,} of {count:,} tokens stored")
    raw.executemany(
        _ADD_DIGEST, ((found, organization, _id(number)) for found, number in _sorted(digests, count))
    )
    raw.execute("COMMIT")
    raw.execute("PRAGMA journal_mode=WAL")
    raw.close()


def _tokens(
    span: range, digests: dict[int, bytes], organization: str, cluster: str
) -> Iterator[tuple[str, str, bytes, str]]:
    for number in span:
        yield organization, _id(number), digests.get(number) or _filler(number), cluster


def _sorted(digests: dict[int, bytes], count: int) -> Iterator[tuple[bytes, int]]:
    """Digests in order, with their tokens' numbers."""
    chosen = sorted((found, number) for number, found in digests.items())
    place = 0
    for found, number in _fillers(count):
        while place < len(chosen) and chosen[place][0] < found:
            yield chosen[place]
            place += 1
        if number not in digests:
            yield found, number
    yield from chosen[place:]


def _fillers(count: int) -> Iterator[tuple[bytes, int]]:
    """Fillers of all numbers in the order of their digests, which is not that of the numbers."""
    step = 2**64 // count
    for place in range(count):
        number = place * _STRIDE % count
        yield (place * step).to_bytes(8, "big") + number.to_bytes(8, "big") * 3, number


def _filler(number: int) -> bytes:
    """A digest for the token's own row, of the length of a real one; only the directory is searched."""
    return number.to_bytes(8, "big") * 4


def _id(number: int) -> str:
    """An id in the form of ours, rising with the number."""
    return f"0180{number >> 16 & 0xFFFF:04x}-{number & 0xFFFF:04x}-7000-8000-{number:012x}"


def save(path: Path, known: list[str]) -> Path:
    """Write values for the load generator."""
    path.write_text("\n".join(known) + "\n", encoding="ascii")
    return path
