"""An agent's stream of pings: it hears of work the moment there is some (contract section 3.3)."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from structlog.typing import FilteringBoundLogger

from watchword.agent.errors import ApiError
from watchword.agent.retry import Policy
from watchword.agent.stop import drop
from watchword.agent.transport import Connection
from watchword.agent.wire import Offer, Ping
from watchword.domain.errors import Malformed
from watchword.domain.pingframes import Action, Frames, Told, read_told, request_frame

PATH = "/agentedge.v1.AgentEdgeService/StreamPings"
_HEADERS = {"Content-Type": "application/grpc", "Te": "trailers"}
# A stream is opened anew after so long; one on which nothing comes at first is kept back by somebody between.
_LIFE = 60.0
_GREETING = 10.0
_MOST_DOUBLINGS = 6
# The server has no streams, or none for this session: a ping tells why.
_FOR_GOOD = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


class Listening:
    """Reads the stream, opens it anew when it ends, and says whether the server is to be asked instead.

    What comes while a job runs is merged: the last of pause and resume counts, disconnect wins, jobs queue
    up.

    Attributes:
        settled: whether the first attempt has had an outcome; nobody asks before.
    """

    def __init__(
        self,
        connection: Callable[[], Connection],
        agent_id: str,
        policy: Policy,
        log: FilteringBoundLogger,
        *,
        only: bool,
    ) -> None:
        self._connection = connection
        self._agent_id = agent_id
        self._policy = policy
        self._log = log
        self._only = only
        self._healthy = True
        self._refused: ApiError | None = None
        self._news = asyncio.Event()
        self._order: Told | None = None
        self._jobs: deque[str] = deque()
        self.settled = asyncio.Event()

    @property
    def polls(self) -> bool:
        """Whether the server is to be asked, because the stream tells nothing."""
        return not self._only and not self._healthy

    async def next(self, tick: Coroutine[Any, Any, None]) -> Ping | None:
        """What the server tells, as a ping would; after a tick without news, what it told last.

        Returns:
            None where nothing is known, or the server is to be asked.

        Raises:
            ApiError: there are no streams for this agent, and it may not ask instead.
        """
        news, ticking = asyncio.ensure_future(self._news.wait()), asyncio.ensure_future(tick)
        try:
            await asyncio.wait({news, ticking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await drop(news, ticking)
        self._news.clear()
        if self._refused is not None and self._only:
            raise self._refused
        return self._answer()

    def _answer(self) -> Ping | None:
        order = self._order
        if order is not None and order.action is not Action.RESUME:
            return Ping(action=order.action.name.lower())
        if self._jobs:
            if len(self._jobs) > 1:
                self._news.set()
            return Ping(job=Offer(self._jobs.popleft()))
        return Ping() if order is not None and self._healthy else None

    async def run(self) -> None:
        """Listen until the server says that it has no stream for this agent, or the task is cancelled."""
        failures = 0
        while self._refused is None:
            window = float(1 << min(failures, _MOST_DOUBLINGS))
            wait = self._policy.uniform(0, window)
            await self._policy.sleep(wait)
            failures = 0 if await self._listen() else failures + 1
            self.settled.set()
            await self._policy.sleep(window - wait)

    async def _listen(self) -> bool:
        """One stream, from its opening to its end; whether it was a healthy one."""
        greeted = False
        try:
            async with asyncio.timeout(_GREETING) as limit, aclosing(self._messages()) as messages:
                async for told in messages:
                    if not greeted:
                        limit.reschedule(asyncio.get_running_loop().time() + _LIFE)
                    greeted = True
                    self._hear(told)
        except TimeoutError:
            if greeted:
                return True
            self._fail("nothing comes on the stream of pings")
        except Malformed as error:
            self._fail(error.message)
        except ApiError as error:
            if error.status in _FOR_GOOD:
                self._refused = error
                self._log.info("the server has no stream of pings for this agent; it is asked instead")
            self._fail(str(error))
        else:
            self._fail("the stream of pings ended")
        return greeted

    async def _messages(self) -> AsyncGenerator[Told, None]:
        frames = Frames()
        content = request_frame(self._agent_id)
        async with self._connection().stream(PATH, content, _HEADERS) as pieces:
            async for piece in pieces:
                for message in frames.feed(piece):
                    told = read_told(message)
                    if told is not None:
                        yield told

    def _hear(self, told: Told) -> None:
        if told.action is Action.JOB:
            self._jobs.append(told.text)
        else:
            leaves = self._order is not None and self._order.action is Action.DISCONNECT
            self._order = self._order if leaves else told
            if told.text:
                self._log.info("the server says", message=told.text)
        if not self._healthy:
            self._log.info("work comes on the stream of pings")
        self._healthy = True
        self.settled.set()
        self._news.set()

    def _fail(self, why: str) -> None:
        if self._healthy:
            self._log.debug("the server is asked from now on", reason=why)
            self._news.set()
        self._healthy = False
