"""Dagster agent tokens; routes of our own. A value is seen once, at creation."""

import msgspec
from litestar import Response, delete, get, post, route

from watchword.crypto.values import Secret
from watchword.domain.deployments import Deployment, GrantScope
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.dagstershapes import (
    REASON,
    CreatedDagsterAgentToken,
    DagsterAgentToken,
    DagsterDescription,
    DagsterPermission,
    ImportedDagsterAgentToken,
    agent_shown,
    show_agent_token,
)
from watchword.rest.rotations import handlers as rotation_handlers
from watchword.rest.tokens import GONE
from watchword.rest.withdrawals import (
    REVOCATION,
    BlastRadius,
    Find,
    Revocation,
    RevokeToken,
    radius_of,
    revocation_of,
    revoke_token,
)
from watchword.services.dagstercare import (
    KeptToken,
    change_permission_in,
    deployment_in,
    find_agent_token_in,
    tokens_in,
)
from watchword.services.dagstertokens import create_agent_token_in, describe_in, import_agent_token_in
from watchword.services.importing import read_import
from watchword.services.queries import Access, Unit

AGENT_TOKENS = "/v2/organizations/{org:str}/dagster/agent-tokens"
AGENT_TOKEN = AGENT_TOKENS + "/{token:str}"


def _agent_finder(call: Call) -> Find:
    async def find(tx: Unit, access: Access, *, revoked: bool) -> Token:  # noqa: ARG001 - of the protocol
        return await find_agent_token_in(tx, access, call.path("token"))

    return find


@get(AGENT_TOKENS, opt=needs("dagster_agent_token.read", query=PAGED), summary="List Dagster agent tokens")
async def list_agent_tokens(request: RestRequest) -> Response[list[DagsterAgentToken]]:
    """Dagster agent tokens, ended ones too, newest first."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[KeptToken]:
        return await tokens_in(tx, call.authority.ledger, access, Kind.DAGSTER_AGENT, None, call.page.window)

    rows = await call.read(work)
    return call.listed([show_agent_token(call, one) for one in call.page.cut(rows)], rows)


@get(AGENT_TOKEN, opt=needs("dagster_agent_token.read"), summary="Get a Dagster agent token")
async def get_agent_token(request: RestRequest) -> DagsterAgentToken:
    """One token by its id, also a revoked one; never its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> DagsterAgentToken:
        return await agent_shown(call, tx, access, await find_agent_token_in(tx, access, call.path("token")))

    return await call.read(work)


@post(
    AGENT_TOKENS,
    opt=needs("dagster_agent_token.create", body=DagsterDescription, keyed=True),
    summary="Create a Dagster agent token",
)
async def create_agent_token(request: RestRequest) -> Response[CreatedDagsterAgentToken]:
    """Create a token that may serve every deployment; the answer alone carries its value."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedDagsterAgentToken:
        asked = call.decode(DagsterDescription)
        issued = await create_agent_token_in(
            call.context, tx, access.caller, access.organization, asked.description, access.user.id
        )
        shown = await agent_shown(call, tx, access, issued.token)
        return CreatedDagsterAgentToken(**msgspec.structs.asdict(shown), token=issued.value.reveal())

    return await call.create(work)


@post(
    AGENT_TOKENS + "/import",
    opt=needs("dagster_agent_token.create", body=ImportedDagsterAgentToken, keyed=True),
    summary="Import a Dagster agent token",
)
async def import_agent_token(request: RestRequest) -> Response[DagsterAgentToken]:
    """Take over a token that was issued elsewhere, by its value or its digest; the value is never shown."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> DagsterAgentToken:
        asked = call.decode(ImportedDagsterAgentToken)
        value = Secret(asked.value) if asked.value is not None else None
        found = read_import(call.context, value, asked.digest or "", (Kind.DAGSTER_AGENT,))
        token = await import_agent_token_in(
            call.context, tx, access.caller, access.organization, asked.description, found, access.user.id
        )
        return await agent_shown(call, tx, access, token)

    return await call.create(work)


