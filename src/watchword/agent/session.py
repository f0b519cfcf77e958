"""One session of an agent: connect, ping and beat, run jobs, disconnect (contract section 5.1)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from watchword.agent.acquiring import acquire
from watchword.agent.api import AgentApi
from watchword.agent.errors import AgentError, ApiError
from watchword.agent.health import Health
from watchword.agent.listening import Listening
from watchword.agent.modes import Leaving
from watchword.agent.retry import Ticker, always, retry, unanswered
from watchword.agent.runner import Host, JobRunner
from watchword.agent.stop import drop, unless
from watchword.agent.transport import wanted_headers
from watchword.agent.wire import Job, Ping, Session
from watchword.crypto.values import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An agent's place among those of its process.

    Attributes:
        index: its number, from 1.
        leaving: when they leave.
        health: what the health check sees.
        successor: gives a session that is to take over from this one, if it is time for that.
    """

    index: int
    leaving: Leaving
    health: Health
    successor: "Callable[[], Awaitable[Online | None]]"


class Online:
    """An agent from its registration to its good-bye.

    Attributes:
        exit_status: of the job that was acquired; None before, and in other modes.
    """

    def __init__(self, session: Session, door: AgentApi, host: Host, place: Place) -> None:
        endpoint = session.endpoint or door.connection.endpoint
        self._home = AgentApi(door.connection.to(endpoint).using(checked_session(session)))
        self._home.connection.headers = wanted_headers(session.request_headers or {})
        self._api = self._home
        self._known_endpoint = session.endpoint or ""
        self.session = session
        self._host = host
        self._place = place
        self._policy = host.policy
        self._log = host.log
        self._stop = host.stop
        self._connected = False
        self._served = False
        self._paused = False
        self._ended: ApiError | None = None
        self.exit_status: int | None = None

    async def live(self) -> "Online | None":
        """Work until it is enough, then disconnect.

        Returns:
            The session that takes over, if one does.

        Raises:
            ApiError: what ended the agent against its will.
            Rejected: the job to acquire is not to be had.
        """
        self._place.leaving.busy(self._place.index)
        self._place.health.beat(self._place.index, self.session.heartbeat_interval or 0)
        beats = asyncio.create_task(self._beat())
        heir: Online | None = None
        try:
            await self.connect()
            heir = await self._work()
        finally:
            await drop(beats)
            await self.disconnect()
            if heir is None:
                self._place.leaving.gone(self._place.index)
                self._place.health.gone(self._place.index)
        if self._ended is not None:
            raise self._ended
        return heir

    async def connect(self) -> None:
        """Say that the session is online, if that has not been said.

        Raises:
            ApiError: it cannot be said.
        """
        if self._connected:
            return
        await unless(
            self._stop.drain,
            retry(
                self._api.connect,
                self._policy.connect,
                self._policy,
                again=always,
                tell=teller(self._log, "cannot connect yet"),
            ),
        )
        self._connected = True

    async def disconnect(self) -> None:
        """Say good-bye where the session was given; failing to is no failure."""
        self._stop.release()
        try:
            await retry(self._home.disconnect, self._policy.disconnect, self._policy, again=always)
        except ApiError as error:
            self._log.warning("could not disconnect", error=str(error))
            return
        self._log.info("disconnected", name=self.session.name)

    async def _beat(self) -> None:
        """Send heartbeats; a final refusal cancels the running job and ends the agent."""
        interval = self.session.heartbeat_interval or 0
        while True:
            await self._policy.sleep(interval)
            try:
                await retry(
                    lambda: self._api.heartbeat(self._policy.now()), self._policy.heartbeat, self._policy
                )
            except ApiError as error:
                if error.retryable:
                    self._log.error("no heartbeat gets through", error=str(error))
                    continue
                self._ended = error
                self._stop.force()
                return
            self._place.health.beat(self._place.index, interval)

    async def _work(self) -> "Online | None":
        """Work as the server says, until it, or the operator, says stop."""
        if self._host.settings.acquire_job:
            await self._acquire(self._host.settings.acquire_job)
        if self._host.settings.ping_mode == "poll-only":
            return await self._obey(None)
        ears = Listening(
            lambda: self._api.connection,
            self.session.id or "",
            self._policy,
            self._log,
            only=self._host.settings.ping_mode == "stream-only",
        )
        listening = asyncio.create_task(ears.run())
        try:
            await unless(self._stop.drain, ears.settled.wait())
            return await self._obey(ears)
        finally:
            await drop(listening)

    async def _obey(self, ears: Listening | None) -> "Online | None":
        """Listen or ping, and do what the answers say."""
        ticker = Ticker(self.session.ping_interval or 0, self._policy, at_once=True)
        while not self._stop.drain.is_set():
            tick = ticker.wait()
            answer = await unless(self._stop.drain, ears.next(tick) if ears is not None else tick)
            if self._stop.drain.is_set() or (not self._paused and self._place.leaving.up_too_long()):
                return None
            if ears is None or (answer is None and ears.polls):
                answer = await unless(self._stop.drain, self._ping())
            if answer is None:
                continue
            if self._leaves(answer):
                return None
            if self._paused:
                continue
            if answer.job is not None and answer.job.id:
                await self._take(answer.job.id)
                ticker.hurry()
            elif (heir := await self._place.successor()) is not None:
                return heir
        return None

    async def _ping(self) -> Ping | None:
        """One ping; None if it failed and the next tick may do better.

        Raises:
            ApiError: the server has no place for this agent any more.
        """
        try:
            answer = await self._moved(await self._api.ping())
        except ApiError as error:
            if not error.retryable:
                raise
            self._log.warning("the ping failed", error=str(error))
            return None
        if answer.request_headers is not None:
            self._api.connection.headers = wanted_headers(answer.request_headers)
        if answer.message:
            self._log.info("the server says", message=answer.message)
        return answer

    async def _moved(self, answer: Ping) -> Ping:
        """Follow the server to another endpoint if a ping works there (contract section 3.2)."""
        if not answer.endpoint or answer.endpoint == self._known_endpoint:
            return answer
        there = AgentApi(self._api.connection.to(answer.endpoint))
        try:
            better = await there.ping()
        except ApiError as error:
            self._log.warning("cannot move to the new endpoint", endpoint=answer.endpoint, error=str(error))
            return answer
        self._log.info("moved to a new endpoint", endpoint=answer.endpoint)
        self._api, self._known_endpoint = there, answer.endpoint
        return better

    def _leaves(self, answer: Ping) -> bool:
        """Whether the answer ends this agent's work; notes pause and idleness on the way."""
        if answer.action == "disconnect":
            self._log.info("the server asks to disconnect")
            return True
        if (answer.action == "pause") != self._paused:
            self._paused = not self._paused
            self._log.info("paused" if self._paused else "resumed")
        offered = answer.job is not None and bool(answer.job.id)
        return not self._paused and self._has_done_its_work(offered=offered)

    def _has_done_its_work(self, *, offered: bool) -> bool:
        """Whether this agent's mode lets it leave; idleness counts from the first answer without a job."""
        settings, leaving = self._host.settings, self._place.leaving
        if settings.acquire_job or (self._served and settings.disconnect_after_job):
            return True
        if offered:
            return False
        leaving.idle(self._place.index)
        return leaving.all_idle_too_long()

    async def _acquire(self, job_id: str) -> None:
        self._log.info("acquiring a job", job=job_id)
        rights = self._host.settings.job_token_rights
        job = await unless(self._stop.drain, acquire(self._home, job_id, self._policy, self._log, rights))
        if job is not None:
            self.exit_status = await self._run(job)

    async def _take(self, job_id: str) -> None:
        """Accept and run an offered job; a refusal is no tragedy, the server offers again."""
        self._place.leaving.busy(self._place.index)
        self._log.info("accepting a job", job=job_id)
        try:
            rights = self._host.settings.job_token_rights
            job = await retry(
                lambda: self._api.accept(job_id, rights), self._policy.accept, self._policy, again=unanswered
            )
        except ApiError as error:
            self._log.warning("the job was not accepted", job=job_id, error=str(error))
            return
        await self._run(job)

    async def _run(self, job: Job) -> int | None:
        """Run a job; gives the exit status that was reported, None if it was not allowed to start."""
        runner = JobRunner(job, self._api.connection, self._host)
        if await runner.run():
            self._served = True
        return runner.exit_status


def checked_session(session: Session) -> Secret:
    """The session token; refuses an answer that cannot be worked with (contract section 3.1).

    Raises:
        AgentError: the session token or an interval is missing.
    """
    token = session.access_token
    if token is None or not token.reveal():
        raise AgentError("the server's answer to the registration has no access_token")
    for name in ("ping_interval", "job_status_interval", "heartbeat_interval"):
        if not (getattr(session, name) or 0) > 0:
            raise AgentError(f"the server's answer to the registration has no positive {name}")
    return token


def teller(log: FilteringBoundLogger, what: str) -> Callable[[ApiError, float], None]:
    """Tells the log of failures that will be tried again."""

    def tell(error: ApiError, wait: float) -> None:
        log.warning(what, error=str(error), retry_in_seconds=round(wait, 1))

    return tell
