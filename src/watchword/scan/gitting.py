"""Runs git so that nothing of the user's or the repository's settings changes what is read."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import IO

from watchword.domain.errors import Invalid, Unavailable

# Where git looks for the repository; hooks are called with these set.
_LOCATIONS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_SURPRISES = ("GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_REPLACE_REF_BASE", "GIT_LITERAL_PATHSPECS")
_OPTIONS = (
    "--no-pager",
    "--no-replace-objects",
    "--no-optional-locks",
    "--literal-pathspecs",
    "-c",
    "core.fsmonitor=false",  # a program
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.quotePath=false",
)
PIPE = 1 << 20


class Git:
    """Git in one repository.

    Args:
        repository: a folder inside it. For `.` alone the location that a hook was given counts.
    """

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self._command = ["git", *_OPTIONS, "-C", repository]
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_TRACE")
            and name not in _SURPRISES
            and (repository == "." or name not in _LOCATIONS)
        }
        self._environment = {
            **kept,
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            # Objects that a partial clone left out are not fetched; older gits do not know the first.
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
        }

    def start(self, *words: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """Begin a command whose output is read as it comes; what it says of errors is not kept.

        Raises:
            Unavailable: git is not installed.
        """
        return self._popen(words, stdin, subprocess.DEVNULL)

    def output(self, *words: str, stdin: int = subprocess.DEVNULL) -> bytes:
        """What a command prints.

        Raises:
            Invalid: git refuses, and why.
            Unavailable: git is not installed.
        """
        process = self._popen(words, stdin, subprocess.PIPE)
        output, said = process.communicate()
        if process.returncode:
            raise _refusal(self.repository, said.decode("utf-8", "replace"))
        return output

    def answer(self, *words: str) -> bytes:
        """What a question's answer is; empty where git has none."""
        process = self._popen(words, subprocess.DEVNULL, subprocess.DEVNULL)
        answer, _ = process.communicate()
        return b"" if process.returncode else answer

    def _popen(self, words: Sequence[str], stdin: int, stderr: int) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(  # noqa: S603 - our own words; what users name is no option
                [*self._command, *words],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=self._environment,
                pipesize=PIPE,
            )
        except FileNotFoundError:
            raise Unavailable("Git is not installed, or not on PATH.", code="git_missing") from None


def end(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a command, or stop it where its output was not read to the end."""
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is None:
        try:
            return process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def records(stream: IO[bytes], separator: bytes) -> Iterator[bytes]:
    """What stands between separators, as it comes."""
    rest = b""
    while data := stream.read(PIPE):
        *whole, rest = (rest + data).split(separator)
        yield from whole
    if rest:
        yield rest


def _refusal(repository: str, said: str) -> Invalid:
    if "dubious ownership" in said:
        return Invalid(
            f"Git does not trust the repository {repository}, because somebody else owns it. If you do: "
            f"git config --global --add safe.directory {os.path.realpath(repository)}",
            code="git_not_trusted",
        )
    if "not a git repository" in said or "cannot change to" in said:
        return Invalid(f"{repository} is no git repository.", code="not_a_repository")
    lines = [line for line in said.strip().splitlines() if line] or ["no reason given"]
    return Invalid(f"Git refuses: {lines[0]}", code="git_refuses")
