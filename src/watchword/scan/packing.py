"""Reads files: many small ones are looked at together, large ones in windows."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO

from watchword.scan.content import HEAD, OVERLAP, WINDOW, Reader
from watchword.scan.filesystems import device_of, whole_devices
from watchword.scan.findings import Finding
from watchword.scan.walking import Files, Trouble, reason

SMALL = 1 << 20  # one read takes nearly every file
# Stays in a core's own cache while it is filled and looked at; the C library keeps blocks of this size, where
# it would get larger ones from the kernel, page by page, each time.
PACK = 120 << 10
SEPARATOR = bytes(8)
_GAP = len(SEPARATOR)
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

    They are read one behind the other into the same memory. Such a pack only says whether a close look is
    worth while; each of its files then gets that look by itself, so no value can stretch over two.

    Args:
        reader: looks at contents.
        trouble: is told what cannot be read.
    """

    def __init__(self, reader: Reader, trouble: Trouble) -> None:
        self._reader = reader
        self._trouble = trouble
        self._whole = whole_devices()
        self._room = PACK + SMALL
        self._pack = memoryview(bytearray(self._room + _GAP))
        self._filled = 0
        self._paths: list[str] = []
        self._starts: list[int] = []
        self._findings: list[Finding] = []
        self._files = 0
        self._size = 0

    def add(self, files: Files) -> None:
        """Look at files; the last small ones only with `flush`."""
        folder, names, handle = files
        flags = _FLAGS | _NO_LINK if folder else _FLAGS
        whole = bool(folder) and device_of(folder, handle) in self._whole
        take, fill, close = os.open, _fill, os.close
        pack, room, paths, starts = self._pack, self._room, self._paths, self._starts
        for name in names:
            start = self._filled
            try:
                file = take(folder + name, flags) if handle is None else take(name, flags, dir_fd=handle)
                try:
                    size = fill(file, (pack[start:room],))
                    # Some systems give less than was asked for before the end.
                    if (size >= SMALL or (size and not whole)) and (more := os.read(file, WINDOW)):
                        self._large(folder + name, file, pack[start : start + size].tobytes() + more)
                        continue
                finally:
                    close(file)
            except OSError as error:
                self._trouble(folder + name, reason(error))
                continue
            paths.append(folder + name)
            starts.append(start)
            end = start + size
            self._filled = filled = end + _GAP
            pack[end:filled] = SEPARATOR
            if filled >= PACK:
                self.flush()

    def _large(self, path: str, file: int, data: bytes) -> None:
        self.flush()
        more = os.read(file, WINDOW)
        size, candidates = self._sifted(file, data + more) if more else (len(data), self._reader.maybe(data))
        self._files += 1
        self._size += size
        if not more:
            if candidates or self._reader.opens:
                self._findings += self._reader.in_bytes(data, path)
            return
        if candidates:
            os.lseek(file, 0, os.SEEK_SET)
            with open(file, "rb", buffering=0, closefd=False) as stream:
                self._findings += self._reader.in_stream(stream, path)
        self._findings += self._reader.opened(path, data[:HEAD], partial(_opened, path))

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
        # rurex would copy what is not bytes.
        data = self._pack[: self._filled].tobytes()
        starts = self._starts
        if self._reader.opens or self._reader.maybe(data):
            ends = [start - _GAP for start in (*starts[1:], self._filled)]
            for path, start, end in zip(self._paths, starts, ends, strict=False):
                self._findings += self._reader.in_bytes(data[start:end], path)
        self._files += len(starts)
        self._size += self._filled - _GAP * len(starts)
        self._filled = 0
        self._paths.clear()
        starts.clear()

    def taken(self) -> tuple[int, int, list[Finding]]:
        """Files that are done, their bytes, and what was found in them, since this was asked last."""
        files, size, findings = self._files, self._size, self._findings
        self._files, self._size, self._findings = 0, 0, []
        return files, size, findings


def _by_copying(file: int, views: Sequence[memoryview]) -> int:
    """What `os.readv` does, where there is none."""
    data = os.read(file, len(views[0]))
    views[0][: len(data)] = data
    return len(data)


_fill: Callable[[int, Sequence[memoryview]], int] = getattr(os, "readv", _by_copying)


def _opened(path: str) -> BinaryIO:
    return open(path, "rb")
