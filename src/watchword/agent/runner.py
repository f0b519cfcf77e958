"""Runs one accepted job from start to finish."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from msgspec import UNSET
from structlog.typing import FilteringBoundLogger

from watchword.agent.api import JobApi
from watchword.agent.config import Settings
from watchword.agent.errors import ApiError
from watchword.agent.jobenv import OWN_COMMAND, job_environment, job_folder, write_shims
from watchword.agent.process import Command, Outcome
from watchword.agent.redaction import Redactor, secret_values
from watchword.agent.retry import Policy, Ticker, retry
from watchword.agent.stop import Stop, drop
from watchword.agent.streamer import (
    DEFAULT_CHUNK,
    DEFAULT_INTERVAL,
    DEFAULT_LIMIT,
    Limits,
    LogStreamer,
)
from watchword.agent.transport import Connection
from watchword.agent.wire import Finish, Job, stamp
from watchword.crypto.values import Secret

_CANCELLING = {"canceling", "canceled", "timing_out", "timed_out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What all jobs of one agent share.

    Attributes:
        settings: the agent's settings.
        policy: the clock and the attempts.
        log: the agent's own log.
        stop: asked before and during a job.
        agent_name: the registered name; part of the build folder.
        status_interval: seconds between two looks at a job's state.
        environ: the agent's environment, of which jobs get a few variables.
        own_command: how a job calls this agent.
    """

    settings: Settings
    policy: Policy
    log: FilteringBoundLogger
    stop: Stop
    agent_name: str
    status_interval: float
    environ: Mapping[str, str]
    own_command: Sequence[str] = OWN_COMMAND


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: Outcome
    reason: str | None = None


