"""The seam between the scanner's sources and what it looks with: engine, decoders, openers, watcher."""

from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple, Protocol

from watchword.domain.kinds import DEFAULT_BRAND
from watchword.scan.findings import Finding, Hit

# Looks for values that are not written plainly (base64, UTF-16) in a piece of bytes: a file, a window of
# one, or many small files with eight NUL bytes between any two, over which no find may reach. Its time must
# be linear.
Decoder = Callable[[bytes], Iterable[Hit]]

# Whether to leave something out: its path as it would be reported, and whether it is a folder.
Skip = Callable[[str, bool], bool]


class Opener(Protocol):
    """Looks into content that holds other content: archives, container layers, compressed files."""

    def wants(self, name: str, head: bytes) -> bool:
        """Whether content with this name and these first bytes (512, or all of it) should be opened.

        Asked for every file, so it must be quick. Of what git keeps, the name is not known yet: it is the
        object's.
        """

    def findings(self, name: str, content: BinaryIO) -> Iterable[Finding]:
        """What the content's members hold, in a stable order; `content` can be read and sought.

        The content itself, as it is written, was looked at already.
        """


class Watcher(Protocol):
    """Is told how far a scan is, in the process that asked for it."""

    def read(self, files: int, size: int) -> None:
        """So many more files (or objects) and bytes were looked at."""

    def trouble(self, name: str, why: str) -> None:
        """Something could not be read; the scan goes on. `why` is a sentence for people."""


class Quiet:
    """A watcher that tells nobody."""

    def read(self, files: int, size: int) -> None:
        """Nothing is told."""

    def trouble(self, name: str, why: str) -> None:
        """Nothing is told."""


class Look(NamedTuple):
    """What a scan looks for, and how.

    Everything in it must survive a fork: workers use copies, and nothing of what they change comes back.

    Attributes:
        brands: brands whose values are looked for.
        decoders: further looks at the same bytes.
        openers: the first one that wants a content opens it.
    """

    brands: tuple[str, ...] = (DEFAULT_BRAND,)
    decoders: tuple[Decoder, ...] = ()
    openers: tuple[Opener, ...] = ()
