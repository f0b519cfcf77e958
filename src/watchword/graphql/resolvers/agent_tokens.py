"""Unclustered agent tokens (contract rest-graphql §3.4, §3.5)."""

from collections.abc import Mapping
from dataclasses import replace

from watchword.domain import accounts, tokens
from watchword.domain.ids import TokenId
from watchword.domain.kinds import Kind
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import encode, listed
from watchword.graphql.finding import at_slug, node, organization_id, permission
from watchword.graphql.resolvers.organizations import owned, show_organization
from watchword.graphql.resolvers.users import by
from watchword.graphql.resolvers.withdrawals import Ended, asked, end_in, settled
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.lookups import EVERYTHING, token_by_id
from watchword.services.queries import Access, Unit, agent_tokens_in

MISSING = "No agent token found"


def show_token(token: tokens.Token) -> Thing:
    """An unclustered agent token as an object."""
    revoked = token.state is tokens.State.REVOKED
    values = {
        "id": ids.encode("AgentToken", token.id),
        "uuid": token.id,
        "description": token.description or None,
        "createdAt": token.created_at,
        "public": False,
        "revokedAt": token.ended_at if revoked else None,
        "revokedReason": (token.ended_reason or None) if revoked else None,
        "token": "",
    }
    return Thing("AgentToken", token.organization_id, token, values)


by("AgentToken", "createdBy", "created_by")
by("AgentToken", "revokedBy", "ended_by")
owned("AgentToken")


async def find_one(tx: Unit, access: Access, uuid: str) -> tokens.Token | None:
    """An unclustered agent token of an organization, revoked or not."""
    token = await token_by_id(tx, access.id, TokenId(uuid))
    return token if token is not None and token.kind is Kind.UNCLUSTERED_AGENT else None


@node("AgentToken", "unclustered_agent_token.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """An unclustered agent token of an organization, revoked or not."""
    token = await find_one(tx, access, uuid)
    return show_token(token) if token is not None else None


@query("agentToken", "unclustered_agent_token.read")
async def token_at(call: Call, arguments: Arguments) -> Thing | None:
    """By `organization-slug/uuid`; a revoked one stays readable."""
    return await at_slug(call, str(arguments["slug"]), "AgentToken")


@field("AgentToken", "permissions")
async def permissions_of_token(call: Call, token: tokens.Token, _arguments: Arguments) -> object:
    """What the person may do with it."""
    access = await call.access(token.organization_id)
    return {"agentTokenRevoke": permission(access, "unclustered_agent_token.revoke")}


@field("Organization", "agentTokens", "unclustered_agent_token.read")
async def tokens_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Newest first; revoked and live alike, unless `revoked` says which."""
    now = call.context.clock.now()
    rows = await call.read(lambda tx: agent_tokens_in(tx, organization.id, None, None, now, EVERYTHING))
    wanted = arguments.get("revoked")
    kept = [
        token for token in rows[::-1] if wanted is None or (token.state is tokens.State.REVOKED) is wanted
    ]
    return listed(kept, arguments, show_token, lambda token: token.id)


@mutation("agentTokenCreate", "unclustered_agent_token.create")
async def create(order: Order) -> Mapping[str, object]:
    """Create an unclustered agent token; the answer alone carries its value."""

    async def work(tx: Unit, access: Access) -> tuple[Issued, accounts.Organization]:
        wanted = TokenRequest(
            organization_id=access.id,
            cluster_id=None,
            description=order.text("description"),
            described="description" in order.input and order.input["description"] is not None,
        )
        issued = await issue_agent_token(order.context, tx, access.caller, wanted, access.user.id)
        return issued, access.organization

    issued, organization = await order.write(organization_id(order, "organizationID"), work)
    edge = {"cursor": encode(issued.token.id), "node": show_token(issued.token)}
    return {
        "agentTokenEdge": edge,
        "organization": show_organization(organization),
        "tokenValue": issued.value.reveal(),
    }


@mutation("agentTokenRevoke", "unclustered_agent_token.revoke")
async def revoke_one(order: Order) -> Mapping[str, object]:
    """Revoke an unclustered agent token; `mode` says what becomes of connected agents."""
    wanted = asked(order)
    uuid = ids.uuid_of(str(order.input["id"]), "AgentToken")

    async def look(tx: Unit, access: Access) -> tokens.Token | None:
        return await find_one(tx, access, uuid)

    async def work(tx: Unit, access: Access, token: tokens.Token) -> Ended:
        ended = await end_in(order, tx, access, token, wanted, reasoned=True)
        return replace(ended, token=await find_one(tx, access, uuid) or token)

    ended = await order.write_found(look, MISSING, work)
    return {"agentToken": show_token(ended.token), **await settled(order, ended)}
