"""Announcing: what a unit of work makes happen is put before the services that want to hear of it.

A delivery is written in the unit that makes its event, so that neither exists without the other, and it
says how things stood then. Where no service of an organization wants an event, that costs one look-up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from watchword.domain.accounts import Organization
from watchword.domain.buildsteps import BuildStep
from watchword.domain.errors import WatchwordError
from watchword.domain.events import Notice
from watchword.domain.fleet import Agent
from watchword.domain.ids import (
    AgentId,
    BuildId,
    DeliveryId,
    JobId,
    LeakId,
    OrganizationId,
    StepId,
    TokenId,
)
from watchword.domain.leaks import Leak
from watchword.domain.notifications import (
    MAX_WAITING,
    Delivery,
    DeliveryState,
    NotificationService,
    Occurrence,
    Place,
    wants,
)
from watchword.domain.pipelines import Build, BuildState, Job, Pipeline
from watchword.domain.tokens import Token
from watchword.domain.webhooks import AGENT_STOPPED, BUILD_FINISHED, LEAK_OPENED, outcomes_of
from watchword.feed.base import Feed
from watchword.store.base import Page, Store, Transaction

log = structlog.get_logger("watchword.hooks")

TOPIC_SERVICES_CHANGED = "notification_services.changed"
# How far back the build before this one on its branch is looked for.
_BUILDS_BACK = 50
# What a renderer may fail with; what the database fails with is not among them.
_RENDERING = (WatchwordError, LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Matter:
    """What something happened to, as the unit of work sees it; `group` is the one of its step.

    Attributes:
        token: of a leak the leaked one, which may belong to another organization and reach this one.
        leak: the case; None in organizations that the token only reaches.
    """

    organization: Organization
    agent: Agent | None = None
    token: Token | None = None
    pipeline: Pipeline | None = None
    build: Build | None = None
    job: Job | None = None
    step: BuildStep | None = None
    group: BuildStep | None = None
    leak: Leak | None = None


class Renderer(Protocol):
    """Says as JSON what happened; it awaits nothing but the unit of work."""

    async def __call__(self, tx: Transaction, occurrence: Occurrence, matter: Matter) -> Mapping[str, object]:
        """The keys of a payload besides `event` and `sender`."""


@dataclass(slots=True)
class Announcer:
    """Knows which organizations want which events, and writes deliveries.

    Attributes:
        wanted: events that any enabled service wants, of organizations that have one.
        renderer: given by the composition root; without one nothing is announced.
    """

    wanted: dict[OrganizationId, frozenset[str]] = field(default_factory=dict)
    renderer: Renderer | None = None

    def follow(self, feed: Feed) -> None:
        """Hear of changes to what is wanted."""
        feed.follow(TOPIC_SERVICES_CHANGED, self._heed)

    async def load(self, store: Store) -> None:
        """Learn at a start what is wanted."""
        found: dict[OrganizationId, frozenset[str]] = {}
        for service in await store.read(lambda tx: tx.hooks.enabled()):
            known = found.get(service.organization_id, frozenset())
            found[service.organization_id] = known | set(service.settings.events)
        self.wanted = found

    def _heed(self, notice: Notice) -> None:
        events: list[str] | None = msgspec.json.decode(notice.payload)
        if events is None:
            self.wanted.pop(notice.organization_id, None)
        else:
            self.wanted[notice.organization_id] = frozenset(events)

    def wanted_of(self, organization_id: OrganizationId, words: Sequence[str]) -> tuple[str, ...]:
        """Which of the events any service of an organization wants."""
        wanted = self.wanted.get(organization_id)
        return tuple(word for word in words if word in wanted) if wanted else ()

    async def announce(self, tx: Transaction, occurrence: Occurrence, new_id: Callable[[], str]) -> None:
        """Write the deliveries of something that happened, inside its unit of work."""
        if self.renderer is None:
            return
        services = [
            service
            for service in await tx.hooks.services(occurrence.organization_id)
            if service.enabled and not set(occurrence.words).isdisjoint(service.settings.events)
        ]
        matter = await find_matter(tx, occurrence) if services else None
        if matter is None:
            return
        chosen = [
            (word, service)
            for word in occurrence.words
            if word != AGENT_STOPPED or (matter.agent is not None and matter.agent.stopping_at)
            for service in await _wanting(tx, word, matter, services)
        ]
        if not chosen:
            return
        try:
            fields = await self.renderer(tx, occurrence, matter)
        except _RENDERING:  # a webhook that cannot be told must not stop what it would tell of
            log.exception("event_not_rendered", words=occurrence.words)
            for _, service in chosen:
                await tx.hooks.drop_event(service.organization_id, service.id)
            return
        for word, service in chosen:
            await enqueue(tx, service, word, fields, occurrence.at, new_id)


async def enqueue(
    tx: Transaction,
    service: NotificationService,
    event: str,
    fields: Mapping[str, object],
    at: int,
    new_id: Callable[[], str],
) -> Delivery | None:
    """Write one delivery; None where so many wait that one more is only counted."""
    organization_id = service.organization_id
    if await tx.hooks.waiting(organization_id, service.id, MAX_WAITING) >= MAX_WAITING:
        await tx.hooks.drop_event(organization_id, service.id)
        return None
    creator = await tx.accounts.user(service.created_by) if service.created_by is not None else None
    sender = (
        {"id": creator.id, "name": creator.name} if creator is not None else {"id": "", "name": "Watchword"}
    )
    delivery = Delivery(
        organization_id,
        service.id,
        DeliveryId(new_id()),
        event,
        msgspec.json.encode({"event": event, **fields, "sender": sender}).decode(),
        DeliveryState.PENDING,
        created_at=at,
        queued_at=at,
        next_at=at,
    )
    await tx.hooks.enqueue([delivery])
    return delivery


async def tell_wanted(tx: Transaction, organization_id: OrganizationId, at: int) -> None:
    """Tell the feed which events an organization's services want, inside the unit that changed them."""
    enabled = [service for service in await tx.hooks.services(organization_id) if service.enabled]
    events = sorted({word for service in enabled for word in service.settings.events})
    payload = msgspec.json.encode(events if enabled else None).decode()
    await tx.audit.post(organization_id, TOPIC_SERVICES_CHANGED, payload, at)


