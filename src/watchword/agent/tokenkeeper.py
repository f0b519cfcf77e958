"""Keeps the agent token up to date: reads its source again on a schedule, on demand, and on refusals."""

import asyncio

from structlog.typing import FilteringBoundLogger

from watchword.agent.errors import ConfigError
from watchword.agent.retry import Policy
from watchword.agent.stop import drop
from watchword.agent.tokensource import TokenSource
from watchword.crypto.values import Secret


class TokenKeeper:
    """The agent token as it was last read.

    Attributes:
        value: the token.
    """

    def __init__(
        self, source: TokenSource, value: Secret, *, policy: Policy, log: FilteringBoundLogger
    ) -> None:
        self.value = value
        self._source = source
        self._policy = policy
        self._log = log
        self._asked = asyncio.Event()
        self._reading = asyncio.Lock()

    @property
    def rotates(self) -> bool:
        """Whether the value can change at all."""
        return self._source.rotates

    @property
    def passing(self) -> bool:
        """Whether a value serves to join alone; see `TokenSource`."""
        return self._source.passing

    async def to_join(self) -> Secret:
        """The value to join with now: read anew where each is for one registration."""
        if self.passing:
            await self._read()
        return self.value

    @property
    def source(self) -> str:
        """Where the value comes from, never what it is."""
        return self._source.name

    def ask(self) -> None:
        """Have the source read soon, whatever the schedule says."""
        self._asked.set()

    async def renewed(self, refused: Secret) -> bool:
        """Read the source after a refusal.

        Returns:
            Whether the value is now another than the refused one.
        """
        if self.value == refused:
            await self._read()
        return self.value != refused

    async def watch(self, interval: float) -> None:
        """Read the source every `interval` seconds and whenever asked; 0 for when asked alone."""
        while self.rotates and not self.passing:
            await self._moment(interval)
            self._asked.clear()
            await self._read()

    async def _moment(self, interval: float) -> None:
        waits = [asyncio.ensure_future(self._asked.wait())]
        if interval > 0:
            waits.append(asyncio.ensure_future(self._policy.sleep(interval)))  # type: ignore[arg-type]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await drop(*waits)

    async def _read(self) -> None:
        """Take the source's value; a source that cannot be read changes nothing."""
        if not self.rotates:
            return
        async with self._reading:
            try:
                value = await asyncio.to_thread(self._source.read)
            except ConfigError as error:
                self._log.warning("the agent token cannot be read again", error=str(error))
                return
            except Exception:  # noqa: BLE001 - a fault in a library must not end the schedule
                self._log.exception("the agent token cannot be read again")
                return
            if value != self.value:
                self._log.info("the agent token has changed", source=self._source.name)
                self.value = value
