"""Exchanging: an agent token for a session token (contract agent-api §3.1)."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchword.crypto.values import Secret
from watchword.domain.errors import Forbidden, Invalid, NotFound
from watchword.domain.events import Action, Actor
from watchword.domain.fleet import MAX_NAME, NO_PRIORITY, Agent, AgentState, expand_name, split_tags
from watchword.domain.ids import AgentId, OrganizationId, QueueId, TokenId
from watchword.domain.kinds import BASE58, Kind
from watchword.domain.restrictions import Restrictions, load
from watchword.domain.tokens import Reason, State, Token
from watchword.services.context import Caller, Context
from watchword.services.fleet import Fleet
from watchword.services.issuing import build_token, mint_value
from watchword.services.refusing import ended_reason, refusal
from watchword.services.siblings import sibling
from watchword.services.verifying import Presented
from watchword.store.base import Transaction

_MAX_TEXT = 4096
_RANDOM_NAME = 6
DEFAULT_QUEUE_KEY = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What an agent says of itself when it registers."""

    name: str = ""
    hostname: str = ""
    os: str = ""
    arch: str = ""
    version: str = ""
    build: str = ""
    pid: int = 0
    machine_id: str = ""
    priority: int = NO_PRIORITY
    features: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    script_eval: bool = True
    ignore_in_dispatches: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """A registered agent and its session token's value."""

    agent: Agent
    value: Secret
    replaced: AgentId | None


class Entry(Protocol):
    """Another way in than by an agent token's value (`services.joining`)."""

    @property
    def actor(self) -> Actor:
        """Who registers the agent."""

    @property
    def details(self) -> Mapping[str, object]:
        """What the trail says of it besides."""

    async def take_in(
        self, tx: Transaction, registration: Registration, tags: tuple[str, ...]
    ) -> AgentId | None:
        """Use what was presented; the agent that this one takes the place of, if any."""

    async def joined_in(self, tx: Transaction, agent: Agent) -> None:
        """Keep what is to be known of the agent."""


async def register(
    context: Context,
    fleet: Fleet,
    caller: Caller,
    presented: Presented,
    registration: Registration,
    entry: Entry | None = None,
) -> Joined:
    """Register an agent and issue its session token, durably.

    The agent token was verified; here it is checked again inside the unit of work, so that a
    revocation that is acknowledged first wins.

    Args:
        context: the ground.
        fleet: agents in memory.
        caller: who asks, from where.
        presented: the agent token, or what stands for the trust in an issuer.
        registration: what the agent says of itself.
        entry: the way in where it is not an agent token's value.

    Raises:
        Refused: the agent token ended, expired or was used up meanwhile.
        Forbidden: its restrictions do not admit this agent.
        Invalid: tags or texts are not acceptable, or the queue is not in the cluster.
        TooMany: the organization has as many agents as it may have.
    """
    parent = presented.holder
    fleet.require_room(parent.organization_id)
    queue_key, tags = split_tags(registration.tags)
    _check_texts(registration)
    value = mint_value(context, Kind.AGENT_SESSION)
    agent_id = AgentId(context.new_id())
    actor = entry.actor if entry is not None else Actor("token", parent.id, parent.description)

    async def work(tx: Transaction) -> Joined:
        queue_id, key = await _find_queue(tx, parent, queue_key)
        effective = tags if queue_key else (*tags, f"queue={key}")
        await _check_restrictions(context, tx, presented, key, effective)
        if entry is None:
            replaced = await _take_use(context, tx, fleet, caller, parent, registration)
        else:
            replaced = await entry.take_in(tx, registration, effective)
        session = build_token(
            context,
            Kind.AGENT_SESSION,
            parent.organization_id,
            value,
            cluster_id=parent.cluster_id,
            agent_id=agent_id,
            parent_id=parent.id,
            restrictions=Restrictions(networks=presented.restrictions.networks),
            resource_id=parent.resource_id,
        )
        agent = _build_agent(context, caller, parent, registration, agent_id, session.id, queue_id, effective)
        await tx.tokens.add(session)
        await tx.fleet.add(agent)
        if entry is not None:
            await entry.joined_in(tx, agent)
        details = {"name": agent.name, "token_id": parent.id, "version": agent.version, "queue": key}
        await context.record(
            tx,
            Caller(actor, caller.address, caller.request_id),
            Action.AGENT_REGISTERED,
            parent.organization_id,
            ("agent", agent.id),
            details | dict(entry.details if entry is not None else {}),
        )
        return Joined(agent, value, replaced)

    joined = await context.store.write(work)
    if joined.replaced is not None:
        fleet.forget(joined.replaced)
    fleet.admit(joined.agent)
    return joined


def _check_texts(registration: Registration) -> None:
    if len(registration.name) > MAX_NAME or len(registration.hostname) > MAX_NAME:
        raise Invalid(f"Name and hostname take at most {MAX_NAME} characters.", code="name_too_long")


