"""Processes that the commands of a job left behind: they may go on until the job's end, and no longer."""

import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from watchword.agent.job.process import Command

_PROC = Path("/proc")


class Leftovers:
    """The commands of one job that have ended while processes of their groups have not."""

    def __init__(self) -> None:
        self._commands: list[Command] = []

    async def keep(self, command: Command) -> None:
        """Take over a command that has ended."""
        if command.left_behind():
            self._commands.append(command)
        else:
            await command.close()

    async def end(self, job: str, patience: Callable[[], Awaitable[None]]) -> None:
        """Give what is left a moment, then kill it.

        Args:
            job: the job's id.
            patience: waits for that moment.
        """
        if any(command.left_behind() for command in self._commands):
            await patience()
        for command in self._commands:
            if _still_of(command.group, job):
                command.signal(signal.SIGKILL)
            await command.close()
        self._commands.clear()


def _still_of(group: int, job: str) -> bool:
    """Whether the group is the job's: its number may have been given to another one meanwhile.

    Where there is no way to see a process's variables, the number has to do.
    """
    if sys.platform != "linux":
        return True
    mark = f"BUILDKITE_JOB_ID={job}".encode()
    return any(mark in variables for variables in _variables(group))


def _variables(group: int) -> Iterator[list[bytes]]:
    """The variables of each process of a group, as it was started with them."""
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if os.getpgid(int(folder.name)) == group:
                yield (folder / "environ").read_bytes().split(b"\0")
