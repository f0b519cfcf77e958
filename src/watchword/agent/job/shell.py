"""The job's shell: its variables and folder, and the one way in which a job runs anything."""

import asyncio
import contextlib
import shlex
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchword.agent.job.leftovers import Leftovers
from watchword.agent.job.process import Command, Outcome, Sink
from watchword.agent.jobsettings import JobSettings
from watchword.agent.redaction import Redactor, secret_values
from watchword.agent.retry import Policy
from watchword.agent.stop import drop
from watchword.agent.streamer import LogStreamer

_TAIL = 16 * 1024


class JobFailed(Exception):
    """The job ends here; the message is for its log.

    Attributes:
        outcome: the exit status or signal to report.
        reason: the signal reason to report (contract section 2.3), or None.
    """

    def __init__(self, message: str, outcome: Outcome = Outcome(1), reason: str | None = None) -> None:  # noqa: B008 - frozen
        super().__init__(message)
        self.outcome = outcome
        self.reason = reason


class Interrupted(JobFailed):
    """The job was cancelled, so that nothing more may be started."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended: how, and the last 16 KiB of what it said."""

    outcome: Outcome
    tail: str


class JobShell:
    """Runs one command after the other, each in a process group of its own.

    After `cancel` the running command gets the cancel signal and, after the grace, SIGKILL. From then
    on only what stands in `cleaning` may run, and that for a limited time too (contract section 4.8).

    Attributes:
        variables: the job's environment; hooks change it.
        folder: where commands run; hooks change it.
        cancelled: whether the job is being cancelled.
        wanted_folder: where a program asked the job to go next, or None.
    """

    def __init__(
        self,
        variables: dict[str, str],
        folder: Path,
        *,
        log: LogStreamer,
        redactor: Redactor,
        policy: Policy,
        settings: JobSettings,
    ) -> None:
        self.variables = variables
        self.folder = folder
        self.cancelled = False
        self.wanted_folder: Path | None = None
        self._log = log
        self._redactor = redactor
        self._policy = policy
        self._settings = settings
        self._current: Command | None = None
        self._left = Leftovers()
        self._cleaning = False
        self._shut = False
        self._ending: asyncio.Task[None] | None = None
        self.redact_variables()

    def variable(self, name: str) -> str:
        """A variable's value; empty if there is none."""
        return self.variables.get(name, "")

    def is_on(self, name: str) -> bool:
        """Whether a variable says yes."""
        return self.variable(name).lower() in ("true", "1", "on", "yes")

    async def header(self, text: str) -> None:
        """Begin a section of the log."""
        await self._log.say(f"~~~ {text}")

    async def comment(self, text: str) -> None:
        """Say what is done, or why not."""
        await self._log.say(f"# {text}")

    async def say(self, text: str) -> None:
        """Say something as it is."""
        await self._log.say(text)

    def take_folder(self) -> None:
        """Go where a program asked the job to go, if one did and it is there."""
        wanted, self.wanted_folder = self.wanted_folder, None
        if wanted is not None and wanted.is_dir():
            self.folder = wanted

    def redact(self, *secrets: str) -> None:
        """Mask these in the log from now on."""
        self._redactor.add(secrets)

    def masked(self, text: str) -> str:
        """A text as the log would show it."""
        return self._redactor.text(text)

    def redact_variables(self) -> None:
        """Mask the values of all variables that are secret by name."""
        self._redactor.add(secret_values(self.variables, self._settings.redacted))

    async def run(
        self,
        words: Sequence[str],
        *,
        extra: Mapping[str, str] | None = None,
        shown: str | None = None,
        folder: Path | None = None,
    ) -> Ran:
        """Run a command with its output in the log.

        Args:
            words: the command and its arguments.
            extra: variables for this command alone.
            shown: what the log shows as the command; None shows `words`, empty shows nothing.
            folder: where it runs, if not in the job's folder.

        Raises:
            Interrupted: the job is cancelled.
            JobFailed: the command cannot be started.
        """
        shown = shlex.join(words) if shown is None else shown
        if shown:
            await self._log.say(f"$ {shown}")
        tail = bytearray()

        async def sink(data: bytes) -> None:
            tail.extend(data)
            del tail[:-_TAIL]
            await self._log.write(data)

        outcome = await self._run(words, extra, folder, sink=sink, errors=True)
        return Ran(outcome, tail.decode(errors="replace"))

    async def capture(
        self, words: Sequence[str], *, extra: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> str | None:
        """The standard output of a command; None if it fails. Nothing of it is in the log.

        Raises:
            Interrupted: the job is cancelled.
            JobFailed: the command cannot be started.
        """
        said = bytearray()

        async def sink(data: bytes) -> None:
            said.extend(data)

        outcome = await self._run(words, extra, folder, sink=sink, errors=False)
        return said.decode(errors="replace") if outcome.passed else None

    async def pause(self, seconds: float) -> None:
        """Wait before another attempt.

        Raises:
            Interrupted: the job is cancelled.
        """
        self._check()
        await self._policy.sleep(seconds)
        self._check()

    def cancel(self, *, timed_out: bool) -> None:
        """Begin to end the job; it may be repeated."""
        if self.cancelled:
            return
        self.cancelled = True
        self.variables["BUILDKITE_JOB_CANCELLED"] = "true"
        if timed_out:
            self.variables["BUILDKITE_JOB_TIMED_OUT"] = "true"
        self._ending = asyncio.create_task(self._end())

    @contextlib.contextmanager
    def cleaning(self) -> Iterator[None]:
        """What runs in here runs even though the job is cancelled."""
        before, self._cleaning = self._cleaning, True
        try:
            yield
        finally:
            self._cleaning = before

    async def close(self) -> None:
        """Kill what the job left behind, and take the last of its output."""
        if self._ending is not None:
            await drop(self._ending)
        await self._left.end(self.variable("BUILDKITE_JOB_ID"), self._linger)

    async def _run(
        self,
        words: Sequence[str],
        extra: Mapping[str, str] | None,
        folder: Path | None,
        *,
        sink: Sink,
        errors: bool,
    ) -> Outcome:
        self._check()
        variables = {**self.variables, **(extra or {})}
        try:
            command = await Command.spawn(
                words,
                folder or self.folder,
                variables,
                sink,
                errors=errors,
                terminal=errors and self._settings.pty,
            )
        except (OSError, ValueError) as error:
            raise JobFailed(f"cannot run {words[0]}: {error}", Outcome(-1), "process_run_error") from None
        self._current = command
        try:
            if self.cancelled and not self._cleaning:
                command.signal(self._settings.cancel_signal)
            return await command.wait(self._linger)
        except asyncio.CancelledError:
            command.signal(signal.SIGKILL)
            raise
        finally:
            self._current = None
            await self._left.keep(command)

    def _check(self) -> None:
        if self._shut or (self.cancelled and not self._cleaning):
            raise Interrupted("The job was cancelled", Outcome(-1))

    async def _end(self) -> None:
        """Signal, grace, kill; then a last time for the hooks."""
        self._signal(self._settings.cancel_signal)
        await self._policy.sleep(self._policy.grace)
        self._signal(signal.SIGKILL)
        await self._policy.sleep(self._policy.cleanup)
        self._shut = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._current is not None:
            self._current.signal(number)

    async def _linger(self) -> None:
        await self._policy.sleep(self._policy.linger)
