"""What goes over the wire: the bodies of the calls that the agent makes (contract sections 2 to 4)."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from watchword.crypto.values import Secret


class Registration(msgspec.Struct, kw_only=True):
    """Request of `POST register` (contract section 3.1)."""

    name: str
    hostname: str
    os: str
    arch: str
    script_eval_enabled: bool
    ignore_in_dispatches: bool
    version: str
    build: str
    meta_data: list[str]
    pid: int
    features: list[str]
    priority: str | UnsetType = UNSET
    machine_id: str | UnsetType = UNSET


class Session(msgspec.Struct):
    """Answer of `POST register`; intervals are seconds."""

    id: str | None = None
    name: str | None = None
    access_token: Secret | None = None
    endpoint: str | None = None
    request_headers: dict[str, str] | None = None
    ping_interval: float | None = None
    job_status_interval: float | None = None
    heartbeat_interval: float | None = None


class Offer(msgspec.Struct):
    """The one field that is read of the job in a ping's answer."""

    id: str | None = None


class Ping(msgspec.Struct):
    """Answer of `GET ping` (contract section 3.2)."""

    action: str | None = None
    message: str | None = None
    job: Offer | None = None
    endpoint: str | None = None
    request_headers: dict[str, str] | None = None


class Job(msgspec.Struct):
    """Answer of accept: the job object (contract section 4); sizes are bytes, the interval seconds."""

    id: str
    env: dict[str, str | None]
    token: Secret | None = None
    chunks_max_size_bytes: int | None = None
    chunks_interval_seconds: float | None = None
    log_max_size_bytes: int | None = None
    step: dict[str, Any] | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The job's environment; null reads as empty."""
        return {name: value or "" for name, value in self.env.items()}

    def variable(self, name: str) -> str:
        """A variable of the job's environment; empty if it has none."""
        return self.env.get(name) or ""


class JobState(msgspec.Struct):
    """Answer of `GET jobs/{id}`."""

    state: str | None = None


class Finish(msgspec.Struct, kw_only=True):
    """Request of `PUT jobs/{id}/finish` (contract section 2.3)."""

    exit_status: str
    finished_at: str
    chunks_failed_count: int = 0
    signal: str | UnsetType = UNSET
    signal_reason: str | UnsetType = UNSET
    ignore_agent_in_dispatches: bool | UnsetType = UNSET


class Annotation(msgspec.Struct, kw_only=True):
    """Request of `POST jobs/{id}/annotations` (contract section 2.7)."""

    priority: int
    scope: str
    body: str | UnsetType = UNSET
    context: str | UnsetType = UNSET
    style: str | UnsetType = UNSET
    append: bool | UnsetType = UNSET


class MetaValue(msgspec.Struct):
    """Answer of `data/get` (contract section 2.6)."""

    value: str | None = None


class MetaExists(msgspec.Struct):
    """Answer of `data/exists`."""

    exists: bool = False


class SecretAnswer(msgspec.Struct):
    """What is read of the answer of `GET jobs/{id}/secrets` (contract section 2.10)."""

    value: Secret


class Refusal(msgspec.Struct):
    """What is read of an error's body (contract section 1.7)."""

    message: str | None = None
    code: str | None = None


def stamp(now: float) -> str:
    """Unix time in seconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def secret_hook(kind: type, value: Any) -> Any:  # noqa: ANN401 - msgspec's signature
    """Let msgspec decode a string into a `Secret`."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError("expected a string")
