"""Runs one command in a process group of its own and takes its output."""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchword.agent.job.terminal import TERM, TERMINAL_VARIABLES, open_terminal
from watchword.agent.stop import drop

Sink = Callable[[bytes], Awaitable[None]]
"""Takes a piece of output."""

_PIECE = 64 * 1024
_RUNNING: "set[Command]" = set()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit status, or -1 and the name of the signal that ended it."""

    status: int
    signal: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it ended with status 0."""
        return self.status == 0


class Command:
    """A running command whose output goes to a sink.

    A command may leave processes behind that keep its output open. They go on, and so does what
    they say, until `close`.
    """

    def __init__(self, process: asyncio.subprocess.Process, output: "Output") -> None:
        self._process = process
        self._output = output

    @classmethod
    async def spawn(
        cls,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        sink: Sink,
        *,
        errors: bool = True,
        terminal: bool = False,
    ) -> "Command":
        """Start a command in a session of its own, without input.

        No descriptor of the agent's reaches it but the one for its output.

        Args:
            words: the command and its arguments.
            folder: where it runs.
            environment: all of its variables.
            sink: takes its output.
            errors: whether its standard error goes there too; else it is thrown away.
            terminal: whether its streams are a terminal; else its output is a pipe.

        Raises:
            OSError: it cannot be started.
            ValueError: a word or a variable holds a NUL.
        """
        reader, writer = open_terminal() if terminal else os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=writer if terminal else subprocess.DEVNULL,
                stdout=writer,
                stderr=writer if errors else subprocess.DEVNULL,
                cwd=folder,
                env={**TERMINAL_VARIABLES, **environment, **TERM} if terminal else environment,
                start_new_session=True,
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        command = cls(process, Output(reader, sink))
        _RUNNING.add(command)
        return command

    @property
    def group(self) -> int:
        """The id of its process group."""
        return self._process.pid

    async def wait(self, patience: Callable[[], Awaitable[None]]) -> Outcome:
        """Wait until the command itself has ended and what it said has been taken.

        Args:
            patience: waits as long as a process left behind may keep us from seeing the output's end.
        """
        status = await self._process.wait()
        settled = asyncio.ensure_future(self._output.settled())
        limit = asyncio.ensure_future(patience())
        await asyncio.wait({settled, limit}, return_when=asyncio.FIRST_COMPLETED)
        await drop(settled, limit)
        return Outcome(status) if status >= 0 else Outcome(-1, _signal_name(-status))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, number)

    def left_behind(self) -> bool:
        """Whether the command has ended, and processes of its group have not."""
        try:
            os.killpg(self.group, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    async def close(self) -> None:
        """Take no more output."""
        _RUNNING.discard(self)
        await self._output.close()


class Output:
    """Reads a pipe or a terminal to its end and hands everything to a sink, as fast as that takes it."""

    def __init__(self, descriptor: int, sink: Sink) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._sink = sink
        self._empty = asyncio.Event()
        self._poke = asyncio.Event()
        self._task = asyncio.create_task(self._pump())

    async def settled(self) -> None:
        """Wait until all that has been written so far is taken."""
        if not self._task.done():
            self._empty.clear()
            self._poke.set()
            await self._empty.wait()

    async def close(self) -> None:
        """Stop reading."""
        await drop(self._task)

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    data = os.read(self._descriptor, _PIECE)
                except BlockingIOError:
                    self._empty.set()
                    await self._more(loop)
                    continue
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    return  # a terminal ends like this when nobody has it open any more
                if not data:
                    return
                await self._sink(data)
        finally:
            self._empty.set()
            os.close(self._descriptor)

    async def _more(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until there is something to read, or somebody asks whether there is."""
        self._poke.clear()
        loop.add_reader(self._descriptor, self._poke.set)
        try:
            await self._poke.wait()
        finally:
            loop.remove_reader(self._descriptor)


def kill_all() -> None:
    """Kill every command of this process at once: for an end that does not wait for anything."""
    for command in _RUNNING:
        command.signal(signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
