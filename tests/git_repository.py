"""A real git repository that a test makes: commits with known authors and dates."""

import os
import subprocess
from pathlib import Path

DAY = 86_400
START = 1_700_000_000


class Repository:
    """A repository with a work tree in its own folder; each commit is a day younger than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._day = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", ".")

    def git(self, *words: str, folder: Path | None = None, ok: bool = True) -> str:
        """Run git without anybody's settings; returns what it prints."""
        when = f"{START + self._day * DAY} +0000"
        done = subprocess.run(
            ["git", *words],
            cwd=folder or self.folder,
            check=ok,
            capture_output=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_AUTHOR_NAME": "Ann",
                "GIT_AUTHOR_EMAIL": "ann@example.org",
                "GIT_AUTHOR_DATE": when,
                "GIT_COMMITTER_NAME": "Bob",
                "GIT_COMMITTER_EMAIL": "bob@example.org",
                "GIT_COMMITTER_DATE": when,
                "GIT_ALLOW_PROTOCOL": "file",
            },
        )
        return done.stdout.decode(errors="surrogateescape")

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file of the work tree."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "change", **files: str | bytes) -> str:
        """Commit everything in the work tree after writing files; returns the commit's name."""
        for path, content in files.items():
            self.write(path, content)
        self._day += 1
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        """The name of the commit that is checked out."""
        return self.git("rev-parse", "HEAD").strip()
