"""Access: a person inside an organization, as far as the presented token and the policy let them."""

from dataclasses import dataclass, replace

from watchword.domain.accounts import Member, Organization, Role, SsoMode, User
from watchword.domain.addresses import contains, parse_address
from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.events import SYSTEM, Actor
from watchword.domain.ids import ClusterId, OrganizationId, TeamId, UserId
from watchword.domain.operations import OPERATIONS
from watchword.domain.policy import Standing, allows
from watchword.domain.portals import PORTAL_TOKENS, Portal
from watchword.domain.restrictions import parse_networks
from watchword.domain.securitypolicy import SecurityPolicy
from watchword.domain.teams import TeamRole
from watchword.domain.tokens import Token
from watchword.services.context import Caller
from watchword.services.second_factor import require_person
from watchword.services.sessions import SINGLE_SIGN_ON
from watchword.services.verifying import Presented
from watchword.store.base import Transaction


@dataclass(frozen=True, slots=True)
class Access:
    """A person inside an organization: what the token opens, cut by what its owner may do.

    A portal's own token has no person behind it: `user` and `member` then stand for the portal, with its id,
    and belong to nobody.

    Attributes:
        presented: the token behind it; None where the person is signed in on the console.
        policy: the organization's security policy.
    """

    organization: Organization
    member: Member
    user: User
    caller: Caller
    standing: Standing
    policy: SecurityPolicy
    presented: Presented | None

    @property
    def id(self) -> OrganizationId:
        """The organization's id."""
        return self.organization.id

    def may(self, operation: str, *, cluster: ClusterId | None = None, team: TeamId | None = None) -> bool:
        """Whether the person has the right that an operation asks for; scopes are checked before."""
        return allows(self.standing, OPERATIONS[operation].right, cluster=cluster, team=team)

    def require(
        self, operation: str, *, cluster: ClusterId | None = None, team: TeamId | None = None
    ) -> None:
        """Require the right that an operation asks for.

        Raises:
            Forbidden: the person does not have it.
        """
        if not self.may(operation, cluster=cluster, team=team):
            raise Forbidden("You're not allowed to do that")


async def enter(
    tx: Transaction,
    presented: Presented,
    slug: str,
    address: str | None,
    request_id: str,
    user_agent: str = "",
) -> Access:
    """Enter an organization by its slug; one that is unknown, foreign or left answers alike.

    Raises:
        NotFound: the token does not reach it.
        Forbidden: the organization's allowlist does not hold the caller's address; the account is disabled;
            or it lacks the second factor that the organization requires.
    """
    organization = await tx.accounts.organization_by_slug(slug)
    return await _enter(tx, presented, organization, address, request_id, user_agent)


async def enter_by_id(
    tx: Transaction,
    presented: Presented,
    organization_id: OrganizationId,
    address: str | None,
    request_id: str,
    user_agent: str = "",
) -> Access:
    """Enter an organization by its id; see `enter`.

    Raises:
        NotFound: the token does not reach it.
        Forbidden: the organization's allowlist does not hold the caller's address; the account is disabled;
            or it lacks the second factor that the organization requires.
    """
    organization = await tx.accounts.organization(organization_id)
    return await _enter(tx, presented, organization, address, request_id, user_agent)


async def enter_in_person(tx: Transaction, user: User, slug: str, caller: Caller) -> Access:
    """Enter an organization as a person who is signed in on the console; see `enter`.

    Raises:
        NotFound: there is none, or the person does not belong to it.
        Forbidden: the organization's allowlist does not hold the caller's address; the account is disabled;
            or it lacks the second factor that the organization requires.
    """
    organization = await tx.accounts.organization_by_slug(slug)
    return await _enter_as(tx, user.id, organization, caller, None)


async def enter_too(tx: Transaction, access: Access, organization_id: OrganizationId) -> Access:
    """Enter a further organization in the same way as a first one; a portal has one alone.

    Raises:
        NotFound: it cannot be reached so.
        Forbidden: as in `enter`.
    """
    caller, organization = access.caller, await tx.accounts.organization(organization_id)
    if access.presented is None:
        return await _enter_as(tx, access.user.id, organization, caller, None)
    return await _enter(tx, access.presented, organization, caller.address, caller.request_id)


async def _enter(
    tx: Transaction,
    presented: Presented,
    organization: Organization | None,
    address: str | None,
    request_id: str,
    user_agent: str = "",
) -> Access:
    token = presented.holder
    if token.kind in PORTAL_TOKENS:
        caller = Caller(SYSTEM, address, request_id, user_agent, token.id)
        return await _enter_by_portal(tx, presented, organization, caller)
    if organization is None or token.user_id is None:
        raise NotFound("No organization found")
    grant = await tx.policies.grant(organization.id, token.id)
    if grant is None or grant.ended_at:
        raise NotFound("No organization found")
    caller = Caller(SYSTEM, address, request_id, user_agent, token.id)
    return await _enter_as(tx, token.user_id, organization, caller, presented)


