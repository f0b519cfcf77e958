"""Ending a token: its state and the notice to every cache, in one unit of work."""

from watchword.domain.events import TOPIC_TOKEN_ENDED
from watchword.domain.ids import UserId
from watchword.domain.tokens import State, Token
from watchword.services.context import Context
from watchword.store.base import Transaction


async def end_token(context: Context, tx: Transaction, token: Token, by: UserId | None, reason: str) -> bool:
    """Revoke a token and tell the feed, inside a unit of work; False if it had ended before."""
    now = context.clock.now()
    if not await tx.tokens.end(token.organization_id, token.id, State.REVOKED, now, by, reason):
        return False
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_ENDED, token.digest.hex(), now)
    return True
