"""Look-ups: single things by id, for surfaces whose ids say of which kind a thing is.

Each answers None for what is absent and for what belongs to another organization.
"""

from watchword.domain.accounts import Member, Queue, User
from watchword.domain.ids import OrganizationId, QueueId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.services.queries import Unit
from watchword.store.base import EVERYTHING as EVERYTHING  # noqa: PLC0414 - handed on to the surfaces


async def token_by_id(tx: Unit, organization_id: OrganizationId, token_id: TokenId) -> Token | None:
    """A token of any kind in whatever state."""
    return await tx.tokens.find(organization_id, token_id) if token_id else None


async def queue_by_id(tx: Unit, organization_id: OrganizationId, queue_id: QueueId) -> Queue | None:
    """A queue of any cluster."""
    return await tx.accounts.queue(organization_id, queue_id) if queue_id else None


async def member_by_id(
    tx: Unit, organization_id: OrganizationId, user_id: UserId
) -> tuple[Member, User] | None:
    """A member and the person."""
    member = await tx.accounts.member(organization_id, user_id) if user_id else None
    user = await tx.accounts.user(user_id) if member is not None else None
    return (member, user) if member is not None and user is not None else None


async def unclustered_tokens(tx: Unit, organization_id: OrganizationId) -> list[Token]:
    """Unclustered agent tokens that are not revoked, oldest first."""
    return list(await tx.tokens.list(organization_id, Kind.UNCLUSTERED_AGENT, None, EVERYTHING))
