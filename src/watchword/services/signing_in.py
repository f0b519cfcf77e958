"""Signing in: password, then second factor where there is one; sessions; fresh proof for what needs one.

Whoever is unknown, disabled or has no password gets the same answer after the same calls as a wrong
password. Refusals are counted in memory and written by `flush`, so that the trail costs the caller nothing.
"""

from dataclasses import dataclass, field
from functools import partial

from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.errors import Invalid
from watchword.domain.events import Action
from watchword.domain.ids import SessionId, UserId
from watchword.domain.people import HOUR_US, LinkPurpose, SignInData, WebSession, normal_email
from watchword.domain.tokens import DAY_US, MINUTE_US
from watchword.services.context import Caller, Context
from watchword.services.onetimelinks import link_owner, take_link
from watchword.services.passwords import matches, renew_hash
from watchword.services.people import person_caller, record_person
from watchword.services.second_factor import take_code
from watchword.services.sessions import (
    SignedIn,
    Visitor,
    acting,
    charge_attempt,
    escalate_session,
    find_session,
    open_session,
    require_escalated,
    wrong,
)
from watchword.services.throttling import KNOWN_ADDRESS_US, Key, clear, refund
from watchword.store.base import Transaction

__all__ = ["SignedIn", "SigningIn", "Visitor", "require_escalated", "wrong"]

_TOUCH_US = MINUTE_US
_MAX_REFUSED = 10_000
NOBODY = UserId("")


