"""How the texts of settings are read: seconds, switches, signals, words."""

import re
import shlex
import signal
from pathlib import Path
from typing import Any

from watchword.agent.errors import ConfigError
from watchword.agent.options import Kind, Option

TRUE, FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no", "")

_LEVELS = {"debug": "debug", "info": "info", "notice": "info", "warn": "warning", "error": "error"}
_PLAIN = re.compile(r"-?\d{1,7}(?:\.\d+)?")
_SPAN = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?")


def read_value(option: Option, text: str) -> Any:  # noqa: ANN401 - as many types as kinds
    """The value of a setting.

    Raises:
        ConfigError: the text makes no sense for its kind.
    """
    match option.kind:
        case Kind.SWITCH:
            return _boolean(option.name, text)
        case Kind.PATH:
            return read_path(text) if text else None
        case Kind.COUNT:
            return _count(option.name, text)
        case Kind.SECONDS:
            return read_seconds(option.name, text)
        case Kind.LIST:
            return tuple(part for part in (part.strip() for part in text.split(",")) if part)
        case Kind.TEXT:
            return text


def read_path(text: str) -> Path:
    """An absolute path; `~` is the user's home."""
    return Path(text).expanduser().absolute()


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in (*TRUE, *FALSE):
        raise ConfigError(f"{name} must be true or false, not {text!r}")
    return text.lower() in TRUE


def _count(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text):
        raise ConfigError(f"{name} must be a whole number, not {text!r}")
    return int(text)


def read_seconds(name: str, text: str) -> float:
    """Seconds as `90`, or as `1m30s`, which the newer of the usual agents take.

    Raises:
        ConfigError: it is neither.
    """
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _SPAN.fullmatch(text)
    if not text or match is None:
        raise ConfigError(f"{name} must be seconds, or a time such as 1m30s, not {text!r}")
    return 3600 * int(match["h"] or 0) + 60 * int(match["m"] or 0) + float(match["s"] or 0)


def read_signal(text: str) -> signal.Signals:
    """A signal by its name, with or without `SIG`.

    Raises:
        ConfigError: there is none of that name.
    """
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    try:
        return signal.Signals[name]
    except KeyError:
        raise ConfigError(f"cancel-signal {text!r} is not a signal such as SIGTERM") from None


def read_words(text: str) -> tuple[str, ...]:
    """The words of a shell setting.

    Raises:
        ConfigError: it is empty or a quote is not closed.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"the shell {text!r} cannot be split into words: {error}") from None
    if not words:
        raise ConfigError("the shell is empty")
    return words


def read_log_level(text: str) -> str:
    """The level as the log names it.

    Raises:
        ConfigError: there is none of that name.
    """
    level = _LEVELS.get(text.lower())
    if level is None:
        raise ConfigError(f"log-level must be debug, info, warn or error, not {text!r}")
    return level


def one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    """A text that must be one of a few.

    Raises:
        ConfigError: it is another.
    """
    if text not in allowed:
        raise ConfigError(f"{name} must be {', '.join(allowed[:-1])} or {allowed[-1]}, not {text!r}")
    return text
