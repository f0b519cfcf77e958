"""Reads files: many small ones are looked at together, large ones in windows."""

import os
from functools import partial
from typing import BinaryIO

from watchword.scan.content import HEAD, OVERLAP, WINDOW, Reader
from watchword.scan.filesystems import device_of, whole_devices
from watchword.scan.findings import Finding
from watchword.scan.walking import Files, Trouble, reason

SMALL = 1 << 20  # one read takes nearly every file; what is not used is given back
PACK = 256 << 10  # what stays in a core's own cache while it is read, joined and looked at
ALONE = 16 << 10  # from here on a look costs less than joining
SEPARATOR = bytes(8)
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class Packer:
    """Looks at files in the order in which they are given.

    A pack only says whether a close look is worth while; each of its files then gets that look by itself, so
    no value can stretch over two.

    Args:
        reader: looks at contents.
        trouble: is told what cannot be read.

    Attributes:
        findings: what was found in files that are done.
        files, size: files looked at, and their bytes.
    """

    def __init__(self, reader: Reader, trouble: Trouble) -> None:
        self._reader = reader
        self._opens = reader.opens
        self._trouble = trouble
        self._whole = whole_devices()
        self._paths: list[str] = []
        self._pack: list[bytes] = []
        self._packed = 0
        self.findings: list[Finding] = []
        self.files = 0
        self.size = 0

    def add(self, files: Files) -> None:
        """Look at files; the last small ones only with `flush`."""
        folder, names, handle = files
        flags = _FLAGS | _NO_LINK if folder else _FLAGS
        whole = bool(folder) and device_of(folder, handle) in self._whole
        take, read, close, maybe = os.open, os.read, os.close, self._reader.maybe
        paths, pack = self._paths, self._pack
        for name in names:
            try:
                file = take(folder + name, flags) if handle is None else take(name, flags, dir_fd=handle)
                try:
                    data = read(file, SMALL)
                    size = len(data)
                    # Some systems give less than was asked for before the end.
                    if (size == SMALL or (size and not whole)) and (more := read(file, WINDOW)):
                        self._large(folder + name, file, data + more)
                        continue
                finally:
                    close(file)
            except OSError as error:
                self._trouble(folder + name, reason(error))
                continue
            if size >= ALONE and not self._opens and not maybe(data):
                self.files += 1
                self.size += size
                continue
            paths.append(folder + name)
            pack.append(data)
            self._packed += size
            if self._packed >= PACK:
                self.flush()

    def _large(self, path: str, file: int, data: bytes) -> None:
        self.flush()
        more = os.read(file, WINDOW)
        if not more:
            self._paths.append(path)
            self._pack.append(data)
            self._packed = len(data)
            self.flush()
            return
        size, candidates = self._sifted(file, data + more)
        self.files += 1
        self.size += size
        if candidates:
            os.lseek(file, 0, os.SEEK_SET)
            with open(file, "rb", buffering=0, closefd=False) as stream:
                self.findings += self._reader.in_stream(stream, path)
        self.findings += self._reader.opened(path, data[:HEAD], partial(_opened, path))

    def _sifted(self, file: int, data: bytes) -> tuple[int, bool]:
        """How long the file is, and whether it needs a close look; pieces are looked at as they are read."""
        size = len(data)
        candidates = self._reader.maybe(data)
        while more := os.read(file, WINDOW):
            size += len(more)
            # What stands on the border of two pieces is in neither.
            border = data[-OVERLAP:] + more[:OVERLAP]
            candidates = candidates or self._reader.maybe(more) or self._reader.maybe(border)
            # A piece that is short must not hide what stands before it.
            data = more if len(more) >= OVERLAP else data[-OVERLAP:] + more
        return size, candidates

    def flush(self) -> None:
        """Look at what is packed."""
        pack = self._pack
        if self._opens or self._reader.maybe(SEPARATOR.join(pack)):
            for path, data in zip(self._paths, pack, strict=True):
                self.findings += self._reader.in_bytes(data, path)
        self.files += len(pack)
        self.size += self._packed
        self._packed = 0
        self._paths.clear()
        pack.clear()


def _opened(path: str) -> BinaryIO:
    return open(path, "rb")
