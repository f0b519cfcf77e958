"""Runs one command in a process group of its own and ends it on request."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchword.agent.retry import Policy
from watchword.agent.stop import drop

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit status, or the name of the signal that ended it."""

    status: int
    signal: str | None = None


class Command:
    """A running command. Its output, both streams in one, comes through `output`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        transport: asyncio.ReadTransport,
    ) -> None:
        self._process = process
        self._reader = reader
        self._transport = transport

    @classmethod
    async def spawn(cls, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "Command":
        """Start a command in a session of its own, without input.

        No descriptor of the agent's reaches it but the pipe for its output.

        Raises:
            OSError: it cannot be started.
            ValueError: a word or a variable holds a NUL.
        """
        read_end, write_end = os.pipe()
        source = os.fdopen(read_end, "rb", buffering=0)
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            source.close()
            raise
        finally:
            os.close(write_end)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), source
        )
        return cls(process, reader, transport)

    async def output(self) -> AsyncIterator[bytes]:
        """Pieces of output until every process that holds the pipe has closed it."""
        while data := await self._reader.read(_PIECE):
            yield data

    async def wait(self) -> Outcome:
        """Wait until the command itself has ended; its children may go on."""
        status = await self._process.wait()
        return Outcome(status) if status >= 0 else Outcome(-1, _signal_name(-status))

    async def cancel(self, policy: Policy, number: signal.Signals = signal.SIGTERM) -> Outcome:
        """Ask the process group to end with a signal, and after the grace make it (SIGKILL)."""
        self._signal(number)
        ended = asyncio.ensure_future(self.wait())
        grace = asyncio.ensure_future(policy.sleep(policy.grace))
        await asyncio.wait({ended, grace}, return_when=asyncio.FIRST_COMPLETED)
        await drop(grace)
        if not ended.done():
            self._signal(signal.SIGKILL)
        return await ended

    def sweep(self) -> None:
        """Kill what is left of the process group after the command has ended."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Stop reading the output."""
        self._transport.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
