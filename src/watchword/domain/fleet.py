"""Fleet: agents, their states, names, tags and versions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId, QueueId, TokenId, UserId
from watchword.domain.tokens import MINUTE_US

MAX_TAGS = 100
MAX_TAG = 255
MAX_NAME = 255
# An agent that names no priority comes after all that do (contract agent-api §3.1).
NO_PRIORITY = -(2**31)


class AgentState(StrEnum):
    """Where an agent stands."""

    REGISTERED = "registered"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOST = "lost"
    REPLACED = "replaced"

    @property
    def ended(self) -> bool:
        """Whether its session is over."""
        return self in (AgentState.DISCONNECTED, AgentState.LOST, AgentState.REPLACED)


class Activity(StrEnum):
    """What an agent does just now, as people see it."""

    IDLE = "idle"
    BUSY = "busy"
    PAUSED = "paused"
    STOPPING = "stopping"
    JOINING = "joining"
    LOST = "lost"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent process. Times are microseconds.

    Attributes:
        token_id: the agent token it joined with.
        requested_name: the name as it asked for it, by which a repeated registration is known.
        counted: joining took one use of a counted token.
        paused_at: since when it takes no jobs; 0 if it takes them.
        paused_until: when that ends by itself.
        paused_by: the person who paused it; None where a job did.
        stopping_at: since when it is to leave after its job; 0 if it may stay.
        stop_forced: it is to leave at once, its job is cancelled.
        last_job_ended_at: when the last job that it had ended; 0 where it had none.
    """

    organization_id: OrganizationId
    id: AgentId
    cluster_id: ClusterId | None
    queue_id: QueueId | None
    token_id: TokenId
    session_id: TokenId
    name: str
    requested_name: str
    hostname: str
    os: str
    arch: str
    version: str
    build: str
    pid: int
    machine_id: str
    features: tuple[str, ...]
    tags: tuple[str, ...]
    priority: int
    address: str
    script_eval: bool
    ignore_in_dispatches: bool
    counted: bool
    state: AgentState
    job_id: JobId | None
    registered_at: int
    connected_at: int
    seen_at: int
    ended_at: int
    paused_at: int = 0
    paused_until: int = 0
    paused_note: str = ""
    paused_by: UserId | None = None
    stopping_at: int = 0
    stop_forced: bool = False
    last_job_ended_at: int = 0

    @property
    def knows_job_tokens(self) -> bool:
        """Whether this agent uses job tokens (contract agent-api §1.2: since 3.39.0)."""
        return knows_job_tokens(self.version)

    @property
    def order(self) -> "Order | None":
        """What it is to do besides working, if anything."""
        if self.stopping_at:
            return Order(stop=True, message=FORCED_STOP if self.stop_forced else STOP)
        if self.paused_at:
            return Order(until=self.paused_until, message=self.paused_note or PAUSE)
        return None


@dataclass(frozen=True, slots=True)
class Order:
    """What the next answers to an agent's pings ask of it: to leave, or to take no job for a while.

    Attributes:
        stop: it leaves; else it is paused.
        until: when a pause ends, microseconds.
        message: shown in the agent's own log.
    """

    stop: bool = False
    until: int = 0
    message: str = ""


STOP = "This agent was asked to stop."
FORCED_STOP = "This agent was asked to stop at once."
PAUSE = "This agent is paused."
DEFAULT_PAUSE_MINUTES = 5
MAX_PAUSE_MINUTES = 24 * 60
MAX_PAUSE_NOTE = 255


def pause_minutes(asked: int | None) -> int:
    """How long a pause lasts; 5 minutes unless asked otherwise (contract agent-api §2.9).

    Raises:
        Invalid: it is not within a day.
    """
    minutes = asked or DEFAULT_PAUSE_MINUTES
    if not 0 < minutes <= MAX_PAUSE_MINUTES:
        raise Invalid(
            f"Validation failed: Timeout in minutes is 1 to {MAX_PAUSE_MINUTES}", code="invalid_pause"
        )
    return minutes


def pause_end(now: int, minutes: int) -> int:
    """When a pause that begins now ends by itself."""
    return now + minutes * MINUTE_US


