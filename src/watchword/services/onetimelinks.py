"""One-time links: a value that opens one thing once, until it expires. Stored by digest alone.

The value stands in the address's fragment, which browsers send to no server, so that it is in no log.
"""

import secrets
from dataclasses import dataclass

from watchword.crypto.values import Secret, digest
from watchword.domain.accounts import User
from watchword.domain.errors import Refused
from watchword.domain.people import LINK_LIFETIME_US, LinkPurpose, OneTimeLink
from watchword.services.context import Context
from watchword.store.base import Transaction

_BYTES = 32
_PATHS = {
    LinkPurpose.RECOVER: "recover",
    LinkPurpose.INVITE: "welcome",
    LinkPurpose.FIRST_ADMIN: "welcome",
    LinkPurpose.RESET_PASSWORD: "reset-password",
    LinkPurpose.VERIFY_EMAIL: "verify-email",
}


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A fresh link; its value is seen here and never again."""

    value: Secret
    url: Secret
    purpose: LinkPurpose
    expires_at: int


async def make_link(
    context: Context, tx: Transaction, purpose: LinkPurpose, user: User | None, email: str = ""
) -> MadeLink:
    """Make a link inside a unit of work, for a person, for an address, or for both."""
    value = Secret(secrets.token_urlsafe(_BYTES))
    now = context.clock.now()
    until = now + LINK_LIFETIME_US[purpose]
    address = email or (user.email if user is not None else "")
    await tx.people.add_link(
        OneTimeLink(digest(value.reveal()), purpose, user.id if user else None, address, now, until)
    )
    url = Secret(f"{context.installation.url}/{_PATHS[purpose]}#{value.reveal()}")
    return MadeLink(value, url, purpose, until)


async def take_link(context: Context, tx: Transaction, value: Secret, purpose: LinkPurpose) -> OneTimeLink:
    """Use a link up, inside the unit of work of what it opens.

    Raises:
        Refused: it is unknown, used, expired or for something else; all answer alike.
    """
    link = await tx.people.take_link(digest(value.reveal()), purpose, context.clock.now())
    if link is None:
        raise _invalid()
    return link


async def link_owner(context: Context, tx: Transaction, value: Secret, purpose: LinkPurpose) -> User:
    """Whose link it is, without using it up; the account is one that may sign in.

    Raises:
        Refused: the link is not valid, as in `take_link`.
    """
    link = await tx.people.link(digest(value.reveal()), purpose, context.clock.now())
    user = await tx.accounts.user(link.user_id) if link is not None and link.user_id else None
    if user is None or (await tx.people.sign_in_data(user.id)).disabled_at:
        raise _invalid()
    return user


def _invalid() -> Refused:
    return Refused("This link is not valid, or not any more. Ask for a new one.", code="link_invalid")
