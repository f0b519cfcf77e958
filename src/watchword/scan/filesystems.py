"""Filesystems on which a read that gives less than was asked for has come to the file's end.

POSIX lets a read of a regular file be short for other reasons; those of the kernel's own filesystems are not.
On all others, and where nothing can be known, the reader asks once more.
"""

import os

MOUNTS = "/proc/self/mountinfo"
_WHOLE = frozenset((b"ext2", b"ext3", b"ext4", b"f2fs", b"overlay", b"ramfs", b"tmpfs", b"xfs"))
_AT_DEVICE = 2


def whole_devices(mounts: str = MOUNTS) -> frozenset[int]:
    """Device numbers of mounted filesystems that give a file whole; empty where the system does not say."""
    found: set[int] = set()
    others: set[int] = set()
    try:
        with open(mounts, "rb") as lines:
            for line in lines:
                left, _, right = line.partition(b" - ")
                major, _, minor = left.split()[_AT_DEVICE].partition(b":")
                device = os.makedev(int(major), int(minor))
                (found if right.split()[0] in _WHOLE else others).add(device)
    except (OSError, ValueError, IndexError):
        return frozenset()
    return frozenset(found - others)


def device_of(folder: str, handle: int | None) -> int:
    """Number of the device that a folder is on; -1 where it cannot be known."""
    try:
        return (os.fstat(handle) if handle is not None else os.stat(folder)).st_dev
    except OSError:
        return -1
