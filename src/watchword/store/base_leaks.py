"""The store's contract for leaks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.fleet import Agent
from watchword.domain.ids import ClusterId, LeakId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.leakpolicy import LeakPolicy
from watchword.domain.leaks import Leak, LeakState, Report, Sighting
from watchword.domain.tokens import Token
from watchword.store.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakQuery:
    """Which cases are asked for; what is empty does not matter.

    Attributes:
        clusters: leave out all but tokens of these clusters; None for no such limit.
        owner: leave out all but tokens of this person.
    """

    organization_id: OrganizationId
    states: Collection[LeakState] = ()
    kind: Kind | None = None
    reporter: str = ""
    clusters: Collection[ClusterId] | None = None
    owner: UserId | None = None


@dataclass(frozen=True, slots=True)
class UsedSince:
    """One client at one address since a moment; the count is of whole hours."""

    address: str
    client: str
    first_at: int
    last_at: int
    count: int


class Leaks(Protocol):
    """Cases, sightings, reports and policies."""

    async def add(self, leak: Leak) -> None:
        """Insert. Raises `Duplicate` where the token has a case."""

    async def save(self, known: Leak, leak: Leak) -> bool:
        """Write a case whose revision is still that of `known`, under the next one; False if it is not."""

    async def find(self, organization_id: OrganizationId, leak_id: LeakId) -> Leak | None:
        """One case."""

    async def of_token(self, organization_id: OrganizationId, token_id: TokenId) -> Leak | None:
        """A token's case."""

    async def list(
        self, organization_id: OrganizationId, states: Collection[LeakState], page: Page
    ) -> Sequence[Leak]:
        """Cases in some states, newest first."""

    async def count(self, organization_id: OrganizationId, states: Collection[LeakState]) -> int:
        """How many."""

    async def search(self, asked: LeakQuery, page: Page) -> Sequence[Leak]:
        """Cases that fit, the most urgent first: held, then open, live, public ones; then the newest."""

    async def tally(self, asked: LeakQuery) -> Mapping[LeakState, int]:
        """How many cases fit, by state, whatever states are asked for."""

    async def reporters(self, organization_id: OrganizationId) -> Sequence[str]:
        """Who reported an organization's cases first, by name."""

    async def unclosed(self, organization_id: OrganizationId) -> frozenset[TokenId]:
        """Tokens whose cases are not closed."""

    async def used_since(
        self, organization_id: OrganizationId, token_id: TokenId, since: int, limit: int
    ) -> Sequence[UsedSince]:
        """Who used a token since a moment, as far as it is written, latest first; so many at most."""

    async def addresses_before(
        self, organization_id: OrganizationId, token_id: TokenId, before: int
    ) -> frozenset[str]:
        """Addresses from which a token was used before a moment, as far as it is written."""

    async def drop_handover(self, organization_id: OrganizationId, token_id: TokenId) -> bool:
        """Forget the value that waits in a token's case; whether one did."""

    async def unanswer(self, organization_id: OrganizationId, token_id: TokenId) -> bool:
        """Open a token's case anew whose answer was a rotation; whether there is one."""

    async def untold(self, limit: int, offset: int = 0) -> Sequence[Leak]:
        """Cases of all organizations of which people are still to be told, oldest first."""

    async def told(self, known: Collection[Leak]) -> frozenset[LeakId]:
        """Note that people were told of cases, each under its next revision.

        Those that changed since they were read, or were told by somebody else, are left as they are.

        Returns:
            The cases that were noted.
        """

    async def held(self) -> Sequence[Leak]:
        """Cases of all organizations that wait for a person, the most urgent first."""

    async def quarantined(self) -> Sequence[Leak]:
        """Cases of all organizations whose tokens are held back."""

    async def acted_since(self, reporter: str, since: int) -> int:
        """How many responses were carried out for a reporter, over all organizations."""

    async def live_tokens(self, limit: int) -> int:
        """How many tokens are active, counted up to a limit."""

    async def note(self, sighting: Sighting) -> bool:
        """Add a place, or count one that is known; whether it is new."""

    async def sightings(
        self, organization_id: OrganizationId, leak_id: LeakId, page: Page
    ) -> Sequence[Sighting]:
        """Places of a case, oldest first."""

    async def count_sightings(self, organization_id: OrganizationId, leak_id: LeakId) -> int:
        """How many places are kept."""

    async def policy(self, organization_id: OrganizationId) -> LeakPolicy:
        """An organization's rules; the defaults where none were written."""

    async def save_policy(self, policy: LeakPolicy) -> None:
        """Write rules."""

    async def report(self, digest: bytes) -> Report | None:
        """A report that was answered."""

    async def add_report(self, report: Report) -> bool:
        """Remember a report; False if it was answered before."""

    async def reports(self, page: Page) -> Sequence[Report]:
        """Reports, newest first."""

    async def drop_reports(self, before: int, limit: int) -> int:
        """Forget reports received before a time, so many at most; how many."""

    async def by_prefix(self, low: bytes, high: bytes, limit: int) -> Sequence[Token]:
        """Tokens of any organization and state whose digests lie from `low` to `high`, in their order."""

    async def joined_since(
        self, organization_id: OrganizationId, token_id: TokenId, since: int, page: Page
    ) -> Sequence[Agent]:
        """Agents that registered with a token since a time, ended ones too, latest first."""
