"""A shell on the world's own server."""

from pathlib import Path

import pytest

from cli_harness import Shell
from support import World


@pytest.fixture
def shell(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Shell:
    return Shell(world, tmp_path, monkeypatch, capsysbinary)
