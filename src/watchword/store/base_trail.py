"""The store's contract for audit trails as they are read, checked and sealed."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.audittrail import Head
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId
from watchword.store.page import Page


class Trail(Protocol):
    """Events as a trail, and its heads."""

    async def latest(self, organization_id: OrganizationId, before: int, limit: int) -> Sequence[Event]:
        """Events with a lower sequence, newest first; `before` 0 begins at the end."""

    async def at(self, organization_id: OrganizationId, sequence: int) -> Event | None:
        """The event of a sequence number, or the next one that there is."""

    async def last(self, organization_id: OrganizationId) -> int:
        """Number of the newest event; 0 where there is none."""

    async def add_head(self, head: Head) -> None:
        """Insert. Raises `Duplicate` where the event has one."""

    async def head(self, organization_id: OrganizationId) -> Head | None:
        """The newest head."""

    async def heads(self, organization_id: OrganizationId, after: int, limit: int) -> Sequence[Head]:
        """Heads of later events, in order."""

    async def latest_heads(self, organization_id: OrganizationId, page: Page) -> Sequence[Head]:
        """Heads, newest first."""

    async def drop_heads(self, organization_id: OrganizationId, before: int) -> int:
        """Delete the heads of events before one; how many."""

    async def drop_events(self, organization_id: OrganizationId, through: int) -> int:
        """Delete the events up to a number; how many."""
