"""The store's contract for revocations and for what they ask of tokens, agents and the use ledger."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import AgentId, JobId, OrganizationId, RevocationId, TokenId
from watchword.domain.lifecycle import Revocation
from watchword.domain.use import Use


class Revocations(Protocol):
    """Revocations and narrowings of tokens, and blocked registrations."""

    async def add(self, revocation: Revocation) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, revocation_id: RevocationId) -> Revocation | None:
        """By id."""

    async def of_token(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[Revocation]:
        """A token's, newest first."""

    async def open(self) -> Sequence[Revocation]:
        """Those of all organizations that are not finished or not effective, oldest first."""

    async def save(self, known: Revocation, now: Revocation) -> bool:
        """Write what may change if mode, deadline and end are still as known; else False."""

    async def take_effect(
        self, organization_id: OrganizationId, revocation_id: RevocationId, at: int
    ) -> bool:
        """Note since when nothing passes; False if that was known."""

    async def take_effect_all(self, revocations: Sequence[Revocation], at: int) -> None:
        """The same for many at once; those of which it is known stay as they are."""

    async def running_jobs(
        self, organization_id: OrganizationId, token_id: TokenId
    ) -> Sequence[tuple[AgentId, JobId]]:
        """Started jobs in the hands of live agents that joined with a token."""

    async def uses_since(
        self, organization_id: OrganizationId, token_id: TokenId, hour: int
    ) -> Sequence[Use]:
        """A token's use from an hour on, in any order."""

    async def block(
        self, organization_id: OrganizationId, token_id: TokenId, hour: int, address: str, limit: int
    ) -> bool:
        """Note a blocked registration; False if it was, or the token has `limit` of them in the hour."""

    async def forget_blocked(self, before_hour: int) -> int:
        """Delete notes of hours before; how many."""
