"""Claims under kills and pauses, in short; `make claims` is the long form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.claims_work import faults
from databases import MAKES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("make", MAKES)
def test_every_job_is_done_once_whoever_dies_or_stands_still(make: str) -> None:
    asked = [sys.executable, "bench/claims.py", "--claims", "2000", "--database", make, "--json"]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    (report,) = json.loads(told.stdout)
    assert report["faults"] == []
    assert (report["jobs"], report["workers"], report["crashes"]) == (2000, 32, 2)
    assert report["claimed"] >= 2000
    assert report["killed"] >= 20
    assert report["paused"] >= 10
    assert report["refused"] >= 3  # they were late, and were told so


FINE = [("a", "finished", 1, 1), ("b", "finished", 3, 3)]


def test_the_harness_finds_what_is_doubled_late_or_lost() -> None:
    assert faults(FINE, 2) == []
    assert faults([*FINE, ("b", "finished", 3, 1)], 2)  # done twice, the first time under an old fence
    assert faults([*FINE[:1], ("b", "finished", 3, 1)], 2)  # an old fence was accepted
    assert faults([*FINE[:1], ("b", "finished", 3, 0)], 2)  # ended without its effect
    assert faults([*FINE[:1], ("b", "running", 3, 3)], 2)
    assert faults(FINE, 3)
