"""Siblings: the two tokens of an open rotation stand for one; what is taken from one is taken from both."""

from watchword.domain.errors import Conflict
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.tokens import Token
from watchword.store.base import Transaction


async def sibling(tx: Transaction, organization_id: OrganizationId, token_id: TokenId) -> TokenId | None:
    """The other token of an open rotation."""
    rotation = await tx.rotations.open_with(organization_id, token_id)
    if rotation is None:
        return None
    return rotation.successor_id if rotation.predecessor_id == token_id else rotation.predecessor_id


async def require_single(tx: Transaction, token: Token) -> None:
    """Require that a token is not part of an open rotation, before its networks change.

    Else the holder of the other value would go on from where this one may not.

    Raises:
        Conflict: it is.
    """
    if await sibling(tx, token.organization_id, token.id) is not None:
        raise Conflict(
            "This token is part of an open rotation; finish or abort that before you change its networks.",
            code="rotation_open",
        )