async def _enter_by_portal(
    tx: Transaction, presented: Presented, organization: Organization | None, caller: Caller
) -> Access:
    """Enter with a portal's token: as whoever approved it, with today's rights, or as the portal itself.

    The portal administers its organization, as far as its stored document goes (contract rest-graphql §5.1).
    """
    token = presented.holder
    portal = None
    if organization is not None and token.organization_id == organization.id and token.resource_id:
        portal = await tx.portals.find(organization.id, token.resource_id)
    if organization is None or portal is None:
        raise NotFound("No organization found")
    if token.user_id is not None:
        return await _enter_as(tx, token.user_id, organization, caller, presented)
    policy = await tx.policies.policy(organization.id)
    require_address(policy, caller.address)
    nobody = User(UserId(portal.id), "", portal.name, "", portal.created_at)
    member = Member(organization.id, nobody.id, Role.ADMIN, portal.created_at)
    named = replace(caller, actor=portal_actor(portal))
    return Access(organization, member, nobody, named, Standing(Role.ADMIN), policy, presented)


async def _enter_as(
    tx: Transaction,
    user_id: UserId,
    organization: Organization | None,
    caller: Caller,
    presented: Presented | None,
) -> Access:
    """Enter as a person; the caller's actor becomes that person."""
    if organization is None:
        raise NotFound("No organization found")
    member = await tx.accounts.member(organization.id, user_id)
    user = await tx.accounts.user(user_id)
    if member is None or user is None:
        raise NotFound("No organization found")
    if presented is None:
        require_way_in(member, caller)
    policy = await tx.policies.policy(organization.id)
    require_address(policy, caller.address)
    require_person(policy, await tx.people.sign_in_data(user.id))
    standing = await standing_of(tx, member)
    named = replace(caller, actor=user_actor(user))
    return Access(organization, member, user, named, standing, policy, presented)


def require_way_in(member: Member, caller: Caller) -> None:
    """Require that a member who has to sign in at a provider did so.

    Raises:
        Forbidden: they came in otherwise.
    """
    if member.sso_mode is SsoMode.REQUIRED and not caller.sign_in.startswith(SINGLE_SIGN_ON):
        raise Forbidden(
            "This organization lets you in by single sign-on alone. Sign out, and sign in there.",
            code="sso_required",
        )


def require_address(policy: SecurityPolicy, address: str | None) -> None:
    """Require that an organization's allowlist holds an address; an unknown address is outside.

    Raises:
        Forbidden: it does not.
    """
    if not policy.allowed_networks:
        return
    parsed = parse_address(address) if address else None
    if parsed is None or not contains(parse_networks(policy.allowed_networks), parsed):
        raise Forbidden(
            "This organization's API may not be called from your address.", code="address_not_allowed"
        )


async def standing_of(tx: Transaction, member: Member) -> Standing:
    """Where a member stands; what an administrator maintains need not be read."""
    if member.role is Role.ADMIN:
        return Standing(member.role)
    clusters = await tx.teams.maintained(member.organization_id, member.user_id)
    places = await tx.teams.places(member.organization_id, member.user_id)
    teams = frozenset(place.team_id for place in places if place.role is TeamRole.MAINTAINER)
    return Standing(member.role, clusters, teams)


def user_actor(user: User) -> Actor:
    """A person as the audit trail names it."""
    return Actor("user", user.id, user.name)


def portal_actor(portal: Portal) -> Actor:
    """A portal as the audit trail names it."""
    return Actor("portal", portal.id, portal.name)


async def belonging(tx: Transaction, user: User) -> list[tuple[Organization, Member]]:
    """Organizations that a person belongs to with the membership, by name."""
    found = []
    for member in await tx.people.memberships(user.id):
        organization = await tx.accounts.organization(member.organization_id)
        if organization is not None:
            found.append((organization, member))
    return sorted(found, key=lambda each: (each[0].name, each[0].slug))


async def reachable(tx: Transaction, presented: Presented) -> list[Organization]:
    """Organizations that the token reaches and its owner belongs to, oldest first."""
    token = presented.holder
    found: list[Organization] = []
    if token.kind in PORTAL_TOKENS:
        return await _reachable_by_portal(tx, token)
    if token.user_id is None or (await tx.people.sign_in_data(token.user_id)).disabled_at:
        return found
    for grant in await tx.policies.grants_of(token.id):
        organization = await tx.accounts.organization(grant.organization_id)
        if grant.ended_at or organization is None:
            continue
        if await tx.accounts.member(organization.id, token.user_id) is not None:
            found.append(organization)
    return found


async def _reachable_by_portal(tx: Transaction, token: Token) -> list[Organization]:
    """The organization of a portal; none where the member who approved the token may not come in any more."""
    if token.user_id is not None:
        left = await tx.accounts.member(token.organization_id, token.user_id) is None
        if left or (await tx.people.sign_in_data(token.user_id)).disabled_at:
            return []
    organization = await tx.accounts.organization(token.organization_id)
    return [organization] if organization is not None else []
