"""Dagster user tokens of people; routes of our own. A value is seen once, at creation."""

import msgspec
from litestar import Response, delete, get, post, route

from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.dagstershapes import (
    REASON,
    CreatedDagsterUserToken,
    DagsterAbility,
    DagsterDescription,
    DagsterUserToken,
    show_user_token,
    user_shown,
)
from watchword.rest.tokens import GONE
from watchword.rest.withdrawals import REVOCATION, BlastRadius, Find, Revocation, RevokeToken, revoke_token
from watchword.services.dagstercare import (
    KeptToken,
    abilities_in,
    find_user_token_in,
    require_owner,
    tokens_in,
)
from watchword.services.dagstertokens import create_user_token_in, describe_in
from watchword.services.members import find_member, find_member_by_email
from watchword.services.queries import Access, Unit

USER_TOKENS = "/v2/organizations/{org:str}/dagster/user-tokens"
USER_TOKEN = USER_TOKENS + "/{token:str}"


def _user_finder(call: Call) -> Find:
    async def find(tx: Unit, access: Access, *, revoked: bool) -> Token:  # noqa: ARG001 - of the protocol
        return await find_user_token_in(tx, access, call.path("token"))

    return find


@get(
    USER_TOKENS,
    opt=needs("dagster_user_token.list", query=("user", *PAGED)),
    summary="List Dagster user tokens",
)
async def list_user_tokens(request: RestRequest) -> Response[list[DagsterUserToken]]:
    """One's own tokens, ended ones too, newest first; another member's (`user`) for administrators."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[KeptToken]:
        asked = next(iter(call.query("user")), "")
        owner = access.user.id
        if asked and asked != owner:
            access.require("dagster_user_token.read")
            named = await find_member_by_email(tx, access.id, asked) if "@" in asked else None
            owner = (named or await find_member(tx, access.id, asked))[1].id
        require_owner(access, owner)
        return await tokens_in(tx, call.authority.ledger, access, Kind.DAGSTER_USER, owner, call.page.window)

    rows = await call.read(work)
    return call.listed([show_user_token(call, one) for one in call.page.cut(rows)], rows)


@get(USER_TOKEN, opt=needs("dagster_user_token.list"), summary="Get a Dagster user token")
async def get_user_token(request: RestRequest) -> DagsterUserToken:
    """One token by its id, also a revoked one; never its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> DagsterUserToken:
        return await user_shown(call, tx, access, await find_user_token_in(tx, access, call.path("token")))

    return await call.read(work)


@get(
    USER_TOKEN + "/abilities",
    opt=needs("dagster_user_token.list"),
    summary="See what a Dagster user token may do",
)
async def user_token_abilities(request: RestRequest) -> list[DagsterAbility]:
    """What the token may do right now, deployment by deployment; nothing where it or its owner is gone."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[DagsterAbility]:
        token = await find_user_token_in(tx, access, call.path("token"))
        if token.user_id is None or token.state_at(call.context.clock.now()).value != "active":
            return []
        return [
            DagsterAbility(
                deployment=one.deployment.name
                if one.deployment is not None and one.deployment.full
                else None,
                branches=one.deployment is not None and not one.deployment.full,
                role=one.role.value,
                may=[act.value for act in one.acts],
            )
            for one in await abilities_in(tx, access, token.user_id)
        ]

    return await call.read(work)


@post(
    USER_TOKENS,
    opt=needs("dagster_user_token.create", body=DagsterDescription, keyed=True),
    summary="Create a Dagster user token",
)
async def create_user_token(request: RestRequest) -> Response[CreatedDagsterUserToken]:
    """Create a token of one's own; the answer alone carries its value."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedDagsterUserToken:
        asked = call.decode(DagsterDescription)
        issued = await create_user_token_in(
            call.context, tx, access.caller, access.organization, access.user, asked.description
        )
        shown = await user_shown(call, tx, access, issued.token)
        return CreatedDagsterUserToken(**msgspec.structs.asdict(shown), token=issued.value.reveal())

    return await call.create(work)


@route(
    USER_TOKEN,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("dagster_user_token.update", body=DagsterDescription),
    summary="Update a Dagster user token",
)
async def update_user_token(request: RestRequest) -> DagsterUserToken:
    """Change the description of one's own token."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> DagsterUserToken:
        token = await find_user_token_in(tx, access, call.path("token"), own=True)
        asked = call.decode(DagsterDescription)
        changed = await describe_in(call.context, tx, access.caller, token, asked.description)
        return await user_shown(call, tx, access, changed)

    return await call.write(work)


@delete(
    USER_TOKEN,
    status_code=200,
    responses=GONE,
    opt=needs("dagster_user_token.revoke", body=RevokeToken, query=REVOCATION, keyed=True),
    summary="Revoke a Dagster user token",
)
async def revoke_user_token(request: RestRequest) -> Response[BlastRadius | Revocation | None]:
    """Revoke one's own token; as an administrator anybody's."""
    call = await Call.with_body(request)
    return await revoke_token(call, _user_finder(call), reason=REASON)


HANDLERS = (
    list_user_tokens,
    get_user_token,
    user_token_abilities,
    create_user_token,
    update_user_token,
    revoke_user_token,
)
