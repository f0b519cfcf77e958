"""The store's contract for what happened, counted hour by hour."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import OrganizationId
from watchword.domain.tallies import HourlyCount


class Tallies(Protocol):
    """Hourly counts."""

    async def add(self, counts: Sequence[HourlyCount]) -> None:
        """Add to what is counted."""

    async def since(self, organization_id: OrganizationId, hour: int, step: int = 1) -> Sequence[HourlyCount]:
        """Counts from an hour on, in order; those of `step` hours together, whose first hour they name."""

    async def drop(self, organization_id: OrganizationId, before: int, limit: int) -> int:
        """Delete some counts of an organization's hours before one; how many."""
