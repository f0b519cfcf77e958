"""The agent's settings: flags, then environment, then configuration file, then defaults."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from watchword.agent.configvalues import (
    FALSE,
    TRUE,
    one_of,
    read_log_level,
    read_value,
    read_words,
)
from watchword.agent.errors import ConfigError
from watchword.agent.jobsettings import JobSettings, job_settings
from watchword.agent.options import IDLE, OPTIONS, REFUSED, Option
from watchword.domain.errors import Invalid
from watchword.domain.jobrights import read_rights

CONFIG_VARIABLE = OPTIONS["config"].variable
DEFAULT_ENDPOINT = OPTIONS["endpoint"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the agents of one process need to know beside their token.

    Seconds are seconds; folders are absolute.

    Attributes:
        endpoint: base URL of the agent API, `/v3` included, without a slash at the end.
        name: the template of the agents' names; placeholders are still in it.
        tags: `key=value` or `key`, the queue included.
        tags_from_host: whether facts of the machine are added to them.
        ping_mode: `auto`, `stream-only` or `poll-only`: how it hears of work.
        priority: an integer as text; None is the lowest.
        spawn: agents in this process.
        spawn_with_priority: `static`, `ascending` or `descending`.
        acquire_job: the one job to run; None in every other mode.
        reflect_exit_status: end the process with that job's exit status.
        disconnect_after_job: leave after one job.
        disconnect_after_idle_timeout: leave after so many idle seconds; 0 for never.
        disconnect_after_uptime: take no job after so many seconds; 0 for never.
        token_refresh: seconds between two looks at the token's source; 0 for on demand only.
        feature_reporting: whether the registration says which modes are on.
        health_check_addr: `HOST:PORT` of the health check; None for none.
        build_path: folder below which jobs run.
        shell: words in front of the command.
        jobs: what the operator decided about jobs.
        job_token_rights: what tokens of jobs may do at most; None for everything.
        color: whether the agent's own log may have colours.
        log_format: `text` or `json`.
        log_level: `debug`, `info`, `warning` or `error`.
    """

    endpoint: str
    name: str
    tags: tuple[str, ...]
    tags_from_host: bool
    ping_mode: str
    priority: str | None
    spawn: int
    spawn_with_priority: str
    acquire_job: str | None
    reflect_exit_status: bool
    disconnect_after_job: bool
    disconnect_after_idle_timeout: float
    disconnect_after_uptime: float
    token_refresh: float
    feature_reporting: bool
    health_check_addr: str | None
    build_path: Path
    shell: tuple[str, ...]
    jobs: JobSettings
    job_token_rights: tuple[str, ...] | None
    color: bool
    log_format: str
    log_level: str


def load_settings(
    flags: Mapping[str, str | None], environ: Mapping[str, str], config: Mapping[str, str], *, home: Path
) -> Settings:
    """Decide every setting.

    Args:
        flags: what the command line gave, by setting; None or absent where it gave nothing.
        environ: the process environment; an empty variable counts as absent.
        config: the configuration file's settings.
        home: the user's home folder.

    Raises:
        ConfigError: a setting makes no sense, or asks for what this agent does not do.
    """
    _refuse_what_is_not_done(environ, config)
    texts = {option.name: _choose(option, flags, environ, config) for option in OPTIONS.values()}
    values = {option.field: read_value(option, texts[option.name]) for option in OPTIONS.values()}
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "watchword-agent"
    return Settings(
        **{each.name: values[each.name] for each in fields(Settings) if each.name in values}
        | {
            "endpoint": checked_endpoint(values["endpoint"]),
            "tags": _tags(values["tags"], values["queue"]),
            "ping_mode": _ping_mode(values["ping_mode"]),
            "priority": _priority(values["priority"]),
            "spawn": _spawn(values),
            "spawn_with_priority": _spawn_priority(values["spawn_with_priority"]),
            "acquire_job": values["acquire_job"] or None,
            "health_check_addr": values["health_check_addr"] or None,
            "feature_reporting": not values["no_feature_reporting"],
            "build_path": values["build_path"] or state / "builds",
            "shell": read_words(values["shell"]),
            "jobs": job_settings(values, texts, state=state),
            "job_token_rights": _rights(values["job_token_rights"]),
            "color": not values["no_color"] and not environ.get("NO_COLOR"),
            "log_format": one_of("log-format", values["log_format"], ("text", "json")),
            "log_level": "debug" if values["debug"] else read_log_level(values["log_level"]),
        }
    )


def warnings(environ: Mapping[str, str], config: Mapping[str, str]) -> list[str]:
    """What was given and changes nothing: unknown keys of the file, settings that have no effect here."""
    found = [
        f"the configuration file's key {key!r} "
        + ("has no effect in this agent" if key in IDLE else "is unknown and ignored")
        for key in config
        if key not in OPTIONS and key not in REFUSED
    ]
    return found + [
        f"the variable {variable} has no effect in this agent"
        for variable in IDLE.values()
        if environ.get(variable)
    ]


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


def _refuse_what_is_not_done(environ: Mapping[str, str], config: Mapping[str, str]) -> None:
    for name, variable in REFUSED.items():
        if (environ.get(variable) or config.get(name) or "").lower() not in FALSE:
            raise ConfigError(f"{name} ({variable}) is set, but this agent does not do it: take it out")


def _choose(
    option: Option, flags: Mapping[str, str | None], environ: Mapping[str, str], config: Mapping[str, str]
) -> str:
    """The text of a setting; empty if nobody gave one and it has no default."""
    flag = flags.get(option.name)
    if flag is not None:
        return flag
    return (
        environ.get(option.variable)
        or (environ.get(option.other) if option.other else "")
        or config.get(option.name)
        or option.default
    )


def _tags(tags: tuple[str, ...], queue: str) -> tuple[str, ...]:
    if not queue:
        return tags
    if any(tag.startswith("queue=") for tag in tags):
        raise ConfigError("the queue is given twice: as a tag and as the queue setting")
    return (*tags, f"queue={queue}")


def _ping_mode(text: str) -> str:
    """The usual agent knows another word for one of them."""
    return one_of(
        "ping-mode",
        "poll-only" if text == "ping-only" else text,
        ("auto", "stream-only", "poll-only"),
    )


def _rights(words: tuple[str, ...]) -> tuple[str, ...] | None:
    if not words:
        return None
    if words == ("none",):
        return ()
    try:
        return tuple(sorted(read_rights(words)))
    except Invalid as error:
        raise ConfigError(f"job-token-rights: {error.message}") from None


def _priority(text: str) -> str | None:
    if text and not re.fullmatch(r"-?\d{1,9}", text):
        raise ConfigError(f"the priority {text!r} is not an integer")
    return text or None


def _spawn(values: Mapping[str, Any]) -> int:
    spawn: int = values["spawn"]
    if values["spawn_per_cpu"]:
        if spawn > 1:
            raise ConfigError("spawn and spawn-per-cpu are both given: give one of them")
        spawn = values["spawn_per_cpu"] * (os.cpu_count() or 1)
    if spawn < 1:
        raise ConfigError("spawn must be at least 1")
    if spawn > 1 and values["acquire_job"]:
        raise ConfigError("with acquire-job there can be one agent only: leave spawn out")
    return spawn


def _spawn_priority(text: str) -> str:
    """The older of the usual agents know a switch here, which means ascending."""
    if text.lower() in (*TRUE, *FALSE):
        return "ascending" if text.lower() in TRUE else "static"
    return one_of("spawn-with-priority", text, ("static", "ascending", "descending"))
