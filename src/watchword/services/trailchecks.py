"""Checks of audit trails that somebody asked for: in the background, one of an organization at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from watchword.domain.audittrail import Head, Report
from watchword.domain.errors import WatchwordError
from watchword.domain.ids import OrganizationId
from watchword.services.auditing import check_trail, public_keys
from watchword.services.context import Context

log = structlog.get_logger("watchword.trailchecks")


class PublishedHeads(Protocol):
    """Where heads stand outside the database."""

    async def heads(self) -> Sequence[Head]:
        """All of them.

        Raises:
            WatchwordError: what stands there is something else.
            OSError: they cannot be read.
        """


@dataclass(slots=True)
class Check:
    """One check, under way or over.

    Attributes:
        by: who asked for it.
        last: number of the newest event when it began.
        checked: number of the event up to which it has come.
        report: what it came to; None while it is under way, or where it could not be done.
        error: why it could not be done; empty where it could.
        outside: whether heads from outside the database were compared.
        ended_at: microseconds; 0 while it is under way.
    """

    by: str
    started_at: int
    last: int
    checked: int = 0
    report: Report | None = None
    error: str = ""
    outside: bool = False
    ended_at: int = 0


@dataclass(slots=True)
class TrailChecks:
    """Runs checks, and remembers the latest one of each organization until the process ends.

    Attributes:
        published: heads outside the database; None where nothing publishes them.
    """

    context: Context
    published: PublishedHeads | None = None
    _latest: dict[OrganizationId, Check] = field(default_factory=dict)
    _running: dict[OrganizationId, "asyncio.Task[None]"] = field(default_factory=dict)

    def latest(self, organization_id: OrganizationId) -> Check | None:
        """The latest check of an organization's trail; None before the first."""
        return self._latest.get(organization_id)

    async def begin(self, organization_id: OrganizationId, by: str, wait: float) -> Check:
        """Begin a check, unless one is under way.

        Args:
            organization_id: whose trail.
            by: who asks.
            wait: for how many seconds to wait for its end.
        """
        if organization_id not in self._running:
            last = await self.context.store.read(lambda tx: tx.trail.last(organization_id))
            check = Check(by, self.context.clock.now(), last)
            self._latest[organization_id] = check
            task = asyncio.create_task(self._run(organization_id, check), name="trail check")
            self._running[organization_id] = task
        await asyncio.wait([self._running[organization_id]], timeout=wait)
        return self._latest[organization_id]

    async def _run(self, organization_id: OrganizationId, check: Check) -> None:
        context = self.context

        def told(sequence: int) -> None:
            check.checked = sequence

        try:
            heads = await self.published.heads() if self.published is not None else []
            check.outside = any(head.organization_id == organization_id for head in heads)
            keys = public_keys(context.keys)
            check.report = await check_trail(context.store, organization_id, heads, keys, told)
        except (WatchwordError, OSError) as error:
            log.warning("trail_not_checked", error=type(error).__name__)
            check.error = (
                "The published heads or the trail could not be read; an operator finds why in the log."
            )
        finally:
            check.ended_at = context.clock.now()
            del self._running[organization_id]

    async def stop(self) -> None:
        """Leave off."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
