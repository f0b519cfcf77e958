"""The store's contract for rotations and incidents."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.fleet import Agent
from watchword.domain.ids import IncidentId, OrganizationId, TokenId, UserId
from watchword.domain.incidents import Incident
from watchword.domain.rotations import Cause, Rotation, RotationState
from watchword.store.page import Page


class Rotations(Protocol):
    """Rotations; a token is the predecessor of one open rotation at most."""

    async def add(self, rotation: Rotation) -> None:
        """Insert. Raises `Duplicate` where the predecessor is in an open one."""

    async def of_successor(self, organization_id: OrganizationId, token_id: TokenId) -> Rotation | None:
        """The rotation that made a token."""

    async def of_predecessor(self, organization_id: OrganizationId, token_id: TokenId) -> Rotation | None:
        """The latest rotation that was to take a token's place."""

    async def open_with(self, organization_id: OrganizationId, token_id: TokenId) -> Rotation | None:
        """The open rotation that a token is part of, on either side."""

    async def all_open(self) -> Sequence[Rotation]:
        """Open rotations of all organizations, for a start."""

    async def note_use(self, organization_id: OrganizationId, successor_id: TokenId, at: int) -> bool:
        """Note the first use of a successor; False if there was one, or the rotation is not open."""

    async def extend(self, organization_id: OrganizationId, successor_id: TokenId, deadline: int) -> bool:
        """Set another deadline; False if the rotation is not open."""

    async def end(
        self,
        organization_id: OrganizationId,
        successor_id: TokenId,
        state: RotationState,
        cause: Cause,
        at: int,
        by: UserId | None,
    ) -> bool:
        """Commit or abort an open rotation; False if it had ended before."""

    async def holders(
        self, organization_id: OrganizationId, token_id: TokenId, page: Page
    ) -> Sequence[Agent]:
        """Live agents that joined with a token, oldest first."""

    async def count_holders(self, organization_id: OrganizationId, token_id: TokenId) -> int:
        """How many live agents joined with a token."""


class Incidents(Protocol):
    """Incidents; a token has one open incident at most."""

    async def add(self, incident: Incident) -> None:
        """Insert. Raises `Duplicate` where the token has an open one."""

    async def find(self, organization_id: OrganizationId, incident_id: IncidentId) -> Incident | None:
        """By id."""

    async def latest(self, organization_id: OrganizationId, token_id: TokenId) -> Incident | None:
        """The latest incident of a token, open or closed."""

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[Incident]:
        """Latest first."""

    async def all_open(self) -> Sequence[Incident]:
        """Open incidents of all organizations, for a start."""

    async def note(
        self,
        organization_id: OrganizationId,
        incident_id: IncidentId,
        addresses: Sequence[str],
        count: int,
        last_at: int,
    ) -> None:
        """It was seen `count` more times, last at `last_at`; `addresses` are all of them now."""

    async def close(
        self, organization_id: OrganizationId, incident_id: IncidentId, at: int, by: UserId | None, note: str
    ) -> bool:
        """Close an open incident; False if it was closed."""
