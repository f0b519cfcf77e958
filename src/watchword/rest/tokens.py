"""Agent tokens of a cluster (contract rest-graphql §2.6); a value is seen at creation and never again."""

from collections.abc import Mapping

import msgspec
from litestar import Response, delete, get, post, route
from litestar.openapi import ResponseSpec

from watchword.domain import accounts, tokens
from watchword.domain.ids import UserId
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.clusters import CLUSTER
from watchword.rest.formats import Site
from watchword.rest.tokenshapes import (
    AgentTokenChange,
    ImportedAgentToken,
    NewAgentToken,
    TokenFields,
    all_used,
    import_as_asked,
    issue_as_asked,
    persons,
    token_fields,
    token_id_of,
    update_as_asked,
    used,
)
from watchword.rest.withdrawals import (
    REVOCATION,
    WITHDRAWAL,
    BlastRadius,
    Find,
    Revocation,
    RevokeToken,
    radius_of,
    read_state,
    revocation_of,
    revoke_token,
)
from watchword.services.queries import Access, Unit, agent_tokens_in, agent_tokens_of, find_cluster
from watchword.services.revoking import find_agent_token

TOKENS = CLUSTER + "/tokens"
TOKEN = TOKENS + "/{token:str}"
GONE = {204: ResponseSpec(None, description="Revoked; the answer is empty.", generate_examples=False)}


class AgentToken(TokenFields, kw_only=True):
    """An agent token of a cluster."""

    cluster_url: str


class CreatedAgentToken(AgentToken, kw_only=True):
    """A fresh agent token with its value, which is shown this once."""

    token: str


def show_token(
    site: Site,
    organization: accounts.Organization,
    token: tokens.Token,
    known: Mapping[UserId, accounts.User],
    now: int = 0,
) -> AgentToken:
    """An agent token as JSON, its last use aside; an expiry that is over shows from `now` on."""
    cluster_url = site.rest("organizations", organization.slug, "clusters", token.cluster_id)
    url = f"{cluster_url}/tokens/{token.id}"
    return AgentToken(cluster_url=cluster_url, **token_fields(token, known, now, "ClusterToken", url))


def _show(
    call: Call,
    organization: accounts.Organization,
    token: tokens.Token,
    known: Mapping[UserId, accounts.User],
) -> AgentToken:
    return show_token(call.site, organization, token, known, call.context.clock.now())


def _finder(call: Call) -> Find:
    async def find(tx: Unit, access: Access, *, revoked: bool) -> tokens.Token:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        return await find_agent_token(tx, access.id, cluster.id, token_id_of(call), revoked=revoked)

    return find


@get(TOKENS, opt=needs("agent_token.read", query=("state", *PAGED)), summary="List agent tokens")
async def list_tokens(request: RestRequest) -> Response[list[AgentToken]]:
    """Agent tokens of the cluster that are not revoked, oldest first; of one state where one is named."""
    call = Call.of(request)
    state = read_state(call)

    async def work(tx: Unit, access: Access) -> tuple[list[tokens.Token], list[AgentToken]]:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        now, window = call.context.clock.now(), call.page.window
        if state is None:
            rows = await agent_tokens_of(tx, cluster, window)
        else:
            rows = await agent_tokens_in(tx, access.id, cluster, state, now, window)
        page = call.page.cut(rows)
        known = await persons(tx, *page)
        return rows, [_show(call, access.organization, token, known) for token in page]

    rows, items = await call.read(work)
    return call.listed(await all_used(call, rows, items), rows)


@get(TOKEN, opt=needs("agent_token.read"), summary="Get an agent token")
async def get_token(request: RestRequest) -> AgentToken:
    """One agent token by its id; never its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[tokens.Token, AgentToken]:
        token = await _finder(call)(tx, access, revoked=False)
        return token, _show(call, access.organization, token, await persons(tx, token))

    token, shown = await call.read(work)
    return await used(call, token.organization_id, shown)


@post(
    TOKENS, opt=needs("agent_token.create", body=NewAgentToken, keyed=True), summary="Create an agent token"
)
async def create_token(request: RestRequest) -> Response[CreatedAgentToken]:
    """Create an agent token; the answer alone carries its value."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedAgentToken:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        token, value = await issue_as_asked(call, tx, access, cluster.id)
        shown = _show(call, access.organization, token, {access.user.id: access.user})
        return CreatedAgentToken(**msgspec.structs.asdict(shown), token=value.reveal())

    return await call.create(work)


@post(
    TOKENS + "/import",
    opt=needs("agent_token.create", body=ImportedAgentToken, keyed=True),
    summary="Import an agent token",
)
async def import_token(request: RestRequest) -> Response[AgentToken]:
    """Take over a token that was issued elsewhere, by its value or its digest; the value is never shown."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> AgentToken:
        cluster = await find_cluster(tx, access.id, call.path("cluster"))
        token = await import_as_asked(call, tx, access, cluster.id)
        return _show(call, access.organization, token, {access.user.id: access.user})

    return await call.create(work)


@route(
    TOKEN,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("agent_token.update", body=AgentTokenChange, query=WITHDRAWAL),
    summary="Update an agent token",
)
async def update_token(request: RestRequest) -> Response[AgentToken | BlastRadius]:
    """Change description or networks of an agent token; a dry run says what narrower networks touch."""
    call = await Call.with_body(request)
    return await update_as_asked(call, _finder(call), _show)


@delete(
    TOKEN,
    status_code=200,
    responses=GONE,
    opt=needs("agent_token.revoke", body=RevokeToken, query=REVOCATION, keyed=True),
    summary="Revoke an agent token",
)
async def delete_token(request: RestRequest) -> Response[BlastRadius | Revocation | None]:
    """Revoke an agent token: it starts no new agent; `mode` says what becomes of connected ones."""
    call = await Call.with_body(request)
    return await revoke_token(call, _finder(call), reason="revoked through REST")


@get(TOKEN + "/blast-radius", opt=needs("agent_token.read"), summary="See what a revocation would touch")
async def get_blast_radius(request: RestRequest) -> BlastRadius:
    """Connected agents, running jobs and callers of the last day that the token's end would touch."""
    call = Call.of(request)
    return await radius_of(call, _finder(call))


@get(TOKEN + "/revocation", opt=needs("agent_token.read"), summary="Get an agent token's revocation")
async def get_revocation(request: RestRequest) -> Revocation:
    """How access was last taken from the token: its revocation, else the latest narrowing of networks."""
    call = Call.of(request)
    return await revocation_of(call, _finder(call))


HANDLERS = (
    list_tokens,
    get_token,
    create_token,
    import_token,
    update_token,
    delete_token,
    get_blast_radius,
    get_revocation,
)
