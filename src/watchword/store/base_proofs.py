"""The store's contract for passkeys, identities at single sign-on, and tickets that were used."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import PasskeyId, UserId
from watchword.domain.passkeys import Identity, Passkey


class Proofs(Protocol):
    """What people prove themselves with besides the password."""

    async def add_passkey(self, passkey: Passkey) -> None:
        """Insert. Raises `Duplicate` where the credential is known."""

    async def passkeys(self, user_id: UserId) -> Sequence[Passkey]:
        """A person's, oldest first."""

    async def passkey_by_credential(self, credential_id: bytes) -> Passkey | None:
        """By the id that its authenticator gave it."""

    async def use_passkey(self, user_id: UserId, passkey_id: PasskeyId, sign_count: int, at: int) -> bool:
        """Note a use: one conditional UPDATE; False if it is gone, or its counter did not go on.

        An authenticator that counts nothing says 0 each time.
        """

    async def rename_passkey(self, user_id: UserId, passkey_id: PasskeyId, name: str) -> bool:
        """Rename; False if the person has no such passkey."""

    async def remove_passkey(self, user_id: UserId, passkey_id: PasskeyId) -> bool:
        """Delete; False if the person has no such passkey."""

    async def remove_passkeys(self, user_id: UserId) -> int:
        """Delete all of a person; how many."""

    async def add_identity(self, identity: Identity) -> None:
        """Insert. Raises `Duplicate` where issuer and subject are known."""

    async def identity(self, issuer: str, subject: str) -> Identity | None:
        """By issuer and subject."""

    async def identities(self, user_id: UserId) -> Sequence[Identity]:
        """A person's, oldest first."""

    async def use_identity(self, issuer: str, subject: str, email: str, at: int) -> None:
        """Note a use, and the address that the issuer gave."""

    async def remove_identity(self, user_id: UserId, issuer: str, subject: str) -> bool:
        """Delete; False if the person has no such identity."""

    async def anybody_proves(self) -> bool:
        """Whether anybody has a password, a passkey or an identity."""

    async def use_ticket(self, digest: bytes, expires_at: int) -> bool:
        """Use a ticket up; False if it was used before."""

    async def forget_tickets(self, now: int) -> int:
        """Delete those that are expired anyhow; how many."""
