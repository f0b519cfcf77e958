"""Keeping Dagster's part of the house: old work, runs, agents and logs go, an hour's worth at a time."""

from dataclasses import dataclass

from watchword.domain.dagsterruns import KEPT_US as RUNS_KEPT_US
from watchword.domain.use import HOUR_US
from watchword.domain.workitems import KEPT_US as WORK_KEPT_US
from watchword.services.context import Context
from watchword.services.dagsteragents import DagsterFleet
from watchword.services.dagsteruploads import Uploads
from watchword.store.base import Transaction


@dataclass(slots=True)
class DagsterHouse:
    """Forgets what has ended long enough ago."""

    context: Context
    fleet: DagsterFleet
    uploads: Uploads
    _kept_at: int = 0

    async def keep(self) -> None:
        """One round, at most one an hour."""
        now = self.context.clock.now()
        if now - self._kept_at < HOUR_US:
            return
        self._kept_at = now
        self.fleet.forget()
        await self.uploads.forget(now - RUNS_KEPT_US)

        async def work(tx: Transaction) -> None:
            await tx.work_items.forget(now - WORK_KEPT_US)
            await tx.dagster_runs.forget(now - RUNS_KEPT_US)
            await tx.dagster_agents.forget(self.fleet.oldest())

        await self.context.store.write(work)
