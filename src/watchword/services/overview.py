"""Overview: what needs attention in an organization now, and what went on in the last day and month.

Agents, jobs, rotations and incidents are counted in memory; tokens are read once for all concerns.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from watchword.domain.events import (
    TOPIC_REACH_CHANGED,
    TOPIC_TOKEN_CHANGED,
    TOPIC_TOKEN_ENDED,
    TOPIC_TOKEN_IMPORTED,
    Notice,
)
from watchword.domain.hygiene import Flag, reminder_due
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.incidents import Incident
from watchword.domain.rotations import Progress, Rotation, progress
from watchword.domain.tallies import (
    LOST,
    REGISTERED,
    HourlyCount,
    Period,
    last_day,
    last_days,
    refusal_reason,
    refused,
)
from watchword.domain.tokens import MINUTE_US, Token
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.dispatching import Dispatcher
from watchword.services.fleet import Fleet, LiveAgent
from watchword.services.hygiene import Finding, Report, report_apart
from watchword.services.leakcases import to_look_at
from watchword.services.ledger import Ledger
from watchword.services.tokensearch import SEARCHED, TokenFinder
from watchword.store.base import Transaction
from watchword.store.base_tokensearch import TokenQuery

MONTH_DAYS = 30
_SHOWN = 5
_MAX_ROTATIONS = 20
_KEPT_US = MINUTE_US

# What stands together, the most pressing first; a token that has several flags of one counts once.
EXPIRIES = {"expires_in_1_day": 1, "expires_in_7_days": 7, "expires_in_30_days": 30}
CONCERNS: dict[str, tuple[Flag, ...]] = {
    "owner_gone": (Flag.OWNER_LEFT, Flag.OWNER_DISABLED),
    "over_broad": (Flag.ALL_SCOPES, Flag.ADMIN_ANYWHERE, Flag.NO_EXPIRY, Flag.DELETING),
    "unused": (Flag.UNUSED_LONG, Flag.UNUSED),
    "never_used": (Flag.NEVER_USED,),
    "nearly_used_up": (Flag.NEARLY_USED_UP,),
    "no_description": (Flag.NO_DESCRIPTION,),
    "imported": (Flag.IMPORTED,),
}
NAMES = (*EXPIRIES, *CONCERNS)


@dataclass(frozen=True, slots=True)
class Concern:
    """Tokens that need attention for one reason.

    Attributes:
        name: one of `NAMES`.
        count: how many they are.
        first: some of them.
    """

    name: str
    count: int
    first: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RotationUnderWay:
    """An open rotation, its predecessor, and how far it is."""

    rotation: Rotation
    predecessor: Token
    progress: Progress


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """Live agents by what they do; each is counted once.

    Attributes:
        joining: registered, and not connected yet.
        stopping: to leave after their job.
        paused: taking no jobs for a while.
        silent: not heard of for longer than two heartbeats: about to be lost.
    """

    idle: int = 0
    busy: int = 0
    joining: int = 0
    stopping: int = 0
    paused: int = 0
    silent: int = 0

    @property
    def total(self) -> int:
        """All live agents."""
        return self.idle + self.busy + self.joining + self.stopping + self.paused + self.silent


@dataclass(frozen=True, slots=True)
class JobFigures:
    """Unfinished jobs.

    Attributes:
        running: in an agent's hands.
        scheduled: ready for an agent.
        held_back: waiting for other jobs or for a place in their concurrency group.
    """

    running: int = 0
    scheduled: int = 0
    held_back: int = 0


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened in the steps of a period.

    Attributes:
        registrations: agents that registered.
        lost: agents that fell silent.
        refusals: refusals of the organization's tokens by reason, the most frequent reason first.
    """

    period: Period
    registrations: tuple[int, ...]
    lost: tuple[int, ...]
    refusals: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the overview of an organization shows to those who may see all of it.

    Attributes:
        inspected: how many live tokens were looked at.
        incidents: open ones, the latest first.
        leaks: cases of leaks that are not closed.
        leaks_held: those of them that wait for a decision.
    """

    inspected: int
    concerns: tuple[Concern, ...]
    incidents: tuple[Incident, ...]
    rotations: tuple[RotationUnderWay, ...]
    leaks: int = 0
    leaks_held: int = 0


@dataclass(slots=True)
class Overseer:
    """Gathers the overview of an organization.

    What hygiene finds is kept for a minute, or until a token or a person's reach changes.
    """

    context: Context
    ledger: Ledger
    fleet: Fleet
    dispatcher: Dispatcher
    finder: TokenFinder
    _known: dict[OrganizationId, tuple[int, Report]] = field(default_factory=dict)
    _changes: Counter[OrganizationId] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Hear of every change."""
        for topic in (TOPIC_TOKEN_ENDED, TOPIC_TOKEN_CHANGED, TOPIC_TOKEN_IMPORTED, TOPIC_REACH_CHANGED):
            self.context.feed.follow(topic, self._forget)

    def _forget(self, notice: Notice) -> None:
        self._changes[notice.organization_id] += 1
        self._known.pop(notice.organization_id, None)

    async def report(self, organization_id: OrganizationId) -> Report:
        """What hygiene finds, at most a minute old; the caller has seen to the right to it."""
        now = self.context.clock.now()
        known = self._known.get(organization_id)
        if known is not None and now - known[0] < _KEPT_US:
            return known[1]
        changes = self._changes[organization_id]
        found = await report_apart(self.context.store, self.ledger, organization_id, now)
        if changes == self._changes[organization_id]:  # else it may be older than what was told meanwhile
            self._known[organization_id] = now, found
        return found

    async def look(self, access: Access) -> Overview:
        """What needs attention now.

        Raises:
            Forbidden: the person may not see everybody's tokens.
        """
        access.require("hygiene.read")
        found = await self.report(access.id)
        return await self.context.store.read(lambda tx: self._look_in(tx, access, found))

    async def _look_in(self, tx: Transaction, access: Access, found: Report) -> Overview:
        now = self.context.clock.now()
        incidents = [
            one for one in self.finder.attention.incidents.values() if one.organization_id == access.id
        ]
        leaks, held = await to_look_at(tx, access.id)
        return Overview(
            inspected=found.inspected,
            concerns=tuple(_concerns(found, now)),
            incidents=tuple(sorted(incidents, key=lambda one: one.last_at, reverse=True)),
            rotations=await self._rotations_in(tx, access.id),
            leaks=leaks,
            leaks_held=held,
        )

    def agents(self, organization_id: OrganizationId) -> AgentFigures:
        """Live agents by what they do, from memory."""
        late = self.context.clock.now() - 2 * self.context.installation.heartbeat_interval * 1_000_000
        every = self.fleet.agents.values()
        counts = Counter(_doing(live, late) for live in every if live.organization_id == organization_id)
        return AgentFigures(**counts)

    async def jobs_in(self, tx: Transaction, organization_id: OrganizationId) -> JobFigures:
        """Unfinished jobs; those that are held back are counted by the database."""
        held = self.dispatcher.held.values()
        held_back = await tx.builds.count_held_back(organization_id)
        return JobFigures(
            running=sum(job.organization_id == organization_id for job in held),
            scheduled=self.dispatcher.lines.scheduled(organization_id),
            held_back=sum(each.jobs for each in held_back),
        )

    async def last_day_in(self, tx: Transaction, organization_id: OrganizationId) -> Activity:
        """The last 24 hours."""
        return await self._activity_in(tx, organization_id, last_day(self.context.clock.now()))

    async def last_month_in(self, tx: Transaction, organization_id: OrganizationId) -> Activity:
        """The last 30 days, in UTC."""
        return await self._activity_in(tx, organization_id, last_days(self.context.clock.now(), MONTH_DAYS))

    async def _activity_in(
        self, tx: Transaction, organization_id: OrganizationId, period: Period
    ) -> Activity:
        unwritten = self.context.tally.unwritten(organization_id)
        counts = [*await tx.tallies.since(organization_id, period.first, period.step), *unwritten]
        return Activity(
            period=period,
            registrations=period.series(counts, REGISTERED),
            lost=period.series(counts, LOST),
            refusals=_refusals(period, counts),
        )

    async def _rotations_in(
        self, tx: Transaction, organization_id: OrganizationId
    ) -> tuple[RotationUnderWay, ...]:
        """Open rotations, the nearest deadline first; their tokens are read in one statement."""
        rotations = self.finder.rotations(organization_id)[:_MAX_ROTATIONS]
        if not rotations:
            return ()
        asked = TokenQuery(
            organization_id=organization_id,
            now=self.context.clock.now(),
            kinds=SEARCHED,
            only=frozenset(one.predecessor_id for one in rotations),
            limit=_MAX_ROTATIONS,
        )
        tokens = {each.token.id: each.token for each in await tx.token_search.page(asked)}
        agents = self.fleet.held(organization_id)
        return tuple(
            RotationUnderWay(one, tokens[one.predecessor_id], _progress(one, agents))
            for one in rotations
            if one.predecessor_id in tokens
        )


