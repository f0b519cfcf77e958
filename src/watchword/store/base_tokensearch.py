"""The store's contract for one list of an organization's tokens of all kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.domain.accounts import Role, User
from watchword.domain.ids import ClusterId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokenlists import Condition, Cursor, Order
from watchword.domain.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuery:
    """Which tokens are asked for, by whom, in which order.

    Attributes:
        everything: whether all tokens are seen: those of every cluster, unclustered ones, everybody's.
        clusters: else the clusters whose agent tokens are seen.
        person: else whose API access tokens and Dagster user tokens are seen.
        kinds: kinds that are asked for.
        condition: the state asked for, as it is at `now`; one that the database does not know is given
            by `only`.
        text: part of the description, or the beginning of the id; empty for any.
        owner: whose they are, or who made them; None for anybody.
        cluster: the cluster; None for any, and for none.
        scope: a scope that they have; empty for any.
        only: ids; None for any.
        limit: how many.
        place: where to begin; None at the first one.
    """

    organization_id: OrganizationId
    now: int
    everything: bool = True
    clusters: frozenset[ClusterId] = frozenset()
    person: UserId | None = None
    kinds: tuple[Kind, ...] = (
        Kind.AGENT,
        Kind.UNCLUSTERED_AGENT,
        Kind.API_ACCESS,
        Kind.DAGSTER_AGENT,
        Kind.DAGSTER_USER,
        Kind.PORTAL_SERVICE,
        Kind.PORTAL_SECRET,
    )
    condition: Condition = Condition.ANY
    text: str = ""
    owner: UserId | None = None
    cluster: ClusterId | None = None
    scope: str = ""
    only: frozenset[TokenId] | None = None
    order: Order = Order.CREATED
    descending: bool = False
    limit: int = 50
    place: Cursor | None = None


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token with the names that stand beside it.

    Attributes:
        owner: whose token it is; None where it is nobody's or the person is gone.
        role: the owner's role in the organization; None where the person is no member.
        creator: who made it.
        cluster_name: empty outside clusters.
        key: what the list is ordered by.
    """

    token: Token
    owner: User | None
    role: Role | None
    creator: User | None
    cluster_name: str
    key: str | int


class TokenSearch(Protocol):
    """One list of agent tokens of every kind, and of people's tokens that reach an organization."""

    async def page(self, query: TokenQuery) -> Sequence[ListedToken]:
        """Tokens in order, in one statement; rows before a place are answered in the same order."""

    async def counts(self, query: TokenQuery) -> Mapping[Kind, int]:
        """How many tokens of each kind fit, whatever `kinds`, `place` and `limit` say."""
