"""One case as its page shows it: where it was found, what it reaches, who used it since, what was done."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.accounts import Organization, User
from watchword.domain.errors import NotFound
from watchword.domain.events import Event
from watchword.domain.fleet import Agent
from watchword.domain.ids import UserId
from watchword.domain.kinds import Kind
from watchword.domain.leakadvice import Advice, Aftermath, advise
from watchword.domain.leakpolicy import Rule, responses_for
from watchword.domain.leaks import Leak, Outcome, Response, Sighting
from watchword.domain.lifecycle import BlastRadius, Receipt
from watchword.domain.rotations import Rotation
from watchword.domain.tokens import Token
from watchword.services.abilities import Joining, OrganizationAbilities, abilities_in, joining
from watchword.services.authority import Authority
from watchword.services.leakaudience import Audience, Listener, Part
from watchword.services.leakcases import Case
from watchword.services.queries import people
from watchword.services.trailsearch import TrailQuery, search_trail
from watchword.services.verifying import look_at
from watchword.store.base import Page, Transaction
from watchword.store.base_leaks import UsedSince

MAX_SIGHTINGS_SHOWN = 200
MAX_AGENTS = 100
MAX_USES = 1000
_MAX_EVENTS = 100
_AGENT_KINDS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)


@dataclass(frozen=True, slots=True)
class UseSince:
    """One client at one address since the value could be read; `new` where it was never seen before."""

    usage: UsedSince
    new: bool


@dataclass(frozen=True, slots=True)
class ReachOf:
    """What the token can do right now; what does not concern its kind is empty.

    Attributes:
        abilities: of an API access token, in this organization.
        elsewhere: how many other organizations it reaches.
        joining: of an agent token: which agents may register with it.
    """

    abilities: OrganizationAbilities | None = None
    elsewhere: int = 0
    joining: Joining | None = None


@dataclass(frozen=True, slots=True)
class LeakView:
    """Everything about a case, as one unit of work reads it.

    Attributes:
        owner: the person whose token it is; None where it is nobody's.
        live: whether the token has not ended.
        sightings: places, the first `MAX_SIGHTINGS_SHOWN`, oldest first.
        places: how many places are kept.
        radius: what the token's end would touch now; None for a job token.
        uses: who used it since it could be read, latest first, the first `MAX_USES`.
        before: from how many addresses it had been used until then.
        joined: agents that registered with it since, latest first, the first `MAX_AGENTS`.
        receipt: how access was last taken from it.
        rotation: the latest one that was to give it a successor.
        rule: what the rules say of such a find now.
        responses: what tokens of the kind can have.
        told: people of this organization who are told of it.
        told_elsewhere: how many administrators of others, which the token reaches, are told too.
        people: those whom the page names.
    """

    organization: Organization
    case: Case
    owner: User | None
    live: bool
    sightings: tuple[Sighting, ...]
    places: int
    reach: ReachOf
    radius: BlastRadius | None
    uses: tuple[UseSince, ...]
    before: int
    joined: tuple[Agent, ...]
    receipt: Receipt | None
    rotation: Rotation | None
    rule: Rule
    responses: tuple[Response, ...]
    advice: tuple[Advice, ...]
    told: tuple[Listener, ...]
    told_elsewhere: int
    people: dict[UserId, User]

    @property
    def leak(self) -> Leak:
        """The case itself."""
        return self.case.leak

    @property
    def token(self) -> Token | None:
        """The token; None for a job token."""
        return self.case.token

    @property
    def waiting(self) -> bool:
        """Whether the successor's value waits to be taken."""
        return bool(self.leak.handover)


async def view_leak(
    tx: Transaction, authority: Authority, organization: Organization, case: Case
) -> LeakView:
    """Look at a case; the caller has seen to the right to it."""
    leak, token, now = case.leak, case.token, authority.context.clock.now()
    uses, before = await _uses_in(tx, authority, case)
    joined = await _joined_in(tx, case)
    receipt = await _receipt_in(tx, authority, token)
    owner_id = token.user_id if token is not None else None
    revoked_by = receipt.revocation.by if receipt is not None else None
    creator = token.created_by if token is not None else None
    known = await people(tx, [owner_id, leak.acted_by, leak.closed_by, revoked_by, creator])
    rotation = await tx.rotations.of_predecessor(leak.organization_id, leak.token_id)
    live = case.live(now)
    after = Aftermath(
        live=live,
        used=bool(uses),
        strange=any(each.new for each in uses),
        joined=len(joined),
        waiting=bool(leak.handover),
        rotating=leak.outcome is Outcome.ROTATING and rotation is not None and rotation.open,
    )
    policy = await tx.leaks.policy(leak.organization_id)
    page = Page(MAX_SIGHTINGS_SHOWN)
    listeners = [one for told in await Audience(tx, now).cases([leak]) for one in told.listeners]
    return LeakView(
        organization=organization,
        case=case,
        owner=known.get(owner_id) if owner_id is not None else None,
        live=live,
        sightings=tuple(await tx.leaks.sightings(leak.organization_id, leak.id, page)),
        places=await tx.leaks.count_sightings(leak.organization_id, leak.id),
        reach=await _reach_in(tx, authority, organization, token),
        radius=await authority.blast.radius_in(tx, token) if token is not None else None,
        uses=uses,
        before=before,
        joined=joined,
        receipt=receipt,
        rotation=rotation,
        rule=policy.rule(leak.kind, leak.visibility),
        responses=responses_for(leak.kind),
        advice=advise(leak, after),
        told=tuple(one for one in listeners if one.part is not Part.REACHED),
        told_elsewhere=sum(one.part is Part.REACHED for one in listeners),
        people=known,
    )


