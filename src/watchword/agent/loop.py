"""The life of one agent: register, have one session or, as its token changes, one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx
from structlog.typing import FilteringBoundLogger

from watchword.agent.api import AgentApi
from watchword.agent.config import Settings
from watchword.agent.errors import AgentError, ApiError
from watchword.agent.health import Health
from watchword.agent.identity import describe
from watchword.agent.jobenv import OWN_COMMAND
from watchword.agent.modes import Leaving
from watchword.agent.retry import Policy, retry
from watchword.agent.runner import Host
from watchword.agent.session import Online, Place, teller
from watchword.agent.stop import Stop, unless
from watchword.agent.tokenkeeper import TokenKeeper
from watchword.agent.transport import Connection
from watchword.agent.wire import Registration, Session
from watchword.crypto.values import Secret

_AGAIN = 60.0
# How often the source of a token is read that was rotated, at least; nothing is asked of the server.
_REREAD = 5.0
SUPERSEDED = "token_superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all agents of a process share.

    Attributes:
        settings: their settings.
        keeper: the agent token; used to register and for nothing else.
        http: the client that carries all calls.
        policy: the clock and the attempts.
        log: the agent's own log.
        stop: how they are asked to leave.
        environ: the agent's environment, of which jobs get a few variables.
        leaving: when they leave by themselves.
        health: what the health check sees.
        own_command: how a job calls this agent.
    """

    settings: Settings
    keeper: TokenKeeper
    http: httpx.AsyncClient
    policy: Policy
    log: FilteringBoundLogger
    stop: Stop
    environ: Mapping[str, str]
    leaving: Leaving
    health: Health
    own_command: Sequence[str] = OWN_COMMAND


class Worker:
    """One agent.

    Attributes:
        online: its session; None before it has registered.
        exit_status: of the job it was to acquire; None otherwise.
    """

    def __init__(self, shared: Shared, index: int) -> None:
        self._shared = shared
        self._index = index
        self._log = shared.log if shared.settings.spawn == 1 else shared.log.bind(agent=index)
        self._policy = shared.policy
        self._joined_with = shared.keeper.value
        self._refused: tuple[Secret, float] | None = None
        self.online: Online | None = None
        self.exit_status: int | None = None

    async def register(self) -> None:
        """Exchange the agent token for a session; a refused token is read anew and tried again.

        A token that was rotated has a successor: its source is read until that is there.

        Raises:
            ApiError: the registration was refused.
            AgentError: the server's registration answer cannot be worked with.
        """
        keeper = self._shared.keeper
        while True:
            token = await keeper.to_join()
            door = self._door(token)
            try:
                session = await retry(
                    lambda door=door: door.register(self._registration()),  # type: ignore[misc]
                    self._policy.register,
                    self._policy,
                    tell=teller(self._log, "cannot register yet"),
                )
            except ApiError as error:
                if error.status != HTTPStatus.UNAUTHORIZED:
                    raise
                if not await keeper.renewed(token) and not await self._await_successor(error, token):
                    raise
                self._log.warning("the agent token was refused; trying its new value", error=error.message)
                continue
            self.online = self._enter(session, door, token)
            return

    async def _await_successor(self, error: ApiError, token: Secret) -> bool:
        """Wait for another value of a token that was rotated; False if its source cannot give one."""
        keeper = self._shared.keeper
        if error.code != SUPERSEDED or not keeper.rotates:
            return False
        self._log.warning("the agent token was rotated; waiting for its new value", source=keeper.source)
        while not await keeper.renewed(token):
            await self._policy.sleep(min(self._shared.settings.token_refresh or _REREAD, _REREAD))
        return True

    async def live(self) -> None:
        """Live until the server or the operator says that it is enough.

        Raises:
            ApiError: a call ended the agent (contract section 1.9).
            AgentError: the job to acquire is not to be had.
        """
        while self.online is not None:
            online = self.online
            try:
                self.online = await online.live()
            except ApiError as error:
                self.online = None
                if error.status != HTTPStatus.UNAUTHORIZED or not await self._may_rejoin():
                    raise
                self._log.warning("the session is over; joining again with the token's new value")
                await unless(self._shared.stop.drain, self.register())
            finally:
                self.exit_status = online.exit_status

    async def _may_rejoin(self) -> bool:
        """Whether the token has another value than the session that was ended had been given for."""
        return not self._shared.stop.drain.is_set() and await self._shared.keeper.renewed(self._joined_with)

    async def _succeed(self) -> Online | None:
        """A connected session with the token's new value, if there is one and the server takes it.

        The old session lives until this one is connected, so that the agent is never away.
        """
        token = self._shared.keeper.value
        if self._shared.keeper.passing or token == self._joined_with or self._waits(token):
            return None
        door, before = self._door(token), self._joined_with
        heir: Online | None = None
        try:
            heir = self._enter(await door.register(self._registration()), door, token)
            await heir.connect()
        except AgentError as error:
            self._log.warning("the token's new value does not work yet; staying", error=str(error))
            self._refused = (token, self._policy.tick() + _AGAIN)
            self._joined_with = before
            if heir is not None:
                await heir.disconnect()
            return None
        self._log.info("joined again with the token's new value", name=heir.session.name)
        return heir

    def _waits(self, token: Secret) -> bool:
        """Whether this value was refused a moment ago."""
        return (
            self._refused is not None and self._refused[0] == token and self._policy.tick() < self._refused[1]
        )

    def _enter(self, session: Session, door: AgentApi, token: Secret) -> Online:
        shared = self._shared
        host = Host(
            settings=shared.settings,
            policy=self._policy,
            log=self._log,
            stop=shared.stop.child(),
            agent_name=session.name or shared.settings.name,
            status_interval=session.job_status_interval or 0,
            environ=shared.environ,
            own_command=shared.own_command,
        )
        place = Place(
            index=self._index, leaving=shared.leaving, health=shared.health, successor=self._succeed
        )
        online = Online(session, door, host, place)
        self._joined_with = token
        self._log.info("registered", name=session.name, id=session.id)
        return online

    def _door(self, token: Secret) -> AgentApi:
        return AgentApi(Connection(self._shared.http, self._shared.settings.endpoint, token))

    def _registration(self) -> Registration:
        return describe(self._shared.settings, self._index)
