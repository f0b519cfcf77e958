"""Runs periodic work beside requests; a failed round is logged and tried again at the next."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger("watchword.workers")


@dataclass(slots=True)
class Periodic:
    """A named piece of work and its interval in seconds."""

    name: str
    interval: float
    work: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Workers:
    """The periodic work of one process."""

    jobs: list[Periodic]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Start all of it on the running loop."""
        self._tasks = [asyncio.create_task(_run(job), name=job.name) for job in self.jobs]

    async def stop(self) -> None:
        """Stop all of it and wait until it has stopped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _run(job: Periodic) -> None:
    while True:
        await asyncio.sleep(job.interval)
        try:
            await job.work()
        except Exception as error:  # one bad round must not end the work for good
            log.exception("worker_failed", worker=job.name, error=type(error).__name__)
