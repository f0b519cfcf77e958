"""Tokens of people: each their own; administrators list and revoke others' (contract §13)."""

from collections.abc import Awaitable, Callable
from typing import Any

from watchword.dagster.binding import Arguments, Audience, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.resolvers.agent_tokens import EVERY, NO_TOKEN, WHY, plain_in
from watchword.dagster.rights import person
from watchword.dagster.shapes import told
from watchword.domain.accounts import User
from watchword.domain.dagsterroles import Act
from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.kinds import Kind
from watchword.domain.lifecycle import Withdrawal
from watchword.domain.tokens import Token
from watchword.services.dagsterpeople import member_in, number_in
from watchword.services.dagstertokens import (
    Numbered,
    create_user_token_in,
    describe_in,
    find_in,
    list_in,
    numbered_in,
)
from watchword.services.queries import Unit
from watchword.services.withdrawing import Withdrawn

Change = Callable[[Unit, User, Token], Awaitable[object]]


async def _shown_in(tx: Unit, numbered: Numbered) -> dict[str, Any]:
    return {"__typename": "DagsterCloudUserToken", **await plain_in(tx, numbered)}


async def _owner_in(call: Call, tx: Unit, number: int, *, others: bool) -> User:
    """The person of a number, whose tokens the caller may see or revoke.

    Raises:
        Forbidden: it is somebody else, whose tokens the caller may not manage (so).
        NotFound: there is none.
    """
    asking = person(call, Act.OWN_TOKENS)
    if (await number_in(tx, call.guest.id, asking)).number == number:
        return asking
    if not others:
        raise Forbidden("Nobody creates or describes another person's tokens.", code="not_ones_own")
    person(call, Act.OTHERS_TOKENS)
    return await member_in(tx, call.guest.id, number)


@query("userTokensOrError", Audience.PEOPLE)
async def user_tokens(call: Call, arguments: Arguments) -> object:
    """Tokens of a person, revoked ones too, newest first."""

    async def work(tx: Unit) -> list[dict[str, Any]]:
        owner = await _owner_in(call, tx, arguments["userId"], others=True)
        found = await list_in(tx, call.guest.id, Kind.DAGSTER_USER, owner.id, EVERY)
        return [await _shown_in(tx, one) for one in found]

    return {"__typename": "DagsterCloudUserTokens", "tokens": await call.write(work)}


@mutation("createUserToken", Audience.PEOPLE)
async def create(call: Call, arguments: Arguments) -> object:
    """Make a token of one's own; its value stands in this answer and in none after it."""
    number, description = arguments.get("userId"), arguments.get("description") or ""

    async def work(tx: Unit) -> dict[str, Any]:
        asking = person(call, Act.OWN_TOKENS)
        owner = asking if number is None else await _owner_in(call, tx, number, others=False)
        organization = call.guest.place.organization
        made = await create_user_token_in(call.context, tx, call.caller, organization, owner, description)
        shown = await _shown_in(tx, await numbered_in(tx, made.token))
        return {**shown, "token": made.value.reveal()}

    return await call.write(work)


async def _change(call: Call, arguments: Arguments, work: Change, *, others: bool) -> object:
    """Change a person's token, and show it as it is then."""

    async def unit(tx: Unit) -> dict[str, Any]:
        owner = await _owner_in(call, tx, arguments["userId"], others=others)
        by, number = person(call, Act.OWN_TOKENS), arguments["tokenId"]
        await work(tx, by, await find_in(tx, call.guest.id, Kind.DAGSTER_USER, number, owner.id))
        again = await find_in(tx, call.guest.id, Kind.DAGSTER_USER, number, owner.id)
        return await _shown_in(tx, await numbered_in(tx, again))

    try:
        return await call.write(unit)
    except NotFound as error:
        return told(NO_TOKEN, error)


@mutation("editUserTokenDescription", Audience.PEOPLE)
async def describe(call: Call, arguments: Arguments) -> object:
    """Change the description of a token of one's own."""

    async def work(tx: Unit, _by: User, token: Token) -> object:
        return await describe_in(call.context, tx, call.caller, token, arguments.get("description") or "")

    return await _change(call, arguments, work, others=False)


@mutation("revokeUserToken", Audience.PEOPLE)
async def revoke(call: Call, arguments: Arguments) -> object:
    """Revoke a person's token."""
    revoker = call.authority.revoker
    done: list[Withdrawn] = []

    async def work(tx: Unit, by: User, token: Token) -> object:
        done[:] = [await revoker.revoke_in(tx, call.caller, token, by.id, Withdrawal(reason=WHY))]
        return None

    shown = await _change(call, arguments, work, others=True)
    for one in done:
        revoker.settle(one)
    return shown
