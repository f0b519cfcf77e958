"""What every use case stands on: store, clock, keys, installation; who asks; and how it is recorded."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import msgspec

from watchword.crypto.keys import KeyRing
from watchword.crypto.values import Recogniser
from watchword.domain.destinations import Reach
from watchword.domain.errors import Unavailable
from watchword.domain.eventcatalogue import PRIVILEGED
from watchword.domain.events import REACH_CHANGES, SYSTEM, TOPIC_REACH_CHANGED, Action, Actor, Event
from watchword.domain.ids import RANDOM_BYTES, EventId, OrganizationId, uuid7
from watchword.domain.kinds import DEFAULT_BRAND, DEFAULT_CELL
from watchword.domain.leakdoors import LookupBy, Possession
from watchword.domain.leakpolicy import Breaker
from watchword.domain.notifications import Occurrence
from watchword.domain.quotas import Quotas
from watchword.domain.ratelimits import RateLimits
from watchword.domain.retention import Retention
from watchword.domain.webhooks import EVENTS_OF
from watchword.feed.base import Feed
from watchword.objects.base import Nowhere, Objects
from watchword.services.announcing import Announcer
from watchword.services.leakreporters import Reporter
from watchword.services.providers import Provider
from watchword.services.tallying import Tally
from watchword.store.base import Store, Transaction


class Clock(Protocol):
    """Tells the time; tests set it."""

    def now(self) -> int:
        """Microseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is the same for the whole installation.

    Attributes:
        url: public address of the server, without a slash at the end.
        brand: prefix of new values; `former_brands` stay verifiable.
        cell: number in new values.
        ping_interval: seconds that agents wait between pings.
        job_status_interval: seconds between looks at a running job's state.
        heartbeat_interval: seconds between heartbeats.
        ping_streams: how many agents may listen for work on a stream; 0 where all ask every few seconds.
        session_on_job_routes: whether agents older than 3.39 may use their session token for a job.
        session_idle_hours: hours without use that end a person's session.
        session_days: days that end it however much it is used.
        quotas: what one organization, build or job may take.
        rate_limits: how much of REST and GraphQL organizations and people may use.
        retention: how long what has ended is kept.
        reach: what requests to addresses that tenants name may reach.
        webhook_ips: addresses from which webhooks come, as they are told to the public.
        single_sign_on: providers at which people sign in.
        breaker: how much one reporter of leaks may take away before a person is asked.
        leak_reporters: whose reports of leaks are taken.
        leak_possession: what follows when somebody shows the whole value of a token.
        leak_lookup: who may ask by digest prefix whether a value is live.
        job_identity_seconds: the longest life of an identity token that a job asks for.
        job_identity_algorithm: with which new keys of job identity sign.
    """

    url: str = "http://127.0.0.1:8080"
    brand: str = DEFAULT_BRAND
    former_brands: tuple[str, ...] = ()
    cell: int = DEFAULT_CELL
    ping_interval: int = 2
    job_status_interval: int = 2
    heartbeat_interval: int = 60
    ping_streams: int = 20_000
    session_on_job_routes: bool = True
    session_idle_hours: int = 12
    session_days: int = 14
    quotas: Quotas = field(default_factory=Quotas)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    retention: Retention = field(default_factory=Retention)
    reach: Reach = field(default_factory=Reach)
    webhook_ips: tuple[str, ...] = ()
    single_sign_on: tuple[Provider, ...] = ()
    breaker: Breaker = field(default_factory=Breaker)
    leak_reporters: tuple[Reporter, ...] = ()
    leak_possession: Possession = Possession.REVOKE
    leak_lookup: LookupBy = LookupBy.PUBLIC
    job_identity_seconds: int = 3600
    job_identity_algorithm: str = "RS256"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from where, in which request, with which client and API access token.

    Attributes:
        sign_in: how a person came in who is signed in on the console; empty for everybody else.
    """

    actor: Actor
    address: str | None = None
    request_id: str = ""
    user_agent: str = ""
    token_id: str = ""
    sign_in: str = ""


LOCAL = Caller(SYSTEM)
_MAX_USER_AGENT = 255


