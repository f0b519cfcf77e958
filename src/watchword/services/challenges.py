"""Challenges to passkeys: a random number in a ticket, asked once."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from watchword.crypto.values import Secret
from watchword.services.context import Context
from watchword.services.tickets import Errand, make_ticket, take_ticket

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """What the browser's script is given.

    Attributes:
        options: for `navigator.credentials`, as JSON.
        ticket: comes back together with the answer.
    """

    options: str
    ticket: Secret


def make_challenge(context: Context, errand: Errand, bound_to: str, options: Callable[[bytes], str]) -> Asked:
    """A fresh challenge, and what asks it."""
    challenge = secrets.token_bytes(_BYTES)
    contents = {"challenge": base64.b64encode(challenge).decode()}
    return Asked(options(challenge), make_ticket(context, errand, contents, bound_to))


async def take_challenge(context: Context, errand: Errand, ticket: Secret, bound_to: str) -> bytes:
    """The challenge of a ticket, which is used up whatever the answer is.

    Raises:
        Refused: the ticket does not pass.
    """
    contents = await context.store.write(lambda tx: take_ticket(context, tx, errand, ticket, bound_to))
    return base64.b64decode(contents["challenge"])
