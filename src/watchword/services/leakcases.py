"""Cases of leaks as people see them: who sees which, lists, and one by its id.

Administrators see all of an organization, cluster maintainers those of tokens of their clusters, everybody
those of API access tokens of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from watchword.domain.accounts import Organization, User
from watchword.domain.errors import NotFound
from watchword.domain.ids import ClusterId, LeakId, OrganizationId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Leak, LeakState
from watchword.domain.tokens import State, Token
from watchword.services.access import Access, belonging
from watchword.store.base import Page, Transaction
from watchword.store.base_leaks import LeakQuery as LeakQuery  # noqa: PLC0414 - handed on to the surfaces

_OWN = Page(limit=100)


@dataclass(frozen=True, slots=True)
class Case:
    """A case with its token; that is None for a job token, whose record is its job."""

    leak: Leak
    token: Token | None

    @property
    def cluster_id(self) -> ClusterId | None:
        """The cluster whose maintainers look after it."""
        return self.token.cluster_id if self.token is not None else None

    def live(self, now: int) -> bool:
        """Whether the token has not ended; of a job token, whether the case is open."""
        if self.token is None:
            return self.leak.state is not LeakState.CLOSED
        return self.token.state_at(now) is State.ACTIVE


def query_for(
    access: Access,
    *,
    states: tuple[LeakState, ...] = (),
    kind: Kind | None = None,
    reporter: str = "",
) -> LeakQuery:
    """Which cases a person sees, narrowed down.

    Raises:
        Forbidden: the person sees none.
    """
    whole = access.may("leak.read")
    if not whole and not access.standing.clusters:
        access.require("leak.read")
    clusters = None if whole else access.standing.clusters
    return LeakQuery(
        organization_id=access.id, states=states, kind=kind, reporter=reporter, clusters=clusters
    )


async def cases_in(tx: Transaction, asked: LeakQuery, page: Page) -> list[Case]:
    """Cases that fit, the most urgent first, with their tokens."""
    return [await with_token(tx, leak) for leak in await tx.leaks.search(asked, page)]


async def tally_in(tx: Transaction, asked: LeakQuery) -> Mapping[LeakState, int]:
    """How many cases fit, by state; those of none are 0."""
    found = await tx.leaks.tally(asked)
    return {state: found.get(state, 0) for state in LeakState}


async def reporters_in(tx: Transaction, organization_id: OrganizationId) -> list[str]:
    """Who has reported cases of an organization, by name."""
    return list(await tx.leaks.reporters(organization_id))


async def find_case(tx: Transaction, access: Access, operation: str, text: str) -> Case:
    """A case by the id in a path, for whoever may do something with it.

    Raises:
        Forbidden: the person may not, or it is not theirs to see.
        NotFound: there is none.
    """
    if not access.may(operation) and not access.standing.clusters:
        access.require(operation)
    leak = await tx.leaks.find(access.id, LeakId(text.lower())) if is_uuid(text) else None
    case = await with_token(tx, leak) if leak is not None else None
    access.require(operation, cluster=case.cluster_id if case is not None else None)
    if case is None:
        raise NotFound("No leak found")
    return case


async def own_cases(tx: Transaction, user: User) -> list[tuple[Organization, Case]]:
    """Cases of API access tokens of a person's, in all organizations that they belong to."""
    found = []
    for organization, _ in await belonging(tx, user):
        asked = LeakQuery(organization_id=organization.id, kind=Kind.API_ACCESS, owner=user.id)
        found += [(organization, case) for case in await cases_in(tx, asked, _OWN)]
    return found


async def find_own_case(tx: Transaction, user: User, text: str) -> tuple[Organization, Case]:
    """A case of a person's own API access token, by the id in a path.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    for organization, _ in await belonging(tx, user) if is_uuid(text) else ():
        leak = await tx.leaks.find(organization.id, LeakId(text.lower()))
        case = await with_token(tx, leak) if leak is not None else None
        if case is not None and _is_own(case, user):
            return organization, case
    raise NotFound("No leak found")


def _is_own(case: Case, user: User) -> bool:
    token = case.token
    return token is not None and token.kind is Kind.API_ACCESS and token.user_id == user.id


async def with_token(tx: Transaction, leak: Leak) -> Case:
    """A case with its token."""
    return Case(leak, await tx.tokens.find(leak.organization_id, leak.token_id))


async def open_case_of(tx: Transaction, token: Token) -> Leak | None:
    """The case of a token that is not closed; None where there is none."""
    leak = await tx.leaks.of_token(token.organization_id, token.id)
    return leak if leak is not None and leak.state is not LeakState.CLOSED else None


async def to_look_at(tx: Transaction, organization_id: OrganizationId) -> tuple[int, int]:
    """How many cases of an organization are not closed, and how many of those wait for a decision."""
    found = await tx.leaks.tally(LeakQuery(organization_id=organization_id))
    held = found.get(LeakState.HELD, 0)
    return held + found.get(LeakState.OPEN, 0), held