def _progress(rotation: Rotation, agents: Counter[TokenId]) -> Progress:
    return progress(rotation, agents[rotation.predecessor_id], agents[rotation.successor_id])


def _concerns(found: Report, now: int) -> list[Concern]:
    """What the findings have in common, the most pressing first; what concerns no token is left out."""
    groups = {name: concerned(found, name, now) for name in NAMES}
    return [Concern(name, len(rows), _first(name, rows)) for name, rows in groups.items() if rows]


def concerned(found: Report, name: str, now: int) -> list[Finding]:
    """Findings that need attention for one reason of `NAMES`."""
    if name in EXPIRIES:
        days = EXPIRIES[name]
        return [each for each in found.findings if reminder_due(each.token, now) == days]
    flags = CONCERNS[name]
    return [each for each in found.findings if any(flag in each.flags for flag in flags)]


def _first(name: str, rows: Sequence[Finding]) -> tuple[Finding, ...]:
    """Some of them: of those that expire the ones that do so first, else the oldest."""
    expiring = name.startswith("expires_")

    def place(each: Finding) -> tuple[int, str]:
        return each.token.expires_at if expiring else each.token.created_at, each.token.id

    return tuple(sorted(rows, key=place)[:_SHOWN])


def _doing(live: LiveAgent, late: int) -> str:
    """What a live agent does, as `AgentFigures` names it."""
    if not live.connected:
        return "joining"
    if live.seen_at < late:
        return "silent"
    if live.order is not None:
        return "stopping" if live.order.stop else "paused"
    return "busy" if live.job_id is not None else "idle"


def _refusals(period: Period, counts: Sequence[HourlyCount]) -> dict[str, tuple[int, ...]]:
    reasons = {reason for each in counts if (reason := refusal_reason(each.name))}
    series = {reason: period.series(counts, refused(reason)) for reason in reasons}
    seen = {reason: values for reason, values in series.items() if any(values)}
    return dict(sorted(seen.items(), key=lambda item: (-sum(item[1]), item[0])))