async def _find_queue(tx: Transaction, parent: Token, key: str) -> tuple[QueueId | None, str]:
    """The queue that the tags name, or the cluster's default one."""
    if parent.cluster_id is None:
        return None, key or DEFAULT_QUEUE_KEY
    organization_id, cluster_id = parent.organization_id, parent.cluster_id
    if key:
        queue = await tx.accounts.queue_by_key(organization_id, cluster_id, key)
        if queue is None:
            raise Invalid(
                f"The queue {key!r} does not exist in this token's cluster; create it or change the tag.",
                code="unknown_queue",
            )
        return queue.id, queue.key
    cluster = await tx.accounts.cluster(organization_id, cluster_id)
    if cluster is None:
        raise NotFound("No cluster found")
    if cluster.default_queue_id is None:
        raise Invalid(
            "This cluster has no default queue; name one with the tag queue=NAME.", code="no_default_queue"
        )
    queue = await tx.accounts.queue(organization_id, cluster.default_queue_id)
    if queue is None:
        raise NotFound("No cluster queue found")
    return queue.id, queue.key


async def _check_restrictions(
    context: Context,
    tx: Transaction,
    presented: Presented,
    queue: str,
    tags: Sequence[str],
) -> None:
    problem = presented.restrictions.refuse_agent(queue, tags)
    if problem:
        raise Forbidden(problem, code="token_restricted")
    current = await tx.tokens.find(presented.organization_id, presented.holder.id)
    now = context.clock.now()
    if current is None or current.state is not State.ACTIVE:
        raise refusal(Reason.REVOKED if current is None else ended_reason(current))
    if current.state_at(now) is State.EXPIRED:
        raise refusal(Reason.EXPIRED)
    if current.restrictions != presented.holder.restrictions:
        raise refusal(Reason.REVOKED, "This token was changed a moment ago; try again.")


async def _take_use(
    context: Context,
    tx: Transaction,
    fleet: Fleet,
    caller: Caller,
    parent: Token,
    registration: Registration,
) -> AgentId | None:
    """Count a use of a counted token.

    Real agents send no key and repeat a registration whose answer was lost: one with the same token,
    name and host replaces the one that never connected, and takes over its use (design §5).
    """
    now = context.clock.now()
    if not parent.max_uses:
        return None
    former = await tx.fleet.never_connected(
        parent.organization_id, parent.id, registration.name, registration.hostname
    )
    if former is not None:
        await fleet.end_in(tx, caller, former, AgentState.REPLACED)
    if not await tx.tokens.take_use(parent.organization_id, parent.id, now):
        raise refusal(Reason.USED_UP)
    # While a rotation is open, both values stand for the same uses.
    other = await sibling(tx, parent.organization_id, parent.id)
    if other is not None:
        await tx.tokens.take_use(parent.organization_id, other, now)
    return former.id if former is not None else None


def _build_agent(
    context: Context,
    caller: Caller,
    parent: Token,
    registration: Registration,
    agent_id: AgentId,
    session_id: TokenId,
    queue_id: QueueId | None,
    tags: tuple[str, ...],
) -> Agent:
    now = context.clock.now()
    name = expand_name(
        registration.name,
        hostname=registration.hostname,
        pid=registration.pid,
        random=_random_name(registration.name),
        number="1",
    )
    return Agent(
        organization_id=OrganizationId(parent.organization_id),
        id=agent_id,
        cluster_id=parent.cluster_id,
        queue_id=queue_id,
        token_id=parent.id,
        session_id=session_id,
        name=name,
        requested_name=registration.name,
        hostname=registration.hostname,
        os=registration.os[:_MAX_TEXT],
        arch=registration.arch[:_MAX_TEXT],
        version=registration.version[:_MAX_TEXT],
        build=registration.build[:_MAX_TEXT],
        pid=registration.pid,
        machine_id=registration.machine_id[:_MAX_TEXT],
        features=registration.features,
        tags=tags,
        priority=registration.priority,
        address=caller.address or "",
        script_eval=registration.script_eval,
        ignore_in_dispatches=registration.ignore_in_dispatches,
        counted=bool(parent.max_uses),
        state=AgentState.REGISTERED,
        job_id=None,
        registered_at=now,
        connected_at=0,
        seen_at=now,
        ended_at=0,
    )


def _random_name(asked: str) -> str:
    """What `%random` becomes, where the name asks for it or is empty."""
    if asked.strip() and "%random" not in asked:
        return ""
    return "".join(secrets.choice(BASE58) for _ in range(_RANDOM_NAME))


async def describe(context: Context, token: Token) -> dict[str, str]:
    """What an agent token is, as its holder may know it (contract agent-api §10.2); all text."""

    async def work(tx: Transaction) -> dict[str, str]:
        organization = await tx.accounts.organization(token.organization_id)
        cluster = None
        if token.cluster_id is not None:
            cluster = await tx.accounts.cluster(token.organization_id, token.cluster_id)
        key = load(token.restrictions).queue
        queue = None
        if cluster is not None and key:
            queue = await tx.accounts.queue_by_key(token.organization_id, cluster.id, key)
        return {
            "uuid": token.id,
            "description": token.description,
            "token_type": "cluster" if cluster is not None else "unclustered",
            "organization_slug": organization.slug if organization is not None else "",
            "organization_uuid": token.organization_id,
            "cluster_uuid": cluster.id if cluster is not None else "",
            "cluster_name": cluster.name if cluster is not None else "",
            "organization_queue_uuid": queue.id if queue is not None else "",
            "organization_queue_key": queue.key if queue is not None else "",
        }

    return await context.store.read(work)
