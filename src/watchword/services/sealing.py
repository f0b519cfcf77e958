"""Sealing: the audit trail is chained, and signed heads of the chain are published outside the database.

Events are written in the unit of work of what they tell of. The sealer follows them, a few seconds behind, so
that requests need not queue for one row. What is published goes out first: the database never holds a head
that nobody outside it has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from watchword.crypto.auditchain import first_link, make_head, next_link, public_key
from watchword.crypto.keys import Purpose
from watchword.domain.audittrail import Head
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId
from watchword.services.context import Context
from watchword.store.base import Transaction

log = structlog.get_logger("watchword.audit")

# Events under one head; retention cuts head by head.
BATCH = 500


class Publisher(Protocol):
    """Takes heads to a place outside the database."""

    async def publish(self, heads: Sequence[tuple[Head, bytes]]) -> None:
        """Publish heads with the public keys that check them; returns when they are safe there.

        Raises:
            OSError: they are not.
        """


@dataclass(slots=True)
class Sealer:
    """Seals the trails of all organizations.

    Attributes:
        grace: microseconds for which publishing may fail before privileged operations are refused; 0 never
            refuses them.
        failing_since: when publishing began to fail; 0 while it works.
    """

    context: Context
    publishers: Sequence[Publisher]
    grace: int = 0
    failing_since: int = 0
    _sealed: dict[OrganizationId, int] = field(default_factory=dict)

    async def seal(self) -> None:
        """Seal what was recorded since the last round."""
        for organization in await self.context.store.read(lambda tx: tx.accounts.organizations()):
            while await self._seal_batch(organization.id):
                pass

    async def _seal_batch(self, owner: OrganizationId) -> bool:
        """Make one head; False where there is nothing to seal, or it could not be published."""
        former, events = await self.context.store.read(lambda tx: self._unsealed(tx, owner))
        if not events:
            return False
        link = former.link if former is not None else first_link(owner)
        for event in events:
            link = next_link(link, event)
        now = self.context.clock.now()
        key = self.context.keys.active(Purpose.AUDIT)
        head = make_head(key, events[-1], link, now)
        try:
            for publisher in self.publishers:
                await publisher.publish([(head, public_key(key))])
        except OSError as error:
            self._fail(now, error)
            return False
        self._recover()
        await self.context.store.write(lambda tx: tx.trail.add_head(head))
        self._sealed[owner] = head.sequence
        return True

    async def _unsealed(self, tx: Transaction, owner: OrganizationId) -> tuple[Head | None, Sequence[Event]]:
        """The newest head, and the events after it; nothing where none came since the last look."""
        known = self._sealed.get(owner)
        if known is not None and await tx.trail.last(owner) <= known:
            return None, ()
        former = await tx.trail.head(owner)
        return former, await tx.audit.events(owner, former.sequence if former is not None else 0, BATCH)

    def _fail(self, now: int, error: OSError) -> None:
        self.failing_since = self.failing_since or now
        closed = bool(self.grace) and now - self.failing_since >= self.grace
        if closed and not self.context.gate.closed:
            log.error("audit_closed", error=type(error).__name__)
        self.context.gate.closed = closed
        log.warning("audit_not_published", error=str(error))

    def _recover(self) -> None:
        self.failing_since = 0
        self.context.gate.closed = False
