"""Signing in with a passkey: alone, as second factor after the password, or as a fresh proof."""

from dataclasses import dataclass
from typing import TypeVar

from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.errors import Conflict, Refused
from watchword.domain.events import Action
from watchword.domain.passkeys import Passkey
from watchword.domain.people import WebSession, lower
from watchword.services.ceremonies import (
    Assertion,
    RelyingParty,
    assertion_options,
    check_assertion,
    read_assertion,
    refused,
)
from watchword.services.challenges import Asked, make_challenge, take_challenge
from watchword.services.context import Caller, Context
from watchword.services.people import record_person
from watchword.services.sessions import (
    SignedIn,
    Visitor,
    acting,
    charge_attempt,
    escalate_session,
    find_session,
    open_session,
)
from watchword.services.signing_in import SigningIn
from watchword.services.throttling import Key, charge, clear, refund
from watchword.services.tickets import Errand
from watchword.store.base import Transaction

T = TypeVar("T")
HOW = "passkey"


@dataclass(frozen=True, slots=True)
class PasskeySigning:
    """Signing in with passkeys."""

    context: Context
    signing_in: SigningIn

    def party(self) -> RelyingParty | None:
        """Whom passkeys are for; None where the installation's address allows none."""
        try:
            return self._party()
        except Conflict:
            return None

    def _party(self) -> RelyingParty:
        return RelyingParty.of(self.context.installation.url)

    # -- alone -----------------------------------------------------------------------------------

    def begin(self) -> Asked:
        """Ask for any passkey of this installation; nothing is written.

        Raises:
            Conflict: the installation's address allows none.
        """
        party = self._party()
        return make_challenge(
            self.context, Errand.PASSKEY_SIGN_IN, "", lambda challenge: assertion_options(party, challenge)
        )

    async def finish(self, ticket: Secret, answer: str, caller: Caller) -> SignedIn:
        """Sign in with a passkey alone: it verified its user, so it stands for password and second factor.

        Raises:
            TooMany: there were too many failures from this address.
            Refused: the answer or the ticket does not pass, or the account is disabled.
        """
        context, party = self.context, self._party()
        charged = (Key("address", caller.address or ""),)
        await context.store.write(lambda tx: charge(tx, context.clock.now(), charged))
        assertion = read_assertion(answer)
        challenge = await take_challenge(context, Errand.PASSKEY_SIGN_IN, ticket, "")

        async def look(tx: Transaction) -> tuple[Passkey, User] | None:
            passkey = await tx.proofs.passkey_by_credential(assertion.credential_id)
            user = await tx.accounts.user(passkey.user_id) if passkey is not None else None
            if passkey is None or user is None or (await tx.people.sign_in_data(user.id)).disabled_at:
                return None
            return passkey, user

        found = await context.store.read(look)
        if found is None or assertion.user_handle != found[1].id.encode():
            self.signing_in.note_refusal(None if found is None else found[1], caller)
            raise refused()
        passkey, user = found
        count = self._check(party, challenge, assertion, passkey, user, caller)

        async def work(tx: Transaction) -> SignedIn | None:
            if not await self._use(tx, passkey, count, user, caller):
                return None
            await refund(tx, charged)
            return await open_session(context, tx, user, caller, HOW, complete=True)

        return _passed(await context.store.write(work))

    # -- after the password ----------------------------------------------------------------------

    async def begin_second(self, cookie: Secret) -> Asked:
        """Ask for a passkey of the person who gave the password.

        Raises:
            Refused: the session is not waiting for a second factor.
            Conflict: the installation's address allows none.
        """
        session, user = await self._halfway(cookie)
        return await self._ask(Errand.PASSKEY_SECOND_FACTOR, session, user)

    async def finish_second(self, cookie: Secret, ticket: Secret, answer: str, caller: Caller) -> SignedIn:
        """Go on with a passkey; the session gets a fresh id and cookie.

        Raises:
            TooMany: there were too many failures.
            Refused: the answer or the ticket does not pass, or the session is not waiting.
        """
        context = self.context
        session, user = await self._halfway(cookie)
        charged = await self._charge(f"code:{user.id}", user, caller)
        passkey, count = await self._answered(
            Errand.PASSKEY_SECOND_FACTOR, session, user, ticket, answer, caller
        )

        async def work(tx: Transaction) -> SignedIn | None:
            if not await self._use(tx, passkey, count, user, caller):
                return None
            if not await tx.sessions.end(session.id, context.clock.now(), "went on"):
                return None
            await clear(tx, (*charged, Key("account", lower(user.email))))
            return await open_session(context, tx, user, caller, HOW, complete=True, after=session.method)

        return _passed(await context.store.write(work))

    async def _halfway(self, cookie: Secret) -> tuple[WebSession, User]:
        return await self.context.store.read(
            lambda tx: find_session(self.context, tx, cookie, complete=False)
        )

    # -- a fresh proof ---------------------------------------------------------------------------

    async def begin_step_up(self, visitor: Visitor) -> Asked:
        """Ask for a passkey of whoever is signed in.

        Raises:
            Conflict: the installation's address allows none.
        """
        return await self._ask(Errand.PASSKEY_STEP_UP, visitor.session, visitor.user)

    async def finish_step_up(self, visitor: Visitor, ticket: Secret, answer: str, caller: Caller) -> None:
        """Prove again who one is, with a passkey; see `SigningIn.escalate`.

        Raises:
            TooMany: there were too many failures.
            Refused: the answer or the ticket does not pass, or the session has ended.
        """
        user = visitor.user
        charged = await self._charge(f"proof:{user.id}", user, caller)
        passkey, count = await self._answered(
            Errand.PASSKEY_STEP_UP, visitor.session, user, ticket, answer, caller
        )

        async def work(tx: Transaction) -> Visitor | None:
            if not await self._use(tx, passkey, count, user, caller):
                return None
            if not await escalate_session(self.context, tx, visitor, caller):
                return None
            await clear(tx, charged)
            return visitor

        _passed(await self.context.store.write(work))

    # -- what they share -------------------------------------------------------------------------

    async def _charge(self, account: str, user: User, caller: Caller) -> tuple[Key, ...]:
        return await self.context.store.write(
            lambda tx: charge_attempt(self.context, tx, account, user.id, caller)
        )

    async def _ask(self, errand: Errand, session: WebSession, user: User) -> Asked:
        party = self._party()
        known = await self.context.store.read(lambda tx: tx.proofs.passkeys(user.id))
        return make_challenge(
            self.context, errand, session.id, lambda challenge: assertion_options(party, challenge, known)
        )

    async def _answered(
        self, errand: Errand, session: WebSession, user: User, ticket: Secret, answer: str, caller: Caller
    ) -> tuple[Passkey, int]:
        """The person's own passkey that answered the session's challenge, and its counter."""
        context, assertion = self.context, read_assertion(answer)
        challenge = await take_challenge(context, errand, ticket, session.id)
        passkey = await context.store.read(
            lambda tx: tx.proofs.passkey_by_credential(assertion.credential_id)
        )
        if passkey is None or passkey.user_id != user.id:
            self.signing_in.note_refusal(user, caller)
            raise refused()
        return passkey, self._check(self._party(), challenge, assertion, passkey, user, caller)

    def _check(
        self,
        party: RelyingParty,
        challenge: bytes,
        assertion: Assertion,
        passkey: Passkey,
        user: User,
        caller: Caller,
    ) -> int:
        try:
            return check_assertion(party, challenge, assertion, passkey)
        except Refused:
            self.signing_in.note_refusal(user, caller)
            raise

    async def _use(self, tx: Transaction, passkey: Passkey, count: int, user: User, caller: Caller) -> bool:
        """Note the use; a counter that went back says that there is a copy: refused, and recorded."""
        if await tx.proofs.use_passkey(user.id, passkey.id, count, self.context.clock.now()):
            return True
        data: dict[str, object] = {
            "passkey_id": passkey.id,
            "name": passkey.name,
            "counted": count,
            "before": passkey.sign_count,
        }
        by = acting(user, caller)
        await record_person(self.context, tx, by, Action.USER_PASSKEY_REFUSED, user.id, data)
        return False


def _passed(made: T | None) -> T:
    if made is None:
        raise refused()
    return made
