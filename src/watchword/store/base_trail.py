"""The store's contract for audit trails as they are read, checked and sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.audittrail import Head
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId
from watchword.store.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailQuery:
    """Which events are asked for; what is empty does not matter.

    Attributes:
        action: one action, or with a full stop at its end all that begin so: `token.`.
        actor_id: who did it.
        actor_name: a part of the name of who did it, in whatever case.
        token: the id of a token that it was done to, done with, or that the details name.
        agent: the id of an agent that did it, that it was done to, or that the details name.
    """

    action: str = ""
    actor_id: str = ""
    actor_name: str = ""
    token: str = ""
    agent: str = ""


class Trail(Protocol):
    """Events as a trail, and its heads."""

    async def latest(self, organization_id: OrganizationId, before: int, limit: int) -> Sequence[Event]:
        """Events with a lower sequence, newest first; `before` 0 begins at the end."""

    async def search(
        self, organization_id: OrganizationId, asked: TrailQuery, before: int, above: int, limit: int
    ) -> Sequence[Event]:
        """Events that fit, with sequences between `above` and `before`, neither included; newest first."""

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
