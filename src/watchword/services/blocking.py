"""Blocking: a live token that is used from an address it does not admit is noted, once an hour for each.

The refusal itself writes nothing, so that whoever holds the value cannot make the server write by asking
again and again; a worker records what was noted.
"""

from watchword.domain.events import SYSTEM, Action
from watchword.domain.ids import TokenId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.domain.use import HOUR_US
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction

MAX_NOTED = 10_000
# Registrations with one token in one hour: who holds a whole IPv6 network does not fill the trail.
MAX_ADDRESSES = 100
_JOINING = (Kind.AGENT, Kind.UNCLUSTERED_AGENT, Kind.TRUSTED_ISSUER)


class Blocks:
    """Uses of agents' tokens from addresses that they do not admit."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._noted: dict[tuple[TokenId, str], int] = {}
        self._waiting: list[tuple[Token, str]] = []
        self._swept = 0

    def note(self, token: Token, address: str | None) -> None:
        """Note a refusal, unless it was noted within the hour."""
        if token.kind not in _JOINING and token.agent_id is None:
            return
        key, now = (token.id, address or ""), self._context.clock.now()
        known = self._noted.get(key)
        if (known is not None and now - known < HOUR_US) or len(self._waiting) >= MAX_NOTED:
            return
        if len(self._noted) >= MAX_NOTED:
            self._noted = {each: at for each, at in self._noted.items() if now - at < HOUR_US}
            if len(self._noted) >= MAX_NOTED:
                return
        self._noted[key] = now
        self._waiting.append((token, key[1]))

    async def record(self) -> None:
        """Record what was noted: of an agent that it was blocked, of an agent token that joining was."""
        while self._waiting:
            await self._context.store.write(self._record_in)
            del self._waiting[0]
        hour = self._context.clock.now() // HOUR_US
        if hour != self._swept:
            await self._context.store.write(lambda tx: tx.revocations.forget_blocked(hour - 1))
            self._swept = hour

    async def _record_in(self, tx: Transaction) -> None:
        token, address = self._waiting[0]
        action, subject = Action.TOKEN_REGISTRATION_BLOCKED, ("token", str(token.id))
        if token.agent_id is not None:
            action, subject = Action.AGENT_BLOCKED, ("agent", str(token.agent_id))
        elif not await self._first_in(tx, token, address):
            return
        caller = Caller(SYSTEM, address or None)
        details = {"blocked_ip": address}
        await self._context.record(tx, caller, action, token.organization_id, subject, details)

    async def _first_in(self, tx: Transaction, token: Token, address: str) -> bool:
        """Whether this hour's trail has not heard of it, also not before a restart."""
        hour = self._context.clock.now() // HOUR_US
        return await tx.revocations.block(token.organization_id, token.id, hour, address, MAX_ADDRESSES)