class JobRunner:
    """One job: start, command, log, state, finish (contract sections 2.3 and 4.8).

    Attributes:
        exit_status: what was reported as the job's end; None before.
    """

    def __init__(self, job: Job, session: Connection, host: Host) -> None:
        self._job = job
        self._session = session
        self._host = host
        self._policy = host.policy
        self._log = host.log.bind(job=job.id)
        self.exit_status: int | None = None

    async def run(self) -> bool:
        """Run the job and report how it ended; failures of the server are logged, never raised.

        Returns:
            False if the job was not allowed to start, so that it counts as not taken.
        """
        token = self._job.token
        if token is None or not token.reveal():
            await self._refuse()
            return True
        connection = self._session.using(token)
        api = JobApi(connection, self._job.id)
        if not await self._start(api):
            return False
        secrets = secret_values(self._job.variables) | {token.reveal()}
        log = LogStreamer(api.chunk, Redactor(secrets), _limits(self._job), self._policy, self._log)
        async with log:
            result = await self._attempt(api, log, token)
        await self._finish(api, result, log.failed)
        return True

    async def _refuse(self) -> None:
        """End a job that came without a job token: the session token is never lent to a job."""
        self._log.error(
            "refused the job: the server gave no job token, and the session token is not for jobs"
        )
        await self._finish(JobApi(self._session, self._job.id), _Result(Outcome(-1), "agent_refused"), lost=0)

    async def _start(self, api: JobApi) -> bool:
        try:
            await retry(
                lambda: api.start(self._policy.now()), self._policy.start, self._policy, tell=self._will_retry
            )
        except ApiError as error:
            self._log.error("the job may not start, so it is left alone", error=str(error))
            return False
        self._log.info("the job starts")
        return True

    async def _attempt(self, api: JobApi, log: LogStreamer, token: Secret) -> _Result:
        """Run the command; what cannot be run ends as `process_run_error`."""
        text = self._job.variable("BUILDKITE_COMMAND")
        await self._introduce(log, text)
        if not text:
            return _Result(Outcome(1))
        try:
            with tempfile.TemporaryDirectory(prefix="watchword-job-", ignore_cleanup_errors=True) as tools:
                command = await self._launch(text, Path(tools), api.connection, token)
                return await self._supervise(api, command, log)
        except (OSError, ValueError) as error:
            await log.say(f"The command cannot be run: {error}")
            return _Result(Outcome(-1), "process_run_error")

    async def _launch(self, text: str, tools: Path, connection: Connection, token: Secret) -> Command:
        host = self._host
        folder = job_folder(host.settings, host.agent_name, self._job)
        folder.mkdir(parents=True, exist_ok=True)
        write_shims(tools, host.own_command)
        variables = job_environment(
            self._job, token, connection, host.settings, folder=folder, tools=tools, environ=host.environ
        )
        return await Command.spawn([*host.settings.shell, text], folder, variables)

    async def _introduce(self, log: LogStreamer, text: str) -> None:
        job = self._job
        if job.variable("BUILDKITE_REPO") and job.variable("BUILDKITE_SKIP_CHECKOUT") != "true":
            await log.say("~~~ Checkout")
            await log.say(
                "This agent does no checkout yet: the command runs in a folder without the repository."
            )
        if not text:
            await log.say("+++ The job has no command")
            return
        await log.say("+++ Running command")
        await log.say(f"$ {text}")

    async def _supervise(self, api: JobApi, command: Command, log: LogStreamer) -> _Result:
        """Wait for the command's end, or end it when the server or the operator says so."""
        pump = asyncio.create_task(_pump(command, log))
        ended = asyncio.create_task(command.wait())
        watch = asyncio.create_task(self._watch(api))
        cut = asyncio.create_task(self._host.stop.cut.wait())
        try:
            await asyncio.wait({ended, watch, cut}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return _Result(ended.result())
            reason = "cancel" if watch.done() else "agent_stop"
            self._log.warning("the job is being cancelled", reason=reason)
            return _Result(await command.cancel(self._policy, self._host.settings.jobs.cancel_signal), reason)
        finally:
            await drop(watch, cut, ended)
            await self._drain(command, pump)

    async def _drain(self, command: Command, pump: asyncio.Task[None]) -> None:
        """Take the last output; processes left behind get a moment, then they are killed."""
        await self._linger(pump)
        command.sweep()
        await self._linger(pump)
        command.close()
        await drop(pump)

    async def _linger(self, pump: asyncio.Task[None]) -> None:
        moment = asyncio.ensure_future(self._policy.sleep(self._policy.linger))
        await asyncio.wait({pump, moment}, return_when=asyncio.FIRST_COMPLETED)
        await drop(moment)

    async def _watch(self, api: JobApi) -> None:
        """Return when the server wants the job cancelled, or no longer knows its token."""
        ticker = Ticker(self._host.status_interval, self._policy, at_once=False)
        while True:
            await ticker.wait()
            try:
                if await api.state() in _CANCELLING:
                    return
            except ApiError as error:
                if error.status == HTTPStatus.UNAUTHORIZED:
                    return
                self._log.warning("cannot see the job's state", error=str(error))

    async def _finish(self, api: JobApi, result: _Result, lost: int) -> None:
        finish = Finish(
            exit_status=_exit_status(result),
            finished_at=stamp(self._policy.now()),
            chunks_failed_count=lost,
            signal=result.outcome.signal or UNSET,
            signal_reason=result.reason or UNSET,
            ignore_agent_in_dispatches=self._host.settings.disconnect_after_job or UNSET,
        )
        self.exit_status = int(finish.exit_status)
        try:
            await retry(lambda: api.finish(finish), self._policy.finish, self._policy, tell=self._will_retry)
        except ApiError as error:
            self._log.error("the job's end could not be reported", error=str(error))
            return
        reason = {"reason": result.reason} if result.reason else {}
        self._log.info("the job is finished", exit_status=finish.exit_status, **reason)

    def _will_retry(self, error: ApiError, wait: float) -> None:
        self._log.warning("will try again", error=str(error), seconds=round(wait, 1))


async def _pump(command: Command, log: LogStreamer) -> None:
    async for data in command.output():
        await log.write(data)


def _exit_status(result: _Result) -> str:
    """A cancelled job never passes, even if its command ended with 0 (contract section 2.3)."""
    return str(1 if result.reason and result.outcome.status == 0 else result.outcome.status)


def _limits(job: Job) -> Limits:
    """The job's limits; what is absent or makes no sense gets its default."""
    chunk, interval, total = job.chunks_max_size_bytes, job.chunks_interval_seconds, job.log_max_size_bytes
    return Limits(
        chunk=chunk if chunk and chunk > 0 else DEFAULT_CHUNK,
        interval=interval if interval and interval > 0 else DEFAULT_INTERVAL,
        total=total if total and total > 0 else DEFAULT_LIMIT,
    )