async def find_matter(tx: Transaction, occurrence: Occurrence) -> Matter | None:
    """What an occurrence is about; None where it is gone."""
    organization_id, kind, subject = (
        occurrence.organization_id,
        occurrence.subject_kind,
        occurrence.subject_id,
    )
    organization = await tx.accounts.organization(organization_id)
    if organization is None:
        return None
    if kind == "agent":
        agent = await tx.fleet.find(organization_id, AgentId(subject))
        token = await tx.tokens.find(organization_id, agent.token_id) if agent is not None else None
        return Matter(organization, agent=agent, token=token) if agent is not None else None
    if kind == "token":
        token = await tx.tokens.find(organization_id, TokenId(subject))
        if token is None and LEAK_OPENED in occurrence.words:
            reaching = await tx.hygiene.reaching_one(organization_id, TokenId(subject))
            token = reaching.token if reaching is not None else None
        return Matter(organization, token=token) if token is not None else None
    if kind == "leak":
        leak = await tx.leaks.find(organization_id, LeakId(subject))
        token = await tx.tokens.find(organization_id, leak.token_id) if leak is not None else None
        return Matter(organization, token=token, leak=leak) if leak is not None else None
    if kind in ("job", "step", "build"):
        return await _of_build(tx, organization, kind, subject)
    return Matter(organization)


async def _of_build(tx: Transaction, organization: Organization, kind: str, subject: str) -> Matter | None:
    """A build, or a job or step of one."""
    organization_id = organization.id
    job = await tx.builds.job(organization_id, JobId(subject)) if kind == "job" else None
    step_id = StepId(subject) if kind == "step" else job.step_id if job is not None else None
    step = await tx.steps.find(organization_id, step_id) if step_id is not None else None
    of = job or step
    build_id = of.build_id if of is not None else BuildId(subject if kind == "build" else "")
    build = await tx.builds.build(organization_id, build_id)
    pipeline = await tx.builds.pipeline(organization_id, build.pipeline_id) if build is not None else None
    if pipeline is None:
        return None
    within = step.group_id if step is not None else None
    group = await tx.steps.find(organization_id, within) if within is not None else None
    return Matter(organization, pipeline=pipeline, build=build, job=job, step=step, group=group)


async def _wanting(
    tx: Transaction, word: str, matter: Matter, services: Sequence[NotificationService]
) -> list[NotificationService]:
    """Services that want an event of this matter."""
    build, pipeline = matter.build, matter.pipeline
    if build is None or pipeline is None:
        return [service for service in services if wants(service, word, None)]
    fixed = (
        word == BUILD_FINISHED
        and build.state is BuildState.PASSED
        and any(one.build_states.build_fixed and not one.build_states.build_passed for one in services)
        and await _failed_before(tx, build)
    )
    outcomes = outcomes_of(word, build.state, fixed=fixed)
    place = Place(pipeline.id, pipeline.cluster_id, build.branch, outcomes)
    return [service for service in services if wants(service, word, place)]


async def _failed_before(tx: Transaction, build: Build) -> bool:
    """Whether the last build of the branch before this one failed."""
    page = Page(_BUILDS_BACK, 0)
    for before in await tx.builds.builds(build.organization_id, build.pipeline_id, page):
        if before.number < build.number and before.branch == build.branch and before.state.ended:
            return before.state is BuildState.FAILED
    return False
