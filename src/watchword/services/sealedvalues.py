"""Sealed copies of values, kept where the organization's policy lets a kind be revealed (design §1).

A copy is made at issue, in the same unit, or never; it goes when its token ends (`Tokens.end`), expires
(`sweep_copies`), or the policy is switched back (`services.revealing`). It opens only for its own token:
organization, token and the key's number are bound into it.
"""

from watchword.crypto.sealing import seal, unseal
from watchword.crypto.values import Secret, digest
from watchword.domain.kinds import KINDS
from watchword.domain.people import SealedValue
from watchword.domain.tokens import Token
from watchword.services.context import Context
from watchword.store.base import Transaction


async def keep_copy(context: Context, tx: Transaction, token: Token, value: Secret) -> bool:
    """Keep a sealed copy of a fresh token's value if the policy asks for it; whether it was kept.

    To be called in the unit of work that adds the token, wherever the value is at hand: issue, rotation,
    import.
    """
    if not KINDS[token.kind].revealable:
        return False
    policy = await tx.policies.policy(token.organization_id)
    if token.kind.value not in policy.revealable:
        return False
    sealed = seal(context.keys, value.reveal().encode(), _bound_to(token))
    now = context.clock.now()
    await tx.sealed.add(
        SealedValue(token.organization_id, token.id, token.kind, sealed, now, token.expires_at)
    )
    return True


def open_copy(context: Context, token: Token, copy: SealedValue) -> Secret | None:
    """The value in a copy; None where it does not open, or is not the token's."""
    opened = unseal(context.keys, copy.sealed, _bound_to(token))
    if opened is None or digest(opened.decode()) != token.digest:
        return None
    return Secret(opened.decode())


def _bound_to(token: Token) -> str:
    return f"value:{token.organization_id}:{token.id}"


async def sweep_copies(context: Context) -> int:
    """Delete the copies of tokens that have expired; how many."""
    now = context.clock.now()
    return await context.store.write(lambda tx: tx.sealed.drop_expired(now))
