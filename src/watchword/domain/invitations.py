"""Invitations: an address that may join an organization, for seven days and once."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from watchword.domain.accounts import Role, SsoMode
from watchword.domain.errors import Invalid
from watchword.domain.ids import InvitationId, OrganizationId, TeamId, UserId
from watchword.domain.teams import TeamRole

LIFE_US = 7 * 24 * 3600 * 1_000_000
MAX_PENDING = 20  # of one organization
_MAX_EMAIL = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets
_EMAIL = re.compile(r"[^\s@<>\"',;:\\()\[\]]{1,64}@[^\s@<>\"',;:\\()\[\].-][^\s@<>\"',;:\\()\[\]]{0,252}")


class InvitationState(StrEnum):
    """Where an invitation stands; only a pending one can be accepted."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class TeamPlace:
    """A team that whoever accepts joins, and as what."""

    id: TeamId
    role: TeamRole


@dataclass(frozen=True, slots=True)
class TeamPlaces:
    """The teams of an invitation."""

    places: tuple[TeamPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation. Its one-time secret goes by mail; `digest` is all that is kept of it."""

    organization_id: OrganizationId
    id: InvitationId
    email: str
    state: InvitationState
    role: Role
    sso_mode: SsoMode
    teams: TeamPlaces
    digest: bytes
    created_at: int
    created_by: UserId | None
    expires_at: int
    accepted_at: int = 0
    accepted_by: UserId | None = None
    revoked_at: int = 0
    revoked_by: UserId | None = None

    def at(self, now: int) -> "Invitation":
        """The invitation as it stands at a moment: a pending one expires by itself."""
        if self.state is InvitationState.PENDING and now >= self.expires_at:
            return replace(self, state=InvitationState.EXPIRED)
        return self

    @property
    def expired_at(self) -> int:
        """When it expired; 0 unless it did."""
        return self.expires_at if self.state is InvitationState.EXPIRED else 0


def check_email(text: str) -> str:
    """Trim an e-mail address and require one; the case of letters makes no difference, so it is lower.

    Raises:
        Invalid: it is none.
    """
    email = text.strip().lower()
    if len(email) > _MAX_EMAIL or not _EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid(f"Validation failed: {text[:100]!r} is no e-mail address", code="invalid_email")
    return email
