"""Security policy of an organization: who may call from where, how tokens live, what may be revealed."""

from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.ids import OrganizationId, TokenId, UserId

INACTIVE_DAYS = (30, 60, 90, 180, 365)


class ReuseResponse(StrEnum):
    """What follows when somebody presents a value that a rotation has retired."""

    QUARANTINE = "quarantine"
    ALARM = "alarm"  # the dry run: an incident is opened, nothing is held back


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """What an organization asks of its tokens and people. The defaults are those of a new organization.

    Attributes:
        allowed_networks: from where the APIs may be called: CIDR blocks as given; empty means anywhere.
        revoke_inactive_after_days: API access tokens unused that long are revoked; 0 means never.
        restrict_api_token_creation: whether only administrators may create API access tokens.
        require_two_factor: whether members without a second factor are kept out.
        revealable: kinds of tokens whose values may be shown again.
        reuse_response: what follows when a retired value is presented.
        maximum_api_token_days: longest life of a new API access token; 0 sets no limit.
    """

    organization_id: OrganizationId
    allowed_networks: str = ""
    revoke_inactive_after_days: int = 0
    restrict_api_token_creation: bool = False
    require_two_factor: bool = False
    revealable: tuple[str, ...] = ()
    reuse_response: ReuseResponse = ReuseResponse.QUARANTINE
    maximum_api_token_days: int = 0
    updated_at: int = 0
    updated_by: UserId | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """An organization that an API access token reaches. Once ended it is not granted again.

    Attributes:
        organization_id: the organization reached.
        home_id: the organization in whose rows the token stands.
        ended_at: when the organization was removed from the token; 0 while it is reached.
    """

    organization_id: OrganizationId
    token_id: TokenId
    home_id: OrganizationId
    granted_at: int
    granted_by: UserId | None
    ended_at: int = 0
    ended_by: UserId | None = None
