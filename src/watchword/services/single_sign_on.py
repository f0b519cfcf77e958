"""Single sign-on: people come in through the operator's OpenID Connect providers.

Issuer and subject name a person for good. A first sign-in is linked to somebody known by their address only
where the provider says that it is verified; whoever is unknown is kept out unless the provider's settings
name an organization to join.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from watchword.crypto.values import Secret
from watchword.domain.accounts import Member, User
from watchword.domain.errors import Conflict, Invalid, NotFound, Refused
from watchword.domain.events import Action
from watchword.domain.ids import UserId
from watchword.domain.passkeys import Identity
from watchword.domain.people import ESCALATED_US, SignInData, normal_email
from watchword.domain.tokens import MINUTE_US
from watchword.services.accounts import MAX_NAME
from watchword.services.context import Caller, Context
from watchword.services.members import join
from watchword.services.openid import Asking, Claims, OpenId, refused
from watchword.services.people import record_person
from watchword.services.providers import Provider, SecondFactor
from watchword.services.sessions import (
    SINGLE_SIGN_ON,
    SignedIn,
    Visitor,
    acting,
    escalate_session,
    open_session,
    require_escalated,
)
from watchword.services.tickets import Errand, make_ticket, take_ticket
from watchword.store.base import Transaction

# A provider that names this says that there was more than one factor (RFC 8176 §2).
_SEVERAL = "mfa"
_SIGN_IN, _STEP_UP, _LINK = "sign in", "step up", "link"


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in on its way to a provider.

    Attributes:
        url: where the browser goes.
        ticket: stays in the browser, and comes back together with the provider's answer.
    """

    url: str
    ticket: Secret


@dataclass(frozen=True, slots=True)
class Arrived:
    """A sign-in that came back.

    Attributes:
        signed: the fresh session; None after a step-up or a link, which keep theirs.
        to: where the person wanted to go.
        linked: whether an identity was linked.
    """

    signed: SignedIn | None
    to: str
    linked: bool = False


def counts_as_complete(provider: Provider, claims: Claims) -> bool:
    """Whether a sign-in there stands for a second factor here."""
    if provider.second_factor is SecondFactor.TRUST:
        return True
    return provider.second_factor is SecondFactor.AMR and _SEVERAL in claims.methods


