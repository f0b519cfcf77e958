"""Watching: what the verifier tells of the few tokens that rotations and incidents are about."""

from collections.abc import Collection, Sized
from typing import Protocol

from watchword.domain.ids import TokenId
from watchword.domain.tokens import Token


class Watch(Protocol):
    """Who looks at the uses of a few tokens: rotations and incidents."""

    @property
    def special(self) -> Collection[TokenId]:
        """These tokens; always the same object."""

    @property
    def waiting(self) -> Sized:
        """Alarms that are to be raised; always the same object."""

    async def used(self, token: Token, address: str | None) -> None:
        """A special token passed all else. Raises `Refused` where it is held back."""

    async def reused(self, token: Token, address: str | None) -> None:
        """A retired value was refused."""

    def moved(self, token: Token, former: str | None, address: str | None) -> None:
        """A session's address has changed."""

    async def alarm(self) -> None:
        """Raise the alarms that wait."""
