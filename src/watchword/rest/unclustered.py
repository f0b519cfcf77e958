"""Unclustered agent tokens; upstream has them in GraphQL alone, so these paths are Watchword's own."""

from collections.abc import Mapping

import msgspec
from litestar import Response, delete, get, post, route

from watchword.domain import accounts, tokens
from watchword.domain.ids import UserId
from watchword.domain.tokens import State
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.tokens import GONE
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
    read_switch,
    revocation_of,
    revoke_token,
)
from watchword.services.queries import Access, Unit, agent_tokens_in, unrevoked_tokens
from watchword.services.revoking import find_agent_token

TOKENS = "/v2/organizations/{org:str}/agent-tokens"
TOKEN = TOKENS + "/{token:str}"


class UnclusteredAgentToken(TokenFields, kw_only=True):
    """An agent token of no cluster."""


class CreatedUnclusteredAgentToken(UnclusteredAgentToken, kw_only=True):
    """A fresh agent token with its value, which is shown this once."""

    token: str


def _show(
    call: Call,
    organization: accounts.Organization,
    token: tokens.Token,
    known: Mapping[UserId, accounts.User],
) -> UnclusteredAgentToken:
    url = call.site.rest("organizations", organization.slug, "agent-tokens", token.id)
    return UnclusteredAgentToken(**token_fields(token, known, call.context.clock.now(), "AgentToken", url))


def _finder(call: Call) -> Find:
    async def find(tx: Unit, access: Access, *, revoked: bool) -> tokens.Token:
        return await find_agent_token(tx, access.id, None, token_id_of(call), revoked=revoked)

    return find


@get(
    TOKENS,
    opt=needs("unclustered_agent_token.read", query=("revoked", "state", *PAGED)),
    summary="List unclustered agent tokens",
)
async def list_tokens(request: RestRequest) -> Response[list[UnclusteredAgentToken]]:
    """Unclustered agent tokens, oldest first, revoked ones too unless `revoked` or `state` says otherwise."""
    call = Call.of(request)
    state, revoked = read_state(call), read_switch(call, "revoked")
    wanted = State.REVOKED if revoked else state

    async def work(tx: Unit, access: Access) -> tuple[list[tokens.Token], list[UnclusteredAgentToken]]:
        if revoked is False and state is None:
            rows = await unrevoked_tokens(tx, access.id, call.page.window)
        else:
            now = call.context.clock.now()
            rows = await agent_tokens_in(tx, access.id, None, wanted, now, call.page.window)
        page = call.page.cut(rows)
        known = await persons(tx, *page)
        return rows, [_show(call, access.organization, token, known) for token in page]

    rows, items = await call.read(work)
    return call.listed(await all_used(call, rows, items), rows)


@get(TOKEN, opt=needs("unclustered_agent_token.read"), summary="Get an unclustered agent token")
async def get_token(request: RestRequest) -> UnclusteredAgentToken:
    """One unclustered agent token by its id, also after its revocation; never its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[tokens.Token, UnclusteredAgentToken]:
        token = await _finder(call)(tx, access, revoked=True)
        return token, _show(call, access.organization, token, await persons(tx, token))

    token, shown = await call.read(work)
    return await used(call, token.organization_id, shown)


@post(
    TOKENS,
    opt=needs("unclustered_agent_token.create", body=NewAgentToken, keyed=True),
    summary="Create an unclustered agent token",
)
async def create_token(request: RestRequest) -> Response[CreatedUnclusteredAgentToken]:
    """Create an unclustered agent token; the answer alone carries its value."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedUnclusteredAgentToken:
        token, value = await issue_as_asked(call, tx, access, None)
        shown = _show(call, access.organization, token, {access.user.id: access.user})
        return CreatedUnclusteredAgentToken(**msgspec.structs.asdict(shown), token=value.reveal())

    return await call.create(work)


@post(
    TOKENS + "/import",
    opt=needs("unclustered_agent_token.create", body=ImportedAgentToken, keyed=True),
    summary="Import an unclustered agent token",
)
async def import_token(request: RestRequest) -> Response[UnclusteredAgentToken]:
    """Take over a token that was issued elsewhere, by its value or its digest; the value is never shown."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> UnclusteredAgentToken:
        token = await import_as_asked(call, tx, access, None)
        return _show(call, access.organization, token, {access.user.id: access.user})

    return await call.create(work)


@route(
    TOKEN,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("unclustered_agent_token.update", body=AgentTokenChange, query=WITHDRAWAL),
    summary="Update an unclustered agent token",
)
async def update_token(request: RestRequest) -> Response[UnclusteredAgentToken | BlastRadius]:
    """Change description or networks; a dry run says what narrower networks touch."""
    call = await Call.with_body(request)
    return await update_as_asked(call, _finder(call), _show)


@delete(
    TOKEN,
    status_code=200,
    responses=GONE,
    opt=needs("unclustered_agent_token.revoke", body=RevokeToken, query=REVOCATION, keyed=True),
    summary="Revoke an unclustered agent token",
)
async def delete_token(request: RestRequest) -> Response[BlastRadius | Revocation | None]:
    """Revoke an unclustered agent token, with a reason; `mode` says what becomes of connected agents."""
    call = await Call.with_body(request)
    return await revoke_token(call, _finder(call), reasoned=True)


@get(
    TOKEN + "/blast-radius",
    opt=needs("unclustered_agent_token.read"),
    summary="See what an unclustered token's revocation would touch",
)
async def get_blast_radius(request: RestRequest) -> BlastRadius:
    """Connected agents, running jobs and callers of the last day that the token's end would touch."""
    call = Call.of(request)
    return await radius_of(call, _finder(call))


@get(
    TOKEN + "/revocation",
    opt=needs("unclustered_agent_token.read"),
    summary="Get an unclustered agent token's revocation",
)
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
