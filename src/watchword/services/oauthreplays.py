"""Answers of OAuth that a client may ask for again for a moment: they carry values, and are kept sealed."""

import hashlib

from watchword.crypto.sealing import seal, unseal
from watchword.domain.ids import OrganizationId
from watchword.domain.oauth import RETRY_US
from watchword.services.context import Context
from watchword.services.oauthgrants import TokenAnswer
from watchword.store.base import Replay, Transaction

_KEY = "oauth"


def _bound_to(organization_id: OrganizationId, shown: str) -> str:
    return f"oauth:{organization_id}:{shown}"


async def keep_in(
    context: Context,
    tx: Transaction,
    organization_id: OrganizationId,
    shown: str,
    request: str,
    answer: TokenAnswer,
) -> None:
    """Remember an answer for half a minute.

    Args:
        context: the ground.
        tx: the unit of work that gave it.
        organization_id: whose tokens it carries.
        shown: id of what the client showed for it.
        request: what else it asked.
        answer: the answer.
    """
    now = context.clock.now()
    asked = hashlib.sha256(request.encode()).digest()
    sealed = seal(context.keys, answer.dump(), _bound_to(organization_id, shown))
    await tx.audit.remember(
        Replay(organization_id, shown, _KEY, "oauth.token", asked, sealed, now, now + RETRY_US)
    )


async def again_in(
    context: Context, tx: Transaction, organization_id: OrganizationId, shown: str, request: str
) -> TokenAnswer | None:
    """The answer that was given for the same a moment ago."""
    kept = await tx.audit.replay(organization_id, shown, _KEY, context.clock.now())
    if kept is None or kept.request != hashlib.sha256(request.encode()).digest():
        return None
    answer = unseal(context.keys, kept.answer, _bound_to(organization_id, shown))
    return TokenAnswer.load(answer) if answer is not None else None
