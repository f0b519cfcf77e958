"""Passkeys of a person: registered, listed, renamed, removed."""

from dataclasses import dataclass

from watchword.crypto.values import Secret
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import PasskeyId, UserId
from watchword.domain.passkeys import MAX_PASSKEYS, Passkey, check_passkey_name
from watchword.services.ceremonies import (
    NewCredential,
    RelyingParty,
    check_registration,
    registration_options,
)
from watchword.services.challenges import Asked, make_challenge, take_challenge
from watchword.services.context import Caller, Context
from watchword.services.mail import queue_mail
from watchword.services.people import record_person
from watchword.services.second_factor import count_passkeys, make_recovery_codes
from watchword.services.sessions import Visitor, acting, require_escalated
from watchword.services.tickets import Errand
from watchword.store.base import Duplicate, Transaction


@dataclass(frozen=True, slots=True)
class Registered:
    """A fresh passkey.

    Attributes:
        codes: recovery codes, shown once; none where the person had a second factor before.
    """

    passkey: Passkey
    codes: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class Passkeys:
    """What people do with their own passkeys."""

    context: Context

    async def list(self, user_id: UserId) -> list[Passkey]:
        """A person's, oldest first."""

        async def work(tx: Transaction) -> list[Passkey]:
            return list(await tx.proofs.passkeys(user_id))

        return await self.context.store.read(work)

    async def begin(self, visitor: Visitor) -> Asked:
        """Ask the browser for a passkey.

        Raises:
            Refused: the person has not proved again who they are.
            Conflict: there are too many, or the installation's address allows none.
        """
        party = RelyingParty.of(self.context.installation.url)
        require_escalated(visitor, self.context.clock.now())
        known = await self.list(visitor.user.id)
        _require_room(len(known))
        user = visitor.user
        return make_challenge(
            self.context,
            Errand.PASSKEY_REGISTRATION,
            visitor.session.id,
            lambda challenge: registration_options(party, user.id, user.email, user.name, challenge, known),
        )

    async def finish(
        self, visitor: Visitor, ticket: Secret, answer: str, name: str, caller: Caller
    ) -> Registered:
        """Keep the passkey that the browser made.

        Raises:
            Refused: the answer or the ticket does not pass, or the proof of who it is has become too old.
            Invalid: the name is not acceptable.
            Conflict: there are too many, or the credential is known.
        """
        context, user = self.context, visitor.user
        party = RelyingParty.of(context.installation.url)
        require_escalated(visitor, context.clock.now())
        called = check_passkey_name(name)
        challenge = await take_challenge(context, Errand.PASSKEY_REGISTRATION, ticket, visitor.session.id)
        made = check_registration(party, challenge, answer)
        return await context.store.write(
            lambda tx: self._keep(tx, visitor, made, called, acting(user, caller))
        )

    async def _keep(
        self, tx: Transaction, visitor: Visitor, made: NewCredential, name: str, by: Caller
    ) -> Registered:
        context, user = self.context, visitor.user
        _require_room(len(await tx.proofs.passkeys(user.id)))
        first = not (await tx.people.sign_in_data(user.id)).second_factor
        passkey = Passkey(
            user_id=user.id,
            id=PasskeyId(context.new_id()),
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            name=name,
            transports=made.transports,
            backed_up=made.backed_up,
            created_at=context.clock.now(),
        )
        try:
            await tx.proofs.add_passkey(passkey)
        except Duplicate:
            raise Conflict("This passkey is registered already.", code="passkey_known") from None
        await count_passkeys(tx, user.id)
        data: dict[str, object] = {"passkey_id": passkey.id, "name": name}
        await record_person(context, tx, by, Action.USER_PASSKEY_ADDED, user.id, data)
        await self._tell(tx, user.email, f"The passkey {name!r} was added to your account")
        codes = await make_recovery_codes(context, tx, by, user.id) if first else []
        return Registered(passkey, tuple(codes))

    async def rename(self, visitor: Visitor, passkey_id: PasskeyId, name: str, caller: Caller) -> None:
        """Give a passkey another name.

        Raises:
            Invalid: the name is not acceptable.
            NotFound: the person has no such passkey.
        """
        called, user = check_passkey_name(name), visitor.user

        async def work(tx: Transaction) -> None:
            if not await tx.proofs.rename_passkey(user.id, passkey_id, called):
                raise NotFound("No passkey found")
            data: dict[str, object] = {"passkey_id": passkey_id, "name": called}
            by = acting(user, caller)
            await record_person(self.context, tx, by, Action.USER_PASSKEY_RENAMED, user.id, data)

        await self.context.store.write(work)

    async def remove(self, visitor: Visitor, passkey_id: PasskeyId, caller: Caller) -> None:
        """Remove a passkey; it opens nothing from now on.

        Raises:
            Refused: the person has not proved again who they are.
            NotFound: the person has no such passkey.
        """
        require_escalated(visitor, self.context.clock.now())
        user = visitor.user

        async def work(tx: Transaction) -> None:
            found = [one for one in await tx.proofs.passkeys(user.id) if one.id == passkey_id]
            if not found or not await tx.proofs.remove_passkey(user.id, passkey_id):
                raise NotFound("No passkey found")
            await count_passkeys(tx, user.id)
            data: dict[str, object] = {"passkey_id": passkey_id, "name": found[0].name}
            by = acting(user, caller)
            await record_person(self.context, tx, by, Action.USER_PASSKEY_REMOVED, user.id, data)
            await self._tell(tx, user.email, f"The passkey {found[0].name!r} was removed from your account")

        await self.context.store.write(work)

    async def _tell(self, tx: Transaction, email: str, what: str) -> None:
        text = (
            f"{what} at {self.context.installation.url}.\n"
            "If that was not you, ask whoever runs the server for help at once.\n"
        )
        await queue_mail(self.context, tx, email, what, text, "")


def _require_room(count: int) -> None:
    if count >= MAX_PASSKEYS:
        raise Conflict(
            f"A person has at most {MAX_PASSKEYS} passkeys; remove one first.", code="too_many_passkeys"
        )
