"""Locks between the jobs of one machine: acquire and release, and work that is done once."""

import os
import secrets
import time
from collections.abc import Callable

import msgspec

from watchword.agent.errors import AgentError
from watchword.agent.inside.sockets import SocketClient

BASE = "/api/leader/v0"
SOCKET = "agent-leader"
DOING, DONE = "doing", "done"

_POLL = 0.1


class _Value(msgspec.Struct):
    value: str


class _Swap(msgspec.Struct):
    value: str
    swapped: bool


class Locks:
    """The locks, as a command sees them.

    Args:
        client: talks to the agent that keeps the locks.
        limit: seconds to wait for a lock; 0 for ever.
        sleep: waits for so many seconds.
    """

    def __init__(
        self, client: SocketClient, *, limit: float = 0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._limit = limit
        self._sleep = sleep

    def state(self, key: str) -> str:
        """The state of a lock; empty if nobody has it.

        Raises:
            AgentError: nobody keeps locks.
        """
        return self._client.call(_Value, "GET", "/lock", key=key).value

    def acquire(self, key: str) -> str:
        """Wait for a lock and take it; gives the token that releases it.

        Raises:
            AgentError: the time is over, or nobody keeps locks.
        """
        token = f"acquired(pid={os.getpid()},otp={secrets.token_hex(16)})"
        waited = 0.0
        while not self._swap(key, "", token).swapped:
            waited = self._wait(key, waited)
        return token

    def release(self, key: str, token: str) -> None:
        """Give a lock back.

        Raises:
            AgentError: it is not held with this token.
        """
        swap = self._swap(key, token, "")
        if not swap.swapped:
            raise AgentError("the lock is free already" if not swap.value else "another one holds the lock")

    def begin(self, key: str) -> bool:
        """Begin work that is done once, or wait until it is done.

        Returns:
            True if the caller is to do it.

        Raises:
            AgentError: the time is over, the lock is used in another way, or nobody keeps locks.
        """
        waited = 0.0
        while True:
            swap = self._swap(key, "", DOING)
            if swap.swapped:
                return True
            if swap.value == DONE:
                return False
            if swap.value != DOING:
                raise AgentError("the lock is held by acquire: use another key for work that is done once")
            waited = self._wait(key, waited)

    def finish(self, key: str) -> None:
        """Say that the work is done.

        Raises:
            AgentError: nobody had begun it.
        """
        if not self._swap(key, DOING, DONE).swapped:
            raise AgentError("nobody is doing this work: call lock do before lock done")

    def _swap(self, key: str, old: str, new: str) -> _Swap:
        return self._client.call(_Swap, "PATCH", "/lock", {"old": old, "new": new}, key=key)

    def _wait(self, key: str, waited: float) -> float:
        if self._limit and waited >= self._limit:
            raise AgentError(f"waited {self._limit:g} seconds for the lock {key!r}")
        self._sleep(_POLL)
        return waited + _POLL
