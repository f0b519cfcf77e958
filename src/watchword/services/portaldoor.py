"""The door of portals: who may run one, and how programs come by tokens (contract rest-graphql §5.1-5.4)."""

import hmac
import secrets
from dataclasses import dataclass

from watchword.crypto.values import Secret, digest
from watchword.domain.accounts import Organization
from watchword.domain.errors import Forbidden, Malformed, NotFound, Refused
from watchword.domain.events import Action
from watchword.domain.formats import Site
from watchword.domain.kinds import Kind
from watchword.domain.portals import (
    CODE_KEPT_US,
    CODE_US,
    EPHEMERAL_US,
    USER_US,
    Portal,
    PortalCode,
    lifetime,
)
from watchword.domain.restrictions import Restrictions, parse_networks
from watchword.domain.tokens import State, Token
from watchword.services.access import Access, enter, portal_actor, require_address, user_actor
from watchword.services.context import Caller, Context
from watchword.services.issuing import Issued
from watchword.services.portals import find_portal
from watchword.services.portaltokens import issue_in
from watchword.services.verifying import Presented, Verifier
from watchword.store.base import Transaction

# The code stands in an address; what is worth something is the secret beside it.
_CODE_BYTES = 15
_SECRET_BYTES = 32
_MAX_CLIENT = 255
_NO_CLIENT = "The portal or the secret is not right."
_NO_CODES = "This portal cannot be invoked by users."
_NO_GRANT = "The code or its secret is not right, or it was used before."


class InvalidClient(Refused):
    """Portal and secret do not go together; one text for every way in which they may not."""

    code = "invalid_client"


class GrantRefused(Malformed):
    """A code gives no token, now or ever; `code` is the word of RFC 8628 §3.5."""

    code = "invalid_grant"


@dataclass(frozen=True, slots=True)
class AskedCode:
    """A fresh code with its secret, which the program keeps, and the address that a member is to open."""

    code: str
    secret: Secret
    url: str
    expires_at: int


@dataclass(slots=True)
class PortalDoor:
    """Lets runs in, and gives tokens for secrets and codes."""

    context: Context
    verifier: Verifier

    async def enter(
        self, presented: Presented, slug: str, portal_slug: str, address: str | None, request_id: str
    ) -> Portal:
        """The portal that a token is to run, as it is now.

        Raises:
            NotFound: there is none in the token's organization.
            Forbidden: it is another portal's token; portal or organization does not let the address call;
                or the member who approved the token may not come in any more.
        """

        async def work(tx: Transaction) -> Portal:
            organization = await tx.accounts.organization_by_slug(slug)
            if organization is None or organization.id != presented.organization_id:
                raise NotFound("No portal found")
            portal = await find_portal(tx, organization.id, portal_slug)
            if presented.holder.resource_id != portal.id:
                raise Forbidden("This token belongs to another portal.", code="token_other_portal")
            _require_network(portal, address)
            try:
                await enter(tx, presented, slug, address, request_id)
            except NotFound:
                raise Forbidden(
                    "Whoever approved this token does not belong to the organization any more.",
                    code="approver_left",
                ) from None
            return portal

        return await self.context.store.read(work)

    async def ephemeral(
        self,
        slug: str,
        portal_slug: str,
        client_id: str,
        value: str,
        minutes: int | None,
        caller: Caller,
    ) -> Issued:
        """A short token for a secret (`client_credentials`).

        Args:
            slug: the organization's.
            portal_slug: the portal's.
            client_id: the portal's id once more.
            value: the secret's value.
            minutes: how long the token lives; None means 60, which is also the most.
            caller: from where it is asked.

        Raises:
            InvalidClient: portal, id and secret do not go together, or the secret has ended.
            Forbidden: portal or organization does not let the address call.
            Invalid: the number of minutes is not acceptable.
        """
        try:
            presented = await self.verifier.verify(
                value, (Kind.PORTAL_SECRET,), address=caller.address, agent=caller.user_agent
            )
        except Refused:
            raise InvalidClient(_NO_CLIENT) from None

        async def work(tx: Transaction) -> Issued:
            secret = await tx.tokens.find(presented.organization_id, presented.holder.id)
            _, portal = await _found(tx, slug, portal_slug)
            if secret is None or portal is None or not _fits(secret, portal, client_id):
                raise InvalidClient(_NO_CLIENT)
            policy = await tx.policies.policy(portal.organization_id)
            require_address(policy, caller.address)
            _require_network(portal, caller.address)
            now = self.context.clock.now()
            named = Caller(
                portal_actor(portal), caller.address, caller.request_id, caller.user_agent, secret.id
            )
            return await issue_in(
                self.context,
                tx,
                named,
                portal,
                Kind.PORTAL_EPHEMERAL,
                parent_id=secret.id,
                expires_at=now + lifetime(minutes, EPHEMERAL_US),
            )

        return await self.context.store.write(work)

    async def ask_code(self, slug: str, portal_slug: str, caller: Caller) -> AskedCode:
        """A fresh code for a portal that members may invoke.

        Raises:
            Forbidden: there is no such portal, it is not for users, or the address may not call; one text.
        """
        code, secret = secrets.token_urlsafe(_CODE_BYTES), Secret(secrets.token_urlsafe(_SECRET_BYTES))
        now = self.context.clock.now()

        async def work(tx: Transaction) -> None:
            _, portal = await _found(tx, slug, portal_slug)
            if portal is None or not portal.user_invokable or _outside(portal, caller.address):
                raise Forbidden(_NO_CODES, code="not_user_invokable")
            await tx.portals.forget_codes(now - CODE_KEPT_US)
            await tx.portals.add_code(
                PortalCode(
                    organization_id=portal.organization_id,
                    portal_id=portal.id,
                    digest=digest(code),
                    secret_digest=digest(secret.reveal()),
                    created_at=now,
                    expires_at=now + CODE_US,
                    address=caller.address or "",
                    client=caller.user_agent[:_MAX_CLIENT],
                )
            )

        await self.context.store.write(work)
        site = Site(self.context.installation.url)
        url = site.web("organizations", slug, "portals", portal_slug, "codes", code)
        return AskedCode(code, secret, url, now + CODE_US)

    async def exchange(
        self,
        slug: str,
        portal_slug: str,
        code: str,
        secret: str,
        minutes: int | None,
        caller: Caller,
    ) -> Issued:
        """A member's token for an approved code (`device_code`); a code gives one token.

        Raises:
            GrantRefused: `authorization_pending`, `access_denied`, `expired_token` or `invalid_grant`.
            Forbidden: the portal does not let the address call.
            Invalid: the number of minutes is not acceptable.
        """
        value_digest, secret_digest = digest(code), digest(secret)

        async def work(tx: Transaction) -> Issued:
            organization, portal = await _found(tx, slug, portal_slug)
            row = None
            if portal is not None and portal.user_invokable:
                row = await tx.portals.code(portal.organization_id, portal.id, value_digest)
            # Compared also where there is none, so that both take the same time.
            proved = hmac.compare_digest(row.secret_digest if row is not None else b"", secret_digest)
            if organization is None or portal is None or row is None or not proved:
                raise GrantRefused(_NO_GRANT)
            _require_network(portal, caller.address)
            now = self.context.clock.now()
            life = lifetime(minutes, USER_US)
            _require_approved(row, now)
            named = await _approver(tx, organization, row, caller)
            if not await tx.portals.use_code(organization.id, portal.id, value_digest, now):
                raise GrantRefused(_NO_GRANT)
            return await issue_in(
                self.context,
                tx,
                named,
                portal,
                Kind.PORTAL_USER,
                user_id=row.decided_by,
                expires_at=now + life,
                created_by=row.decided_by,
            )

        return await self.context.store.write(work)

    async def shown_in(
        self, tx: Transaction, access: Access, portal_slug: str, code: str
    ) -> tuple[Portal, PortalCode]:
        """A portal and an open code of it, for the member who is to decide.

        Raises:
            NotFound: there is no such code, or it is over, decided or used.
        """
        portal = await tx.portals.by_slug(access.id, portal_slug)
        row = None
        if portal is not None and portal.user_invokable:
            row = await tx.portals.code(access.id, portal.id, digest(code))
        if portal is None or row is None or not _undecided(row, self.context.clock.now()):
            raise NotFound("This code is not open any more. Ask for a new one.", code="code_not_open")
        return portal, row

    async def decide_in(
        self, tx: Transaction, access: Access, portal_slug: str, code: str, *, approve: bool
    ) -> Portal:
        """Approve or deny a code as a signed-in member: the token that it gives acts as that member.

        Raises:
            NotFound: there is no such code, or it is over, decided or used.
        """
        portal, row = await self.shown_in(tx, access, portal_slug, code)
        now = self.context.clock.now()
        if not await tx.portals.decide(
            access.id, portal.id, row.digest, access.user.id, now, approve=approve
        ):
            raise NotFound("This code is not open any more. Ask for a new one.", code="code_not_open")
        action = Action.PORTAL_CODE_AUTHORIZED if approve else Action.PORTAL_CODE_DENIED
        data = {"slug": portal.slug, "asked_from": row.address, "client": row.client}
        await self.context.record(tx, access.caller, action, access.id, ("portal", portal.id), data)
        return portal


