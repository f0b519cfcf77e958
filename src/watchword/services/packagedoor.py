"""The door of package registries: who may read or write which packages, with what they show.

A registry token reads one registry. A temporary package token reads or writes one, for a person who must
still reach it. An API access token does what its scopes and its owner may. Nobody needs anything to read a
public registry; what is shown there all the same has to be live.
"""

from dataclasses import dataclass

from watchword.domain.errors import NotFound
from watchword.domain.events import SYSTEM, Actor
from watchword.domain.ids import TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.packages import PackageAccess
from watchword.domain.registries import SERVED, Registry
from watchword.domain.tokens import Reason
from watchword.services.access import enter, require_address, user_actor
from watchword.services.context import Caller, Context
from watchword.services.registries import MISSING, find_registry, registry_of_member
from watchword.services.second_factor import require_person
from watchword.services.verifying import Presented, Verifier, refusal
from watchword.store.base import Transaction

KINDS = (Kind.REGISTRY, Kind.TEMPORARY_PACKAGE, Kind.API_ACCESS)


@dataclass(frozen=True, slots=True)
class Knock:
    """Who asks, for what.

    Attributes:
        value: what was shown; None for nothing.
        organization: a slug.
        registry: a slug.
        address: the client's; None where it is ambiguous.
        agent: the client's name.
    """

    value: str | None
    organization: str
    registry: str
    address: str | None
    agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody inside a registry.

    Attributes:
        slug: the organization's.
        user_id: the person; None for a registry token, and for anybody at a public registry.
        token_id: empty where nothing was shown.
    """

    slug: str
    registry: Registry
    caller: Caller
    user_id: UserId | None
    token_id: TokenId


@dataclass(frozen=True, slots=True)
class PackageDoor:
    """Lets in."""

    context: Context
    verifier: Verifier

    async def admit(self, knock: Knock, wanted: PackageAccess) -> Admitted:
        """Enter a registry of Python packages.

        What is not there, foreign and not reached answers alike: to nobody that something must be shown,
        to holders of live tokens that there is no such registry.

        Raises:
            Refused: nothing was shown that has to be, or it does not pass.
            NotFound: there is no such registry for it, or it serves no packages.
            Forbidden: the person behind it may not.
        """
        presented = None
        if knock.value is not None or wanted is PackageAccess.WRITE:
            presented = await self.verifier.verify(
                knock.value, KINDS, address=knock.address, scope=wanted.scope, agent=knock.agent
            )

        async def work(tx: Transaction) -> Admitted:
            if presented is None:
                return await _anybody(tx, knock)
            if presented.kind is Kind.API_ACCESS:
                return await _with_api_token(tx, knock, presented, wanted)
            return await _with_package_token(tx, knock, presented)

        found = await self.context.store.read(work)
        if not found.registry.served:
            raise NotFound(
                f"This registry is of the ecosystem {found.registry.ecosystem}; "
                f"packages are served of {', '.join(SERVED)} alone.",
                code="ecosystem_not_served",
            )
        return found


def _caller(knock: Knock, actor: Actor, token_id: str) -> Caller:
    return Caller(actor, knock.address, knock.request_id, knock.agent, token_id)


async def _anybody(tx: Transaction, knock: Knock) -> Admitted:
    organization = await tx.accounts.organization_by_slug(knock.organization)
    registry = await tx.registries.by_slug(organization.id, knock.registry) if organization else None
    if organization is None or registry is None or not registry.public:
        raise refusal(Reason.MISSING)
    return Admitted(organization.slug, registry, _caller(knock, SYSTEM, ""), None, TokenId(""))


async def _with_api_token(
    tx: Transaction, knock: Knock, presented: Presented, wanted: PackageAccess
) -> Admitted:
    access = await enter(tx, presented, knock.organization, knock.address, knock.request_id, knock.agent)
    access.require(f"package.{wanted.value}")
    registry = await find_registry(tx, access, knock.registry)
    return Admitted(access.organization.slug, registry, access.caller, access.user.id, presented.holder.id)


async def _with_package_token(tx: Transaction, knock: Knock, presented: Presented) -> Admitted:
    token = presented.holder
    organization = await tx.accounts.organization_by_slug(knock.organization)
    if organization is None or organization.id != token.organization_id:
        raise NotFound(MISSING)
    actor = Actor("token", token.id, token.description)
    if token.user_id is None:
        registry = await tx.registries.by_slug(organization.id, knock.registry)
    else:
        registry = await registry_of_member(tx, organization.id, knock.registry, token.user_id)
        user = await tx.accounts.user(token.user_id)
        policy = await tx.policies.policy(organization.id)
        require_address(policy, knock.address)
        require_person(policy, await tx.people.sign_in_data(token.user_id))
        actor = user_actor(user) if user is not None else actor
    if registry is None or registry.resource_id != token.resource_id:
        raise NotFound(MISSING)
    return Admitted(organization.slug, registry, _caller(knock, actor, token.id), token.user_id, token.id)
