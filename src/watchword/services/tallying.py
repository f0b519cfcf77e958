"""Tallying: what happens in each organization is counted in memory, and written with the use ledger."""

from dataclasses import dataclass, field

from watchword.domain.ids import OrganizationId
from watchword.domain.tallies import HourlyCount
from watchword.domain.use import HOUR_US
from watchword.store.base import Store, Transaction

_BATCH = 500

Key = tuple[OrganizationId, int, str]


@dataclass(slots=True)
class Tally:
    """Counts by organization, hour and name; a crash loses those of one flush interval, no more."""

    _counts: dict[Key, int] = field(default_factory=dict)

    def count(self, organization_id: OrganizationId, name: str, now: int) -> None:
        """Something happened."""
        key = (organization_id, now // HOUR_US, name)
        self._counts[key] = self._counts.get(key, 0) + 1

    def unwritten(self, organization_id: OrganizationId) -> list[HourlyCount]:
        """What is not written yet of an organization."""
        found = [key for key in self._counts if key[0] == organization_id]
        return [HourlyCount(*key, self._counts[key]) for key in found]

    async def flush(self, store: Store) -> None:
        """Write what was counted; what cannot be written is kept. One caller at a time."""
        taken = dict(self._counts)
        keys = list(taken)
        for start in range(0, len(keys), _BATCH):
            rows = [HourlyCount(*key, taken[key]) for key in keys[start : start + _BATCH]]

            async def work(tx: Transaction) -> None:
                await tx.tallies.add(rows)  # noqa: B023 - run before the loop goes on

            await store.write(work)
            self._subtract(rows)

    def _subtract(self, rows: list[HourlyCount]) -> None:
        for row in rows:
            key = (row.organization_id, row.hour, row.name)
            self._counts[key] -= row.count
            if not self._counts[key]:
                del self._counts[key]