async def _uses_in(tx: Transaction, authority: Authority, case: Case) -> tuple[tuple[UseSince, ...], int]:
    """Who used the token since it could be read, and from how many addresses it was used before."""
    leak = case.leak
    owner, token_id, since = leak.organization_id, leak.token_id, leak.exposed_at
    pending = authority.ledger.pending(owner, token_id)
    before = await tx.leaks.addresses_before(owner, token_id, since)
    before |= {use.address for use in pending if use.first_at < since}
    rows = [
        *await tx.leaks.used_since(owner, token_id, since, MAX_USES),
        *(
            UsedSince(use.address, use.version, use.first_at, use.last_at, use.count)
            for use in pending
            if use.last_at >= since
        ),
    ]
    return tuple(UseSince(row, row.address not in before) for row in _together(rows)), len(before)


def _together(rows: Sequence[UsedSince]) -> list[UsedSince]:
    """What is written and what is not yet, by address and client, latest first."""
    found: dict[tuple[str, str], UsedSince] = {}
    for row in rows:
        known = found.get((row.address, row.client))
        if known is not None:
            row = UsedSince(  # noqa: PLW2901 - the same row, with what was known
                row.address,
                row.client,
                min(row.first_at, known.first_at),
                max(row.last_at, known.last_at),
                row.count + known.count,
            )
        found[row.address, row.client] = row
    return sorted(found.values(), key=lambda one: (-one.last_at, one.address, one.client))


async def _joined_in(tx: Transaction, case: Case) -> tuple[Agent, ...]:
    leak = case.leak
    if leak.kind not in _AGENT_KINDS:
        return ()
    page = Page(MAX_AGENTS)
    return tuple(await tx.leaks.joined_since(leak.organization_id, leak.token_id, leak.exposed_at, page))


async def _reach_in(
    tx: Transaction, authority: Authority, organization: Organization, token: Token | None
) -> ReachOf:
    if token is not None and token.kind is Kind.API_ACCESS:
        found = await abilities_in(tx, look_at(token), only=organization)
        grants = await tx.policies.grants_of(token.id)
        others = [one for one in grants if not one.ended_at and one.organization_id != organization.id]
        return ReachOf(abilities=found[0] if found else None, elsewhere=len(others))
    if token is not None and token.kind in _AGENT_KINDS:
        return ReachOf(joining=await joining(tx, authority.verifier, token))
    return ReachOf()


async def _receipt_in(tx: Transaction, authority: Authority, token: Token | None) -> Receipt | None:
    if token is None:
        return None
    try:
        return await authority.revoker.latest_in(tx, token)
    except NotFound:
        return None


@dataclass(frozen=True, slots=True)
class LeakTrail:
    """What the audit trail has, oldest first.

    Attributes:
        done: what happened to the case and to the token since.
        calls: what was done with the token since it could be read.
        whole: whether that is all; else there is more in the trail.
    """

    done: tuple[Event, ...]
    calls: tuple[Event, ...]
    whole: bool


async def trail_of(authority: Authority, leak: Leak) -> LeakTrail:
    """What the audit trail has of a case; read apart, so that others have their turn in between."""
    store, owner = authority.context.store, leak.organization_id
    cases = await search_trail(
        store,
        owner,
        TrailQuery(action="leak.", token=leak.token_id),
        since=leak.first_at,
        limit=_MAX_EVENTS,
    )
    every = await search_trail(
        store, owner, TrailQuery(token=leak.token_id), since=leak.exposed_at, limit=_MAX_EVENTS
    )
    calls = [one for one in every.events if leak.token_id in (one.token_id, one.actor_id)]
    about = {one.sequence: one for one in cases.events}
    about |= {one.sequence: one for one in every.events if _about_the_token(one, leak)}
    return LeakTrail(
        done=tuple(about[each] for each in sorted(about)),
        calls=tuple(sorted(calls, key=lambda one: one.sequence)),
        whole=not (cases.whole or every.whole or cases.before or every.before),
    )


def _about_the_token(event: Event, leak: Leak) -> bool:
    """Whether an event says what became of the token, and was not done with the token itself."""
    if leak.token_id in (event.token_id, event.actor_id):
        return False
    return event.subject_id == leak.token_id or event.action.startswith(("rotation.", "leak."))