@dataclass(slots=True)
class SigningIn:
    """Signing in and out.

    Attributes:
        refused: how often people were refused from an address since the last `flush`.
    """

    context: Context
    refused: dict[tuple[UserId, str], int] = field(default_factory=dict)

    # -- in --------------------------------------------------------------------------------------

    async def sign_in(self, email: str, password: Secret, caller: Caller) -> SignedIn:
        """Sign in with a password; complete at once where the person has no second factor.

        Raises:
            TooMany: there were too many failures for this account or from this address.
            Refused: person and password do not belong together.
        """
        account = _account(email)
        user, data, charged = await self.context.store.write(lambda tx: self._begin(tx, account, caller))
        right = await matches(user.password_hash if user is not None else "", password)
        if user is None or not right or data.disabled_at:
            self.note_refusal(user, caller)
            raise wrong()
        await renew_hash(self.context, user, password)
        complete = not data.second_factor

        async def finish(tx: Transaction) -> SignedIn:
            await (clear if complete else refund)(tx, charged)
            return await open_session(self.context, tx, user, caller, "password", complete=complete)

        return await self.context.store.write(finish)

    async def _begin(
        self, tx: Transaction, account: str, caller: Caller
    ) -> tuple[User | None, SignInData, tuple[Key, ...]]:
        """Find a person and charge the attempt: the same statements whoever it is."""
        user = await tx.people.user_by_email(account)
        user_id = user.id if user is not None else NOBODY
        data = await tx.people.sign_in_data(user_id)
        charged = await charge_attempt(self.context, tx, account, user_id, caller)
        return user, data, charged

    async def halfway(self, cookie: Secret) -> User:
        """Who gave the password, and still has to show the second factor.

        Raises:
            Refused: the session is not waiting for one.
        """
        found = await self.context.store.read(
            lambda tx: find_session(self.context, tx, cookie, complete=False)
        )
        return found[1]

    async def second_factor(self, cookie: Secret, code: str, caller: Caller) -> SignedIn:
        """Go on with a code of the app, or a recovery code; the session gets a fresh id and cookie.

        Raises:
            TooMany: there were too many wrong codes.
            Refused: the code is wrong or was used before, or the session is not waiting for one.
        """

        async def begin(tx: Transaction) -> tuple[WebSession, User, tuple[Key, ...]]:
            session, user = await find_session(self.context, tx, cookie, complete=False)
            return session, user, await charge_attempt(self.context, tx, f"code:{user.id}", user.id, caller)

        session, user, charged = await self.context.store.write(begin)

        async def finish(tx: Transaction) -> SignedIn | None:
            how = await take_code(self.context, tx, user.id, code)
            if not how or not await tx.sessions.end(session.id, self.context.clock.now(), "went on"):
                return None
            await clear(tx, (*charged, Key("account", _account(user.email))))
            return await open_session(
                self.context, tx, user, caller, how, complete=True, after=session.method
            )

        made = await self.context.store.write(finish)
        if made is None:
            self.note_refusal(user, caller)
            raise wrong()
        return made

    async def sign_in_by_link(self, value: Secret, purpose: LinkPurpose, caller: Caller) -> SignedIn:
        """Sign in with a one-time link of the host or of an invitation; it counts as a fresh proof.

        Raises:
            Refused: the link is not valid.
            ValueError: links of this purpose sign nobody in.
        """
        if purpose not in (LinkPurpose.RECOVER, LinkPurpose.INVITE, LinkPurpose.FIRST_ADMIN):
            raise ValueError(f"a link to {purpose.value} signs nobody in")

        async def work(tx: Transaction) -> SignedIn:
            user = await link_owner(self.context, tx, value, purpose)
            await take_link(self.context, tx, value, purpose)
            return await open_session(self.context, tx, user, caller, f"link: {purpose.value}", complete=True)

        return await self.context.store.write(work)

    # -- while in --------------------------------------------------------------------------------

    async def authenticate(self, cookie: Secret) -> Visitor:
        """Who a cookie stands for.

        Raises:
            Refused: the session is unknown, has ended or expired, or lacks the second factor.
        """
        session, user = await self.context.store.read(
            lambda tx: find_session(self.context, tx, cookie, complete=True)
        )
        now = self.context.clock.now()
        if now - session.seen_at >= _TOUCH_US:
            await self.context.store.write(lambda tx: tx.sessions.touch(session.id, now))
        return Visitor(session, user)

    async def escalate(self, visitor: Visitor, proof: Secret, caller: Caller) -> None:
        """Prove again who one is: with a code where there is a second factor, else with the password.

        It is good for five minutes.

        Raises:
            TooMany: there were too many wrong proofs.
            Refused: the proof is wrong, or the session has ended.
        """
        user = visitor.user

        async def begin(tx: Transaction) -> tuple[SignInData, tuple[Key, ...]]:
            data = await tx.people.sign_in_data(user.id)
            return data, await charge_attempt(self.context, tx, f"proof:{user.id}", user.id, caller)

        data, charged = await self.context.store.write(begin)
        right = data.second_factor or await matches(user.password_hash, proof)

        async def finish(tx: Transaction) -> bool:
            if not right:
                return False
            if data.second_factor and not await take_code(self.context, tx, user.id, proof.reveal()):
                return False
            if not await escalate_session(self.context, tx, visitor, caller):
                return False
            await clear(tx, charged)
            return True

        if not await self.context.store.write(finish):
            self.note_refusal(user, caller)
            raise wrong()

    # -- out -------------------------------------------------------------------------------------

    async def sessions(self, user_id: UserId) -> list[WebSession]:
        """A person's live sessions, newest first."""
        now = self.context.clock.now()
        idle = self.context.installation.session_idle_hours * HOUR_US

        async def work(tx: Transaction) -> list[WebSession]:
            found = await tx.sessions.of_user(user_id, now)
            return [one for one in found if one.complete and one.live(now, idle)]

        return await self.context.store.read(work)

    async def sign_out(self, visitor: Visitor, caller: Caller) -> None:
        """End this session; repeating it changes nothing."""
        by = acting(visitor.user, caller)

        async def work(tx: Transaction) -> None:
            if await tx.sessions.end(visitor.session.id, self.context.clock.now(), "signed out"):
                await record_person(self.context, tx, by, Action.USER_SIGNED_OUT, visitor.user.id)

        await self.context.store.write(work)

    async def end_session(self, visitor: Visitor, session_id: SessionId, caller: Caller) -> bool:
        """End one of a person's own sessions; False if they have no such live session."""
        by = acting(visitor.user, caller)
        now = self.context.clock.now()

        async def work(tx: Transaction) -> bool:
            own = {one.id for one in await tx.sessions.of_user(visitor.user.id, now)}
            if session_id not in own or not await tx.sessions.end(session_id, now, "signed out elsewhere"):
                return False
            data: dict[str, object] = {"sessions_ended": 1, "session_id": session_id}
            await record_person(self.context, tx, by, Action.USER_SESSIONS_ENDED, visitor.user.id, data)
            return True

        return await self.context.store.write(work)

    async def sign_out_everywhere(
        self, user_id: UserId, caller: Caller, *, keep: SessionId | None = None
    ) -> int:
        """End all sessions of a person, except one where it is named; how many."""

        async def work(tx: Transaction) -> int:
            ended = await tx.sessions.end_all(
                user_id, self.context.clock.now(), "signed out everywhere", keep=keep
            )
            if ended:
                data: dict[str, object] = {"sessions_ended": ended}
                await record_person(self.context, tx, caller, Action.USER_SESSIONS_ENDED, user_id, data)
            return ended

        return await self.context.store.write(work)

    # -- what is counted -------------------------------------------------------------------------

    def note_refusal(self, user: User | None, caller: Caller) -> None:
        """Count a refusal: for whoever is unknown too, so that memory says nothing of who is."""
        key = (user.id if user is not None else NOBODY, caller.address or "")
        if key in self.refused or len(self.refused) < _MAX_REFUSED:
            self.refused[key] = self.refused.get(key, 0) + 1

    async def flush(self) -> None:
        """Write refusals into the trails of those who exist, one event for a person and an address."""
        counted, self.refused = self.refused, {}
        for (user_id, address), count in counted.items():
            if user_id != NOBODY:
                note = partial(self._note, user_id=user_id, address=address, count=count)
                await self.context.store.write(note)

    async def _note(self, tx: Transaction, user_id: UserId, address: str, count: int) -> None:
        user = await tx.accounts.user(user_id)
        if user is not None:
            by = person_caller(user, address or None, "")
            await record_person(self.context, tx, by, Action.USER_SIGN_IN_REFUSED, user_id, {"count": count})

    async def forget(self) -> None:
        """Delete expired links and tickets, old failures, and sessions that are of no more use."""
        now = self.context.clock.now()

        async def work(tx: Transaction) -> None:
            await tx.people.forget(now, now - DAY_US, now - KNOWN_ADDRESS_US)
            await tx.proofs.forget_tickets(now)

        await self.context.store.write(work)


def _account(email: str) -> str:
    """The account that somebody typed; what is no address is nobody's."""
    try:
        return normal_email(email)
    except Invalid:
        return ""
