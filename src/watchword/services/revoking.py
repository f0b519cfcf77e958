"""Revoking and editing tokens. A revocation commits token state and outbox row together."""

from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import TOPIC_TOKEN_CHANGED, TOPIC_TOKEN_ENDED, Action
from watchword.domain.ids import ClusterId, OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import load, parse_networks
from watchword.domain.tokens import State, Token, check_description
from watchword.services.context import Caller, Context
from watchword.store.base import Page, Transaction

MAX_REASON = 255


async def find_agent_token(
    tx: Transaction, organization_id: OrganizationId, cluster_id: ClusterId, token_id: TokenId
) -> Token:
    """An agent token of a cluster that is not revoked.

    Raises:
        NotFound: there is none, or not here.
    """
    token = await tx.tokens.find(organization_id, token_id)
    if (
        token is None
        or token.kind is not Kind.AGENT
        or token.cluster_id != cluster_id
        or token.state is State.REVOKED
    ):
        raise NotFound("No agent token found")
    return token


async def list_agent_tokens(
    context: Context, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
) -> list[Token]:
    """Agent tokens of a cluster that are not revoked, oldest first."""

    async def work(tx: Transaction) -> list[Token]:
        return list(await tx.tokens.list(organization_id, Kind.AGENT, cluster_id, page))

    return await context.store.read(work)


async def end_token(context: Context, tx: Transaction, token: Token, by: UserId | None, reason: str) -> bool:
    """Revoke a token and tell the feed, inside a unit of work; False if it had ended before."""
    now = context.clock.now()
    if not await tx.tokens.end(token.organization_id, token.id, State.REVOKED, now, by, reason):
        return False
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_ENDED, token.digest.hex(), now)
    return True


async def revoke(
    context: Context,
    tx: Transaction,
    caller: Caller,
    token: Token,
    by: UserId | None,
    reason: str = "",
) -> None:
    """Revoke a token: no new agent starts with it; agents that are connected stay connected.

    Repeating it changes nothing and is no error.

    Raises:
        Invalid: the reason is too long.
    """
    if len(reason) > MAX_REASON:
        raise Invalid(f"A reason takes at most {MAX_REASON} characters.", code="reason_too_long")
    if await end_token(context, tx, token, by, reason):
        await context.record(
            tx,
            caller,
            Action.TOKEN_REVOKED,
            token.organization_id,
            ("token", token.id),
            {"kind": token.kind.value, "reason": reason},
        )


async def edit_agent_token(
    context: Context,
    tx: Transaction,
    caller: Caller,
    token: Token,
    description: str | None,
    networks: str | None,
) -> Token:
    """Change description and networks of an agent token; None leaves one as it is.

    Raises:
        Invalid: a new value is not acceptable.
        Conflict: the token ended meanwhile, or carries a restriction that this version does not know.
        NotFound: it vanished meanwhile.
    """
    restrictions = load(token.restrictions)
    if restrictions.unknown:
        # Writing it anew would drop what this version cannot read, and so widen the token.
        raise Conflict(
            "This token carries a restriction that this version does not know; it can only be revoked.",
            code="restriction_unknown",
        )
    text = token.restrictions
    if networks is not None:
        blocks = parse_networks(networks)
        text = type(restrictions)(blocks, restrictions.queue, restrictions.tags).dump()
    shown = token.description if description is None else check_description(description)
    if not await tx.tokens.edit(token.organization_id, token.id, shown, text):
        raise Conflict("This token is not active any more.", code="token_ended")
    now = context.clock.now()
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_CHANGED, token.digest.hex(), now)
    await context.record(
        tx,
        caller,
        Action.TOKEN_UPDATED,
        token.organization_id,
        ("token", token.id),
        {"description": shown, "restrictions": text},
    )
    found = await tx.tokens.find(token.organization_id, token.id)
    if found is None:
        raise NotFound("No agent token found")
    return found
