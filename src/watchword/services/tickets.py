"""Tickets: what a browser carries from asking to answering, sealed, for one thing, once, for ten minutes.

Nothing is stored until a ticket is used, so that whoever only looks at a page writes nothing; its digest
is kept from then until it would have expired, and no second use passes.
"""

import base64
import binascii
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from watchword.crypto.sealing import seal, unseal
from watchword.crypto.values import Secret, digest
from watchword.domain.errors import Refused
from watchword.domain.passkeys import TICKET_US
from watchword.services.context import Context
from watchword.store.base import Transaction

_MAX = 4096


class Errand(StrEnum):
    """What a ticket is for; it passes for nothing else."""

    PASSKEY_REGISTRATION = "passkey registration"
    PASSKEY_SIGN_IN = "passkey sign-in"
    PASSKEY_SECOND_FACTOR = "passkey second factor"
    PASSKEY_STEP_UP = "passkey step-up"
    SINGLE_SIGN_ON = "single sign-on"
    RECOVERY_CODES = "recovery codes"


class _Sealed(msgspec.Struct):
    """What is inside."""

    expires_at: int
    contents: dict[str, str]


def make_ticket(context: Context, errand: Errand, contents: Mapping[str, str], bound_to: str = "") -> Secret:
    """A ticket with some contents, which its bearer cannot read.

    Args:
        context: the ground.
        errand: what it is for.
        contents: what the answer is checked against.
        bound_to: the session that it belongs to, where there is one.
    """
    inside = _Sealed(context.clock.now() + TICKET_US, dict(contents))
    sealed = seal(context.keys, msgspec.json.encode(inside), _bound(errand, bound_to))
    return Secret(base64.urlsafe_b64encode(sealed).decode().rstrip("="))


async def take_ticket(
    context: Context, tx: Transaction, errand: Errand, ticket: Secret, bound_to: str = ""
) -> dict[str, str]:
    """Use a ticket up, inside a unit of work; its contents.

    Raises:
        Refused: it is not ours, for something or somebody else, expired or used; all answer alike.
    """
    text = ticket.reveal()
    inside = _open(context, text, _bound(errand, bound_to)) if len(text) <= _MAX else None
    if inside is None or context.clock.now() >= inside.expires_at:
        raise _outdated()
    if not await tx.proofs.use_ticket(digest(text), inside.expires_at):
        raise _outdated()
    return inside.contents


def _open(context: Context, text: str, bound_to: str) -> _Sealed | None:
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != text:
        return None  # the same bytes written otherwise would be another digest
    opened = unseal(context.keys, sealed, bound_to)
    return msgspec.json.decode(opened, type=_Sealed) if opened is not None else None


def _bound(errand: Errand, bound_to: str) -> str:
    return f"ticket:{errand.value}:{bound_to}"


def _outdated() -> Refused:
    return Refused("This took too long, or was sent twice. Go back and try again.", code="ticket_invalid")
