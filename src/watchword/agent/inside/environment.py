"""What a command reads in the environment of its job."""

from collections.abc import Mapping

from watchword.agent.errors import ConfigError
from watchword.agent.redaction import PATTERNS, secret_values

PATTERNS_VARIABLE = "BUILDKITE_REDACTED_VARS"


def secrets_of(environ: Mapping[str, str]) -> set[str]:
    """The secret values of a command's environment, by the patterns that the agent handed on."""
    patterns = environ.get(PATTERNS_VARIABLE)
    return secret_values(environ, PATTERNS if patterns is None else patterns.split(","))


def needed(environ: Mapping[str, str], name: str) -> str:
    """A variable that every job has.

    Raises:
        ConfigError: it is not there.
    """
    value = environ.get(name)
    if not value:
        raise ConfigError(f"{name} is not set: this command works inside a job")
    return value
