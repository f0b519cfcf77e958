"""Leaving: what an organization's member holds of it, and so what the removal takes away."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.accounts import Cluster, Member
from watchword.domain.ids import ClusterId
from watchword.domain.kinds import Kind
from watchword.domain.teams import Team, TeamMember
from watchword.domain.tokens import State
from watchword.services.access import Access
from watchword.services.apitokenlists import Listed, with_uses
from watchword.services.ledger import Ledger
from watchword.services.teams import sees
from watchword.store.base import Page, Transaction

# How many tokens are named.
MAX_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Holding:
    """What a member holds.

    Attributes:
        tokens: API access tokens of theirs that reach the organization, with their last uses, oldest first.
        places: teams that they are in, as far as the caller sees them, with their place there.
        clusters: clusters that they maintain in person.
        dagster_tokens: how many live Dagster user tokens they have, for those who see tokens.
        dagster_roles: how many roles on deployments.
    """

    tokens: Sequence[Listed]
    places: Sequence[tuple[Team, TeamMember]]
    clusters: Sequence[Cluster]
    dagster_tokens: int = 0
    dagster_roles: int = 0


async def holding(tx: Transaction, ledger: Ledger, access: Access, member: Member) -> Holding:
    """What a member holds; tokens are for administrators and oneself."""
    tokens: list[Listed] = []
    dagster = 0
    if access.may("api_token.read") or member.user_id == access.user.id:
        rows = await tx.hygiene.reaching(access.id, Page(MAX_TOKENS, 0), member.user_id)
        tokens = await with_uses(tx, ledger, rows)
        page = Page(MAX_TOKENS, 0)
        own = await tx.deployments.tokens(access.id, Kind.DAGSTER_USER, member.user_id, page)
        dagster = sum(token.state is State.ACTIVE for token in own)
    places = []
    for place in await tx.teams.places(access.id, member.user_id):
        team = await tx.teams.find(access.id, place.team_id)
        if team is not None and await sees(tx, access, team):
            places.append((team, place))
    given = [one.cluster_id for one in await tx.teams.maintainers_of_user(access.id, member.user_id)]
    roles = len(await tx.deployments.roles(access.id, member.user_id))
    return Holding(tokens, places, await _clusters(tx, access, given), dagster, roles)


async def _clusters(tx: Transaction, access: Access, ids: Sequence[ClusterId]) -> list[Cluster]:
    found = [await tx.accounts.cluster(access.id, cluster_id) for cluster_id in ids]
    return [cluster for cluster in found if cluster is not None]
