"""Heartbeats and errors as agents write them, class-marked JSON in texts (contract §5), read into ours."""

from typing import Any

import msgspec

from watchword.domain.dagsteragents import AgentFault
from watchword.domain.errors import Invalid
from watchword.services.dagsteragents import Heartbeat

_SECOND_US = 1_000_000
_MAX_FACTS = 20
_MAX_FACT = 500
_MAX_QUEUES = 100
_MAX_ID = 100


class _Queues(msgspec.Struct):
    include_default_queue: bool = True
    additional_queues: list[str] | None = None


class _Heartbeat(msgspec.Struct):
    agent_id: str
    agent_label: str | None = None
    agent_type: str | None = None
    metadata: dict[str, Any] = {}
    agent_queues_config: _Queues = msgspec.field(default_factory=_Queues)


class _Error(msgspec.Struct):
    message: str = ""
    stack: list[str] = []


class _Fault(msgspec.Struct):
    timestamp: float | None = None
    error: _Error = msgspec.field(default_factory=_Error)


_HEARTBEAT = msgspec.json.Decoder(_Heartbeat)
_FAULT = msgspec.json.Decoder(_Fault)


def read_heartbeat(deployment: str, text: str) -> Heartbeat:
    """A heartbeat for one deployment.

    Raises:
        Invalid: it is none.
    """
    try:
        given = _HEARTBEAT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise Invalid("A heartbeat is no AgentHeartbeat in JSON.", code="invalid_heartbeat") from None
    if not given.agent_id or len(given.agent_id) > _MAX_ID:
        raise Invalid("A heartbeat has no agent_id.", code="invalid_heartbeat")
    config = given.agent_queues_config
    queues = [*([""] if config.include_default_queue else []), *(config.additional_queues or [])]
    facts = {
        key: value[:_MAX_FACT]
        for key, value in list(given.metadata.items())[:_MAX_FACTS]
        if isinstance(value, str) and len(key) <= _MAX_FACT
    }
    return Heartbeat(
        deployment,
        given.agent_id,
        given.agent_label or "",
        given.agent_type or "",
        tuple(queues[:_MAX_QUEUES]),
        facts,
    )


def read_fault(text: str) -> AgentFault:
    """An error that an agent tells of; one that cannot be read is kept as it came."""
    try:
        given = _FAULT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return AgentFault(0, text)
    at = given.timestamp or 0
    return AgentFault(int(at * _SECOND_US), given.error.message + "".join(given.error.stack))
