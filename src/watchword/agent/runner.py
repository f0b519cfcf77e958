"""Runs one accepted job from start to finish, as the server sees it."""

import asyncio
from http import HTTPStatus

from msgspec import UNSET

from watchword.agent.api import JobApi
from watchword.agent.errors import ApiError
from watchword.agent.job.executor import Ended
from watchword.agent.job.process import Outcome
from watchword.agent.job.workplace import Host, Workplace, refusal, workplace
from watchword.agent.redaction import Redactor
from watchword.agent.retry import Ticker, retry
from watchword.agent.stop import drop
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

__all__ = ("Host", "JobRunner")

_CANCELLING = {"canceling", "canceled", "timing_out", "timed_out"}
_TIMED_OUT = {"timing_out", "timed_out"}


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
        redactor = Redactor({token.reveal()})
        marks = self._host.settings.jobs.time_marks
        log = LogStreamer(api.chunk, redactor, _limits(self._job), self._policy, self._log, marks=marks)
        async with log:
            ended = await self._attempt(api, log, redactor, token)
        await self._finish(api, ended, log.failed)
        return True

    async def _refuse(self) -> None:
        """End a job that came without a job token: the session token is never lent to a job."""
        self._log.error(
            "refused the job: the server gave no job token, and the session token is not for jobs"
        )
        await self._finish(JobApi(self._session, self._job.id), Ended(Outcome(-1), "agent_refused"), lost=0)

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

    async def _attempt(self, api: JobApi, log: LogStreamer, redactor: Redactor, token: Secret) -> Ended:
        """Run the job; what cannot be run ends as `process_run_error`."""
        reason = refusal(self._job, self._host.settings.jobs)
        if reason is not None:
            await log.say(f"This agent refuses the job: {reason}")
            return Ended(Outcome(-1), "agent_refused")
        try:
            async with workplace(self._job, token, api.connection, self._host, log, redactor) as place:
                return await self._supervise(api, place)
        except (OSError, ValueError) as error:
            await log.say(f"The job cannot be run: {error}")
        except Exception:  # noqa: BLE001 - whatever it is, the server must hear of the job's end
            self._log.exception("the job failed inside the agent")
            await log.say("The job failed because of a fault inside the agent; its own log has more")
        return Ended(Outcome(-1), "process_run_error")

    async def _supervise(self, api: JobApi, place: Workplace) -> Ended:
        """Wait for the job's end, or end it when the server or the operator says so."""
        work = asyncio.create_task(place.run())
        watch = asyncio.create_task(self._watch(api))
        cut = asyncio.create_task(self._host.stop.cut.wait())
        try:
            await asyncio.wait({work, watch, cut}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            reason = "cancel" if watch.done() else "agent_stop"
            self._log.warning("the job is being cancelled", reason=reason)
            place.shell.cancel(timed_out=watch.done() and watch.result() in _TIMED_OUT)
            return Ended((await work).outcome, reason)
        finally:
            await drop(watch, cut, work)

    async def _watch(self, api: JobApi) -> str:
        """Return when the server wants the job cancelled, or no longer knows its token: its state or ""."""
        ticker = Ticker(self._host.status_interval, self._policy, at_once=False)
        while True:
            await ticker.wait()
            try:
                state = await api.state()
                if state in _CANCELLING:
                    return state
            except ApiError as error:
                if error.status == HTTPStatus.UNAUTHORIZED:
                    return ""
                self._log.warning("cannot see the job's state", error=str(error))

    async def _finish(self, api: JobApi, ended: Ended, lost: int) -> None:
        finish = Finish(
            exit_status=_exit_status(ended),
            finished_at=stamp(self._policy.now()),
            chunks_failed_count=lost,
            signal=ended.outcome.signal or UNSET,
            signal_reason=ended.reason or UNSET,
            ignore_agent_in_dispatches=self._host.settings.disconnect_after_job or UNSET,
        )
        self.exit_status = int(finish.exit_status)
        try:
            await retry(lambda: api.finish(finish), self._policy.finish, self._policy, tell=self._will_retry)
        except ApiError as error:
            self._log.error("the job's end could not be reported", error=str(error))
            return
        reason = {"reason": ended.reason} if ended.reason else {}
        self._log.info("the job is finished", exit_status=finish.exit_status, **reason)

    def _will_retry(self, error: ApiError, wait: float) -> None:
        self._log.warning("will try again", error=str(error), seconds=round(wait, 1))


def _exit_status(ended: Ended) -> str:
    """A cancelled job never passes, even if its command ended with 0 (contract section 2.3)."""
    return str(1 if ended.reason and ended.outcome.status == 0 else ended.outcome.status)


def _limits(job: Job) -> Limits:
    """The job's limits; what is absent or makes no sense gets its default."""
    chunk, interval, total = job.chunks_max_size_bytes, job.chunks_interval_seconds, job.log_max_size_bytes
    return Limits(
        chunk=chunk if chunk and chunk > 0 else DEFAULT_CHUNK,
        interval=interval if interval and interval > 0 else DEFAULT_INTERVAL,
        total=total if total and total > 0 else DEFAULT_LIMIT,
    )
