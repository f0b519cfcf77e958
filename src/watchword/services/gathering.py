"""Gathering: a unit of work over many things writes its audit events and notices together, at its end.

Each event of its own is two statements, and on PostgreSQL each statement a journey: a batch of reports would
spend half of its time on them. What is gathered is part of the unit all the same, and numbered without a gap.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, cast

from watchword.domain.events import Event, Notice
from watchword.domain.ids import OrganizationId
from watchword.store.base import Audit, Transaction


@dataclass(slots=True)
class _Trail:
    """Takes events and notices in; everything else is the unit's own trail."""

    trail: Audit
    events: list[Event] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    async def next_sequence(self, organization_id: OrganizationId) -> int:
        """None yet: numbers are given out at the end."""
        del organization_id
        return 0

    async def add(self, event: Event) -> None:
        """Take an event in."""
        self.events.append(event)

    async def post(self, organization_id: OrganizationId, topic: str, payload: str, at: int) -> None:
        """Take a notice in."""
        self.notices.append(Notice(0, at, organization_id, topic, payload))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the unit has
        return getattr(self.trail, name)


class Gathering:
    """A unit of work whose events and notices are gathered until `write`, which is to be its last act.

    What it gathered cannot be read back before that.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.audit = _Trail(tx.audit)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the unit has
        return getattr(self._tx, name)

    @property
    def unit(self) -> Transaction:
        """Itself, as services take it."""
        return cast("Transaction", self)

    async def write(self) -> None:
        """Number and write what was gathered, in its order."""
        trail = self._tx.audit
        counts = Counter(event.organization_id for event in self.audit.events)
        following = {owner: await trail.take_sequences(owner, count) for owner, count in counts.items()}
        numbered = []
        for event in self.audit.events:
            numbered.append(replace(event, sequence=following[event.organization_id]))
            following[event.organization_id] += 1
        await trail.add_all(numbered)
        await trail.post_all(self.audit.notices)
