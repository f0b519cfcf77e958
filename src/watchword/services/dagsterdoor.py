"""The door to Dagster+: who presents a token, which deployments it may serve, and what its owner is there.

What agent tokens may serve is kept in memory, because agents ask twice a second, and forgotten before a
change of it is acknowledged. A person's standing is read anew at each call (contract §13).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchword.domain.accounts import Organization, User
from watchword.domain.dagsterroles import Act, DagsterStanding
from watchword.domain.deployments import Deployment, DeploymentKind, Permitted
from watchword.domain.errors import Forbidden
from watchword.domain.events import TOPIC_DEPLOYMENT_CHANGED, Notice
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Reason, Token
from watchword.services.access import require_address, user_actor
from watchword.services.context import Caller, Context
from watchword.services.deployments import EVERY_DEPLOYMENT
from watchword.services.refusing import refusal
from watchword.services.second_factor import require_person
from watchword.services.verifying import Presented, Verifier
from watchword.store.base import Transaction

KINDS = (Kind.DAGSTER_AGENT, Kind.DAGSTER_USER)
_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Place:
    """An organization's deployments that are not deleted, by name."""

    organization: Organization
    deployments: Mapping[str, Deployment]


@dataclass(frozen=True, slots=True)
class Guest:
    """Whoever came in.

    Attributes:
        permitted: of an agent token; None for a person's.
        user, standing: of a person's token; None for an agent's.
    """

    place: Place
    presented: Presented
    caller: Caller
    permitted: Permitted | None = None
    user: User | None = None
    standing: DagsterStanding | None = None

    @property
    def id(self) -> OrganizationId:
        """The organization's id."""
        return self.place.organization.id

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent token."""
        return self.permitted is not None

    def serves(self, name: str) -> Deployment | None:
        """The deployment of a name that the agent token may serve; None for any other."""
        found = self.place.deployments.get(name)
        if found is None or self.permitted is None or not self.permitted.allows(found):
            return None
        return found

    def may(self, act: Act, deployment: Deployment | None = None) -> bool:
        """Whether the person may do something; agent tokens may nothing of it."""
        return self.standing is not None and self.standing.may(act, deployment)

    def require(self, act: Act, deployment: Deployment | None = None) -> User:
        """The person, who may do something.

        Raises:
            Forbidden: they may not, or it is an agent token.
        """
        if self.user is None or not self.may(act, deployment):
            raise Forbidden("You're not allowed to do that")
        return self.user


@dataclass(slots=True)
class Door:
    """Lets tokens in."""

    context: Context
    verifier: Verifier
    _places: dict[OrganizationId, Place] = field(default_factory=dict)
    _permitted: dict[TokenId, Permitted] = field(default_factory=dict)
    _changes: int = 0

    def __post_init__(self) -> None:
        """Hear of every change."""
        self.context.feed.follow(TOPIC_DEPLOYMENT_CHANGED, self._forget)

    def _forget(self, notice: Notice) -> None:
        self._changes += 1
        self._places.pop(OrganizationId(notice.payload), None)
        self._permitted.clear()

    async def enter(self, value: str | None, caller: Caller) -> Guest:
        """Let a value in.

        Raises:
            Refused: it does not pass, or its owner left the organization.
            Forbidden: the organization keeps its owner, or the address, out.
        """
        presented = await self.verifier.verify(value, KINDS, address=caller.address, agent=caller.user_agent)
        token = presented.holder
        if token.kind is Kind.DAGSTER_AGENT:
            place = self._places.get(token.organization_id) or await self._place(token.organization_id)
            permitted = self._permitted.get(token.id) or await self._permissions(token)
            return Guest(place, presented, caller, permitted)
        return await self._person(presented, token, caller)

    async def _place(self, organization_id: OrganizationId) -> Place:
        changes = self._changes
        place = await self.context.store.read(lambda tx: place_in(tx, organization_id))
        if changes == self._changes:  # else it may be older than what was published meanwhile
            self._places[organization_id] = place
        return place

    async def _permissions(self, token: Token) -> Permitted:
        changes = self._changes

        async def work(tx: Transaction) -> Permitted:
            return Permitted.of(await tx.deployments.grants(token.organization_id, token.id))

        permitted = await self.context.store.read(work)
        if changes == self._changes:
            if len(self._permitted) >= _KEPT:
                self._permitted.clear()
            self._permitted[token.id] = permitted
        return permitted

    async def _person(self, presented: Presented, token: Token, caller: Caller) -> Guest:
        async def work(tx: Transaction) -> Guest:
            member = user = None
            if token.user_id is not None:
                member = await tx.accounts.member(token.organization_id, token.user_id)
                user = await tx.accounts.user(token.user_id)
            if member is None or user is None:
                raise refusal(Reason.REVOKED)
            policy = await tx.policies.policy(token.organization_id)
            require_address(policy, caller.address)
            require_person(policy, await tx.people.sign_in_data(user.id))
            roles = await tx.deployments.roles(token.organization_id, user.id)
            named = Caller(user_actor(user), caller.address, caller.request_id, caller.user_agent, token.id)
            return Guest(
                await place_in(tx, token.organization_id),
                presented,
                named,
                user=user,
                standing=DagsterStanding.of(member.role, roles),
            )

        return await self.context.store.read(work)


async def place_in(tx: Transaction, organization_id: OrganizationId) -> Place:
    """An organization with its deployments.

    Raises:
        Refused: it is gone.
    """
    organization = await tx.accounts.organization(organization_id)
    if organization is None:
        raise refusal(Reason.REVOKED)
    found = [
        *await tx.deployments.list(organization_id, DeploymentKind.FULL, EVERY_DEPLOYMENT),
        *await tx.deployments.list(organization_id, DeploymentKind.BRANCH, EVERY_DEPLOYMENT),
    ]
    return Place(organization, {deployment.name: deployment for deployment in found})
