"""One server on a PostgreSQL database: a session's advisory lock, watched as long as it is held."""

import asyncio
from collections.abc import Callable

import asyncpg

from watchword.store.postgres_schema import LOCKS, open_or_explain
from watchword.store.postgres_session import BROKEN, Raw

_SERVER_LOCK = 2
# A server that was killed lets go as soon as PostgreSQL notices; one that stops does so within this.
_PATIENCE_SECONDS = 3.0
_RETRY_SECONDS = 0.1
_LOOK_SECONDS = 2.0
_ANSWER_SECONDS = 5.0


class ServerLock:
    """Held from `take` to `release`.

    Args:
        connection: what holds it; nothing else uses it.
        lost: called once when it is no longer held.
    """

    def __init__(self, connection: Raw, lost: Callable[[], None]) -> None:
        self._connection = connection
        self._lost = lost
        self._released = False
        connection.add_termination_listener(self._ended)
        self._watch = asyncio.create_task(self._look())

    @classmethod
    async def take(cls, url: str, lost: Callable[[], None]) -> "ServerLock | None":
        """Take the lock of a database; None where another server holds it.

        Raises:
            DatabaseError: the database cannot be reached.
        """
        connection = await open_or_explain(url)
        until = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCKS, _SERVER_LOCK):
            if asyncio.get_running_loop().time() > until:
                await connection.close()
                return None
            await asyncio.sleep(_RETRY_SECONDS)
        return cls(connection, lost)

    async def _look(self) -> None:
        """Ask again and again: a network that went silent closes no connection."""
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                await self._connection.fetchval("SELECT 1", timeout=_ANSWER_SECONDS)
        except (*BROKEN, asyncpg.PostgresError):
            self._connection.terminate()
            self._ended(self._connection)

    def _ended(self, _: object) -> None:
        if not self._released:
            self._released = True
            self._lost()

    async def release(self) -> None:
        """Let another server have the database."""
        self._released = True
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        if not self._connection.is_closed():
            await self._connection.close()
