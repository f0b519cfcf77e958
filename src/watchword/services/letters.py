"""Letters about tokens: what people are told when one is about to end, has ended, or lost an organization."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from watchword.domain.accounts import Organization, User
from watchword.domain.kinds import KINDS
from watchword.domain.tokens import Token
from watchword.services.context import Context
from watchword.services.mail import queue_mail
from watchword.store.base import Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def tell_expiry(
    context: Context,
    tx: Transaction,
    people: Iterable[User],
    organization: Organization,
    token: Token,
    days: int,
) -> None:
    """Tell people that a token expires in so many days; each is told once."""
    ahead = "a day" if days == 1 else f"{days} days"
    subject = f"{_name(token)} of {organization.name} expires within {ahead}"
    text = (
        f"The {_full_name(token)} of {organization.name} expires at {_when(token.expires_at)}.\n\n"
        "Make its successor, or rotate it, before what uses it stops. If nothing uses it any more, let it"
        " expire.\n"
    )
    for person in people:
        key = f"expiry:{token.id}:{days}:{person.id}"
        await queue_mail(context, tx, person.email, subject, _signed(context, text), key)


async def tell_inactive(
    context: Context,
    tx: Transaction,
    owner: User | None,
    organization: Organization,
    token: Token,
    days: int,
) -> None:
    """Tell the owner that a token was ended because it was not used."""
    subject = f"Your {KINDS[token.kind].title} was ended: not used for {days} days"
    text = (
        f"The {_full_name(token)} does not open {organization.name} any more: {organization.name} ends API"
        f" access tokens that are not used for {days} days.\n\nIf you still need it, create another one.\n"
    )
    await _tell(context, tx, owner, subject, text, f"inactive:{organization.id}:{token.id}")


async def tell_removed(
    context: Context, tx: Transaction, owner: User | None, organization: Organization, token: Token
) -> None:
    """Tell the owner that an administrator took an organization from a token."""
    subject = f"{organization.name} was removed from your {KINDS[token.kind].title}"
    text = (
        f"An administrator of {organization.name} removed the organization from the {_full_name(token)}. It"
        " does not open it any more, and the organization cannot be added to it again. What else it opens"
        " stays as it was.\n"
    )
    await _tell(context, tx, owner, subject, text, f"removed:{organization.id}:{token.id}")


async def _tell(
    context: Context, tx: Transaction, owner: User | None, subject: str, text: str, key: str
) -> None:
    if owner is not None:
        await queue_mail(context, tx, owner.email, subject, _signed(context, text), key)


def _name(token: Token) -> str:
    title = KINDS[token.kind].title
    return title[:1].upper() + title[1:]


def _full_name(token: Token) -> str:
    return f"{KINDS[token.kind].title} {token.description!r} ({token.id})"


def _when(microseconds: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M} UTC"


def _signed(context: Context, text: str) -> str:
    return f"{text}\nWatchword at {context.installation.url}\n"
