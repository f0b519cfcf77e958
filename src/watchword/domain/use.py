"""Use: who used which token from where, hour by hour; and refusals, aggregated."""

from dataclasses import dataclass

from watchword.domain.ids import OrganizationId, TokenId

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Use:
    """One row of the ledger: a token used from one address by one agent and version in one hour."""

    organization_id: OrganizationId
    token_id: TokenId
    address: str
    agent: str
    version: str
    hour: int
    first_at: int
    last_at: int
    count: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refusals of one reason from one address in one hour."""

    reason: str
    address: str
    hour: int
    token_id: str
    first_at: int
    last_at: int
    count: int
