"""`scan --install-hook`: makes a repository look at what is staged before each commit."""

import os
import subprocess
from pathlib import Path

from watchword.cli.output import say
from watchword.domain.errors import Invalid
from watchword.scan.gitting import Git

_SCRIPT = """#!/bin/sh
# Looks for values of Watchword's tokens in what is about to be committed. Installed by:
#   watchword scan --install-hook
exec watchword scan --staged
"""
_EXECUTABLE = 0o755


def install(repository: str) -> None:
    """Write the repository's pre-commit hook.

    Raises:
        Invalid: it is no repository, or has a pre-commit hook already.
        Unavailable: git is not installed.
    """
    Git(repository).output("rev-parse", "--git-dir")
    # Asked without our own options, which tell git of no hooks.
    words = ["git", "-C", repository, "rev-parse", "--git-path", "hooks/pre-commit"]
    named = subprocess.run(words, capture_output=True, check=True).stdout  # noqa: S603 - our own words
    hook = Path(repository) / os.fsdecode(named).strip()
    if hook.exists():
        if hook.read_text(errors="replace") == _SCRIPT:
            say(f"{hook} is installed already")
            return
        raise Invalid(f"{hook} exists; add to it: watchword scan --staged || exit 1", code="hook_exists")
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(_SCRIPT)
    hook.chmod(_EXECUTABLE)
    say(f"installed {hook}; git commit --no-verify goes past it")
