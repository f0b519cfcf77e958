"""The store's contract for people: sign-in data, sessions, one-time links, mail, values to reveal."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.accounts import Member, User
from watchword.domain.ids import MailId, OrganizationId, SessionId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.people import (
    Attempts,
    LinkPurpose,
    Mail,
    OneTimeLink,
    RecoveryCode,
    SealedValue,
    SignInData,
    WebSession,
)
from watchword.store.page import Page


class People(Protocol):
    """Who people are and how they prove it."""

    async def user_by_email(self, email: str) -> User | None:
        """By address, in whatever case it was stored; `email` is in lower case."""

    async def users(self, page: Page) -> Sequence[User]:
        """All people, oldest first."""

    async def memberships(self, user_id: UserId) -> Sequence[Member]:
        """The organizations that a person belongs to, oldest first."""

    async def members(self, organization_id: OrganizationId) -> Sequence[Member]:
        """Everybody in an organization, oldest first."""

    async def set_email(self, user_id: UserId, email: str) -> None:
        """Replace the address. Raises `Duplicate` where it is taken."""

    async def set_password(self, user_id: UserId, password_hash: str, at: int) -> None:
        """Replace the password."""

    async def rehash(self, user_id: UserId, former: str, password_hash: str) -> bool:
        """Replace the hash of the same password; False if the password was changed meanwhile."""

    async def sign_in_data(self, user_id: UserId) -> SignInData:
        """What is kept beside the password; the defaults where nothing was written."""

    async def save_sign_in_data(self, data: SignInData) -> None:
        """Write it whole."""

    async def take_totp_step(self, user_id: UserId, step: int) -> bool:
        """Use up a step: one conditional UPDATE; False if it, or a later one, was used before."""

    async def replace_recovery_codes(self, user_id: UserId, codes: Sequence[RecoveryCode]) -> None:
        """Replace all codes of a person."""

    async def recovery_codes_left(self, user_id: UserId) -> int:
        """How many codes were not used yet."""

    async def take_recovery_code(self, user_id: UserId, digest: bytes, at: int) -> bool:
        """Use up a code: one conditional UPDATE; False if there is none or it was used before."""

    async def add_link(self, link: OneTimeLink) -> None:
        """Insert."""

    async def link(self, digest: bytes, purpose: LinkPurpose, at: int) -> OneTimeLink | None:
        """A link that could be used now; it is not used up."""

    async def take_link(self, digest: bytes, purpose: LinkPurpose, at: int) -> OneTimeLink | None:
        """Use up a link: one conditional UPDATE; None if it is unknown, used, expired or for other things."""

    async def drop_links(self, user_id: UserId, purpose: LinkPurpose) -> int:
        """Delete a person's links of a purpose that were not used; how many."""

    async def attempts(self, key: str) -> Attempts | None:
        """Failures under a key."""

    async def save_attempts(self, former: Attempts | None, attempts: Attempts) -> bool:
        """Write failures if they still are what was read; False if somebody else was quicker."""

    async def drop_attempts(self, key: str) -> None:
        """Forget the failures under a key."""

    async def forget(self, now: int, attempts_before: int, sessions_before: int) -> int:
        """Delete links that expired, old failures, and sessions that ended long ago; how many rows."""


class Sessions(Protocol):
    """Sessions of people in browsers."""

    async def add(self, session: WebSession) -> None:
        """Insert."""

    async def by_digest(self, digest: bytes) -> WebSession | None:
        """The session of a cookie's digest, in whatever state."""

    async def of_user(self, user_id: UserId, now: int) -> Sequence[WebSession]:
        """A person's sessions that have not ended or expired, newest first."""

    async def known_address(self, user_id: UserId, address: str, since: int) -> bool:
        """Whether the person signed in from this address since then."""

    async def touch(self, session_id: SessionId, at: int) -> None:
        """Note its use."""

    async def escalate(self, session_id: SessionId, at: int) -> bool:
        """Note a fresh proof; False if the session has ended."""

    async def end(self, session_id: SessionId, at: int, reason: str) -> bool:
        """End one; False if it had ended before."""

    async def end_all(self, user_id: UserId, at: int, reason: str, *, keep: SessionId | None = None) -> int:
        """End all of a person, except one where it is named; how many."""


class Mails(Protocol):
    """Mail on its way."""

    async def add(self, mail: Mail) -> bool:
        """Insert; False if there is one with the same key to dedupe by."""

    async def due(self, now: int, limit: int) -> Sequence[Mail]:
        """Messages to send now, the most overdue first."""

    async def list(self, page: Page) -> Sequence[Mail]:
        """All that are kept, newest first."""

    async def sent(self, mail_id: MailId, at: int) -> None:
        """It is delivered; its body is forgotten."""

    async def put_off(self, mail_id: MailId, attempts: int, due_at: int, error: str) -> None:
        """An attempt failed; another one follows."""

    async def give_up(self, mail_id: MailId, attempts: int, at: int, error: str) -> None:
        """No attempt follows; its body is forgotten."""

    async def drop(self, before: int) -> int:
        """Delete messages that were made before and have ended; how many."""


class SealedValues(Protocol):
    """Values that may be revealed. `Tokens.end` drops a token's in the same unit."""

    async def add(self, value: SealedValue) -> None:
        """Insert."""

    async def find(self, organization_id: OrganizationId, token_id: TokenId) -> SealedValue | None:
        """A token's, if there is one."""

    async def drop_kind(self, organization_id: OrganizationId, kind: Kind) -> int:
        """Overwrite and delete all of a kind; how many there were."""

    async def count(self, organization_id: OrganizationId, kind: Kind) -> int:
        """How many of a kind there are."""

    async def drop_expired(self, now: int) -> int:
        """Delete those of tokens that have expired; how many."""

    async def reveals(self, person: str, since: int) -> int:
        """How often a person was shown a value since then."""

    async def add_reveal(self, person: str, at: int, token_id: TokenId) -> None:
        """Count one; older ones than a day are forgotten."""