def activity_of(agent: Agent) -> Activity:
    """What an agent does as its row says."""
    if agent.state.ended:
        return Activity.LOST if agent.state is AgentState.LOST else Activity.LEFT
    return live_activity(
        connected=agent.state is AgentState.CONNECTED, order=agent.order, busy=agent.job_id is not None
    )


def live_activity(*, connected: bool, order: Order | None, busy: bool) -> Activity:
    """What a live agent does: an order it was given goes before the job it may still run."""
    if not connected:
        return Activity.JOINING
    if order is not None:
        return Activity.STOPPING if order.stop else Activity.PAUSED
    return Activity.BUSY if busy else Activity.IDLE


_SHOWN_STATES = {
    AgentState.REGISTERED: "never_connected",
    AgentState.CONNECTED: "connected",
    AgentState.DISCONNECTED: "disconnected",
    AgentState.LOST: "lost",
    AgentState.REPLACED: "never_connected",
}


def connection_state(agent: Agent) -> str:
    """An agent's state as people and their tools see it."""
    if agent.stopping_at and agent.state is AgentState.CONNECTED:
        return "stopping"
    if agent.stopping_at and agent.state is AgentState.DISCONNECTED:
        return "stopped"
    return _SHOWN_STATES[agent.state]


_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_FIRST_WITH_JOB_TOKENS = (3, 39)
_FIRST_WITH_TIME_OUTS = (3, 127)


def knows_job_tokens(version: str) -> bool:
    """Whether an agent of the version uses job tokens; one that cannot be read is taken for new."""
    return _since(version, _FIRST_WITH_JOB_TOKENS)


def knows_repository_tokens(version: str) -> bool:
    """Whether agents of a version ask for a token of any repository provider, not of GitHub's alone."""
    return _since(version, (3, 136))


def knows_time_outs(version: str) -> bool:
    """Whether it heeds the state `timing_out` (contract agent-api §2.3, trap 16)."""
    return _since(version, _FIRST_WITH_TIME_OUTS)


def _since(version: str, first: tuple[int, int]) -> bool:
    match = _VERSION.match(version)
    return match is None or (int(match[1]), int(match[2])) >= first


def split_tags(items: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Part the queue from the other tags.

    Returns:
        The queue's key (empty if no tag names one) and all tags as given, the queue's included.

    Raises:
        Invalid: a tag is empty or too long, there are too many, or two queues are named.
    """
    if len(items) > MAX_TAGS:
        raise Invalid(f"An agent takes at most {MAX_TAGS} tags, not {len(items)}.", code="too_many_tags")
    queue = ""
    for item in items:
        if not item.strip() or len(item) > MAX_TAG:
            raise Invalid(f"A tag is 1 to {MAX_TAG} characters, as key=value.", code="invalid_tag")
        key, _, value = item.partition("=")
        if key == "queue":
            if not value:
                raise Invalid(
                    "The tag queue= names no queue; leave it out for the default one.", code="invalid_tag"
                )
            if queue and queue != value:
                raise Invalid("An agent joins one queue; the tags name two.", code="two_queues")
            queue = value
    return queue, tuple(items)


def expand_name(name: str, *, hostname: str, pid: int, random: str, number: str) -> str:
    """Replace `%hostname`, `%pid`, `%random`, `%n` (contract agent-api §3.1); invent an empty name."""
    text = name.strip() or "agent-%random"
    for word, value in (
        ("%hostname", hostname or "unknown"),
        ("%random", random),
        ("%pid", str(pid)),
        ("%n", number),
    ):
        text = text.replace(word, value)
    return text[:MAX_NAME]


def tag_environment(tags: Sequence[str]) -> Mapping[str, str]:
    """Variables that tell a job the tags of its agent (contract agent-api §4.3)."""
    found = {}
    for tag in tags:
        key, _, value = tag.partition("=")
        name = re.sub(r"[^A-Z0-9]+", "_", key.upper())
        found[f"BUILDKITE_AGENT_META_DATA_{name}"] = value or "true"
    return found


def matches(rules: Sequence[str], tags: Sequence[str]) -> bool:
    """Whether an agent with `tags` satisfies a job's `rules`, the queue aside.

    A rule `key=*` asks for the key with any value.
    """
    for rule in rules:
        key, _, value = rule.partition("=")
        if key == "queue":
            continue
        if value == "*":
            if not any(tag.partition("=")[0] == key for tag in tags):
                return False
        elif rule not in tags:
            return False
    return True
