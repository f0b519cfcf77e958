"""What people do about their own way in: password, authenticator app, recovery codes, identities."""

from dataclasses import dataclass

from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.passkeys import Identity, Passkey
from watchword.domain.people import SignInData
from watchword.services.context import Caller, Context
from watchword.services.passwords import matches, set_password
from watchword.services.people import record_person
from watchword.services.second_factor import confirm, disable_app, enrol, make_recovery_codes, pending
from watchword.services.sessions import RECOVERED, Visitor, acting, charge_attempt, require_escalated, wrong
from watchword.services.signing_in import SigningIn
from watchword.services.throttling import Key, clear
from watchword.services.tickets import Errand, make_ticket, take_ticket
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class Posture:
    """How a person can sign in.

    Attributes:
        codes_left: recovery codes that were not used yet.
    """

    data: SignInData
    password: bool
    passkeys: tuple[Passkey, ...]
    identities: tuple[Identity, ...]
    codes_left: int


@dataclass(frozen=True, slots=True)
class AppOffered:
    """What an authenticator app is told, once.

    Attributes:
        secret: to be typed.
        uri: what the picture says.
        picture: an SVG element with a QR code.
    """

    secret: Secret
    uri: Secret
    picture: Secret


def qr_code(content: Secret) -> Secret:
    """A QR code as an SVG element without styles, dark on white whatever the theme."""
    import segno  # noqa: PLC0415 - one page alone needs it

    made = segno.make(content.reveal(), error="m", micro=False)
    return Secret(made.svg_inline(scale=5, border=4, dark="#000", light="#fff", omitsize=False))


def recovering(visitor: Visitor) -> bool:
    """Whether the host let the person in, who may have forgotten the password."""
    return visitor.session.method == RECOVERED


@dataclass(frozen=True, slots=True)
class OwnSecurity:
    """A signed-in person's own way in."""

    context: Context
    signing_in: SigningIn

    async def posture(self, visitor: Visitor) -> Posture:
        """How the person can sign in."""
        user_id = visitor.user.id

        async def work(tx: Transaction) -> Posture:
            user = await tx.accounts.user(user_id)
            return Posture(
                data=await tx.people.sign_in_data(user_id),
                password=user is not None and bool(user.password_hash),
                passkeys=tuple(await tx.proofs.passkeys(user_id)),
                identities=tuple(await tx.proofs.identities(user_id)),
                codes_left=await tx.people.recovery_codes_left(user_id),
            )

        return await self.context.store.read(work)

    async def begin_app(self, visitor: Visitor) -> AppOffered:
        """Make a secret for an authenticator app; one that waits for its first code is replaced.

        Raises:
            Refused: the person has not proved again who they are.
            Conflict: there is an app already.
        """
        self._require_proof(visitor)
        made = await self.context.store.write(lambda tx: enrol(self.context, tx, visitor.user))
        return AppOffered(made.secret, made.uri, qr_code(made.uri))

    async def pending_app(self, visitor: Visitor) -> AppOffered:
        """The app that waits for its first code, once more.

        Raises:
            Refused: the person has not proved again who they are.
            Conflict: none waits.
        """
        self._require_proof(visitor)
        made = await self.context.store.read(lambda tx: pending(self.context, tx, visitor.user))
        return AppOffered(made.secret, made.uri, qr_code(made.uri))

    async def confirm_app(self, visitor: Visitor, code: str, caller: Caller) -> list[Secret]:
        """Turn the app on with its first code; recovery codes, shown once.

        Raises:
            Conflict: nothing waits to be confirmed.
            Invalid: the code does not fit.
            TooMany: there were too many wrong codes.
        """
        context, user = self.context, visitor.user
        charged = await self._charge(f"code:{user.id}", visitor, caller)

        async def work(tx: Transaction) -> list[Secret]:
            codes = await confirm(context, tx, acting(user, caller), user, code)
            await clear(tx, charged)
            return codes

        return await context.store.write(work)

    async def disable_app(self, visitor: Visitor, caller: Caller) -> bool:
        """Turn the app off; False if there was none.

        Raises:
            Refused: the person has not proved again who they are.
        """
        self._require_proof(visitor)
        by = acting(visitor.user, caller)
        return await self.context.store.write(lambda tx: disable_app(self.context, tx, by, visitor.user.id))

    def offer_codes(self, visitor: Visitor) -> Secret:
        """A ticket for fresh recovery codes, so that a form that is sent twice makes them once."""
        return make_ticket(self.context, Errand.RECOVERY_CODES, {}, visitor.session.id)

    async def renew_codes(self, visitor: Visitor, ticket: Secret, caller: Caller) -> list[Secret]:
        """Fresh recovery codes, shown once; former ones are dead.

        Raises:
            Refused: the person has not proved again who they are, or the ticket does not pass.
            Conflict: there is no second factor that they could stand for.
        """
        self._require_proof(visitor)
        context, by = self.context, acting(visitor.user, caller)

        async def work(tx: Transaction) -> list[Secret]:
            await take_ticket(context, tx, Errand.RECOVERY_CODES, ticket, visitor.session.id)
            return await make_recovery_codes(context, tx, by, visitor.user.id)

        return await context.store.write(work)

    async def change_password(
        self, visitor: Visitor, former: Secret, password: Secret, caller: Caller
    ) -> int:
        """Change the password with the former one; without it for whoever has none or was let in to recover.

        Returns:
            How many other sessions ended.

        Raises:
            TooMany: there were too many wrong passwords.
            Refused: the former password is wrong, or the fresh proof is missing.
            Invalid: the new one is not acceptable.
        """
        context = self.context
        user = await context.store.read(lambda tx: tx.accounts.user(visitor.user.id))
        if user is None or not user.password_hash or recovering(visitor):
            self._require_proof(visitor)
            user = user or visitor.user
        else:
            charged = await self._charge(f"proof:{user.id}", visitor, caller)
            if not await matches(user.password_hash, former):
                self.signing_in.note_refusal(user, caller)
                raise wrong()
            await context.store.write(lambda tx: clear(tx, charged))
        return await set_password(context, acting(user, caller), user, password, keep=visitor.session.id)

    async def unlink(self, visitor: Visitor, issuer: str, subject: str, caller: Caller) -> None:
        """Forget who the person is at an issuer; single sign-on there opens the account no more.

        Raises:
            Refused: the person has not proved again who they are.
            NotFound: there is no such identity.
            Conflict: nothing else would let the person in.
        """
        self._require_proof(visitor)
        posture = await self.posture(visitor)
        if len(posture.identities) <= 1 and not posture.password and not posture.passkeys:
            raise Conflict("Set a password or register a passkey first.", code="last_way_in")

        async def work(tx: Transaction) -> None:
            if not await tx.proofs.remove_identity(visitor.user.id, issuer, subject):
                raise NotFound("No identity found")
            data: dict[str, object] = {"issuer": issuer, "subject": subject}
            by = acting(visitor.user, caller)
            await record_person(self.context, tx, by, Action.USER_IDENTITY_UNLINKED, visitor.user.id, data)

        await self.context.store.write(work)

    def _require_proof(self, visitor: Visitor) -> None:
        require_escalated(visitor, self.context.clock.now())

    async def _charge(self, account: str, visitor: Visitor, caller: Caller) -> tuple[Key, ...]:
        return await self.context.store.write(
            lambda tx: charge_attempt(self.context, tx, account, visitor.user.id, caller)
        )
