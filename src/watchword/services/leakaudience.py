"""Whom a leak concerns: who holds the token, who administers what it reaches, who maintains its cluster."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from watchword.domain.accounts import Organization, User
from watchword.domain.ids import ClusterId, JobId, OrganizationId, TeamId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Leak, Outcome, Sighting
from watchword.domain.pipelines import Job
from watchword.domain.tokens import State, Token
from watchword.store.base import EVERYTHING, Page, Transaction

# Places that a message may show; the page of the case has all of them.
_PLACES = 50


class Part(StrEnum):
    """Why somebody is told; of several the first one here counts."""

    ADMIN = "admin"  # of the organization that the token belongs to
    MAINTAINER = "maintainer"  # of its cluster
    OWNER = "owner"
    REACHED = "reached"  # administrator of another organization that the token reaches

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return tuple(Part).index(self)


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who is told of a case.

    Attributes:
        organization: in whose name: the one that the person belongs to.
        own: whether it is the person's own token.
    """

    user: User
    organization: Organization
    part: Part
    own: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A leak with what is told of it.

    Attributes:
        home: the organization that the token belongs to.
        token: None of a job token, whose record is `job`.
        name: what people know the token by: its description, or the agent or job that it is for.
        live: whether the value passes now, quarantines aside.
        places: where it was seen, the most public first.
        deadline: when a rotation that is under way ends.
    """

    leak: Leak
    home: Organization
    token: Token | None
    cluster_id: ClusterId | None
    name: str
    live: bool
    places: tuple[Sighting, ...]
    deadline: int = 0
    listeners: tuple[Listener, ...] = ()


@dataclass(slots=True)
class Audience:
    """Finds listeners within one read; what many cases share is asked for once."""

    tx: Transaction
    now: int
    _organizations: dict[OrganizationId, Organization | None] = field(default_factory=dict)
    _administrators: dict[OrganizationId, Sequence[User]] = field(default_factory=dict)
    _maintainers: dict[ClusterId, Sequence[User]] = field(default_factory=dict)

    async def cases(self, leaks: Sequence[Leak]) -> list[Case]:
        """Cases with their listeners; disabled people are left out."""
        found = [case for leak in leaks if (case := await self._case(leak)) is not None]
        people = {listener.user.id for case in found for listener in case.listeners}
        out = await self.tx.hygiene.disabled(people)
        return [
            replace(case, listeners=tuple(one for one in case.listeners if one.user.id not in out))
            for case in found
        ]

    async def _case(self, leak: Leak) -> Case | None:
        """None where the organization is gone: then there is nobody to tell."""
        home = await self._organization(leak.organization_id)
        if home is None:
            return None
        rows = await self.tx.leaks.sightings(home.id, leak.id, Page(_PLACES))
        places = tuple(sorted(rows, key=lambda one: (-one.visibility.reach, one.first_at)))
        if leak.kind is Kind.JOB:
            case = await self._of_job(leak, home, places)
        else:
            case = await self._of_token(leak, home, places)
        return replace(case, listeners=tuple(await self._listeners(case)))

    async def _of_job(self, leak: Leak, home: Organization, places: tuple[Sighting, ...]) -> Case:
        job: Job | None = await self.tx.builds.job(home.id, JobId(leak.token_id))
        if job is None:
            return Case(leak, home, None, None, "", live=False, places=places)
        name = f"job {job.label or job.step_key or job.id}"
        return Case(leak, home, None, job.cluster_id, name, live=job.state.held, places=places)

    async def _of_token(self, leak: Leak, home: Organization, places: tuple[Sighting, ...]) -> Case:
        token = await self.tx.tokens.find(home.id, leak.token_id)
        if token is None:
            return Case(leak, home, None, None, "", live=False, places=places)
        cluster_id, name = token.cluster_id, token.description
        if token.agent_id is not None:
            agent = await self.tx.fleet.find(home.id, token.agent_id)
            if agent is not None:
                cluster_id, name = agent.cluster_id, f"agent {agent.name}"
        deadline = 0
        if leak.outcome is Outcome.ROTATING:
            rotation = await self.tx.rotations.open_with(home.id, token.id)
            deadline = rotation.deadline if rotation is not None else 0
        live = token.state_at(self.now) is State.ACTIVE
        return Case(leak, home, token, cluster_id, name, live=live, places=places, deadline=deadline)

    async def _listeners(self, case: Case) -> list[Listener]:
        """Everybody once, for the weightiest reason."""
        home, token = case.home, case.token
        found = [Listener(user, home, Part.ADMIN) for user in await self._administrators_of(home.id)]
        if case.cluster_id is not None:
            maintainers = await self._maintainers_of(home.id, case.cluster_id)
            found += [Listener(user, home, Part.MAINTAINER) for user in maintainers]
        reached = await self._reached(token) if token is not None else []
        owner = token.user_id if token is not None else None
        if owner is not None:
            found += await self._owner(owner, [home, *reached])
        for organization in reached:
            administrators = await self._administrators_of(organization.id)
            found += [Listener(user, organization, Part.REACHED) for user in administrators]
        first: dict[UserId, Listener] = {}
        for one in sorted(found, key=lambda one: one.part.rank):
            first.setdefault(one.user.id, replace(one, own=one.user.id == owner))
        return list(first.values())

    async def _owner(self, user_id: UserId, organizations: Sequence[Organization]) -> list[Listener]:
        """The owner in the first organization that they are still in; nobody where there is none."""
        user = await self.tx.accounts.user(user_id)
        if user is None:
            return []
        for organization in organizations:
            if await self.tx.accounts.member(organization.id, user_id) is not None:
                return [Listener(user, organization, Part.OWNER)]
        return []

    async def _reached(self, token: Token) -> list[Organization]:
        """Other organizations that a token reaches."""
        found = []
        for grant in await self.tx.policies.grants_of(token.id):
            if not grant.ended_at and grant.organization_id != token.organization_id:
                organization = await self._organization(grant.organization_id)
                found += [organization] if organization is not None else []
        return found

    async def _organization(self, organization_id: OrganizationId) -> Organization | None:
        if organization_id not in self._organizations:
            found = await self.tx.accounts.organization(organization_id)
            self._organizations[organization_id] = found
        return self._organizations[organization_id]

    async def _administrators_of(self, organization_id: OrganizationId) -> Sequence[User]:
        if organization_id not in self._administrators:
            found = await self.tx.hygiene.administrators(organization_id)
            self._administrators[organization_id] = found
        return self._administrators[organization_id]

    async def _maintainers_of(self, organization_id: OrganizationId, cluster_id: ClusterId) -> Sequence[User]:
        """People who maintain a cluster, directly or through a team, and are members still."""
        if cluster_id not in self._maintainers:
            found: dict[UserId, User] = {}
            for row in await self.tx.teams.appointments(organization_id, cluster_id, EVERYTHING):
                people = [row.user] if row.user is not None else []
                if row.team is not None:
                    people = await self._in_team(organization_id, row.team.id)
                for user in people:
                    if await self.tx.accounts.member(organization_id, user.id) is not None:
                        found[user.id] = user
            self._maintainers[cluster_id] = list(found.values())
        return self._maintainers[cluster_id]

    async def _in_team(self, organization_id: OrganizationId, team_id: TeamId) -> list[User]:
        rows = await self.tx.teams.members(organization_id, team_id, EVERYTHING)
        return [user for _, user in rows]
