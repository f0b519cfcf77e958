"""Token exchange (RFC 8693): an application's assertion for an access token of a person (contract §5.7).

The order is the contract's: signature, claims, replay, audience, application, address, person, scope. A `jti`
is used up by the unit of work that writes the token, and by nothing else.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from watchword.crypto.idtokens import BadToken, UnknownKey, read_unverified
from watchword.crypto.values import Secret
from watchword.domain.accounts import User
from watchword.domain.events import Action, Actor
from watchword.domain.exchanges import (
    ALGORITHMS,
    ASSERTION_TYPE,
    MAX_ASSERTION_S,
    USER_EMAIL,
    USER_UUID,
    ExchangeApplication,
    refuse_assertion,
)
from watchword.domain.ids import UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.oauth import OAuthError
from watchword.domain.oauthapplications import is_client_id
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.scopes import canonical
from watchword.domain.securitypolicy import Grant
from watchword.domain.workloads import IdentityUse
from watchword.services.context import Caller, Context
from watchword.services.issuing import add_token, build_token, mint_value
from watchword.services.keysets import KeySets, KeySource
from watchword.store.base import Transaction

_SECOND_US = 1_000_000
_SIGNATURE = "Invalid client assertion signature"
_MAX_DIGITS = 9
_MAX_EMAIL = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeCall:
    """What an application sends."""

    assertion_type: str
    assertion: Secret
    subject: str
    subject_type: str
    audience: str
    scope: str = ""
    expires_in: str = ""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What it gets; `expires_in` is seconds."""

    value: Secret
    expires_in: int
    scope: str


@dataclass(slots=True)
class Exchanger:
    """Exchanges assertions for tokens."""

    context: Context
    key_sets: KeySets

    async def exchange(self, caller: Caller, endpoint: str, asked: ExchangeCall) -> Exchanged:
        """Exchange an assertion.

        Args:
            caller: from where it comes.
            endpoint: the token endpoint's public address.
            asked: the form.

        Raises:
            OAuthError: it does not pass; `code` and text are the contract's.
            Unavailable: the application's keys cannot be fetched now.
        """
        if asked.assertion_type != ASSERTION_TYPE:
            raise OAuthError("invalid_request", f"The client_assertion_type is {ASSERTION_TYPE}.")
        if asked.subject_type not in (USER_EMAIL, USER_UUID):
            raise OAuthError("invalid_request", f"The subject_token_type is {USER_EMAIL} or {USER_UUID}.")
        application, claims = await self._proved(asked.assertion)
        now = self.context.clock.now()
        problem = refuse_assertion(
            claims,
            application.client_id,
            endpoint,
            now / _SECOND_US,
            require_jti=application.require_jti,
        )
        if problem:
            raise OAuthError("invalid_client", problem)
        value = mint_value(self.context, Kind.TOKEN_EXCHANGE)
        return await self.context.store.write(
            lambda tx: self._exchange_in(tx, caller, application, claims, asked, value)
        )

    async def _proved(self, assertion: Secret) -> tuple[ExchangeApplication, Mapping[str, Any]]:
        """The application whose key signed the assertion, and its claims."""
        try:
            client = read_unverified(assertion.reveal()).claims.get("iss")
        except BadToken:
            raise OAuthError("invalid_client", _SIGNATURE) from None
        application = None
        if isinstance(client, str) and is_client_id(client):
            application = await self.context.store.read(lambda tx: tx.exchanges.by_client(client))
        if application is None:
            raise OAuthError("invalid_client", _SIGNATURE)
        source = KeySource(url=application.jwks_url, inline=application.jwks)
        try:
            verified = await self.key_sets.verify(assertion.reveal(), source, ALGORITHMS)
        except (BadToken, UnknownKey):
            raise OAuthError("invalid_client", _SIGNATURE) from None
        return application, verified.claims

    async def _exchange_in(
        self,
        tx: Transaction,
        caller: Caller,
        known: ExchangeApplication,
        claims: Mapping[str, Any],
        asked: ExchangeCall,
        value: Secret,
    ) -> Exchanged:
        application = await tx.exchanges.by_client(known.client_id)
        if application is None or application.updated_at != known.updated_at:
            raise OAuthError("invalid_client", _SIGNATURE)
        use = self._use(application, claims)
        if use is not None and await tx.workloads.use(application.organization_id, use.digest) is not None:
            raise OAuthError("invalid_client", "JWT has already been used (jti)")
        organization = await tx.accounts.organization_by_slug(asked.audience)
        if organization is None or organization.id != application.organization_id:
            raise OAuthError("invalid_target", "Invalid audience organization")
        if not application.enabled:
            raise OAuthError("unsupported_grant_type", "Token exchange is not enabled for this organization")
        networks = Restrictions(networks=parse_networks(application.exchange_networks))
        if networks.refuse_address(caller.address):
            raise OAuthError("unauthorized_client", "The application may not exchange from this address")
        user = await _subject(tx, application, asked)
        scopes = _scopes(application, asked.scope)
        seconds = _lifetime(application, asked.expires_in)
        if use is not None and not await tx.workloads.first_use(use):
            raise OAuthError("invalid_client", "JWT has already been used (jti)")
        await self._issue(tx, caller, application, user, scopes, seconds, value)
        return Exchanged(value, seconds, " ".join(sorted(scopes)))

    async def _issue(
        self,
        tx: Transaction,
        caller: Caller,
        application: ExchangeApplication,
        user: User,
        scopes: frozenset[str],
        seconds: int,
        value: Secret,
    ) -> None:
        now = self.context.clock.now()
        token = build_token(
            self.context,
            Kind.TOKEN_EXCHANGE,
            application.organization_id,
            value,
            description=application.name,
            user_id=user.id,
            scopes=scopes,
            restrictions=Restrictions(networks=parse_networks(application.use_networks)),
            expires_at=now + seconds * _SECOND_US,
            resource_id=application.id,
        )
        actor = Actor("exchange_application", application.id, application.name)
        by = Caller(actor, caller.address, caller.request_id, caller.user_agent)
        await add_token(self.context, tx, by, token, Action.TOKEN_CREATED)
        owner = application.organization_id
        await tx.policies.add_grant(Grant(owner, token.id, owner, now, user.id))

    def _use(self, application: ExchangeApplication, claims: Mapping[str, Any]) -> IdentityUse | None:
        """The use of an assertion that has a `jti`, remembered as long as it could pass."""
        jti = claims.get("jti")
        if jti is None:
            return None
        now = self.context.clock.now()
        text = f"assertion\0{application.client_id}\0{jti}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        until = now + 2 * MAX_ASSERTION_S * _SECOND_US
        return IdentityUse(application.organization_id, digest, "", 1, now, until)


