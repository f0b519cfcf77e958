"""The store's contract for trusted issuers, used identity tokens and agents' identities."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import AgentId, ClusterId, OrganizationId, ResourceId
from watchword.domain.workloads import AgentIdentity, IdentityUse, TrustedIssuer
from watchword.store.page import Page


class Workloads(Protocol):
    """Trusted issuers and what was done by them. A trust lives as long as the token that stands for it."""

    async def add(self, issuer: TrustedIssuer) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, issuer_id: ResourceId) -> TrustedIssuer | None:
        """One trust, live or not."""

    async def list(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[TrustedIssuer]:
        """Live trusts of a cluster, oldest first."""

    async def count(self, organization_id: OrganizationId) -> int:
        """How many live trusts an organization has."""

    async def save(self, issuer: TrustedIssuer) -> None:
        """Write name, terms and the time of the change."""

    async def of_issuer(self, issuer: str, limit: int) -> Sequence[TrustedIssuer]:
        """Live trusts in an issuer, of every organization, oldest first."""

    async def for_audience(self, issuer: str, audience: str) -> Sequence[TrustedIssuer]:
        """Live trusts in an issuer of the organization that an audience is for, oldest first."""

    async def take_audience(
        self, issuer: str, audience: str, organization_id: OrganizationId, at: int
    ) -> OrganizationId:
        """Whose an issuer's audience is: the organization's now, unless it was another's before."""

    async def first_use(self, use: IdentityUse) -> bool:
        """Insert, unless the token was used before; False if it was."""

    async def further_use(
        self, organization_id: OrganizationId, digest: str, holder: str, most: int, since: int
    ) -> bool:
        """Count a use by the same holder, while there are fewer than `most`, the first after `since`."""

    async def use(self, organization_id: OrganizationId, digest: str) -> IdentityUse | None:
        """What is known of a used token."""

    async def forget_uses(self, now: int) -> int:
        """Delete uses of tokens that cannot pass any more; how many there were."""

    async def add_identity(self, identity: AgentIdentity) -> None:
        """Insert."""

    async def identity(self, organization_id: OrganizationId, agent_id: AgentId) -> AgentIdentity | None:
        """With which identity an agent joined; None where it joined with an agent token."""
