"""Guarding: what the verifier asks about the few tokens that rotations and incidents are about."""

from collections.abc import Collection, Sized
from dataclasses import dataclass

from watchword.domain.ids import TokenId
from watchword.domain.tokens import Reason, Token
from watchword.services.alarming import Alarms
from watchword.services.attention import Attention
from watchword.services.refusing import refusal
from watchword.services.rotating import Rotator


@dataclass(frozen=True, slots=True)
class Guard:
    """`services.watching.Watch` of rotations and incidents."""

    attention: Attention
    rotator: Rotator
    alarms: Alarms

    @property
    def special(self) -> Collection[TokenId]:
        """Tokens whose uses are looked at."""
        return self.attention.special

    @property
    def waiting(self) -> Sized:
        """Alarms that are to be raised."""
        return self.alarms.waiting

    async def used(self, token: Token, address: str | None) -> None:
        """A special token passed all else.

        Raises:
            Refused: an incident or a leak holds it back.
        """
        if self.attention.holds_back(token.id, address):
            raise refusal(Reason.QUARANTINED)
        await self.rotator.used(token, address)

    async def reused(self, token: Token, address: str | None) -> None:
        """A retired value was refused."""
        await self.alarms.reused(token, address)

    def moved(self, token: Token, former: str | None, address: str | None) -> None:
        """A session's address has changed."""
        self.alarms.moved(token, former, address)

    async def alarm(self) -> None:
        """Raise the alarms that wait."""
        await self.alarms.raise_clones()
