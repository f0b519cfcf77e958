"""What the scanner says: a value, what proves it, and where it stands."""

from enum import StrEnum
from typing import NamedTuple

from watchword.crypto.values import Secret, digest, fingerprint


class Proof(StrEnum):
    """What shows, offline, that a string is a value and no coincidence."""

    CHECKSUM = "checksum"  # its own CRC32 holds
    SHAPE = "shape"  # it looks like one; only the server that issued it could tell


class Encoding(StrEnum):
    """How the value was written down."""

    PLAIN = "plain"
    BASE64 = "base64"
    UTF16_LE = "utf-16le"
    UTF16_BE = "utf-16be"
    BASE64_UTF16 = "base64-utf-16le"
    PERCENT = "percent"  # as in an address: %3A
    ESCAPED = "escaped"  # as in JSON and code: \\u003d, \\x3d


class Hit(NamedTuple):
    """A value inside a piece of bytes.

    Attributes:
        start, end: where it is written, in bytes; for an encoded value, where the encoded text is.
        value: the value, decoded.
        family: name of its family (`patterns.Family`), stable.
        brand: the brand that stands before it; empty for families without one.
        cell: number of the installation that issued it, where the value names one.
        proof: what shows that it is one.
        encoding: how it was written.
    """

    start: int
    end: int
    value: Secret
    family: str
    brand: str
    cell: int | None
    proof: Proof
    encoding: Encoding = Encoding.PLAIN


class Commit(NamedTuple):
    """A commit of a git history that holds a value.

    Attributes:
        id: the full object name, in hex.
        author: `Name <address>`.
        at: time of the authorship, in seconds since 1970.
    """

    id: str
    author: str
    at: int


class Place(NamedTuple):
    """Where a value stands.

    Attributes:
        path: the file as it was named to the scanner; `-` for standard input; a path inside the repository
            for git.
        members: the way into archives, outermost first: `("layer.tar", "etc/agent.cfg")`.
        line, column: from 1, the column in bytes; line 0 where the content is binary.
        offset: in bytes, from 0, in the innermost content.
        commit: the first commit that brought it in, where a history was read.
    """

    path: str
    line: int
    column: int
    offset: int
    members: tuple[str, ...] = ()
    commit: Commit | None = None


class Finding(NamedTuple):
    """A value and where it stands. Its repr shows no value.

    Attributes:
        hit: the value.
        place: where it stands.
        allowed: whether its line says that it may stand there, with the words `watchword:allow`.
    """

    hit: Hit
    place: Place
    allowed: bool = False

    @property
    def digest(self) -> bytes:
        """SHA-256 of the value: what a server may be asked about without seeing the value."""
        return digest(self.hit.value.reveal())

    @property
    def fingerprint(self) -> str:
        """The first 12 hex digits of the digest: how people name a value without showing it."""
        return fingerprint(self.digest)
