"""Throttling of attempts: each is charged before it is looked at, so that many at once gain nothing.

A right answer from an address that the person is known at is never held up by what others try elsewhere:
such attempts are counted for account and address together. No wait is for ever.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from watchword.domain.errors import TooMany
from watchword.domain.people import SECOND_US, Throttle
from watchword.domain.tokens import DAY_US, MINUTE_US
from watchword.store.base import Transaction

KNOWN_ADDRESS_US = 90 * DAY_US

_THROTTLES = {
    "account": Throttle(free=5, longest=15 * MINUTE_US),
    "address": Throttle(free=20, longest=15 * MINUTE_US),
    "both": Throttle(free=5, longest=5 * MINUTE_US),
    "reset": Throttle(free=3, longest=15 * MINUTE_US),
}


@dataclass(frozen=True, slots=True)
class Key:
    """What attempts are counted under; `name` is hashed, because it may be what somebody mistyped."""

    kind: str
    name: str

    @property
    def stored(self) -> str:
        """As it is kept."""
        return f"{self.kind}:{hashlib.sha256(self.name.encode()).hexdigest()}"


def keys(account: str, address: str | None, *, known: bool) -> tuple[Key, ...]:
    """What an attempt counts for: where the person is known at the address, for both together alone."""
    if known and address:
        return (Key("both", f"{account}\0{address}"),)
    return (Key("account", account), Key("address", address or ""))


async def charge(tx: Transaction, now: int, charged: Sequence[Key]) -> None:
    """Count an attempt as failed before it is looked at.

    Raises:
        TooMany: one of the keys has to wait; nothing is counted then.
    """
    found = [(key, await tx.people.attempts(key.stored)) for key in charged]
    wait = max((each.blocked_until - now for _, each in found if each is not None), default=0)
    if wait > 0:
        refuse(wait)
    for key, former in found:
        after = _THROTTLES[key.kind].failed(key.stored, former, now)
        if not await tx.people.save_attempts(former, after):
            refuse(SECOND_US)  # another one counted at the same moment


def refuse(wait: int) -> NoReturn:
    """Refuse an attempt for some microseconds.

    Raises:
        TooMany: always.
    """
    error = TooMany("Too many attempts. Wait a little and try again.", code="too_many_attempts")
    error.retry_after = -(-wait // SECOND_US)
    raise error


async def refund(tx: Transaction, charged: Sequence[Key]) -> None:
    """Take one charge back: the attempt was right as far as it went. What others failed stays counted."""
    for key in charged:
        found = await tx.people.attempts(key.stored)
        if found is not None and found.failures > 1:
            after = type(found)(found.key, found.failures - 1, found.last_at, blocked_until=0)
            await tx.people.save_attempts(found, after)
        elif found is not None:
            await tx.people.drop_attempts(key.stored)


async def clear(tx: Transaction, charged: Sequence[Key]) -> None:
    """The attempt was right: failures of the account are forgotten, of the address its own alone."""
    for key in charged:
        if key.kind == "address":
            await refund(tx, (key,))
        else:
            await tx.people.drop_attempts(key.stored)
