"""The store's contract for looking through an organization's people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.accounts import Member, User
from watchword.domain.ids import OrganizationId
from watchword.store.page import Page


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A member, and how they come in.

    Attributes:
        second_factor: whether they have an authenticator app or a passkey.
        disabled_at: since when they are kept out of the installation; 0 while they are not.
        signed_in_at: when a session of theirs began last, as far back as sessions are kept; 0 for none.
    """

    member: Member
    user: User
    second_factor: bool
    disabled_at: int
    signed_in_at: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A session of a member that is open.

    Attributes:
        address: from where it was begun.
        seen_at: when it was used last.
    """

    user: User
    address: str
    seen_at: int


class Directory(Protocol):
    """Members with what administrators look at."""

    async def members(
        self, organization_id: OrganizationId, page: Page, text: str = "", *, lacking: bool = False
    ) -> Sequence[DirectoryEntry]:
        """Members, first come first, in one statement.

        Args:
            organization_id: the organization.
            page: which of them.
            text: a part of the name or address, in whatever case; empty for all.
            lacking: only those without a second factor.
        """

    async def lacking(self, organization_id: OrganizationId) -> int:
        """How many members have no second factor."""

    async def arrivals(self, organization_id: OrganizationId, since: int, limit: int) -> Sequence[Arrival]:
        """Open sessions of members that were used since a time, latest first."""
