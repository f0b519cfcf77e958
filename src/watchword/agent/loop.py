"""The life of one agent: register, connect, ping and beat, run jobs, disconnect (contract section 5.1)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import httpx
from structlog.typing import FilteringBoundLogger

from watchword.agent.api import AgentApi
from watchword.agent.config import Settings
from watchword.agent.errors import AgentError, ApiError
from watchword.agent.identity import describe
from watchword.agent.jobenv import OWN_COMMAND
from watchword.agent.retry import Policy, Ticker, always, retry, unanswered
from watchword.agent.runner import Host, JobRunner
from watchword.agent.stop import Stop, drop, unless
from watchword.agent.transport import Connection, wanted_headers
from watchword.agent.wire import Ping, Session
from watchword.crypto.values import Secret


class Worker:
    """One registered agent.

    Args:
        settings: the agent's settings.
        token: the agent token; used to register and for nothing else.
        http: the client that carries all calls.
        policy: the clock and the attempts.
        log: the agent's own log.
        stop: how it is asked to leave.
        environ: the agent's environment, of which jobs get a few variables.
        own_command: how a job calls this agent.
    """

    def __init__(
        self,
        settings: Settings,
        token: Secret,
        http: httpx.AsyncClient,
        *,
        policy: Policy,
        log: FilteringBoundLogger,
        stop: Stop,
        environ: Mapping[str, str],
        own_command: Sequence[str] = OWN_COMMAND,
    ) -> None:
        self._settings = settings
        self._door = AgentApi(Connection(http, settings.endpoint, token))
        self._policy = policy
        self._log = log
        self._stop = stop
        self._environ = environ
        self._own_command = own_command

    async def run(self) -> None:
        """Live until the server or the operator says that it is enough.

        Raises:
            ApiError: the registration was refused, or a call ended the agent (contract section 1.9).
            AgentError: the server's registration answer cannot be worked with.
        """
        session = await unless(self._stop.drain, self._register())
        if session is None:
            return
        await _Online(session, _checked(session), self._door, self._host(session)).live()

    async def _register(self) -> Session:
        registration = describe(self._settings)
        session = await retry(
            lambda: self._door.register(registration),
            self._policy.register,
            self._policy,
            tell=_teller(self._log, "cannot register yet"),
        )
        self._log.info("registered", name=session.name, id=session.id)
        return session

    def _host(self, session: Session) -> Host:
        return Host(
            settings=self._settings,
            policy=self._policy,
            log=self._log,
            stop=self._stop,
            agent_name=session.name or self._settings.name,
            status_interval=session.job_status_interval or 0,
            environ=self._environ,
            own_command=self._own_command,
        )


class _Online:
    """The part of a worker's life that has a session."""

    def __init__(self, session: Session, token: Secret, door: AgentApi, host: Host) -> None:
        endpoint = session.endpoint or door.connection.endpoint
        self._home = AgentApi(door.connection.to(endpoint).using(token))
        self._home.connection.headers = wanted_headers(session.request_headers or {})
        self._api = self._home
        self._known_endpoint = session.endpoint or ""
        self._session = session
        self._host = host
        self._policy = host.policy
        self._log = host.log
        self._stop = host.stop
        self._served = False
        self._paused = False
        self._ended: ApiError | None = None

    async def live(self) -> None:
        """Connect, work, disconnect.

        Raises:
            ApiError: what ended the agent against its will.
        """
        beats = asyncio.create_task(self._beat())
        try:
            await self._connect()
            await self._work()
        finally:
            await drop(beats)
            await self._disconnect()
        if self._ended is not None:
            raise self._ended

    async def _connect(self) -> None:
        await unless(
            self._stop.drain,
            retry(
                self._api.connect,
                self._policy.connect,
                self._policy,
                again=always,
                tell=_teller(self._log, "cannot connect yet"),
            ),
        )

    async def _disconnect(self) -> None:
        """Say good-bye where the session was given; failing to is no failure."""
        try:
            await retry(self._home.disconnect, self._policy.disconnect, self._policy, again=always)
        except ApiError as error:
            self._log.warning("could not disconnect", error=str(error))
            return
        self._log.info("disconnected")

    async def _beat(self) -> None:
        """Send heartbeats; a final refusal cancels the running job and ends the agent."""
        while True:
            await self._policy.sleep(self._session.heartbeat_interval or 0)
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

    async def _work(self) -> None:
        """Ping and do what the answers say, until one of them, or the operator, says stop."""
        ticker = Ticker(self._session.ping_interval or 0, self._policy, at_once=True)
        while not self._stop.drain.is_set():
            await unless(self._stop.drain, ticker.wait())
            if self._stop.drain.is_set():
                return
            answer = await unless(self._stop.drain, self._ping())
            if answer is None:
                continue
            if self._leaves(answer):
                return
            if not self._paused and answer.job is not None and answer.job.id:
                await self._take(answer.job.id)
                ticker.hurry()

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
        """Whether the answer ends this agent's work; notes a pause on the way."""
        if answer.action == "disconnect":
            self._log.info("the server asks to disconnect")
            return True
        if (answer.action == "pause") != self._paused:
            self._paused = not self._paused
            self._log.info("paused" if self._paused else "resumed")
        return self._served and self._host.settings.disconnect_after_job and not self._paused

    async def _take(self, job_id: str) -> None:
        """Accept and run an offered job; a refusal is no tragedy, the server offers again."""
        self._log.info("accepting a job", job=job_id)
        try:
            job = await retry(
                lambda: self._api.accept(job_id), self._policy.accept, self._policy, again=unanswered
            )
        except ApiError as error:
            self._log.warning("the job was not accepted", job=job_id, error=str(error))
            return
        if await JobRunner(job, self._api.connection, self._host).run():
            self._served = True


def _checked(session: Session) -> Secret:
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


def _teller(log: FilteringBoundLogger, what: str) -> Callable[[ApiError, float], None]:
    def tell(error: ApiError, wait: float) -> None:
        log.warning(what, error=str(error), retry_in_seconds=round(wait, 1))

    return tell
