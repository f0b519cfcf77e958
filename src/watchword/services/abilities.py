"""What can this token do? Answered by the rules that enforce it: policy, verifier and restrictions."""

from dataclasses import dataclass
from ipaddress import ip_network

from watchword.domain.accounts import Cluster, Organization
from watchword.domain.errors import WatchwordError
from watchword.domain.ids import ClusterId, TeamId
from watchword.domain.operations import OPERATIONS, Operation, Right
from watchword.domain.policy import Verdict, opens, permitted
from watchword.domain.restrictions import Restrictions, load, parse_networks
from watchword.domain.tokens import Reason, Token
from watchword.services.access import enter_by_id
from watchword.services.verifying import Presented, Verifier, look_at
from watchword.store.base import EVERYTHING, Transaction


@dataclass(frozen=True, slots=True)
class Ability:
    """One operation that a token may perform.

    Attributes:
        clusters: where the verdict is `some`: on which clusters.
        teams: where the verdict is `some`: on which teams.
    """

    operation: Operation
    verdict: Verdict
    clusters: tuple[ClusterId, ...] = ()
    teams: tuple[TeamId, ...] = ()


@dataclass(frozen=True, slots=True)
class OrganizationAbilities:
    """What a token may do in one organization; `refused` says why nothing, where it may do nothing there."""

    organization: Organization
    abilities: tuple[Ability, ...]
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Joining:
    """What the holder of an agent token may do.

    Attributes:
        refused: the reason code for which the token does not pass, networks aside; empty where it passes.
        cluster: the cluster that agents join; None outside clusters.
        queues: keys of the queues that agents may join; None where any key will do, outside clusters.
        restrictions: networks and tags that are asked for.
        uses_left: how many more agents may register; None for any number.
    """

    token: Token
    refused: str
    cluster: Cluster | None
    queues: tuple[str, ...] | None
    restrictions: Restrictions
    uses_left: int | None


def held(scopes: frozenset[str]) -> list[Operation]:
    """Operations that ask for nothing beyond a live token with these scopes."""
    return [
        operation
        for _, operation in sorted(OPERATIONS.items())
        if operation.right is Right.HOLDER and opens(scopes, operation)
    ]


async def abilities_in(
    tx: Transaction, presented: Presented, address: str | None = None, only: Organization | None = None
) -> list[OrganizationAbilities]:
    """What an API access token may do, organization by organization.

    Args:
        tx: the unit of work.
        presented: the token, presented or looked at.
        address: where it is called from; None asks what it may do from where it may be used.
        only: leave other organizations out.
    """
    found = []
    for grant in await tx.policies.grants_of(presented.holder.id):
        organization = await tx.accounts.organization(grant.organization_id)
        if organization is None or grant.ended_at or (only is not None and only.id != organization.id):
            continue
        found.append(await _abilities(tx, presented, organization, address))
    return found


async def _abilities(
    tx: Transaction, presented: Presented, organization: Organization, address: str | None
) -> OrganizationAbilities:
    if address is None:
        blocks = parse_networks((await tx.policies.policy(organization.id)).allowed_networks)
        address = str(ip_network(blocks[0].text)[0]) if blocks else None
    try:
        access = await enter_by_id(tx, presented, organization.id, address, "")
    except WatchwordError as error:
        return OrganizationAbilities(organization, (), error.code)
    standing = access.standing
    abilities = [
        Ability(
            operation,
            verdict,
            tuple(sorted(standing.clusters)) if some and cluster else (),
            tuple(sorted(standing.teams)) if some and not cluster else (),
        )
        for operation, verdict in permitted(presented.scopes, standing)
        if operation.right is not Right.HOLDER
        for some in [verdict is Verdict.SOME]
        for cluster in [operation.right is Right.CLUSTER_MAINTAINER]
    ]
    return OrganizationAbilities(organization, tuple(abilities))


async def joining(tx: Transaction, verifier: Verifier, token: Token) -> Joining:
    """What the holder of an agent token may do right now: which agents may register with it."""
    restrictions = load(token.restrictions)
    refused = verifier.refusal_of(look_at(token))
    uses_left = token.max_uses - token.uses if token.max_uses else None
    if not refused and uses_left == 0:
        refused = Reason.USED_UP.value
    if token.cluster_id is None:
        queues = (restrictions.queue,) if restrictions.queue else None
        return Joining(token, refused, None, queues, restrictions, uses_left)
    owner, cluster_id = token.organization_id, token.cluster_id
    admitted = tuple(
        queue.key
        for queue in await tx.accounts.queues(owner, cluster_id, EVERYTHING)
        if not restrictions.refuse_agent(queue.key, restrictions.tags)
    )
    cluster = await tx.accounts.cluster(owner, cluster_id)
    return Joining(token, refused, cluster, admitted, restrictions, uses_left)
