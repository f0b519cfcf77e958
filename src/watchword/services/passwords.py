"""Passwords of people: checked, set, changed, and reset by a mailed link. Hashing runs in its own threads."""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from watchword.crypto.passwords import hash_password, needs_rehash, password_matches
from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.errors import Invalid, TooMany
from watchword.domain.events import Action
from watchword.domain.ids import SessionId
from watchword.domain.people import LinkPurpose, check_password, normal_email, normal_password
from watchword.services.context import Caller, Context
from watchword.services.mail import queue_mail
from watchword.services.onetimelinks import link_owner, make_link, take_link
from watchword.services.people import find_user, person_caller, record_person
from watchword.services.throttling import Key, charge
from watchword.store.base import Transaction

# Each needs 19 MiB; a flood of attempts waits in line.
_POOL = ThreadPoolExecutor(2, thread_name_prefix="passwords")
_WAITING = 1000
# Links that are dead as soon as there is a fresh password.
_UNTIL_A_PASSWORD = (LinkPurpose.RESET_PASSWORD, LinkPurpose.FIRST_ADMIN, LinkPurpose.INVITE)


async def hashed(password: str) -> str:
    """Hash in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, hash_password, password)


async def matches(stored: str, password: Secret) -> bool:
    """Verify in a thread; a stored hash that is empty costs as much as any other."""
    typed = normal_password(password.reveal())
    return await asyncio.get_running_loop().run_in_executor(_POOL, password_matches, stored, typed)


async def renew_hash(context: Context, user: User, password: Secret) -> None:
    """Hash a password that just passed anew, where its hash is of former parameters."""
    if not needs_rehash(user.password_hash):
        return
    fresh = await hashed(normal_password(password.reveal()))
    await context.store.write(lambda tx: tx.people.rehash(user.id, user.password_hash, fresh))


async def set_password(
    context: Context, caller: Caller, user: User, password: Secret, *, keep: SessionId | None = None
) -> int:
    """Set a person's password; their other sessions and unused reset links end with the former one.

    Returns:
        How many sessions ended.

    Raises:
        Invalid: it is too short, or made of the name or the address.
    """
    fresh = await hashed(check_password(password.reveal(), user.email, user.name))
    return await context.store.write(lambda tx: set_password_in(context, tx, caller, user, fresh, keep))


async def set_password_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    user: User,
    fresh: str,
    keep: SessionId | None = None,
    *,
    tell: bool = True,
) -> int:
    """Set a password that was checked and hashed, inside a unit of work; `tell` mails it to the person."""
    now = context.clock.now()
    await tx.people.set_password(user.id, fresh, now)
    for purpose in _UNTIL_A_PASSWORD:
        await tx.people.drop_links(user.id, purpose)
    ended = await tx.sessions.end_all(user.id, now, "password changed", keep=keep)
    await record_person(context, tx, caller, Action.USER_PASSWORD_CHANGED, user.id, {"sessions_ended": ended})
    if not tell:
        return ended
    await queue_mail(
        context,
        tx,
        user.email,
        "Your password was changed",
        f"The password of {user.email} at {context.installation.url} was changed.\n"
        "If that was not you, ask whoever runs the server for help at once.\n",
        "",
    )
    return ended


async def set_password_of(context: Context, caller: Caller, email: str, password: Secret) -> int:
    """Set the password of the person with an address; see `set_password`.

    Raises:
        NotFound: there is no such person.
    """
    user = await context.store.read(lambda tx: find_user(tx, email))
    return await set_password(context, caller, user, password)


@dataclass(slots=True)
class Resets:
    """Resets by mailed links. A request is answered before it is looked at, so that the answer tells nothing.

    Attributes:
        asked: addresses to look at, with from where and with what they were asked for; gone at a restart.
    """

    context: Context
    asked: deque[tuple[str, Caller]] = field(default_factory=lambda: deque(maxlen=_WAITING))

    def ask(self, email: str, caller: Caller) -> None:
        """Ask for a link; whether there is such a person shows in their mailbox alone."""
        self.asked.append((email, caller))

    async def work_off(self) -> None:
        """Look at what was asked."""
        while self.asked:
            email, caller = self.asked.popleft()
            await self._answer(email, caller)

    async def _answer(self, email: str, caller: Caller) -> None:
        context = self.context

        async def work(tx: Transaction) -> None:
            await charge(tx, context.clock.now(), (Key("reset", email.lower()),))
            user = await tx.people.user_by_email(normal_email(email))
            if user is None or (await tx.people.sign_in_data(user.id)).disabled_at:
                return
            made = await make_link(context, tx, LinkPurpose.RESET_PASSWORD, user)
            text = (
                f"Somebody, hopefully you, asked to set a new password for {user.email}.\n"
                f"This link does it once, within an hour:\n\n  {made.url.reveal()}\n\n"
                "If it was not you, there is nothing to do: your password stays as it is.\n"
            )
            await queue_mail(context, tx, user.email, "Set a new password", text, "")
            by = person_caller(user, caller.address, caller.user_agent, caller.request_id)
            await record_person(context, tx, by, Action.USER_PASSWORD_RESET_REQUESTED, user.id)

        with suppress(Invalid, TooMany):  # nobody hears of it
            await context.store.write(work)

    async def finish(self, value: Secret, password: Secret, caller: Caller) -> User:
        """Set a new password by a mailed link; every session of the person ends. The second factor stays.

        Raises:
            Refused: the link is not valid.
            Invalid: the password is not acceptable; the link stays valid.
        """
        context = self.context
        user = await context.store.read(lambda tx: link_owner(context, tx, value, LinkPurpose.RESET_PASSWORD))
        fresh = await hashed(check_password(password.reveal(), user.email, user.name))

        async def work(tx: Transaction) -> None:
            await take_link(context, tx, value, LinkPurpose.RESET_PASSWORD)
            by = person_caller(user, caller.address, caller.user_agent, caller.request_id)
            await set_password_in(context, tx, by, user, fresh)
            data = await tx.people.sign_in_data(user.id)
            # The link came by mail.
            await tx.people.save_sign_in_data(replace(data, email_verified_at=context.clock.now()))

        await context.store.write(work)
        return user
