"""The store's contract for the audit trail, the outbox, remembered answers and the use ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.events import Event, Notice
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.use import Refusals, Use


@dataclass(frozen=True, slots=True)
class Replay:
    """A remembered answer: `request` is a digest of what was asked, `answer` is sealed."""

    organization_id: OrganizationId
    caller: str
    key: str
    operation: str
    request: bytes
    answer: bytes
    created_at: int
    expires_at: int


class Audit(Protocol):
    """Audit trail, outbox, remembered answers and the use ledger."""

    async def next_sequence(self, organization_id: OrganizationId) -> int:
        """The next number of the organization's trail; gap-free because it is part of the unit."""

    async def take_sequences(self, organization_id: OrganizationId, count: int) -> int:
        """The next numbers of the organization's trail, so many in a row; the first of them."""

    async def add(self, event: Event) -> None:
        """Append."""

    async def add_all(self, events: Sequence[Event]) -> None:
        """Append many."""

    async def events(self, organization_id: OrganizationId, after: int, limit: int) -> Sequence[Event]:
        """Events with a higher sequence, in order."""

    async def post(self, organization_id: OrganizationId, topic: str, payload: str, at: int) -> None:
        """Append to the outbox; whoever follows it hears of it once the unit is committed."""

    async def post_all(self, notices: Sequence[Notice]) -> None:
        """Append many to the outbox, in their order."""

    async def notices(self, after: int, limit: int) -> Sequence[Notice]:
        """Outbox rows in order."""

    async def replay(self, organization_id: OrganizationId, caller: str, key: str, now: int) -> Replay | None:
        """A remembered answer that has not expired."""

    async def remember(self, replay: Replay) -> None:
        """Keep an answer; replaces an expired one."""

    async def forget(self, now: int) -> int:
        """Delete expired answers; how many."""

    async def add_uses(self, uses: Sequence[Use]) -> None:
        """Add counts to the ledger."""

    async def add_refusals(self, refusals: Sequence[Refusals]) -> None:
        """Add counts of refusals."""

    async def uses(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[Use]:
        """A token's use, latest first."""

    async def last_use(self, organization_id: OrganizationId, token_id: TokenId) -> Use | None:
        """A token's latest use, found without reading the others."""
