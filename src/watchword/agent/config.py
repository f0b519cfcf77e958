"""The agent's settings: flags, then environment, then configuration file, then defaults."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from watchword.agent.errors import ConfigError

DEFAULT_ENDPOINT = "http://127.0.0.1:8080/v3"
CONFIG_VARIABLE = "BUILDKITE_AGENT_CONFIG"

VARIABLES = {
    "endpoint": "BUILDKITE_AGENT_ENDPOINT",
    "name": "BUILDKITE_AGENT_NAME",
    "tags": "BUILDKITE_AGENT_TAGS",
    "queue": "BUILDKITE_AGENT_QUEUE",
    "priority": "BUILDKITE_AGENT_PRIORITY",
    "build-path": "BUILDKITE_BUILD_PATH",
    "shell": "BUILDKITE_SHELL",
    "disconnect-after-job": "BUILDKITE_AGENT_DISCONNECT_AFTER_JOB",
    "no-color": "BUILDKITE_AGENT_NO_COLOR",
    "log-format": "BUILDKITE_LOG_FORMAT",
}
"""Each setting and its environment variable; flag and configuration key are the setting's name."""

_DEFAULTS = {
    "endpoint": DEFAULT_ENDPOINT,
    "name": "%hostname-%spawn",
    "tags": "",
    "shell": "/bin/bash -e -c",
    "disconnect-after-job": "false",
    "no-color": "false",
    "log-format": "text",
}
_TRUE, _FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one agent needs to know beside its token.

    Attributes:
        endpoint: base URL of the agent API, `/v3` included, without a slash at the end.
        name: the agent's name; `%spawn` is replaced here, other placeholders by the server.
        tags: `key=value` or `key`, the queue included.
        priority: an integer as text; None is the lowest.
        build_path: folder below which jobs run.
        shell: words in front of the command.
        disconnect_after_job: leave after one job.
        color: whether the agent's own log may have colours.
        log_format: `text` or `json`.
    """

    endpoint: str
    name: str
    tags: tuple[str, ...]
    priority: str | None
    build_path: Path
    shell: tuple[str, ...]
    disconnect_after_job: bool
    color: bool
    log_format: str


def load_settings(
    flags: Mapping[str, str | None], environ: Mapping[str, str], config: Mapping[str, str], *, home: Path
) -> Settings:
    """Decide every setting; unknown keys of the configuration file are ignored.

    Args:
        flags: what the command line gave, by setting; None or absent where it gave nothing.
        environ: the process environment; an empty variable counts as absent.
        config: the configuration file's settings.
        home: the user's home folder.

    Raises:
        ConfigError: a setting makes no sense.
    """
    chosen = {name: _choose(name, flags, environ, config) for name in VARIABLES}
    return Settings(
        endpoint=checked_endpoint(chosen["endpoint"] or DEFAULT_ENDPOINT),
        name=(chosen["name"] or "").replace("%spawn", "1"),
        tags=_tags(chosen["tags"] or "", chosen["queue"]),
        priority=_priority(chosen["priority"]),
        build_path=Path(chosen["build-path"] or _default_build_path(environ, home)).expanduser().absolute(),
        shell=_shell(chosen["shell"] or ""),
        disconnect_after_job=_boolean("disconnect-after-job", chosen),
        color=not _boolean("no-color", chosen) and not environ.get("NO_COLOR"),
        log_format=_log_format(chosen["log-format"] or ""),
    )


def checked_endpoint(text: str) -> str:
    """The endpoint without a slash at its end.

    Raises:
        ConfigError: it is not an http or https URL.
    """
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"the endpoint {text!r} is not a URL such as https://ci.example.com/v3")
    return text.rstrip("/")


def _choose(
    name: str, flags: Mapping[str, str | None], environ: Mapping[str, str], config: Mapping[str, str]
) -> str | None:
    flag = flags.get(name)
    if flag is not None:
        return flag
    return environ.get(VARIABLES[name]) or config.get(name) or _DEFAULTS.get(name)


def _tags(text: str, queue: str | None) -> tuple[str, ...]:
    tags = tuple(tag for tag in (part.strip() for part in text.split(",")) if tag)
    if not queue:
        return tags
    if any(tag.startswith("queue=") for tag in tags):
        raise ConfigError("the queue is given twice: as a tag and as the queue setting")
    return (*tags, f"queue={queue}")


def _priority(text: str | None) -> str | None:
    if text and not re.fullmatch(r"-?\d{1,9}", text):
        raise ConfigError(f"the priority {text!r} is not an integer")
    return text or None


def _default_build_path(environ: Mapping[str, str], home: Path) -> str:
    state = environ.get("XDG_STATE_HOME") or os.fspath(home / ".local" / "state")
    return os.path.join(state, "watchword-agent", "builds")  # noqa: PTH118 - text in, text out


def _shell(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"the shell {text!r} cannot be split into words: {error}") from None
    if not words:
        raise ConfigError("the shell is empty")
    return words


def _boolean(name: str, chosen: Mapping[str, str | None]) -> bool:
    text = (chosen[name] or "").lower()
    if text not in (*_TRUE, *_FALSE):
        raise ConfigError(f"{name} must be true or false, not {text!r}")
    return text in _TRUE


def _log_format(text: str) -> str:
    if text not in ("text", "json"):
        raise ConfigError(f"log-format must be text or json, not {text!r}")
    return text