@dataclass(slots=True)
class SingleSignOn:
    """Signing in at providers."""

    context: Context
    _parties: dict[str, OpenId] = field(default_factory=dict)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Those that the settings name, in their order."""
        return self.context.installation.single_sign_on

    def _party(self, key: str) -> OpenId:
        if key not in self._parties:
            for provider in self.providers:
                if provider.key == key:
                    self._parties[key] = OpenId(provider, self.context.clock)
        if key not in self._parties:
            raise NotFound("There is no such provider", code="unknown_provider")
        return self._parties[key]

    def redirect_uri(self, provider: Provider) -> str:
        """Where a provider sends people back; each has its own, so that none answers for another."""
        return f"{self.context.installation.url}/sign-in/with/{provider.key}/done"

    # -- there -----------------------------------------------------------------------------------

    async def begin(self, key: str, to: str) -> Begun:
        """Send somebody to a provider to sign in.

        Raises:
            NotFound: there is no such provider.
            Unavailable: it cannot be asked.
        """
        return await self._begin(key, {"errand": _SIGN_IN, "to": to, "session": ""}, afresh=False)

    async def begin_step_up(self, visitor: Visitor, key: str, to: str) -> Begun:
        """Send whoever is signed in there to sign in again, as a fresh proof.

        Raises:
            NotFound: there is no such provider.
            Unavailable: it cannot be asked.
        """
        contents = {"errand": _STEP_UP, "to": to, "session": visitor.session.id}
        return await self._begin(key, contents, afresh=True)

    async def begin_link(self, visitor: Visitor, key: str, to: str) -> Begun:
        """Send whoever is signed in here to a provider, to link who they are there.

        Raises:
            NotFound: there is no such provider.
            Refused: the person has not proved again who they are.
            Unavailable: the provider cannot be asked.
        """
        require_escalated(visitor, self.context.clock.now())
        return await self._begin(
            key, {"errand": _LINK, "to": to, "session": visitor.session.id}, afresh=False
        )

    async def _begin(self, key: str, contents: dict[str, str], *, afresh: bool) -> Begun:
        party, asking = self._party(key), Asking.fresh()
        url = await party.address(asking, self.redirect_uri(party.provider), afresh=afresh)
        inside = {
            **contents,
            "provider": key,
            "state": asking.state,
            "nonce": asking.nonce,
            "verifier": asking.verifier,
        }
        return Begun(url, make_ticket(self.context, Errand.SINGLE_SIGN_ON, inside))

    # -- and back --------------------------------------------------------------------------------

    async def finish(
        self, key: str, ticket: Secret, answer: Mapping[str, str], caller: Caller, visitor: Visitor | None
    ) -> Arrived:
        """Take a provider's answer.

        Args:
            key: the provider that the browser came back from.
            ticket: what the browser kept.
            answer: the query with which it came.
            caller: who asks.
            visitor: who is signed in, for a step-up or a link.

        Raises:
            NotFound: there is no such provider.
            Refused: ticket, answer or person do not pass.
            Conflict: the identity is somebody else's.
            Unavailable: the provider cannot be asked.
        """
        context, party = self.context, self._party(key)
        provider = party.provider
        inside = await context.store.write(lambda tx: take_ticket(context, tx, Errand.SINGLE_SIGN_ON, ticket))
        asking = Asking(inside["state"], inside["nonce"], inside["verifier"])
        self._require_ours(provider, inside, answer)
        claims = await party.redeem(asking, answer.get("code", ""), self.redirect_uri(provider))
        self._require_domain(provider, claims)
        if inside["errand"] == _SIGN_IN:
            signed = await context.store.write(lambda tx: self._sign_in(tx, provider, claims, caller))
            return Arrived(signed, inside["to"])
        if visitor is None or visitor.session.id != inside["session"]:
            raise refused(provider, "another session")
        if inside["errand"] == _LINK:
            await context.store.write(lambda tx: self._link_own(tx, provider, claims, visitor, caller))
            return Arrived(None, inside["to"], linked=True)
        await context.store.write(lambda tx: self._step_up(tx, provider, claims, visitor, caller))
        return Arrived(None, inside["to"])

    def _require_ours(self, provider: Provider, inside: Mapping[str, str], answer: Mapping[str, str]) -> None:
        state = answer.get("state", "")
        if inside["provider"] != provider.key or not hmac.compare_digest(
            inside["state"].encode(), state.encode()
        ):
            raise refused(provider, "state")
        if answer.get("iss", provider.issuer) != provider.issuer:  # RFC 9207 §2.4
            raise refused(provider, "iss of the answer")
        if answer.get("error"):
            raise Refused(f"{provider.label} did not sign you in.", code="sso_denied")
        if not answer.get("code"):
            raise refused(provider, "no code")

    def _require_domain(self, provider: Provider, claims: Claims) -> None:
        """Require an address of the provider's domains at every sign-in: one issuer may serve everybody."""
        host = claims.email.lower().rpartition("@")[2]
        if provider.domains and host not in provider.domains:
            raise Refused(
                f"{provider.label} gave no verified address of {', '.join(provider.domains)}.",
                code="sso_domain",
            )

    # -- who it is -------------------------------------------------------------------------------

    async def _sign_in(self, tx: Transaction, provider: Provider, claims: Claims, caller: Caller) -> SignedIn:
        user = await self._known(tx, provider, claims)
        if user is None:
            user = await self._by_address(tx, provider, claims, caller)
        data = await tx.people.sign_in_data(user.id)
        if data.disabled_at:
            raise Refused("This account is disabled.", code="user_disabled")
        complete = not data.second_factor or counts_as_complete(provider, claims)
        return await open_session(
            self.context,
            tx,
            user,
            caller,
            f"{SINGLE_SIGN_ON}: {provider.key}",
            complete=complete,
            fresh=self._lately(claims),
        )

    async def _known(self, tx: Transaction, provider: Provider, claims: Claims) -> User | None:
        identity = await tx.proofs.identity(provider.issuer, claims.subject)
        if identity is None:
            return None
        now = self.context.clock.now()
        await tx.proofs.use_identity(provider.issuer, claims.subject, claims.email, now)
        return await tx.accounts.user(identity.user_id)

    async def _by_address(self, tx: Transaction, provider: Provider, claims: Claims, caller: Caller) -> User:
        """Who has the verified address, linked from now on; somebody new where the settings allow that."""
        unknown = Refused(
            f"Nobody here is linked to this account at {provider.label}; ask an administrator to invite you.",
            code="sso_unknown_person",
        )
        try:
            email = normal_email(claims.email)
        except Invalid:
            raise unknown from None
        user = await tx.people.user_by_email(email)
        if user is None:
            user = await self._create(tx, provider, claims, email, caller)
        if user is None:
            raise unknown
        data = await tx.people.sign_in_data(user.id)
        if not data.disabled_at:
            await self._link(tx, provider, claims, user, caller)
            await self._verify_address(tx, data)
        return user

    async def _create(
        self, tx: Transaction, provider: Provider, claims: Claims, email: str, caller: Caller
    ) -> User | None:
        context = self.context
        slug = provider.organization
        organization = await tx.accounts.organization_by_slug(slug) if slug else None
        if organization is None:
            return None
        now = context.clock.now()
        name = " ".join(claims.name.split())[:MAX_NAME] or email
        user = User(UserId(context.new_id()), email, name, "", now)
        await tx.accounts.add_user(user)
        by = acting(user, caller)
        await context.record(tx, by, Action.USER_CREATED, organization.id, ("user", user.id))
        await join(context, tx, by, Member(organization.id, user.id, provider.role, now))
        return user

    async def _link(
        self, tx: Transaction, provider: Provider, claims: Claims, user: User, caller: Caller
    ) -> None:
        now = self.context.clock.now()
        await tx.proofs.add_identity(
            Identity(provider.issuer, claims.subject, user.id, claims.email, now, now)
        )
        data: dict[str, object] = {"issuer": provider.issuer, "subject": claims.subject}
        by = acting(user, caller)
        await record_person(self.context, tx, by, Action.USER_IDENTITY_LINKED, user.id, data)

    async def _verify_address(self, tx: Transaction, data: SignInData) -> None:
        if not data.email_verified_at:
            verified = replace(data, email_verified_at=self.context.clock.now())
            await tx.people.save_sign_in_data(verified)

    # -- while in --------------------------------------------------------------------------------

    async def _link_own(
        self, tx: Transaction, provider: Provider, claims: Claims, visitor: Visitor, caller: Caller
    ) -> None:
        known = await tx.proofs.identity(provider.issuer, claims.subject)
        if known is not None and known.user_id != visitor.user.id:
            raise Conflict(
                f"This account at {provider.label} is linked to somebody else.", code="identity_taken"
            )
        if known is None:
            await self._link(tx, provider, claims, visitor.user, caller)

    async def _step_up(
        self, tx: Transaction, provider: Provider, claims: Claims, visitor: Visitor, caller: Caller
    ) -> None:
        known = await self._known(tx, provider, claims)
        data = await tx.people.sign_in_data(visitor.user.id)
        if known is None or known.id != visitor.user.id or not self._lately(claims):
            raise refused(provider, "no fresh proof of this person")
        if data.second_factor and not counts_as_complete(provider, claims):
            raise Refused(
                "Confirm with your second factor here; this provider's does not count.", code="sso_not_enough"
            )
        if not await escalate_session(self.context, tx, visitor, caller):
            raise Refused("You are not signed in, or not any more.", code="session_ended")

    def _lately(self, claims: Claims) -> bool:
        """Whether the person proved who they are at the provider just now, not by an older session there."""
        return -MINUTE_US < self.context.clock.now() - claims.at < ESCALATED_US