async def _found(tx: Transaction, slug: str, portal_slug: str) -> tuple[Organization | None, Portal | None]:
    organization = await tx.accounts.organization_by_slug(slug)
    if organization is None:
        return None, None
    return organization, await tx.portals.by_slug(organization.id, portal_slug)


def _fits(secret: Token, portal: Portal, client_id: str) -> bool:
    """Whether a live secret is the portal's, and the caller knows which portal that is."""
    return (
        secret.state is State.ACTIVE
        and secret.organization_id == portal.organization_id
        and secret.resource_id == portal.id
        and client_id.lower() == portal.id
    )


def _outside(portal: Portal, address: str | None) -> bool:
    return Restrictions(networks=parse_networks(portal.allowed_networks)).refuse_address(address)


def _require_network(portal: Portal, address: str | None) -> None:
    if _outside(portal, address):
        raise Forbidden("This portal may not be called from your address.", code="address_not_allowed")


def _undecided(row: PortalCode, now: int) -> bool:
    return not row.approved_at and not row.denied_at and not row.used_at and now < row.expires_at


def _require_approved(row: PortalCode, now: int) -> None:
    if row.used_at:
        raise GrantRefused(_NO_GRANT)
    if row.denied_at:
        raise GrantRefused("The member denied it.", code="access_denied")
    if now >= row.expires_at:
        raise GrantRefused("The code has expired; ask for a new one.", code="expired_token")
    if not row.approved_at:
        raise GrantRefused("No member has approved the code yet.", code="authorization_pending")


async def _approver(tx: Transaction, organization: Organization, row: PortalCode, caller: Caller) -> Caller:
    """The member who approved a code, as the one who acts.

    Raises:
        GrantRefused: they left meanwhile, or their account is disabled.
    """
    user = await tx.accounts.user(row.decided_by) if row.decided_by is not None else None
    member = await tx.accounts.member(organization.id, user.id) if user is not None else None
    if user is None or member is None or (await tx.people.sign_in_data(user.id)).disabled_at:
        raise GrantRefused("Whoever approved it may not come in any more.", code="access_denied")
    return Caller(user_actor(user), caller.address, caller.request_id, caller.user_agent)
