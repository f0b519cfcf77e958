"""The scanner's parsers live through damaged input: a moment of fuzzing each (`make fuzz` takes longer)."""

import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = ("engine", "encodings", "archives", "exceptions", "explain")
SCRIPT = Path(__file__).parents[1] / "scan_fuzzing.py"

pytest.importorskip("atheris")


@pytest.mark.parametrize("target", TARGETS)
def test_a_moment_of_fuzzing(target: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), target, "-max_total_time=1", "-seed=1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stat::number_of_executed_units" in done.stderr
