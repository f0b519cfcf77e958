"""What whoever runs the host does for people and organizations: the way back in when nobody else has one."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.crypto.keys import Purpose
from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization, Role, User
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Actor
from watchword.domain.ids import TokenId
from watchword.domain.kinds import KINDS, Kind
from watchword.domain.people import Mail, WebSession
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokens import DAY_US, Token
from watchword.services import people, revealing
from watchword.services.arriving import first_link
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.drillhouse import DrillHouse
from watchword.services.drills import Drill, Exercise
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.mail import list_mail
from watchword.services.onetimelinks import MadeLink
from watchword.services.passwords import set_password_of
from watchword.services.second_factor import disable
from watchword.services.signingkeys import KnownKey, list_keys, rotate_key, withdraw_key
from watchword.store.base import Page, Transaction

_MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class RevealPolicy:
    """What an organization lets be revealed.

    Attributes:
        kinds: each kind that may be revealable, whether it is, and how many copies are kept.
        destroyed: copies that a switch has destroyed.
    """

    organization: Organization
    kinds: tuple[tuple[Kind, bool, int], ...]
    destroyed: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    """Everything that `watchword admin` does, in the name of a user of the machine."""

    authority: Authority
    login: str
    drills: DrillHouse | None = None

    @property
    def caller(self) -> Caller:
        """As the audit trail names them."""
        return Caller(Actor("system", "host", self.login))

    async def recover(self, email: str) -> MadeLink:
        """A link that signs a person in once; see `services.people.recover_person`."""
        return await people.recover_person(self.authority.context, self.caller, email)

    async def first_link(self) -> MadeLink:
        """The link by which the first administrator signs in, where nobody can yet.

        Raises:
            Conflict: somebody can.
        """
        made = await first_link(self.authority.context, self.caller)
        if made is None:
            raise Conflict(
                "Somebody can sign in already; for another way in: watchword admin recover EMAIL",
                code="not_first",
            )
        return made

    async def users(self) -> list[people.Person]:
        """Everybody."""
        return await people.list_people(self.authority.context)

    async def create_user(self, email: str, name: str, organization: str, role: str) -> tuple[User, MadeLink]:
        """A new person in an organization; see `services.people.create_person`.

        Raises:
            Invalid: there is no such role.
            NotFound: there is no such organization, or none is named where there are several.
        """
        if role not in set(Role):
            raise Invalid(f"A role is one of {', '.join(Role)}.", code="unknown_role")
        owner = await self._organization(organization)
        context = self.authority.context
        return await people.create_person(context, self.caller, owner.id, email, name, Role(role))

    async def disable_user(self, email: str) -> int:
        """Keep a person out; how many sessions ended."""
        return await people.disable_person(self.authority.context, self.caller, email)

    async def enable_user(self, email: str) -> None:
        """Let a person in again."""
        await people.enable_person(self.authority.context, self.caller, email)

    async def set_password(self, email: str, password: Secret) -> int:
        """Set a person's password; how many sessions ended."""
        return await set_password_of(self.authority.context, self.caller, email, password)

    async def reset_two_factor(self, email: str) -> bool:
        """Turn a person's second factor off; whether there was one."""
        context = self.authority.context

        async def work(tx: Transaction) -> bool:
            user = await people.find_user(tx, email)
            return await disable(context, tx, self.caller, user.id)

        return await context.store.write(work)

    async def sessions(self, email: str) -> list[WebSession]:
        """A person's live sessions."""
        user = await self.authority.context.store.read(lambda tx: people.find_user(tx, email))
        return await self.authority.signing_in.sessions(user.id)

    async def end_sessions(self, email: str) -> int:
        """End all sessions of a person; how many."""
        user = await self.authority.context.store.read(lambda tx: people.find_user(tx, email))
        return await self.authority.signing_in.sign_out_everywhere(user.id, self.caller)

    async def create_api_token(
        self, organization: str, email: str, description: str, days: int
    ) -> tuple[User, Issued]:
        """A new API access token with every scope for an administrator: the way back where theirs is lost.

        Args:
            organization: slug; "" where there is one alone.
            email: whose token it is; "" takes the first administrator who is not disabled.
            description: what it is for.
            days: until it expires.

        Raises:
            Invalid: the days or the description are not acceptable.
            NotFound: there is no such organization or person.
            Conflict: the person is no administrator of it, or is disabled.
        """
        if not 1 <= days <= _MAX_DAYS:
            raise Invalid(f"An API access token lives 1 to {_MAX_DAYS} days.", code="invalid_days")
        owner = await self._organization(organization)
        context = self.authority.context

        async def work(tx: Transaction) -> tuple[User, Issued]:
            user = await _administrator(tx, owner, email)
            until = context.clock.now() + days * DAY_US
            return user, await issue_api_token(
                context, tx, self.caller, owner.id, user.id, description, ALL_SCOPES, until
            )

        return await context.store.write(work)

    async def mail(self, limit: int) -> list[Mail]:
        """The latest mail, sent or not."""
        return await list_mail(self.authority.context, Page(limit))

    async def reveal(self, token_id: str, reason: str) -> tuple[Token, Secret]:
        """Show a token's value again; see `services.revealing.reveal_on_host`."""
        context = self.authority.context
        return await revealing.reveal_on_host(context, self.caller, TokenId(token_id.lower()), reason)

    async def reveal_policy(self, organization: str, kind: str, choice: str) -> RevealPolicy:
        """What may be revealed; after a switch where kind and choice (once, revealable) are named.

        Raises:
            Invalid: there is no such kind or choice, or values of the kind are never shown again.
            NotFound: there is no such organization.
        """
        owner = await self._organization(organization)
        destroyed = 0
        if kind:
            if kind not in set(Kind):
                raise Invalid(f"There is no kind {kind!r}.", code="unknown_kind")
            if choice not in ("once", "revealable"):
                raise Invalid("A kind is shown once, or is revealable.", code="unknown_choice")
            changed = await revealing.set_revealable(
                self.authority.context, self.caller, owner.id, Kind(kind), revealable=choice == "revealable"
            )
            destroyed = changed.destroyed

        async def work(tx: Transaction) -> RevealPolicy:
            chosen = (await tx.policies.policy(owner.id)).revealable
            rows = [
                (each, each.value in chosen, await tx.sealed.count(owner.id, each))
                for each, spec in KINDS.items()
                if spec.revealable
            ]
            return RevealPolicy(owner, tuple(rows), destroyed)

        return await self.authority.context.store.read(work)

    def signing_keys(self) -> Sequence[KnownKey]:
        """The installation's keys."""
        return list_keys(self.authority.context)

    async def rotate_key(self, purpose: str, hours: int) -> KnownKey:
        """A new key; see `services.signingkeys.rotate_key`.

        Raises:
            Invalid: there is no such purpose, or the hours are not acceptable.
        """
        if purpose not in set(Purpose):
            raise Invalid(f"A purpose is one of {', '.join(Purpose)}.", code="unknown_purpose")
        made = await rotate_key(self.authority.context, self.caller, Purpose(purpose), hours)
        return next(known for known in self.signing_keys() if known.key == made)

    async def withdraw_key(self, number: int) -> None:
        """Publish a key no more; see `services.signingkeys.withdraw_key`."""
        await withdraw_key(self.authority.context, self.caller, number)

    async def drill(self, exercise: str, organization: str) -> Drill:
        """Hold a drill; see `services.drillhouse.DrillHouse.hold`.

        Raises:
            Conflict: the server does not serve, or another drill is under way.
            NotFound: there is no such organization.
        """
        owner = await self._organization(organization)
        if self.drills is None:
            raise Conflict("A drill goes through the running server; start it first.", code="not_serving")
        return await self.drills.hold(self.caller, Exercise(exercise), owner)

    async def _organization(self, slug: str) -> Organization:
        found: Sequence[Organization] = await self.authority.context.store.read(
            lambda tx: tx.accounts.organizations()
        )
        fitting = [one for one in found if slug in ("", one.slug)]
        if len(fitting) != 1:
            shown = ", ".join(one.slug for one in found)
            raise NotFound(f"Name one organization with --organization: {shown}", code="unknown_organization")
        return fitting[0]


async def _administrator(tx: Transaction, owner: Organization, email: str) -> User:
    if email:
        user = await people.find_user(tx, email)
        member = await tx.accounts.member(owner.id, user.id)
        if member is None or member.role is not Role.ADMIN:
            raise Conflict(f"{user.email} is no administrator of {owner.slug}.", code="not_administrator")
        if (await tx.people.sign_in_data(user.id)).disabled_at:
            raise Conflict(f"{user.email} is disabled: watchword admin user enable", code="user_disabled")
        return user
    for member in await tx.people.members(owner.id):
        found = await tx.accounts.user(member.user_id) if member.role is Role.ADMIN else None
        if found is not None and not (await tx.people.sign_in_data(found.id)).disabled_at:
            return found
    raise Conflict(f"{owner.slug} has no administrator who is not disabled.", code="no_administrator")
