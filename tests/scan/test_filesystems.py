"""Which filesystems give a file whole, and that nothing is missed on the others."""

import os
from pathlib import Path

import pytest

from watchword.crypto.values import mint
from watchword.domain.kinds import Kind
from watchword.scan import packing
from watchword.scan.filesystems import device_of, whole_devices
from watchword.scan.looking import Look
from watchword.scan.tree import scan_tree

LINES = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:44 / /mnt/a\\040b rw master:2 - fuse.sshfs host:/ rw
25 22 0:45 / /tmp rw - tmpfs tmpfs rw
26 22 8:1 /x /y rw - fuse.other /dev/sda1 rw
"""


def test_only_the_kernels_own_filesystems_are_trusted(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(LINES)
    # What is mounted as two makes at once is not trusted.
    assert whole_devices(str(mounts)) == {os.makedev(0, 45)}
    mounts.write_text("nonsense\n")
    assert whole_devices(str(mounts)) == frozenset()
    assert whole_devices(str(tmp_path / "absent")) == frozenset()


def test_a_folder_that_is_gone_is_on_no_device(tmp_path: Path) -> None:
    assert device_of(str(tmp_path / "absent"), None) == -1


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_short_reads_hide_nothing_where_they_may_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    value = mint(Kind.AGENT).reveal()
    (tmp_path / "a").write_text(f"{'x' * 5000} {value} {'y' * 5000}")
    (tmp_path / "b").write_text(value)
    monkeypatch.setattr(packing, "whole_devices", frozenset)
    read, readv = os.read, os.readv
    monkeypatch.setattr(os, "read", lambda file, size: read(file, min(size, step)))
    monkeypatch.setattr(packing, "_fill", lambda file, views: readv(file, [views[0][:step]]))
    found = list(scan_tree([str(tmp_path)], Look(("bk",))))
    assert [each.hit.value.reveal() for each in found] == [value, value]