@route(
    AGENT_TOKEN,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("dagster_agent_token.update", body=DagsterDescription),
    summary="Update a Dagster agent token",
)
async def update_agent_token(request: RestRequest) -> DagsterAgentToken:
    """Change the description."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> DagsterAgentToken:
        token = await find_agent_token_in(tx, access, call.path("token"))
        asked = call.decode(DagsterDescription)
        changed = await describe_in(call.context, tx, access.caller, token, asked.description)
        return await agent_shown(call, tx, access, changed)

    return await call.write(work)


async def _change_permission(call: Call, *, allowed: bool) -> DagsterAgentToken:
    async def work(tx: Unit, access: Access) -> DagsterAgentToken:
        token = await find_agent_token_in(tx, access, call.path("token"))
        scope, place = await _read_permission(tx, access, call.decode(DagsterPermission))
        await change_permission_in(call.context, tx, access, token, scope, place, allowed=allowed)
        return await agent_shown(call, tx, access, token)

    return await call.write(work)


async def _read_permission(
    tx: Unit, access: Access, asked: DagsterPermission
) -> tuple[GrantScope, Deployment | None]:
    try:
        scope = GrantScope(asked.scope)
    except ValueError:
        known = ", ".join(GrantScope)
        raise Invalid(f"Validation failed: Scope is one of {known}", code="invalid_grant") from None
    try:
        place = await deployment_in(tx, access, asked.deployment) if asked.deployment is not None else None
    except NotFound:
        raise Invalid("Validation failed: There is no such deployment", code="unknown_deployment") from None
    return scope, place


@post(
    AGENT_TOKEN + "/permit",
    status_code=200,
    opt=needs("dagster_agent_token.update", body=DagsterPermission),
    summary="Permit a Dagster agent token more",
)
async def permit_agent_token(request: RestRequest) -> DagsterAgentToken:
    """Give a permission; an agent has it at its next call."""
    return await _change_permission(await Call.with_body(request), allowed=True)


@post(
    AGENT_TOKEN + "/forbid",
    status_code=200,
    opt=needs("dagster_agent_token.update", body=DagsterPermission),
    summary="Permit a Dagster agent token less",
)
async def forbid_agent_token(request: RestRequest) -> DagsterAgentToken:
    """Take a permission away; an agent lacks it at its next call."""
    return await _change_permission(await Call.with_body(request), allowed=False)


@delete(
    AGENT_TOKEN,
    status_code=200,
    responses=GONE,
    opt=needs("dagster_agent_token.revoke", body=RevokeToken, query=REVOCATION, keyed=True),
    summary="Revoke a Dagster agent token",
)
async def revoke_agent_token(request: RestRequest) -> Response[BlastRadius | Revocation | None]:
    """Revoke a token: its agents, code servers and runs are refused from their next call on."""
    call = await Call.with_body(request)
    return await revoke_token(call, _agent_finder(call), reason=REASON)


@get(
    AGENT_TOKEN + "/blast-radius",
    opt=needs("dagster_agent_token.read"),
    summary="See what the end of a Dagster agent token would touch",
)
async def agent_token_radius(request: RestRequest) -> BlastRadius:
    """Callers of the last day that the token's end would touch."""
    call = Call.of(request)
    return await radius_of(call, _agent_finder(call))


@get(
    AGENT_TOKEN + "/revocation",
    opt=needs("dagster_agent_token.read"),
    summary="Get a Dagster agent token's revocation",
)
async def agent_token_revocation(request: RestRequest) -> Revocation:
    """The receipt of the token's revocation."""
    call = Call.of(request)
    return await revocation_of(call, _agent_finder(call))


async def _find_rotating(call: Call, tx: Unit, access: Access) -> Token:
    return await find_agent_token_in(tx, access, call.path("token"))


HANDLERS = (
    list_agent_tokens,
    get_agent_token,
    create_agent_token,
    import_agent_token,
    update_agent_token,
    permit_agent_token,
    forbid_agent_token,
    revoke_agent_token,
    agent_token_radius,
    agent_token_revocation,
    *rotation_handlers(
        AGENT_TOKEN,
        "a Dagster agent token",
        "dagster_agent_token.read",
        "dagster_agent_token.rotate",
        _find_rotating,
    ),
)
