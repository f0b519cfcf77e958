"""Agent tokens of clusters (contract rest-graphql §3.4, §3.5); a value is seen at creation alone."""

from collections.abc import Mapping

from watchword.domain import accounts, tokens
from watchword.domain.formats import read_time, whole_seconds
from watchword.domain.ids import ClusterId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import load
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import listed
from watchword.graphql.finding import node, organization_id
from watchword.graphql.resolvers.clusters import cluster_of
from watchword.graphql.resolvers.users import by
from watchword.graphql.resolvers.withdrawals import Ended, asked, confirmed, end_in, settled
from watchword.services.editing import Edited
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token
from watchword.services.lookups import EVERYTHING, token_by_id
from watchword.services.narrowing import EVERYWHERE, narrow, networks_text
from watchword.services.queries import Access, Unit, agent_tokens_of, find_cluster

MISSING = "No cluster token found"


def networks_of(token: tokens.Token) -> str:
    """From where a token may be used: blocks between spaces, as REST writes them."""
    return " ".join(block.text for block in load(token.restrictions).networks) or EVERYWHERE


def show_token(token: tokens.Token) -> Thing:
    """An agent token of a cluster as an object."""
    values = {
        "id": ids.encode("ClusterToken", token.id),
        "uuid": token.id,
        "description": token.description or None,
        "allowedIpAddresses": networks_of(token),
        "expiresAt": whole_seconds(token.expires_at),
        "token": "",
    }
    return Thing("ClusterToken", token.organization_id, token, values)


by("ClusterToken", "createdBy", "created_by")
cluster_of("ClusterToken")


async def find_one(tx: Unit, access: Access, uuid: str) -> tokens.Token | None:
    """An agent token of a cluster, revoked or not."""
    token = await token_by_id(tx, access.id, TokenId(uuid))
    return token if token is not None and token.kind is Kind.AGENT else None


async def find_live(tx: Unit, access: Access, uuid: str) -> tokens.Token | None:
    """An agent token of a cluster that is not revoked."""
    token = await find_one(tx, access, uuid)
    return token if token is not None and token.state is not tokens.State.REVOKED else None


def _cluster(token: tokens.Token) -> ClusterId | None:
    return token.cluster_id


@node("ClusterToken", "agent_token.read", _cluster)
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """An agent token of one of the organization's clusters."""
    token = await find_live(tx, access, uuid)
    return show_token(token) if token is not None else None


@field("Cluster", "agentTokens", "agent_token.read", cluster=lambda cluster: cluster.id)
async def tokens_of_cluster(call: Call, cluster: accounts.Cluster, arguments: Arguments) -> object:
    """Newest first: a client that reads one part alone then sees what it has just made."""
    rows = await call.read(lambda tx: agent_tokens_of(tx, cluster, EVERYTHING))
    return listed(rows[::-1], arguments, show_token, lambda token: token.id)


@mutation("clusterAgentTokenCreate", "agent_token.create")
async def create(order: Order) -> Mapping[str, object]:
    """Create an agent token; the answer alone carries its value."""

    async def work(tx: Unit, access: Access) -> Issued:
        cluster = await find_cluster(tx, access.id, ids.uuid_of(order.text("clusterId"), "Cluster"))
        order.require(access, cluster=cluster.id)
        wanted = TokenRequest(
            organization_id=access.id,
            cluster_id=cluster.id,
            description=order.text("description"),
            restrictions=narrow(order.text("allowedIpAddresses"), "", ()),
            expires_at=read_time("Expires at", order.text("expiresAt")),
        )
        return await issue_agent_token(order.context, tx, access.caller, wanted, access.user.id)

    issued = await order.write(organization_id(order), work, defer=True)
    return {"clusterAgentToken": show_token(issued.token), "tokenValue": issued.value.reveal()}


async def _find(order: Order, tx: Unit, access: Access) -> tokens.Token:
    """The token that the input names, and the right to change it.

    Raises:
        NotFound: there is none.
        Forbidden: the person may not change it.
    """
    uuid = ids.uuid_of(str(order.input["id"]), "ClusterToken")
    token = await find_live(tx, access, uuid)
    return order.found(access, token, MISSING, _cluster)


@mutation("clusterAgentTokenUpdate", "agent_token.update")
async def update(order: Order) -> Mapping[str, object]:
    """Change description and networks; networks that are left out stay."""
    editor, wanted = order.call.authority.editor, asked(order)
    given = order.text("allowedIpAddresses")
    networks = networks_text(given) if "allowedIpAddresses" in order.input else None

    async def work(tx: Unit, access: Access) -> Edited:
        token = await _find(order, tx, access)
        description, by = order.text("description"), access.user.id
        return await editor.edit_in(tx, access.caller, token, by, description, networks, wanted)

    changed = await order.write(organization_id(order), work, defer=True)
    editor.settle(changed)
    receipt = await confirmed(order, changed.withdrawn)
    return {"clusterAgentToken": show_token(changed.token), "revocation": receipt}


@mutation("clusterAgentTokenRevoke", "agent_token.revoke")
async def revoke_one(order: Order) -> Mapping[str, object]:
    """Revoke an agent token: it starts no new agent; `mode` says what becomes of connected ones.

    One that was revoked before is found only where a mode is named, which may be a stronger one.
    """
    wanted = asked(order, "revoked through GraphQL")
    uuid = ids.uuid_of(str(order.input["id"]), "ClusterToken")
    look = find_one if order.input.get("mode") else find_live

    async def work(tx: Unit, access: Access) -> Ended:
        token = order.found(access, await look(tx, access, uuid), MISSING, _cluster)
        return await end_in(order, tx, access, token, wanted, reasoned=False)

    ended = await order.write(organization_id(order), work, defer=True)
    done = await settled(order, ended)
    return {"deletedClusterAgentTokenId": ids.encode("ClusterToken", ended.token.id), **done}
