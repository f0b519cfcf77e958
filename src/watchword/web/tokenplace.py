"""Where agent tokens live: in a cluster, or in none. Their pages are the same; paths and rights differ."""

from dataclasses import dataclass

from watchword.domain.accounts import Cluster
from watchword.domain.ids import OrganizationId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.queries import Unit, any_agent_token, find_cluster
from watchword.web.rendering import segment
from watchword.web.visit import Visit

_PLACES = "/organizations/{org:str}/"


@dataclass(frozen=True, slots=True)
class Place:
    """One of the two.

    Attributes:
        tokens: path of the list, as routes write it.
        noun: what operations call these tokens.
        clustered: whether the path names a cluster.
    """

    tokens: str
    noun: str
    clustered: bool

    @property
    def token(self) -> str:
        """Path of one token."""
        return self.tokens + "/{token:str}"

    @property
    def kind(self) -> Kind:
        """What these tokens are."""
        return Kind.AGENT if self.clustered else Kind.UNCLUSTERED_AGENT

    def can(self, verb: str) -> str:
        """The name of an operation on these tokens."""
        return f"{self.noun}.{verb}"

    def may(self, access: Access, verb: str, cluster: Cluster | None) -> bool:
        """Whether somebody may do that here."""
        return access.may(self.can(verb), cluster=cluster.id if cluster is not None else None)

    def at(self, visit: Visit) -> str:
        """Address of the list."""
        top = f"/organizations/{segment(visit.path('org'))}"
        if not self.clustered:
            return f"{top}/unclustered/tokens"
        return f"{top}/clusters/{segment(visit.path('cluster'))}/tokens"

    def of(self, visit: Visit) -> str:
        """Address of the token of the path."""
        return f"{self.at(visit)}/{segment(visit.path('token'))}"

    async def cluster(self, tx: Unit, owner: OrganizationId, visit: Visit) -> Cluster | None:
        """The cluster of the path; None outside clusters.

        Raises:
            NotFound: there is none.
        """
        return await find_cluster(tx, owner, visit.path("cluster")) if self.clustered else None

    async def find(self, tx: Unit, owner: OrganizationId, visit: Visit) -> tuple[Cluster | None, Token]:
        """The cluster and the token of the path, whatever its state.

        Raises:
            NotFound: one of them is not there.
        """
        cluster = await self.cluster(tx, owner, visit)
        return cluster, await any_agent_token(tx, owner, cluster, visit.path("token"))


CLUSTERED = Place(_PLACES + "clusters/{cluster:str}/tokens", "agent_token", clustered=True)
UNCLUSTERED = Place(_PLACES + "unclustered/tokens", "unclustered_agent_token", clustered=False)
PLACES = (CLUSTERED, UNCLUSTERED)