async def _subject(tx: Transaction, application: ExchangeApplication, asked: ExchangeCall) -> User:
    """The person: an active member, by verified address or by id. Strangers and absent ones answer alike."""
    user = None
    if asked.subject_type == USER_UUID and is_uuid(asked.subject):
        user = await tx.accounts.user(UserId(asked.subject.lower()))
    elif asked.subject_type == USER_EMAIL and len(asked.subject) <= _MAX_EMAIL:
        user = await tx.people.user_by_email(asked.subject)
    proofs = await tx.people.sign_in_data(user.id) if user is not None else None
    verified = proofs is not None and (asked.subject_type == USER_UUID or proofs.email_verified_at)
    if (
        user is None
        or proofs is None
        or not verified
        or proofs.disabled_at
        or await tx.accounts.member(application.organization_id, user.id) is None
    ):
        raise OAuthError("invalid_request", "Subject user must be an active member of the organization")
    return user


def _scopes(application: ExchangeApplication, asked: str) -> frozenset[str]:
    words = asked.split() or application.defaults.split()
    if not words:
        raise OAuthError("invalid_scope", "No scope was requested and the application has no default scopes")
    try:
        scopes = frozenset(canonical(words))
    except ValueError:
        scopes = frozenset()
    if not scopes or not scopes <= frozenset(application.grantable.split()):
        raise OAuthError("invalid_scope", "Requested scopes exceed grantable scopes")
    return scopes


def _lifetime(application: ExchangeApplication, asked: str) -> int:
    if not asked:
        return application.max_ttl
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= _MAX_DIGITS and int(asked)):
        raise OAuthError("invalid_request", "The parameter expires_in is a number of seconds.")
    return min(int(asked), application.max_ttl)
