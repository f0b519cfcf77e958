"""Fleet: agents, their states, names, tags and versions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchword.domain.errors import Invalid
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId, QueueId, TokenId

MAX_TAGS = 100
MAX_TAG = 255
MAX_NAME = 255


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


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent process. Times are microseconds.

    Attributes:
        token_id: the agent token it joined with.
        requested_name: the name as it asked for it, by which a repeated registration is known.
        counted: joining took one use of a counted token.
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

    @property
    def knows_job_tokens(self) -> bool:
        """Whether this agent uses job tokens (contract agent-api §1.2: since 3.39.0)."""
        return knows_job_tokens(self.version)


_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_FIRST_WITH_JOB_TOKENS = (3, 39)


def knows_job_tokens(version: str) -> bool:
    """Read an agent's version; one that cannot be read is taken for a new one."""
    match = _VERSION.match(version)
    if match is None:
        return True
    return (int(match[1]), int(match[2])) >= _FIRST_WITH_JOB_TOKENS


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
