"""Idempotency: a repeated request with the same key gets the first answer (design §5).

Answers are kept sealed for five minutes, because some carry a value.
"""

import hashlib
from collections.abc import Awaitable, Callable

from watchword.crypto.sealing import seal, unseal
from watchword.domain.errors import Conflict, Invalid
from watchword.domain.ids import OrganizationId
from watchword.domain.tokens import MINUTE_US
from watchword.services.context import Context
from watchword.store.base import Replay, Transaction

KEEP_US = 5 * MINUTE_US
MAX_KEY = 255


async def once(
    context: Context,
    organization_id: OrganizationId,
    caller: str,
    key: str,
    operation: str,
    request: bytes,
    work: Callable[[Transaction], Awaitable[bytes]],
    *,
    keep_us: int = KEEP_US,
) -> bytes:
    """Run `work` as one unit, or return what it answered the first time under the same key.

    Args:
        context: the ground.
        organization_id: whose operation it is.
        caller: id of the token that asks; keys of two callers never meet.
        key: the client's key; empty means that every call counts.
        operation: name of the operation.
        request: what was asked, in bytes.
        work: the unit of work; returns the answer to remember.
        keep_us: how long it is remembered, microseconds.

    Raises:
        Conflict: the key was used for another request.
        Invalid: the key is too long.
    """
    if not key:
        return await context.store.write(work)
    if len(key) > MAX_KEY:
        raise Invalid(f"An idempotency key takes at most {MAX_KEY} characters.", code="invalid_key")
    asked = hashlib.sha256(operation.encode() + b"\0" + request).digest()
    bound_to = _bound_to(organization_id, caller, key)
    now = context.clock.now()

    async def unit(tx: Transaction) -> bytes:
        found = await tx.audit.replay(organization_id, caller, key, now)
        if found is not None:
            answer = unseal(context.keys, found.answer, bound_to)
            if found.request != asked or answer is None:
                raise Conflict(
                    "This idempotency key was used for another request; take a new key.",
                    code="idempotency_key_reused",
                )
            return answer
        answer = await work(tx)
        sealed = seal(context.keys, answer, bound_to)
        await tx.audit.remember(
            Replay(organization_id, caller, key, operation, asked, sealed, now, now + keep_us)
        )
        return answer

    return await context.store.write(unit)


async def keep(
    context: Context,
    tx: Transaction,
    organization_id: OrganizationId,
    caller: str,
    key: str,
    operation: str,
    answer: bytes,
) -> None:
    """Remember an answer for five minutes, sealed, as part of a unit of work of the caller's."""
    now = context.clock.now()
    sealed = seal(context.keys, answer, _bound_to(organization_id, caller, key))
    await tx.audit.remember(Replay(organization_id, caller, key, operation, b"", sealed, now, now + KEEP_US))


async def kept(
    context: Context, tx: Transaction, organization_id: OrganizationId, caller: str, key: str
) -> bytes | None:
    """What `keep` remembers; None after five minutes."""
    found = await tx.audit.replay(organization_id, caller, key, context.clock.now())
    return unseal(context.keys, found.answer, _bound_to(organization_id, caller, key)) if found else None


def _bound_to(organization_id: OrganizationId, caller: str, key: str) -> str:
    return f"replay:{organization_id}:{caller}:{key}"
