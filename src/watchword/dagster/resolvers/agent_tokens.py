"""Agent tokens: made, described, permitted, revoked by administrators (contract §10, §13)."""

from collections.abc import Awaitable, Callable
from typing import Any

from watchword.dagster.binding import Arguments, Audience, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.rights import person
from watchword.dagster.shapes import AGENT, agent_permissions, seconds, told, user
from watchword.domain.accounts import User
from watchword.domain.dagsterroles import Act
from watchword.domain.deployments import Deployment, GrantScope
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import Withdrawal
from watchword.domain.tokens import State, Token
from watchword.services.dagsterpeople import NumberedUser, people_in
from watchword.services.dagstertokens import (
    Numbered,
    create_agent_token_in,
    describe_in,
    find_in,
    list_in,
    numbered_in,
)
from watchword.services.deployments import grant_in, ungrant_in
from watchword.services.queries import Page, Unit
from watchword.services.withdrawing import Withdrawn

NO_TOKEN = "DagsterCloudTokenNotFoundError"  # noqa: S105 - the name of a type
WHY = "revoked over Dagster+'s GraphQL"
EVERY = Page(limit=10_000)
Change = Callable[[Unit, User, Token], Awaitable[object]]


async def plain_in(tx: Unit, numbered: Numbered) -> dict[str, Any]:
    """What the two kinds of tokens have in common. The value is nowhere in it."""
    token = numbered.token
    ended = token.state is State.REVOKED
    people = await people_in(tx, token.organization_id, (token.created_by, token.ended_by, token.user_id))

    def named(one: Any) -> dict[str, Any] | None:  # noqa: ANN401 - an id
        found: NumberedUser | None = people.get(one) if one is not None else None
        return user(found)

    return {
        "id": numbered.number,
        "token": None,
        "description": token.description,
        "user": named(token.user_id),
        "createdBy": named(token.created_by),
        "createTimestamp": seconds(token.created_at),
        "revoked": ended,
        "revokedBy": named(token.ended_by) if ended else None,
        "revokeTimestamp": seconds(token.ended_at) if ended else None,
    }


async def _shown_in(call: Call, tx: Unit, numbered: Numbered) -> dict[str, Any]:
    deployments = sorted(call.guest.place.deployments.values(), key=lambda one: one.number)
    return {
        "__typename": "DagsterCloudAgentToken",
        **await plain_in(tx, numbered),
        "permissions": agent_permissions(numbered.grants, deployments),
    }


@query("agentTokensOrError", Audience.PEOPLE)
async def agent_tokens(call: Call, _arguments: Arguments) -> object:
    """Every agent token, revoked ones too, newest first."""
    person(call, Act.AGENT_TOKENS)

    async def work(tx: Unit) -> list[dict[str, Any]]:
        found = await list_in(tx, call.guest.id, Kind.DAGSTER_AGENT, None, EVERY)
        return [await _shown_in(call, tx, one) for one in found]

    # A unit that writes: a token gets its number when it is asked for first.
    return {"__typename": "DagsterCloudAgentTokens", "tokens": await call.write(work)}


@query("agentTokenOrError", Audience.PEOPLE)
async def agent_token(call: Call, arguments: Arguments) -> object:
    """An agent token by its number."""
    person(call, Act.AGENT_TOKENS)

    async def work(tx: Unit) -> dict[str, Any]:
        token = await find_in(tx, call.guest.id, Kind.DAGSTER_AGENT, arguments["tokenId"])
        return await _shown_in(call, tx, await numbered_in(tx, token))

    return await call.write(work)


@mutation("createAgentToken", Audience.PEOPLE)
async def create(call: Call, arguments: Arguments) -> object:
    """Make an agent token; its value stands in this answer and in none after it."""
    by = person(call, Act.AGENT_TOKENS)

    async def work(tx: Unit) -> dict[str, Any]:
        organization, description = call.guest.place.organization, arguments.get("description") or ""
        made = await create_agent_token_in(call.context, tx, call.caller, organization, description, by.id)
        shown = await _shown_in(call, tx, await numbered_in(tx, made.token))
        return {**shown, "token": made.value.reveal()}

    return await call.write(work)


async def _change(call: Call, number: int, work: Change) -> object:
    """Change an agent token, and show it as it is then."""
    by = person(call, Act.AGENT_TOKENS)

    async def unit(tx: Unit) -> dict[str, Any]:
        token = await find_in(tx, call.guest.id, Kind.DAGSTER_AGENT, number)
        await work(tx, by, token)
        again = await find_in(tx, call.guest.id, Kind.DAGSTER_AGENT, number)
        return await _shown_in(call, tx, await numbered_in(tx, again))

    try:
        return await call.write(unit)
    except NotFound as error:
        return told(NO_TOKEN, error)


@mutation("editAgentTokenDescription", Audience.PEOPLE)
async def describe(call: Call, arguments: Arguments) -> object:
    """Change an agent token's description."""

    async def work(tx: Unit, _by: User, token: Token) -> object:
        return await describe_in(call.context, tx, call.caller, token, arguments.get("description") or "")

    return await _change(call, arguments["tokenId"], work)


@mutation("revokeAgentToken", Audience.PEOPLE)
async def revoke(call: Call, arguments: Arguments) -> object:
    """Revoke an agent token; its agents are refused at their next call."""
    revoker = call.authority.revoker
    done: list[Withdrawn] = []

    async def work(tx: Unit, by: User, token: Token) -> object:
        done[:] = [await revoker.revoke_in(tx, call.caller, token, by.id, Withdrawal(reason=WHY))]
        return None

    shown = await _change(call, arguments["tokenId"], work)
    for one in done:
        revoker.settle(one)
    return shown


@mutation("createOrUpdateAgentPermissions", Audience.PEOPLE)
async def permit(call: Call, arguments: Arguments) -> object:
    """Let an agent token serve more."""
    asked = arguments["agentPermission"]

    async def work(tx: Unit, by: User, token: Token) -> object:
        scope, deployment = _scope(call, asked)
        return await grant_in(call.context, tx, call.caller, token, scope, deployment, by.id)

    return await _change(call, asked["agentTokenId"], work)


@mutation("removeAgentPermissions", Audience.PEOPLE)
async def forbid(call: Call, arguments: Arguments) -> object:
    """Let an agent token serve less."""
    asked = arguments["agentPermission"]

    async def work(tx: Unit, _by: User, token: Token) -> object:
        scope, deployment = _scope(call, asked)
        return await ungrant_in(call.context, tx, call.caller, token, scope, deployment)

    return await _change(call, asked["agentTokenId"], work)


def _scope(call: Call, asked: Arguments) -> tuple[GrantScope, Deployment | None]:
    """What a permission is about.

    Raises:
        Invalid: it is no agent's, or names a deployment that does not exist.
    """
    if (asked.get("grant") or AGENT) != AGENT:
        raise Invalid("Validation failed: the grant of an agent token is AGENT", code="invalid_grant")
    number = asked.get("deploymentId")
    found = [one for one in call.guest.place.deployments.values() if one.number == number]
    if number is not None and not found:
        raise Invalid(f"Validation failed: there is no deployment {number}", code="no_such_deployment")
    return GrantScope(asked["deploymentScope"].lower()), found[0] if found else None
