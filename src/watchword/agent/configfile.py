"""The configuration file: where it is looked for, and its lines (contract section 6.2)."""

import platform
import re
import sys
from pathlib import Path

from watchword.agent.errors import ConfigError

FILE_NAME = "buildkite-agent.cfg"

_LINE = re.compile(r"(?:export\s+)?(?P<key>[A-Za-z_][\w.-]*)\s*[=:]\s*(?P<value>.*)")
_QUOTED = re.compile(
    r"""(?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)')\s*(?:\#.*)?""", re.DOTALL
)
_ESCAPES = {"n": "\n", '"': '"', "'": "'", "\\": "\\"}


def search_places(binary: Path, home: Path) -> list[Path]:
    """Where a file is looked for if none is named, in order; the first that exists is used, alone."""
    homebrew = sys.platform == "darwin" and platform.machine() == "arm64"
    return [
        binary.parent / FILE_NAME,
        home / ".buildkite-agent" / FILE_NAME,
        *([Path("/opt/homebrew/etc/buildkite-agent") / FILE_NAME] if homebrew else []),
        Path("/usr/local/etc/buildkite-agent") / FILE_NAME,
        Path("/etc/buildkite-agent") / FILE_NAME,
    ]


def find_config(named: str | None, places: list[Path]) -> Path | None:
    """The file that is named, or the first that exists, or None."""
    return Path(named) if named else next((place for place in places if place.is_file()), None)


def read_file(path: Path | None) -> dict[str, str]:
    """Read a file; None reads as no settings.

    Raises:
        ConfigError: the file does not exist, cannot be read, or a line makes no sense.
    """
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the configuration file {path}: {reason}") from None
    return parse_config(text, str(path))


def parse_config(text: str, source: str) -> dict[str, str]:
    """Read `key=value` or `key: value` lines; keys are the flags' names without dashes in front.

    Args:
        text: the file's content.
        source: its name, for messages.

    Raises:
        ConfigError: a line makes no sense. The message has its number and never its content.
    """
    settings = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = _value(match["value"]) if match else None
        if match is None or value is None:
            raise ConfigError(f"{source}, line {number}: expected key=value")
        settings[match["key"]] = value
    return settings


def _value(text: str) -> str | None:
    """The value without quotes and comment; None if a quote is not closed."""
    if not text.startswith(("'", '"')):
        return re.split(r"\s#|^#", text, maxsplit=1)[0].rstrip()
    match = _QUOTED.fullmatch(text)
    if match is None:
        return None
    inner = match["single"] if match["double"] is None else match["double"]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), inner)
