"""Policy: who may do what. Surfaces name an operation; this module alone decides whether a person may.

The right to an operation is the token's scope and the person's right together (contract rest-graphql
§1.3): neither widens the other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.accounts import Role
from watchword.domain.ids import ClusterId, TeamId
from watchword.domain.operations import OPERATIONS, Operation, Right
from watchword.domain.scopes import GRAPHQL


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands in one organization.

    Attributes:
        role: the member's role.
        clusters: clusters that the person maintains, directly or through a team.
        teams: teams that the person maintains.
    """

    role: Role
    clusters: frozenset[ClusterId] = frozenset()
    teams: frozenset[TeamId] = frozenset()

    @property
    def admin(self) -> bool:
        """Whether the person administers the organization."""
        return self.role is Role.ADMIN


class Verdict(StrEnum):
    """What the policy says of an operation, before the thing that it concerns is known."""

    ALLOWED = "allowed"
    SOME = "some"  # on the clusters or teams that the person maintains
    REFUSED = "refused"


def allows(
    standing: Standing, right: Right, *, cluster: ClusterId | None = None, team: TeamId | None = None
) -> bool:
    """Whether a person has a right.

    Args:
        standing: where the person stands.
        right: what the operation asks for.
        cluster: the cluster that it concerns; None where it concerns none.
        team: the team that it concerns; None where it concerns none.
    """
    if right in (Right.HOLDER, Right.MEMBER) or standing.admin:
        return True
    if right is Right.CLUSTER_MAINTAINER:
        return cluster is not None and cluster in standing.clusters
    if right is Right.TEAM_MAINTAINER:
        return team is not None and team in standing.teams
    return False


def verdict(standing: Standing, right: Right) -> Verdict:
    """What a person may do of a right in the whole organization."""
    if allows(standing, right):
        return Verdict.ALLOWED
    maintained = {Right.CLUSTER_MAINTAINER: standing.clusters, Right.TEAM_MAINTAINER: standing.teams}
    return Verdict.SOME if maintained.get(right) else Verdict.REFUSED


def opens(scopes: Collection[str], operation: Operation) -> bool:
    """Whether scopes open an operation; the scope `graphql` opens those that GraphQL has."""
    if not operation.scope or operation.scope in scopes:
        return True
    return operation.graphql and GRAPHQL in scopes


def permitted(scopes: Collection[str], standing: Standing) -> list[tuple[Operation, Verdict]]:
    """Every operation that a token with these scopes may perform for a person, by name."""
    found = [
        (operation, verdict(standing, operation.right))
        for name, operation in sorted(OPERATIONS.items())
        if opens(scopes, operation)
    ]
    return [(operation, said) for operation, said in found if said is not Verdict.REFUSED]
