"""The health check: a small HTTP answer that says whether heartbeats get through."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from watchword.agent.errors import ConfigError
from watchword.agent.retry import Policy

_LATE = 2
_PATIENCE = 5.0


class Health:
    """When each agent of the process last got a heartbeat through."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._due: dict[int, float] = {}

    def beat(self, worker: int, interval: float) -> None:
        """A heartbeat got through; the next is due after `interval` seconds."""
        self._due[worker] = self._policy.tick() + _LATE * interval

    def gone(self, worker: int) -> None:
        """An agent has left: nothing is due from it."""
        self._due.pop(worker, None)

    def late(self) -> list[int]:
        """Agents whose heartbeats have not got through for twice their interval."""
        return [worker for worker, due in sorted(self._due.items()) if self._policy.tick() > due]


@contextlib.asynccontextmanager
async def health_check(health: Health, address: str | None) -> AsyncIterator[None]:
    """Answer at an address as long as the block runs: 200, or 500 when heartbeats are late.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_PATIENCE):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(health))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host.strip("[]") or None, int(port))
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"health-check-addr {address!r} cannot be listened on: {error}") from None
    async with server:
        yield


def _answer(health: Health) -> bytes:
    late = health.late()
    status = "500 Internal Server Error" if late else "200 OK"
    text = f"no heartbeat of agent {', '.join(map(str, late))} gets through\n" if late else "OK\n"
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        f"Connection: close\r\n\r\n{text}"
    ).encode()
