"""Folders and histories by several processes, tested in one of its own: none is forked beside a thread.

The workers that share these tests have such threads.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_several_processes_find_what_one_finds() -> None:
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    files = [str(HERE / "folders_alone.py"), str(HERE / "test_scan_history.py")]
    chosen = ["-k", "folders_alone or first_commit_that_brought_it"]
    done = subprocess.run([*words, *files, *chosen], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