@dataclass(slots=True)
class AuditGate:
    """Lets privileged actions pass only while the audit trail is published outside the database (R13).

    Attributes:
        closed: whether they are refused; set by whoever publishes.
    """

    closed: bool = False

    def require(self, action: Action) -> None:
        """Require that an action may be recorded now.

        Raises:
            Unavailable: it is privileged and the trail is not published.
        """
        if self.closed and action in PRIVILEGED:
            raise Unavailable(
                "The audit trail cannot be published, so nothing is issued, revealed or granted; "
                "an operator must see to the file of its heads.",
                code="audit_unavailable",
            )


@dataclass(slots=True)
class IdSource:
    """Makes ids that rise, also within one microsecond and while a clock stands still."""

    last: int = 0

    def next(self, now: int) -> str:
        """An id of `now`, or of just after the last one."""
        self.last = max(now, self.last + 1)
        return uuid7(self.last, secrets.token_bytes(RANDOM_BYTES))


@lru_cache(maxsize=8)
def _recogniser(brands: tuple[str, ...]) -> Recogniser:
    """Its expressions take longer to make than to use."""
    return Recogniser(brands)


@dataclass(frozen=True, slots=True)
class Context:
    """The ground under every service."""

    store: Store
    feed: Feed
    clock: Clock
    keys: KeyRing
    installation: Installation = field(default_factory=Installation)
    ids: IdSource = field(default_factory=IdSource)
    objects: Objects = field(default_factory=Nowhere)
    gate: AuditGate = field(default_factory=AuditGate)
    announcer: Announcer = field(default_factory=Announcer)
    tally: Tally = field(default_factory=Tally)

    def new_id(self) -> str:
        """A fresh time-ordered id; wrap it in the entity's type."""
        return self.ids.next(self.clock.now())

    def recogniser(self) -> Recogniser:
        """A recogniser of this installation's brands."""
        return _recogniser((self.installation.brand, *self.installation.former_brands))

    async def record(
        self,
        tx: Transaction,
        caller: Caller,
        action: Action,
        organization_id: OrganizationId,
        subject: tuple[str, str],
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Write an audit event inside the unit of work, so that neither exists without the other.

        Args:
            tx: the unit of work.
            caller: who did it.
            action: what was done.
            organization_id: whose trail.
            subject: kind and id of what it was done to.
            data: details; never a value.

        Raises:
            Unavailable: the action is privileged, and the trail has not been published for too long.
        """
        self.gate.require(action)
        event = Event(
            organization_id=organization_id,
            sequence=await tx.audit.next_sequence(organization_id),
            id=EventId(self.new_id()),
            at=self.clock.now(),
            action=action,
            actor_kind=caller.actor.kind,
            actor_id=caller.actor.id,
            actor_name=caller.actor.name,
            subject_kind=subject[0],
            subject_id=subject[1],
            address=caller.address or "",
            request_id=caller.request_id,
            data=msgspec.json.encode(data or {}).decode(),
            user_agent=caller.user_agent[:_MAX_USER_AGENT],
            token_id=caller.token_id,
        )
        await tx.audit.add(event)
        if action in REACH_CHANGES:
            await tx.audit.post(organization_id, TOPIC_REACH_CHANGED, action.value, event.at)
        words = self.announcer.wanted_of(organization_id, EVENTS_OF.get(action, ()))
        if words:
            await self._announce(tx, words, organization_id, subject, caller, data or {})

    async def tell(
        self, tx: Transaction, event: str, organization_id: OrganizationId, subject: tuple[str, str]
    ) -> None:
        """Announce something that the audit trail does not record, inside the unit that makes it so."""
        words = self.announcer.wanted_of(organization_id, (event,))
        if words:
            await self._announce(tx, words, organization_id, subject, LOCAL, {})

    async def _announce(
        self,
        tx: Transaction,
        words: tuple[str, ...],
        organization_id: OrganizationId,
        subject: tuple[str, str],
        caller: Caller,
        data: Mapping[str, object],
    ) -> None:
        now = self.clock.now()
        occurrence = Occurrence(
            organization_id, now, words, *subject, caller.actor, caller.address or "", data
        )
        await self.announcer.announce(tx, occurrence, self.new_id)
