"""What can this token do? Operations that a token may perform right now, from the rules that enforce them."""

import msgspec
from litestar import get

from watchword.domain.ids import TokenId, is_uuid
from watchword.domain.operations import Operation
from watchword.rest.apitokens import TOKEN as API_TOKEN
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.formats import whole_seconds
from watchword.rest.tokens import TOKEN as AGENT_TOKEN
from watchword.services.abilities import Joining, OrganizationAbilities, abilities_in, held, joining
from watchword.services.apitokens import find_api_token
from watchword.services.queries import Access, Unit, find_cluster
from watchword.services.revoking import find_agent_token
from watchword.services.verifying import Presented, look_at


class PermittedOperation(msgspec.Struct, kw_only=True):
    """An operation that a token may perform.

    `verdict` is `allowed`, or `some`: on the clusters or teams that are named, which its owner maintains.
    """

    name: str
    title: str
    scope: str | None
    verdict: str
    clusters: list[str] = []
    teams: list[str] = []


class OrganizationOperations(msgspec.Struct, kw_only=True):
    """What a token may do in one organization; `refused` is the code of what keeps it out, if anything."""

    organization: str
    refused: str | None
    operations: list[PermittedOperation]


class TokenOperations(msgspec.Struct, kw_only=True):
    """What an API access token may do: anywhere, and in each organization.

    `refused` is the reason for which it passes nowhere, such as `token_expired`; null while it is live.
    """

    refused: str | None
    anywhere: list[PermittedOperation]
    organizations: list[OrganizationOperations]


class AgentTokenOperations(msgspec.Struct, kw_only=True):
    """What the holder of an agent token may do: register agents, within the limits that are named.

    `queues` names the cluster's queues that its agents may join.
    """

    operations: list[str]
    refused: str | None
    cluster: str | None
    queues: list[str] | None
    tags: list[str]
    allowed_ip_addresses: list[str]
    not_before: str | None
    expires_at: str | None
    uses_left: int | None


def _operation(operation: Operation, verdict: str = "allowed") -> PermittedOperation:
    return PermittedOperation(
        name=operation.name, title=operation.title, scope=operation.scope or None, verdict=verdict
    )


def _organization(found: OrganizationAbilities) -> OrganizationOperations:
    operations = []
    for each in found.abilities:
        shown = _operation(each.operation, each.verdict.value)
        shown.clusters, shown.teams = list(each.clusters), list(each.teams)
        operations.append(shown)
    return OrganizationOperations(
        organization=found.organization.slug, refused=found.refused or None, operations=operations
    )


def _show(call: Call, presented: Presented, found: list[OrganizationAbilities]) -> TokenOperations:
    refused = call.authority.verifier.refusal_of(presented)
    return TokenOperations(
        refused=refused or None,
        anywhere=[] if refused else [_operation(each) for each in held(presented.scopes)],
        organizations=[] if refused else [_organization(each) for each in found],
    )


@get(
    "/v2/access-token/operations",
    opt=needs("access_token.operations"),
    summary="List what the current token may do",
)
async def list_own_operations(request: RestRequest) -> TokenOperations:
    """What the presented token may do right now, from the address that asks."""
    call = Call.of(request)

    async def work(tx: Unit) -> TokenOperations:
        return _show(call, call.presented, await abilities_in(tx, call.presented, call.address or ""))

    return await call.context.store.read(work)


@get(
    API_TOKEN + "/operations",
    opt=needs("api_token.list"),
    summary="List what an API access token may do",
)
async def list_api_token_operations(request: RestRequest) -> TokenOperations:
    """What a token may do right now in this organization, from wherever it may be used."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> TokenOperations:
        found = await find_api_token(tx, access, call.path("token"))
        presented = look_at(found.token)
        return _show(call, presented, await abilities_in(tx, presented, only=access.organization))

    return await call.read(work)


@get(
    AGENT_TOKEN + "/operations",
    opt=needs("agent_token.read"),
    summary="List what the holder of an agent token may do",
)
async def list_agent_token_operations(request: RestRequest) -> AgentTokenOperations:
    """Which agents may register with an agent token: where, with which tags, from where, how many."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> AgentTokenOperations:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        text = call.path("token")
        token_id = TokenId(text.lower() if is_uuid(text) else "")
        token = await find_agent_token(tx, access.id, cluster.id, token_id)
        return _show_joining(await joining(tx, call.authority.verifier, token))

    return await call.read(work)


def _show_joining(found: Joining) -> AgentTokenOperations:
    return AgentTokenOperations(
        operations=[] if found.refused else ["agent.register", "queue.count"],
        refused=found.refused or None,
        cluster=found.cluster.id if found.cluster is not None else None,
        queues=list(found.queues) if found.queues is not None else None,
        tags=list(found.restrictions.tags),
        allowed_ip_addresses=[block.text for block in found.restrictions.networks],
        not_before=whole_seconds(found.token.not_before),
        expires_at=whole_seconds(found.token.expires_at),
        uses_left=found.uses_left,
    )


HANDLERS = (list_own_operations, list_api_token_operations, list_agent_token_operations)
