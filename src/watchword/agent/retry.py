"""When a call is tried again, and the clock through which all waiting goes."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from watchword.agent.errors import ApiError

T = TypeVar("T")

_GROWING = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_TEN_MINUTES = (*_GROWING, 64.0, 96.0, 120.0, 120.0, 120.0)
_FOUR_MINUTES = (*_GROWING, 50.0, 60.0, 60.0)


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often one call is tried, and how far apart.

    Attributes:
        count: attempts in all, the first included.
        waits: seconds after the first, second, … failure; the last one repeats.
        jitter: up to so many seconds are added to each wait.
    """

    count: int
    waits: tuple[float, ...]
    jitter: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every number of seconds the agent waits for, and the clock it waits by (contract section 1.9).

    Attributes:
        sleep: waits for so many seconds.
        now: Unix time in seconds, for stamps on the wire.
        tick: seconds of a clock that never jumps, for intervals.
        uniform: a random number between two bounds.
        grace: between SIGTERM and SIGKILL of a job.
        cleanup: what the hooks of a cancelled job get after that.
        linger: what a job's background processes get to close its output after the command ended.
    """

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.time
    tick: Callable[[], float] = time.monotonic
    uniform: Callable[[float, float], float] = random.uniform
    grace: float = 10.0
    cleanup: float = 5.0
    linger: float = 2.0
    register: Attempts = Attempts(30, (10.0,))
    connect: Attempts = Attempts(10, (5.0,))
    disconnect: Attempts = Attempts(4, (1.0,))
    heartbeat: Attempts = Attempts(10, (5.0,))
    accept: Attempts = Attempts(30, (5.0,))
    start: Attempts = Attempts(7, _GROWING)
    chunk: Attempts = Attempts(12, _TEN_MINUTES)
    finish: Attempts = Attempts(12, _TEN_MINUTES, jitter=1.0)
    annotate: Attempts = Attempts(5, (1.0,), jitter=1.0)
    data_write: Attempts = Attempts(10, _FOUR_MINUTES)
    data_read: Attempts = Attempts(10, (5.0,))
    secret: Attempts = Attempts(3, (2.0, 4.0), jitter=2.0)
    step: Attempts = Attempts(10, (5.0,))
    control: Attempts = Attempts(5, (1.0,), jitter=1.0)
    oidc: Attempts = Attempts(5, (1.0, 2.0, 4.0, 8.0))
    pipeline: Attempts = Attempts(60, (5.0,))
    artifact_create: Attempts = Attempts(10, (1.0, 1.0, 2.0, 3.0, 5.0))
    artifact_state: Attempts = Attempts(10, (1.0, 1.0, 2.0, 3.0, 5.0))
    artifact_bytes: Attempts = Attempts(10, (5.0,))
    artifact_search: Attempts = Attempts(10, (5.0,))
    artifact_download: Attempts = Attempts(5, (5.0,))


def retryable(error: ApiError) -> bool:
    """The rule of nearly every call: try again after 429, 5xx and network failures."""
    return error.retryable


def unanswered(error: ApiError) -> bool:
    """The rule of accept: try again only if no answer came."""
    return error.unanswered


def always(_error: ApiError) -> bool:
    """The rule of connect and disconnect: every failure is tried again."""
    return True


async def retry(
    call: Callable[[], Awaitable[T]],
    attempts: Attempts,
    policy: Policy,
    *,
    again: Callable[[ApiError], bool] = retryable,
    tell: Callable[[ApiError, float], None] | None = None,
) -> T:
    """Make a call until it passes, fails for good, or its attempts are used up.

    Args:
        call: makes one attempt.
        attempts: how often, how far apart.
        policy: the clock.
        again: tells whether a failure is worth another attempt.
        tell: hears of each failure that will be tried again, and the seconds until then.

    Raises:
        ApiError: the last failure.
    """
    failures = 0
    while True:
        try:
            return await call()
        except ApiError as error:
            failures += 1
            if failures >= attempts.count or not again(error):
                raise
            wait = attempts.waits[min(failures, len(attempts.waits)) - 1]
            wait += policy.uniform(0, attempts.jitter)
            if tell is not None:
                tell(error, wait)
        await policy.sleep(wait)


class Ticker:
    """Ticks every `interval` seconds, each time late by a random part of it (contract section 5.2)."""

    def __init__(self, interval: float, policy: Policy, *, at_once: bool) -> None:
        self._interval = interval
        self._policy = policy
        self._due = policy.tick() + (0 if at_once else interval)

    def hurry(self) -> None:
        """Leave only the random part of the next wait."""
        self._due = self._policy.tick()

    async def wait(self) -> None:
        """Wait for the next tick."""
        now = self._policy.tick()
        late = self._policy.uniform(0, self._interval)
        await self._policy.sleep(max(0.0, self._due - now) + late)
        self._due = max(self._due + self._interval, now)
